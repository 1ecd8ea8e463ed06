package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/test/postgres"
)

// TestPingOfASilentServer holds that who asks whether the database answers is
// told in time, though the statement waits on.
func TestPingOfASilentServer(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	s, err := OpenPostgres(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// As a server that hangs: every read of the table waits.
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE instance IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a silent server: got %v, want that the time is up", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping afterwards: got %v, want none", err)
	}
}

// TestReadersGiveUpInTime holds that a read is over before the server of the
// wire gives up on its request, and that a shorter time of the URL stands.
func TestReadersGiveUpInTime(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"": "10000", "?statement_timeout=2000": "2000", "?statement_timeout=60000": "10000", "?statement_timeout=0": "10000"} {
		config, err := postgresConfig("postgres://127.0.0.1/x"+query, busyTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if got := forReading(config).RuntimeParams["statement_timeout"]; got != want {
			t.Errorf("%q: got a statement_timeout of %s for reading, want %s", query, got, want)
		}
	}
}

// TestRefusedConnectionsAreUnavailable holds that a database which lets nobody
// in is no defect of ours, whatever its code.
func TestRefusedConnectionsAreUnavailable(t *testing.T) {
	t.Parallel()
	cluster := postgres.Start(t, postgres.Options{})
	url := cluster.Create(t, "shut")
	s, err := OpenPostgres(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	admin, err := sql.Open("pgx", cluster.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, statement := range []string{
		`ALTER DATABASE shut ALLOW_CONNECTIONS false`,
		`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shut'`,
	} {
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, read := s.User(t.Context(), "00000000000000000000000000000001")
	wrote := s.Update(t.Context(), func(iam.Tx) error { return nil })
	for what, err := range map[string]error{"read": read, "write": wrote} {
		if iam.KindOf(err) != iam.Unavailable {
			t.Errorf("%s where nobody is let in: got %v, want Unavailable", what, err)
		}
	}
}

// TestPurgesWaitForNobody holds that requests with nothing in common don't wait
// for each other because both drop what is old.
func TestPurgesWaitForNobody(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[time.Time]
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now.Store(&start)
	s, err := OpenPostgres(t.Context(), postgres.Database(t), Options{Now: func() time.Time { return *now.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	keep := func(id byte, then func()) error {
		return s.Update(t.Context(), func(tx iam.Tx) error {
			err := tx.KeepOutcome([32]byte{id}, iam.Outcome{Result: "{}"})
			then()
			return err
		})
	}
	for id := range byte(3) {
		if err := keep(id, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	later := start.Add(2 * iam.IdempotencyLife)
	now.Store(&later)
	err = keep(10, func() { // the other one is through before this one commits
		if err := keep(11, func() {}); err != nil {
			t.Errorf("a request beside one that purges: got %v, want none", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
