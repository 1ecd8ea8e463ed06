package soak_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
)

// result is what became of a row.
type result struct {
	Line     int
	Email    string
	Outcome  string
	InviteID string `json:"invite_id"`
	Reason   *harness.Message
}

// results reads all of a bulk's rows, by cursor.
func (l *list) results(t *testing.T, c harness.Client) []result {
	t.Helper()
	return harness.ByCursor[result](t, c, l.path()+"/"+l.id+"/results?limit=75")
}

// balance holds what became of lists to what is in them and to the invitations that
// there are: each row has one outcome, each invitation of a list one row.
func (c *clerk) balance(t *testing.T, tx *sql.Tx, d disk.State) (outcomes map[string]int) {
	t.Helper()
	outcomes = map[string]int{}
	of := map[string]string{} // by invitation, the row that made it
	for _, l := range c.sent {
		l.balance(t, tx, c.client.As(l.admin), d, of, outcomes)
	}
	ids := disk.Texts(t, tx, `SELECT id FROM bulks`)
	if len(ids) != len(c.sent) {
		t.Errorf("bulks: got %d, want one of each of %d lists that were sent", len(ids), len(c.sent))
	}
	for _, line := range disk.Texts(t, tx, `SELECT target_id || ' ' || state_after FROM audit
			WHERE action = 'invite.create' AND denied = '' AND account_id IN ('`+harness.ID(lists)+`', '`+harness.ID(narrow)+`')`) {
		id, text, _ := strings.Cut(line, " ")
		var state struct {
			Bulk string `json:"bulk_id"`
		}
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			t.Errorf("audit row of %s: %v", id, err)
		}
		if bulk, _, _ := strings.Cut(of[id], " "); bulk == "" || bulk != state.Bulk {
			t.Errorf("invitation %s: the audit log says that bulk %q made it, row %q of a list does", id, state.Bulk, of[id])
		}
		delete(of, id)
	}
	if len(of) > 0 {
		t.Errorf("rows without an invitation that the audit log knows: %v", of)
	}
	if n := d.Live(harness.ID(narrow)); n > seats {
		t.Errorf("account with %d seats: got %d members", seats, n)
	}
	return outcomes
}

func (l *list) balance(
	t *testing.T, tx *sql.Tx, c harness.Client, d disk.State, of map[string]string, outcomes map[string]int,
) {
	t.Helper()
	var b bulk
	if err := json.Unmarshal(c.OK(t, http.MethodGet, l.path()+"/"+l.id, nil).Result, &b); err != nil {
		t.Fatal(err)
	}
	rows := l.results(t, c)
	if b.Rows != len(l.rows) || len(rows) != len(l.rows) {
		t.Errorf("bulk %+v: has %d results, want one of each of %d rows", b, len(rows), len(l.rows))
		return
	}
	counts := map[string]int{}
	for outcome := range b.Counts {
		counts[outcome] = 0
	}
	for i, want := range l.rows {
		got := rows[i]
		counts[got.Outcome]++
		outcomes[got.Outcome]++
		allowed := slices.Contains(want.outcomes, got.Outcome) || l.canceled && got.Outcome == "canceled"
		if got.Line != i+2 || !allowed || got.Outcome == "refused" && (got.Reason == nil || got.Reason.Code != want.code) {
			t.Errorf("bulk %s: row %+v became %+v, reason %+v", l.id, want, got, got.Reason)
		}
		there := d.Rows[got.InviteID]
		switch got.Outcome {
		case "invited":
			if other := of[got.InviteID]; other != "" {
				t.Errorf("invitation %s: made by two rows, %s and %s of %s", got.InviteID, other, got.Email, l.id)
			}
			of[got.InviteID] = l.id + " " + got.Email
			fallthrough
		case "already_invited":
			if there.Email != want.email || there.Status != "pending" {
				t.Errorf("bulk %s: row %+v became %+v, whose invitation is %+v", l.id, want, got, there)
			}
		default:
			if got.InviteID != "" && there.Email != want.email {
				t.Errorf("bulk %s: row %+v became %+v, whose invitation is %+v", l.id, want, got, there)
			}
		}
	}
	end := map[string]string{"finished": "bulk.finish", "canceled": "bulk.cancel"}[b.Status]
	if fmt.Sprint(counts) != fmt.Sprint(b.Counts) || end == "" || !l.canceled && b.Status == "canceled" {
		t.Errorf("bulk %+v: its rows say %v", b, counts)
	}
	actions := disk.Texts(t, tx, `SELECT action FROM audit WHERE target_id = $1 AND denied = '' ORDER BY seq`, l.id)
	if !slices.Equal(actions, []string{"bulk.create", end}) {
		t.Errorf("bulk %s: its audit rows are %q, want its begin and its end", l.id, actions)
	}
}
