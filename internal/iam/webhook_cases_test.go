package iam_test

import (
	"testing"
	"time"

	"hither/internal/iam"
)

// After a rotation the secret before signs too, to the end that was asked for.
func TestARotationOverlaps(t *testing.T) {
	t.Parallel()
	l, hook := hooked(t)
	const overlap = time.Hour
	rotated := func(_ iam.Replayable[iam.Webhook], secret string, err error) string {
		if err != nil || secret == "" {
			t.Fatal(secret, err)
		}
		return secret
	}
	rotated(l.RotateWebhook(t.Context(), l.founder, l.account, hook.ID, overlap, iam.IdempotencyKey{}))
	ends := l.now().Add(overlap)
	claimed := func() []iam.WebhookSecret {
		l.ping(t, hook)
		claim := must(l.ClaimWebhook(t.Context(), time.Second, false))(t)
		must(l.FinishWebhook(t.Context(), claim, []iam.WebhookOutcome{{WebhookDelivery: claim.Messages[0].WebhookDelivery, Code: 200}}))(t)
		return claim.Secrets
	}
	for _, wait := range []time.Duration{0, overlap - time.Microsecond} {
		l.pass(wait)
		got := claimed()
		if len(got) != 2 || !got[0].Until.IsZero() || !got[1].Until.Equal(ends) || string(got[0].Bytes) == string(got[1].Bytes) {
			t.Errorf("%s before the end: got %+v, want two secrets, the second until %s", ends.Sub(l.now()), got, ends)
		}
	}
	l.pass(time.Microsecond)
	if got := claimed(); len(got) != 1 || !got[0].Until.IsZero() {
		t.Errorf("at the end: got %+v, want the present secret alone", got)
	}
}
