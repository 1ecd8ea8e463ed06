package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hither/internal/iam"
)

// Where transactions commit one after the other, a row's number is its position in
// the event stream. Where they run side by side a row may become visible after one
// with a higher number, which a reader has passed already. There positions are given
// to rows that are committed, by one transaction at a time, which holds the row of
// event_position until it is committed itself.

// Unplaced implements iam.Store.
func (s *Store) Unplaced(ctx context.Context) (bool, error) {
	if !s.placesEvents {
		return false, nil
	}
	return read(ctx, s, func(v *view) (bool, error) {
		var seq int64
		err := one(v, `SELECT e.seq FROM audit e WHERE e.position IS NULL ORDER BY e.seq LIMIT 1`, nil, (*number)(&seq))
		if errors.Is(err, iam.ErrNoRow) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look for events without a position: %w", err)
		}
		return true, nil
	})
}

// PlaceEvents implements iam.Tx. The rows are looked for by a statement that begins
// when the lock is held: it sees what whoever held it before has committed.
func (t *tx) PlaceEvents(limit int) (int, error) {
	if t.locks == nil {
		return 0, nil
	}
	var last int64
	err := one(t, `SELECT p.position FROM event_position p WHERE p.id = 1 FOR UPDATE`, nil, (*number)(&last))
	if err != nil {
		return 0, fmt.Errorf("hold the last position: %w", err)
	}
	// A row that retention drops meanwhile leaves a hole: what counts is the highest
	// position that was given, not how many were.
	placed := 0
	err = t.query(`UPDATE audit AS e SET position = $1 + w.n
		FROM (SELECT d.seq AS seq, row_number() OVER (ORDER BY d.seq) AS n FROM audit d WHERE d.position IS NULL ORDER BY d.seq LIMIT $2) w
		WHERE e.seq = w.seq RETURNING e.position`, []any{last, limit}, func(r row) error {
		var position int64
		if err := r.Scan((*number)(&position)); err != nil {
			return fmt.Errorf("scan a position: %w", err)
		}
		last = max(last, position)
		placed++
		return nil
	})
	if err == nil && placed > 0 {
		_, err = t.exec(`UPDATE event_position SET position = $1 WHERE id = 1`, last)
	}
	if err != nil {
		return 0, fmt.Errorf("place events: %w", err)
	}
	return placed, nil
}

// position is the column of an event's position.
func (s *Store) position() string {
	if s.placesEvents {
		return `e.position`
	}
	return `e.seq`
}

// Events implements iam.Store.
func (s *Store) Events(ctx context.Context, query iam.EventQuery) ([]iam.AuditEntry, error) {
	position := s.position()
	columns := auditLog{AuditQuery: iam.AuditQuery{AccountID: query.AccountID, Open: query.Open}}.columns(``)
	columns = position + strings.TrimPrefix(columns, `e.seq`)
	return read(ctx, s, func(v *view) ([]iam.AuditEntry, error) {
		return v.entries(`SELECT `+columns+` FROM audit e WHERE e.account_id = $1 AND `+position+` > $2 ORDER BY `+position+` LIMIT $3`,
			[]any{string(query.AccountID), query.After, query.Limit})
	})
}

// EventPosition implements iam.Store.
func (s *Store) EventPosition(ctx context.Context, accountID iam.ID, operationID string) (int64, error) {
	place, err := s.eventPlace(ctx, `e.operation_id = $1 AND e.account_id = $2 AND `+s.position()+` > 0`, operationID, string(accountID))
	return place.Position, err
}

// LastEvent implements iam.Store.
func (s *Store) LastEvent(ctx context.Context, accountID iam.ID) (iam.EventPlace, error) {
	return s.eventPlace(ctx, `e.account_id = $1 AND `+s.position()+` > 0 ORDER BY `+s.position()+` DESC LIMIT 1`, string(accountID))
}

func (s *Store) eventPlace(ctx context.Context, condition string, args ...any) (iam.EventPlace, error) {
	return read(ctx, s, func(v *view) (iam.EventPlace, error) {
		var place iam.EventPlace
		err := one(v, `SELECT e.operation_id, `+s.position()+` FROM audit e WHERE `+condition, args,
			(*text)(&place.ID), (*number)(&place.Position))
		if err != nil {
			return iam.EventPlace{}, fmt.Errorf("look for an event: %w", err)
		}
		return place, nil
	})
}
