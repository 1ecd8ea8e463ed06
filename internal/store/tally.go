package store

import (
	"errors"
	"fmt"

	"hither/internal/iam"
)

// talliesBound is how many tallies that are over one transaction drops. It is
// more than the ones that it begins, so that the table holds what counts and no
// more.
const talliesBound = 16

// Spend implements iam.Tx. The limit is in the statement, so that of any number
// of racing transactions no more pass than it allows, on every engine. Tallies
// are locked in the order in which they are given.
func (t *tx) Spend(tallies []iam.Tally) (*iam.Tally, error) {
	begun := false
	for i, tally := range tallies {
		var n int
		err := one(t, `INSERT INTO tallies (name, subject, starts_on, ends_on, n) VALUES ($1, $2, $3, $4, 1)
			ON CONFLICT (name, subject, starts_on) DO UPDATE SET n = tallies.n + 1 WHERE tallies.n < $5 RETURNING n`,
			[]any{tally.Name, tally.Subject, toMicros(tally.StartsOn), toMicros(tally.EndsOn), tally.Limit}, (*count)(&n))
		if errors.Is(err, iam.ErrNoRow) {
			return &tally, t.giveBack(tallies[:i])
		}
		if err != nil {
			return nil, fmt.Errorf("count against %s: %w", tally.Name, err)
		}
		begun = begun || n == 1
	}
	if !begun {
		return nil, nil //nolint:nilnil // nothing was refused
	}
	return nil, t.purgeTallies()
}

// Spent implements iam.Tx.
func (t *tx) Spent(tallies []iam.Tally) (*iam.Tally, error) {
	for _, tally := range tallies {
		var n int
		err := one(t, `SELECT k.n FROM tallies k WHERE k.name = $1 AND k.subject = $2 AND k.starts_on = $3`,
			[]any{tally.Name, tally.Subject, toMicros(tally.StartsOn)}, (*count)(&n))
		if err != nil && !errors.Is(err, iam.ErrNoRow) {
			return nil, fmt.Errorf("read %s: %w", tally.Name, err)
		}
		if n >= tally.Limit {
			return &tally, nil
		}
	}
	return nil, nil //nolint:nilnil // none of them is spent
}

// giveBack undoes what was spent before another tally refused.
func (t *tx) giveBack(tallies []iam.Tally) error {
	for _, tally := range tallies {
		_, err := t.exec(`UPDATE tallies SET n = n - 1 WHERE name = $1 AND subject = $2 AND starts_on = $3`,
			tally.Name, tally.Subject, toMicros(tally.StartsOn))
		if err != nil {
			return fmt.Errorf("give back to %s: %w", tally.Name, err)
		}
	}
	return nil
}

// purgeTallies drops some of what counts for nothing any more, the oldest first.
func (t *tx) purgeTallies() error {
	_, err := t.exec(`DELETE FROM tallies WHERE (name, subject, starts_on) IN
		(SELECT k.name, k.subject, k.starts_on FROM tallies k WHERE k.ends_on <= $1 ORDER BY k.ends_on LIMIT $2`+t.besideOthers()+`)`,
		toMicros(t.now), talliesBound)
	if err != nil {
		return fmt.Errorf("drop old tallies: %w", err)
	}
	return nil
}
