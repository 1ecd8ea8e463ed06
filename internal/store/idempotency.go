package store

import (
	"fmt"

	"hither/internal/iam"
)

// purgeBound is how many outcomes whose life is over one transaction drops. It
// is more than the one that it adds, so that the table holds a day's and no
// more.
const purgeBound = 16

// Outcome implements iam.Tx.
func (t *tx) Outcome(id [32]byte) (iam.Outcome, error) {
	var outcome iam.Outcome
	err := one(t, `SELECT k.request, k.outcome FROM idempotency k WHERE k.id = $1 AND k.created_on > $2`,
		[]any{id[:], t.lifeOver()}, (*hash32)(&outcome.Request), (*text)(&outcome.Result))
	if err != nil {
		return iam.Outcome{}, fmt.Errorf("read outcome: %w", err)
	}
	return outcome, nil
}

// KeepOutcome implements iam.Tx. Whoever comes second waits here for the first
// one to commit, where transactions run side by side. That the guard is in the
// statement, rather than a constraint that fails, lets it find that out on
// every engine without a broken transaction.
func (t *tx) KeepOutcome(id [32]byte, outcome iam.Outcome) error {
	n, err := t.exec(`INSERT INTO idempotency (id, request, outcome, created_on) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET request = excluded.request, outcome = excluded.outcome, created_on = excluded.created_on
		WHERE idempotency.created_on <= $5`,
		id[:], outcome.Request[:], outcome.Result, toMicros(t.now), t.lifeOver())
	if err == nil && n == 0 {
		err = iam.ErrStale
	}
	if err != nil {
		return fmt.Errorf("keep outcome: %w", err)
	}
	return t.purgeOutcomes()
}

// purgeOutcomes drops some of what nobody is told any more, the oldest first.
// Nearly always there is nothing, and it costs one statement. Where others do
// the same beside it each takes what the others leave: requests that have nothing
// in common must not wait for each other.
func (t *tx) purgeOutcomes() error {
	_, err := t.exec(`DELETE FROM idempotency WHERE id IN
		(SELECT k.id FROM idempotency k WHERE k.created_on <= $1 ORDER BY k.created_on LIMIT $2`+t.besideOthers()+`)`, t.lifeOver(), purgeBound)
	if err != nil {
		return fmt.Errorf("drop old outcomes: %w", err)
	}
	return nil
}

// lifeOver is when an outcome was kept whose life ends now.
func (t *tx) lifeOver() int64 { return toMicros(t.now.Add(-iam.IdempotencyLife)) }
