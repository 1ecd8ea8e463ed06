package store

import (
	"context"
	"time"

	"hither/internal/iam"
)

// maxInspected is how many webhooks a look lists.
const maxInspected = 1000

// InspectedWebhooks are where accounts have their events sent.
type InspectedWebhooks struct {
	On           int
	Failing      int           // of these, that took nothing last
	FailingSince time.Time     // since when the first of them has not
	Off          int           // that were turned off by themselves
	DueSince     time.Time     // since when there is something to send that nobody has in hand, zero where there is not
	List         []iam.Webhook // some that are on: ID, AccountID and URL
}

func inspectWebhooks(ctx context.Context, db querier, found *Inspection, now time.Time) error {
	w := &found.Webhooks
	err := db.QueryRowContext(ctx, `SELECT COALESCE(sum(CASE WHEN disabled = '' THEN 1 ELSE 0 END), 0),
			COALESCE(sum(CASE WHEN disabled = '' AND failures > 0 THEN 1 ELSE 0 END), 0),
			min(CASE WHEN disabled = '' AND failing_since > 0 THEN failing_since END),
			COALESCE(sum(CASE WHEN disabled <> '' AND disabled <> 'asked' THEN 1 ELSE 0 END), 0),
			min(CASE WHEN disabled = '' AND due_on > 0 AND due_on <= $1 AND leased_until <= $1 THEN due_on END)
		FROM webhooks WHERE deleted_on = 0`, toMicros(now)).
		Scan((*count)(&w.On), (*count)(&w.Failing), (*stamp)(&w.FailingSince), (*count)(&w.Off), (*stamp)(&w.DueSince))
	if err != nil || w.On == 0 {
		return err //nolint:wrapcheck // wrapped by the caller
	}
	return eachRow(ctx, db, `SELECT id, account_id, url FROM webhooks WHERE deleted_on = 0 AND disabled = '' ORDER BY id LIMIT $1`,
		[]any{maxInspected}, func(r row) error {
			var hook iam.Webhook
			err := r.Scan((*text)(&hook.ID), (*text)(&hook.AccountID), &hook.URL)
			w.List = append(w.List, hook)
			return err
		})
}
