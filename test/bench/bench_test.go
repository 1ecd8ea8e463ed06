package main

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"hither/test/postgres"
)

// TestSmoke runs all of it on a small database: what is measured so is worth
// nothing, but the program stays one that works.
func TestSmoke(t *testing.T) {
	t.Parallel()
	var out, progress bytes.Buffer
	args := []string{"-rows", "10000", "-time", "200ms", "-rounds", "1", "-conns", "8", "-bulk", "300", "-dir", t.TempDir()}
	if err := command(t.Context(), args, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows CPU time and memory of processes in /proc; the program skips elsewhere too")
	}
	wanted := []string{
		"Only ratios count", "10,000 memberships, 2,000", "cpuX", "| the floor |", "## Latency at 70 %", "| SQLite, GET ", "### SQLite\n", "A bulk of 300 invitations",
		"| SQLite, a bulk | ", "| SQLite, invite in the bulk's account | ", "| SQLite, invite in another account | ",
	}
	if err := postgres.Missing(); err != nil {
		t.Logf("PART SKIPPED, NOT TESTED ON POSTGRESQL: %v", err)
	} else {
		wanted = append(wanted, "| PostgreSQL, GET ", "### PostgreSQL\n", "| PostgreSQL, a bulk | ",
			"| PostgreSQL, invite in the bulk's account | ", "| PostgreSQL, invite in another account | ")
	}
	for _, want := range wanted {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Errorf("the report has a figure that is none:\n%s", &out)
	}
	t.Logf("\n%s", &out)
}

// TestWorld holds what the load rests on: ids in order, no stranger a member.
func TestWorld(t *testing.T) {
	t.Parallel()
	w := worldOf(smallestRows)
	for n := range w.rows - 1 {
		if a, b := rowID(memberKind, n), rowID(memberKind, n+1); a >= b {
			t.Fatalf("ids of rows %d and %d: got %s and %s, want them in order", n, n+1, a, b)
		}
	}
	for account := range w.accounts {
		members := map[int]bool{}
		for m := range perAccount {
			members[w.user(account, m)] = true
		}
		for k := range perAccount {
			if members[w.stranger(account, k)] {
				t.Fatalf("account %d: stranger %d is a member", account, k)
			}
		}
		if len(members) != perAccount {
			t.Fatalf("account %d has %d different members, want %d", account, len(members), perAccount)
		}
	}
}
