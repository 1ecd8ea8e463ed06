package store

import (
	"context"
	"strings"
	"testing"

	"hither/internal/clock"
	"hither/internal/iam"
)

// beside is a store that tells of each transaction before it runs.
type beside struct {
	iam.Store

	n      int
	before func(n int)
}

func (b *beside) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	b.n++
	b.before(b.n)
	return b.Store.Update(ctx, fn)
}

// TestErasureFindsWhatWasCommittedLate has a row become visible only when an erasure
// has passed its number: the second pass begins with the first row.
func TestErasureFindsWhatWasCommittedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	a, v := w.account(0), w.user("v")
	wrote, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	late := w.entry(iam.InviteCreate, a.ID, w.id())
	late.After = `{"email":"` + v.Email + `"}`
	store := &beside{Store: w.store, before: func(n int) {
		switch n {
		case 2: // the user is closed, and the first pass begins
			go func() {
				done <- w.store.Update(context.Background(), func(tx iam.Tx) error {
					err := tx.Record(late)
					close(wrote)
					<-commit
					return err
				})
			}()
			<-wrote
			early := w.entry(iam.Import, a.ID, "")
			w.must(func(tx iam.Tx) error { return tx.Record(early) })
		case 4: // the first pass is over
			close(commit)
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}}
	if _, err := iam.NewService(store, w.ids.New, clock.Now).EraseUser(t.Context(), operatorOnPostgres, v.ID, false); err != nil {
		t.Fatal(err)
	}
	entries, err := w.store.Audit(t.Context(), a.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.Contains(entry.After, v.Email) {
			t.Errorf("row %s still has %s", entry.Action, entry.After)
		}
	}
}
