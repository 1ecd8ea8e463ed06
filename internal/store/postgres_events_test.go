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

// TestPositionsAreGivenOnce has retention drop a row while it gets its position: the
// hole that it leaves is behind whoever reads, and no later event falls into it.
func TestPositionsAreGivenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	account := w.account(0)
	record := func() int64 {
		entry := w.entry(iam.Import, account.ID, "")
		w.must(func(tx iam.Tx) error { return tx.Record(entry) })
		return w.number(`SELECT max(seq) FROM audit`)
	}
	place := func() { w.must(func(tx iam.Tx) error { _, err := tx.PlaceEvents(100); return err }) }
	place()
	dropped := record()
	record()
	deleted, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.store.Update(t.Context(), func(tx iam.Tx) error {
			_, err := inside(tx).exec(`DELETE FROM audit WHERE seq = $1`, dropped)
			close(deleted)
			<-commit
			return err
		})
	}()
	<-deleted
	placing := make(chan struct{})
	go func() { defer close(placing); place() }()
	eventually(t, "who places waits for who drops", func() bool { return w.number(waiters) > 0 })
	close(commit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-placing
	highest := w.number(`SELECT max(position) FROM audit`)
	record()
	place()
	if got, want := w.number(`SELECT position FROM audit ORDER BY seq DESC LIMIT 1`), highest+1; got != want {
		t.Errorf("the next event has position %d, want %d", got, want)
	}
	if got := w.number(`SELECT position FROM event_position`); got != highest+1 {
		t.Errorf("the last position is %d, want %d", got, highest+1)
	}
}
