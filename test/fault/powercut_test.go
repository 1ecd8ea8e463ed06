//go:build linux

package fault_test

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// TestPowerCut cuts the power under a write load, at random moments, and looks
// for what clients had been told was done. As the product is, nothing of it is
// lost and nothing is half there. The control is the same with fsync and
// fdatasync made to do nothing and report success: that must lose, or the cut
// is none and the test proves nothing.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	require(t, root, mounts, loops, strace)
	t.Run("as it is", func(t *testing.T) {
		t.Parallel()
		lost, told := 0, 0
		for range rounds(6, 2) {
			r := cutPower(t, tracing(t, "fsync", "fdatasync"))
			s := harness.Open(t, r.data)
			lost, told = lost+r.lost(r.rows("ro")), told+r.told()
			load.Check(t, s, r.workers)
			load.Run(t, s, r.workers, 10, func() { s.Stop(t) }) // and goes on
			if t.Failed() {
				break
			}
		}
		t.Logf("acknowledged writes lost: %d of %d", lost, told)
		if lost > 0 {
			t.Errorf("acknowledged writes lost: got %d of %d, want none", lost, told)
		}
	})
	t.Run("control without fsync", func(t *testing.T) {
		t.Parallel()
		lost, told := 0, 0
		for range rounds(3, 1) {
			r := cutPower(t, tracing(t, "fsync", "fdatasync").answering("retval=0"))
			// What is left of the database may be none that a server opens.
			lost, told = lost+r.lost(r.rows("rw")), told+r.told()
		}
		t.Logf("acknowledged writes lost: %d of %d", lost, told)
		if lost == 0 {
			t.Errorf("acknowledged writes lost without fsync: got none of %d; the power cut cuts nothing", told)
		}
	})
}

// ruin is what a power cut left.
type ruin struct {
	t       *testing.T
	data    string
	workers []*load.Worker
}

func cutPower(t *testing.T, under *injection) ruin {
	t.Helper()
	workers, seed := load.New(6)
	v := newVolume(t)
	data := func(v volume) string { return filepath.Join(v.root, "hither.db") }
	harness.Run(t, data(v), "import", seed.Write(t))
	s := harness.At(t, data(v))
	s.Under(under.command()...)
	s.Start(t)
	var after volume
	load.Run(t, s, workers, 1+rand.IntN(300), func() {
		<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond) // the moment is random; nothing is awaited
		// First nobody is told anything more, so that all that was told is
		// older than the cut.
		stop(t, s.Process(t))
		after = v.cut(t)
		s.Kill(t)
	})
	return ruin{t, data(after), workers}
}

func (r ruin) told() int { return load.Acknowledged(r.workers) }

func (r ruin) lost(rows map[string]disk.Row) int {
	n := 0
	for _, w := range r.workers {
		n += w.Lost(rows)
	}
	return n
}

// rows are the memberships that can still be read: none of a database that is
// damaged.
func (r ruin) rows(mode string) map[string]disk.Row {
	r.t.Helper()
	db := disk.Open(r.t, r.data, mode)
	defer db.Close()
	found, err := memberships(r.t, db)
	if err != nil {
		r.t.Logf("the database cannot be read: %v", err)
	}
	return found
}

func memberships(t *testing.T, db *sql.DB) (map[string]disk.Row, error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT id, status, roles FROM memberships`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]disk.Row{}
	for rows.Next() {
		var r disk.Row
		if err := rows.Scan(&r.ID, &r.Status, &r.Roles); err != nil {
			return found, err
		}
		found[r.ID] = r
	}
	return found, rows.Err()
}
