package main

import (
	"log/slog"
	"testing"
	"time"

	"hither/internal/dataset"
)

// TestDemoWorldStaysForWhoUsesIt holds that a reset takes nothing away from
// under a request: the next one is in the new world, and the old one is there
// until it is left.
func TestDemoWorldStaysForWhoUsesIt(t *testing.T) {
	t.Parallel()
	rows, err := dataset.Documentation()
	if err != nil {
		t.Fatal(err)
	}
	stage := demoStage{base: "http://127.0.0.1:1", rows: rows, logger: slog.New(slog.DiscardHandler)}
	if err := stage.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	old, leave, err := stage.enter()
	if err != nil {
		t.Fatal(err)
	}
	reset := make(chan error, 1)
	go func() {
		_, err := stage.reset(rows)
		reset <- err
	}()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for stage.world.Load() == old {
		<-look.C
	}
	next, leaveNext, err := stage.enter()
	if err != nil || next == old {
		t.Errorf("during a reset: got %v, want the new world", err)
	}
	leaveNext()
	select {
	case err := <-reset:
		t.Fatalf("the reset ended, with %v, while its old world was in use", err)
	case <-time.After(200 * time.Millisecond): // an end takes some milliseconds
	}
	if err := old.db.store.Ping(t.Context()); err != nil {
		t.Errorf("the world that was entered: %v", err)
	}
	leave()
	if err := <-reset; err != nil {
		t.Error(err)
	}
	if err := stage.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := stage.enter(); err == nil {
		t.Error("a demo that has ended lets somebody in")
	}
}
