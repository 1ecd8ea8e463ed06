package store

import (
	"testing"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
)

// TestLateCommitIsNoMissedEvent has a transaction that began and wrote first commit
// after a reader has passed a later one: the reader that goes on from where it was
// sees it all the same, once, and so does one on another node.
func TestLateCommitIsNoMissedEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	account := w.account(0)
	operator := iam.Actor{Kind: iam.ByCommandLine}
	service := iam.NewService(w.store, id.NewSource(clock.Now).New, clock.Now)
	read := func(after int64) []iam.AuditEntry {
		t.Helper()
		events, err := service.Events(t.Context(), operator, account.ID, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	start := read(0)
	cursor := start[len(start)-1].Seq
	record := func(name string, before func()) error {
		return w.store.Update(t.Context(), func(tx iam.Tx) error {
			err := tx.Record(operator.Entry(name, iam.Import, account.ID, ""))
			before()
			return err
		})
	}
	wrote, commit, late := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { late <- record("late", func() { close(wrote); <-commit }) }()
	<-wrote
	if err := record("early", func() {}); err != nil {
		t.Fatal(err)
	}
	first := read(cursor)
	if len(first) != 1 || first[0].OperationID != "early" {
		t.Fatalf("before the late one commits: got %+v", first)
	}
	close(commit)
	if err := <-late; err != nil {
		t.Fatal(err)
	}
	second := read(first[0].Seq)
	if len(second) != 1 || second[0].OperationID != "late" || second[0].Seq <= first[0].Seq {
		t.Fatalf("after it: got %+v", second)
	}
	if rest := read(second[0].Seq); len(rest) != 0 {
		t.Errorf("and then: got %+v, want nothing", rest)
	}
}
