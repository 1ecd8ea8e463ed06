package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// TestRollingUpgrade replaces the nodes of a database one by one by a newer
// hither, whose schema has a column more, while clients write: those that were
// there before go on, every answer is a good one, and nothing is lost.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	newer := harness.Newer(t, `ALTER TABLE accounts ADD COLUMN note TEXT NOT NULL DEFAULT '';`)
	workers, seed := load.New(4)
	first := harness.Serve(t, seed)
	second := harness.Open(t, first.Data)
	// The second node makes place while the first one serves, …
	load.Run(t, first, workers, 30, func() {
		second.Stop(t)
		second.Upgrade(newer)
		second.Start(t)
		if got := columns(t, second.Data); !strings.Contains(got, "note") {
			t.Errorf("columns of accounts: got %s, want the newer schema's", got)
		}
		first.Client().As(load.Admin).OK(t, http.MethodGet, "/accounts/"+harness.ID(load.Account), nil)
		first.Stop(t)
	})
	load.Check(t, second, workers)
	// … and the first one while the second does.
	load.Run(t, second, workers, 30, func() {
		first.Upgrade(newer)
		first.Start(t)
		second.Stop(t)
	})
	load.Check(t, first, workers)
}

// TestOlderProgramIsRefused makes a schema that an older hither cannot live
// with: it doesn't start, says why, and changes nothing.
func TestOlderProgramIsRefused(t *testing.T) {
	t.Parallel()
	newer := harness.Newer(t, `UPDATE instance SET min_program = 2;`)
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	s.Stop(t)
	s.Upgrade(newer)
	s.Start(t)
	s.Client().As(theSuper).OK(t, http.MethodGet, "/user", nil)
	before := disk.Read(t, s.Data)
	older := harness.At(t, s.Data)
	if err := older.TryStart(t); err == nil || !strings.Contains(err.Error(), "newer hither") {
		t.Errorf("an older hither: got %v, want that a newer one is needed", err)
	}
	_, stderr, code := harness.Try(t, s.Data, "user", "list")
	if code != 1 || !strings.Contains(stderr, "newer hither") {
		t.Errorf("a command of an older hither: got exit code %d, %q, want 1 and that a newer one is needed", code, stderr)
	}
	if after := disk.Read(t, s.Data); len(after.Order) != len(before.Order) {
		t.Errorf("audit rows: got %d, want the %d that there were", len(after.Order), len(before.Order))
	}
}

func columns(t testing.TB, data string) string {
	t.Helper()
	db := disk.Open(t, data, "ro")
	defer db.Close()
	tx := disk.Begin(t, db)
	defer func() { _ = tx.Rollback() }()
	return strings.Join(disk.Columns(t, tx, "accounts"), " ")
}
