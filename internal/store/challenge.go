package store

import (
	"context"
	"errors"
	"fmt"

	"hither/internal/iam"
)

const challengeColumns = `c.id, c.purpose, c.email, c.user_id, c.browser, c.failures, c.created_on, c.expires_on, c.used_on`

func challengeDest(c *iam.Challenge) []any {
	return []any{
		(*text)(&c.ID), (*text)(&c.Purpose), (*text)(&c.Email), (*text)(&c.UserID), (*hash32)(&c.Browser), (*count)(&c.Failures),
		(*stamp)(&c.CreatedOn), (*stamp)(&c.ExpiresOn), (*stamp)(&c.UsedOn),
	}
}

// ChallengeFacts implements iam.Tx. Where others write at the same time the
// challenge is held alone, after its user: so codes are tried one by one, and
// what was counted of one is seen by the next.
func (t *tx) ChallengeFacts(id iam.ID) (iam.ChallengeFacts, error) {
	if t.locks != nil {
		if err := t.lockChallenge(id); err != nil {
			return iam.ChallengeFacts{}, err
		}
	}
	var facts iam.ChallengeFacts
	err := one(t, `SELECT `+challengeColumns+` FROM challenges c WHERE c.id = $1`, []any{string(id)}, challengeDest(&facts.Challenge)...)
	if err == nil && facts.Challenge.UserID != "" {
		facts.User, err = t.user(facts.Challenge.UserID)
	}
	if err != nil {
		return iam.ChallengeFacts{}, fmt.Errorf("read challenge: %w", err)
	}
	return facts, nil
}

// Challenge implements iam.Store.
func (s *Store) Challenge(ctx context.Context, id iam.ID) (iam.Challenge, error) {
	return read(ctx, s, func(v *view) (iam.Challenge, error) {
		var c iam.Challenge
		err := one(v, `SELECT `+challengeColumns+` FROM challenges c WHERE c.id = $1`, []any{string(id)}, challengeDest(&c)...)
		if err != nil {
			return iam.Challenge{}, fmt.Errorf("read challenge: %w", err)
		}
		return c, nil
	})
}

func (t *tx) lockChallenge(id iam.ID) error {
	var userID iam.ID // which never changes
	err := one(t, `SELECT c.user_id FROM challenges c WHERE c.id = $1`, []any{string(id)}, (*text)(&userID))
	if err == nil {
		_, err = t.shareUser(userID)
	}
	if err == nil {
		err = one(t, `SELECT c.id FROM challenges c WHERE c.id = $1 FOR NO KEY UPDATE`, []any{string(id)}, new(text))
	}
	if errors.Is(err, iam.ErrNoRow) {
		return nil // the facts tell
	}
	if err != nil {
		return fmt.Errorf("lock challenge: %w", err)
	}
	return nil
}

// InsertChallenge implements iam.Tx.
func (t *tx) InsertChallenge(c iam.Challenge, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO challenges (id, purpose, email, user_id, browser, failures, created_on, expires_on, used_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		string(c.ID), string(c.Purpose), c.Email, reference(c.UserID), c.Browser[:], c.Failures,
		toMicros(c.CreatedOn), toMicros(c.ExpiresOn), toMicros(c.UsedOn))
	if err != nil {
		return fmt.Errorf("insert challenge: %w", err)
	}
	if err := t.purge("challenges"); err != nil {
		return err
	}
	entry.UserID = c.UserID
	return t.Record(entry)
}

// FailChallenge implements iam.Tx.
func (t *tx) FailChallenge(id iam.ID) error {
	return t.changeChallenge(`UPDATE challenges SET failures = failures + 1 WHERE id = $1`, string(id))
}

// UseChallenge implements iam.Tx.
func (t *tx) UseChallenge(id iam.ID) error {
	return t.changeChallenge(`UPDATE challenges SET used_on = $1 WHERE id = $2 AND used_on = 0`, toMicros(t.now), string(id))
}

// EndChallenges implements iam.Tx.
func (t *tx) EndChallenges(userID iam.ID) error {
	err := t.changeChallenge(`UPDATE challenges SET used_on = $1 WHERE user_id = $2 AND used_on = 0`, toMicros(t.now), string(userID))
	if errors.Is(err, iam.ErrStale) {
		return nil
	}
	return err
}

func (t *tx) changeChallenge(statement string, args ...any) error {
	n, err := t.exec(statement, args...)
	if err == nil && n == 0 {
		err = iam.ErrStale
	}
	if err != nil {
		return fmt.Errorf("change challenge: %w", err)
	}
	return nil
}
