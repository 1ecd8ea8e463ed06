package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

const userSessionColumns = `n.id, n.user_id, n.hash, n.method, n.factor, n.proved_on, n.seen_on, n.idle, n.expires_on, n.ended_on,
	n.remote_addr, n.agent, n.created_on`

// userSessionRow is a session of a user as it is kept: its idle time in
// microseconds.
type userSessionRow struct {
	iam.Session
	idle int64
}

func (n *userSessionRow) dest() []any {
	return []any{
		(*text)(&n.ID), (*text)(&n.UserID), (*hash32)(&n.Hash), (*text)(&n.Method), (*text)(&n.Factor), (*stamp)(&n.ProvedOn),
		(*stamp)(&n.SeenOn), (*number)(&n.idle), (*stamp)(&n.ExpiresOn), (*stamp)(&n.EndedOn),
		(*text)(&n.RemoteAddr), (*text)(&n.Agent), (*stamp)(&n.CreatedOn),
	}
}

func (n *userSessionRow) session() iam.Session {
	n.Idle = time.Duration(n.idle) * time.Microsecond
	return n.Session
}

// SessionPrincipal implements iam.Store. Every page begins with it, as every
// request of the wire does with KeyPrincipal.
func (s *Store) SessionPrincipal(ctx context.Context, hash [32]byte) (iam.SessionPrincipal, error) {
	return read(ctx, s, func(v *view) (iam.SessionPrincipal, error) {
		var (
			n    userSessionRow
			user iam.User
		)
		err := one(v, `SELECT `+userSessionColumns+`, `+userColumns+`
			FROM sessions n JOIN users u ON u.id = n.user_id WHERE n.hash = $1`,
			[]any{hash[:]}, userDest(n.dest(), &user)...)
		if err != nil {
			return iam.SessionPrincipal{}, fmt.Errorf("read session: %w", err)
		}
		return iam.SessionPrincipal{Session: n.session(), User: user}, nil
	})
}

// Sessions implements iam.Store.
func (s *Store) Sessions(ctx context.Context, userID iam.ID) ([]iam.Session, error) {
	return read(ctx, s, func(v *view) ([]iam.Session, error) {
		var sessions []iam.Session
		err := v.query(`SELECT `+userSessionColumns+` FROM sessions n WHERE n.user_id = $1 AND n.ended_on = 0 ORDER BY n.id`,
			[]any{string(userID)}, func(r row) error {
				var n userSessionRow
				if err := r.Scan(n.dest()...); err != nil {
					return fmt.Errorf("scan session: %w", err)
				}
				sessions = append(sessions, n.session())
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		return sessions, nil
	})
}

// InsertSession implements iam.Tx. Its user is held, so that a suspension either
// comes first or finds the session.
func (t *tx) InsertSession(n iam.Session, entry iam.AuditEntry) error {
	if _, err := t.shareUser(n.UserID); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO sessions (id, user_id, hash, method, factor, proved_on, seen_on, idle, expires_on, ended_on,
			remote_addr, agent, created_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		string(n.ID), string(n.UserID), n.Hash[:], string(n.Method), n.Factor, toMicros(n.ProvedOn), toMicros(n.SeenOn),
		n.Idle.Microseconds(), toMicros(n.ExpiresOn), toMicros(n.EndedOn), n.RemoteAddr, n.Agent, toMicros(n.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	if err := t.purge("sessions"); err != nil {
		return err
	}
	entry.UserID = n.UserID
	return t.Record(entry)
}

// SeeSession implements iam.Tx.
func (t *tx) SeeSession(id iam.ID) error {
	_, err := t.exec(`UPDATE sessions SET seen_on = $1 WHERE id = $2 AND ended_on = 0 AND seen_on <= $3`,
		toMicros(t.now), string(id), toMicros(t.now.Add(-iam.SeenEvery)))
	if err != nil {
		return fmt.Errorf("see session: %w", err)
	}
	return nil
}

// EndSession implements iam.Tx.
func (t *tx) EndSession(id iam.ID, entry iam.AuditEntry) error {
	return t.endOwned(`sessions`, id, entry, `UPDATE sessions SET ended_on = $1 WHERE id = $2 AND ended_on = 0`,
		toMicros(t.now), string(id))
}

// EndSessions implements iam.Tx.
func (t *tx) EndSessions(userID, keep iam.ID, entry iam.AuditEntry) error {
	entry.UserID = userID
	err := t.endCredential(`UPDATE sessions SET ended_on = $1 WHERE user_id = $2 AND ended_on = 0 AND id <> $3`,
		[]any{toMicros(t.now), string(userID), string(keep)}, entry)
	if errors.Is(err, iam.ErrNoRow) {
		return nil
	}
	return err
}
