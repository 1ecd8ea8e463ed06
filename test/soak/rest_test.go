package soak_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// hooksWait ends the waits of webhooks and the time for which one is in hand. What
// failed would be tried again after hours else.
func hooksWait() []string {
	return []string{`UPDATE webhook_deliveries SET due_on = 1 WHERE ended_on = 0`, `UPDATE webhooks SET due_on = 1, leased_until = 0`}
}

// isDue ends leases and waits, as hours would, while nobody serves.
func isDue(t *testing.T, s *harness.Server, statements ...string) {
	t.Helper()
	db := disk.Open(t, s.Data, "rw")
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// rests waits until nothing is left to be sent, to be worked off and to be ended, as
// long as there is less and less of it.
func rests(t *testing.T, s *harness.Server, hooks []*hook) {
	t.Helper()
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	var left []string
	const patience = 2 * time.Minute
	least := math.MaxInt
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		tx := disk.Begin(t, db)
		left = disk.Texts(t, tx, `SELECT 'message ' || id FROM deliveries WHERE ended_on = 0`)
		left = append(left, disk.Texts(t, tx, `SELECT 'webhook message ' || id FROM webhook_deliveries WHERE ended_on = 0`)...)
		left = append(left, disk.Texts(t, tx, `SELECT 'bulk ' || id FROM bulks WHERE ended_on = 0`)...)
		left = append(left, disk.Texts(t, tx, fmt.Sprintf(
			`SELECT 'invitation ' || id FROM memberships WHERE status = 'pending' AND expires_on <= %d`, time.Now().UnixMicro()))...)
		if len(left) == 0 { // there may be events of which nobody made messages yet
			for _, h := range hooks {
				left = append(left, h.left(t, tx)...)
			}
		}
		_ = tx.Rollback()
		if len(left) == 0 {
			return
		}
		if len(left) < least {
			least, deadline = len(left), time.Now().Add(patience)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Errorf("%d things are still to be done, and for %s were not less: %.2000q", len(left), patience, left)
}

var residentSize = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memory is the server's resident memory in MB, 0 where the system doesn't say.
func memory(t *testing.T, s *harness.Server) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process(t).Pid))
	if err != nil {
		return 0
	}
	found := residentSize.FindSubmatch(text)
	if found == nil {
		return 0
	}
	kB, _ := strconv.Atoi(string(found[1]))
	return kB / 1024
}
