package e2e_test

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// row is a membership as it lies on disk, or as an audit row holds it.
type row struct {
	id, account, email, user string
	status                   string
	roles                    string // ids, a space between
}

// event is an audit row of something that happened to a membership.
type event struct {
	action        string
	before, after row
}

// disk is what of a database the invariants are about, as of one moment.
type disk struct {
	rows   map[string]row
	events map[string][]event // by membership, in order
	order  []event            // all of them
}

// readDisk reads the database of a running server, and fails the test where
// something is not whole: the file itself, a reference, a kept count, two live
// rows of one address or user, a row that its audit rows do not lead to, an
// audit row without its membership.
func readDisk(t testing.TB, path string) disk {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()

	d := disk{rows: memberships(t, tx), events: map[string][]event{}}
	for _, e := range events(t, tx) {
		d.events[e.after.id] = append(d.events[e.after.id], e)
		d.order = append(d.order, e)
	}
	expectLines(t, tx, "integrity_check", `PRAGMA integrity_check`, "ok")
	expectLines(t, tx, "broken references", `SELECT "table" || ' ' || parent FROM pragma_foreign_key_check`)
	expectLines(t, tx, "two live rows of one address", `SELECT account_id || ' ' || email FROM memberships
		WHERE status IN ('pending', 'accepted') GROUP BY account_id, email HAVING count(*) > 1`)
	expectLines(t, tx, "two live rows of one user", `SELECT account_id || ' ' || user_id FROM memberships
		WHERE status IN ('pending', 'accepted') AND user_id IS NOT NULL GROUP BY account_id, user_id HAVING count(*) > 1`)
	expectLines(t, tx, "kept counts", `SELECT account_id || ' ' || status || ' ' || invited || ' ' || n FROM counts WHERE n > 0 ORDER BY 1`,
		texts(t, tx, `SELECT account_id || ' ' || status || ' ' || invited || ' ' || count(*) FROM memberships
			GROUP BY account_id, status, invited ORDER BY account_id || ' ' || status || ' ' || invited || ' ' || count(*)`)...)
	expectLines(t, tx, "kept totals", `SELECT name || ' ' || n FROM totals ORDER BY name`,
		texts(t, tx, `SELECT 'accounts ' || count(*) FROM accounts WHERE deleted_on = 0 UNION ALL SELECT 'users ' || count(*) FROM users`)...)
	d.expectHistory(t)
	return d
}

func expectLines(t testing.TB, tx *sql.Tx, what, query string, want ...string) {
	t.Helper()
	if got := texts(t, tx, query); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// expectHistory holds each row to its audit rows: each begins where the one
// before ended, and the last leads to what the row is.
func (d disk) expectHistory(t testing.TB) {
	t.Helper()
	for id, r := range d.rows {
		var was row
		if len(d.events[id]) == 0 {
			t.Errorf("membership %+v: no audit row, want one of each change", r)
			continue
		}
		for _, e := range d.events[id] {
			if e.before != was {
				t.Errorf("membership %s: %s begins at %+v, want %+v, where the one before ended", id, e.action, e.before, was)
			}
			was = e.after
		}
		if was != r {
			t.Errorf("membership %s: the audit rows lead to %+v, want %+v, what the row is", id, was, r)
		}
	}
	for id := range d.events {
		if _, known := d.rows[id]; !known {
			t.Errorf("audit rows of membership %s: got %v, want a membership", id, d.events[id])
		}
	}
}

// of are the rows of an address in an account, by id.
func (d disk) of(account, email string) map[string]row {
	found := map[string]row{}
	for id, r := range d.rows {
		if r.account == account && r.email == email {
			found[id] = r
		}
	}
	return found
}

// live counts an account's pending and accepted rows.
func (d disk) live(account string) int {
	n := 0
	for _, r := range d.rows {
		if r.account == account && (r.status == "pending" || r.status == "accepted") {
			n++
		}
	}
	return n
}

// actions are what happened to a membership, in order.
func (d disk) actions(id string) string {
	var names []string
	for _, e := range d.events[id] {
		names = append(names, e.action)
	}
	return strings.Join(names, " ")
}

func memberships(t testing.TB, tx *sql.Tx) map[string]row {
	t.Helper()
	found := map[string]row{}
	scan(t, tx, `SELECT id, account_id, email, COALESCE(user_id, ''), status, roles FROM memberships`, func(c []string) {
		found[c[0]] = row{id: c[0], account: c[1], email: c[2], user: c[3], status: c[4], roles: c[5]}
	})
	return found
}

// events are the audit rows of memberships, those of an import among them.
func events(t testing.TB, tx *sql.Tx) []event {
	t.Helper()
	var found []event
	scan(t, tx, `SELECT action, account_id, target_id, state_before, state_after FROM audit WHERE denied = ''
		AND (action LIKE 'invite.%' OR action LIKE 'member.%' OR action = 'import' AND state_after LIKE '%"status"%') ORDER BY seq`,
		func(c []string) {
			found = append(found, event{action: c[0], before: state(t, c[2], c[1], c[3]), after: state(t, c[2], c[1], c[4])})
		})
	return found
}

// state reads a membership as an audit row holds it; "" is none.
func state(t testing.TB, id, account, text string) row {
	t.Helper()
	if text == "" {
		return row{}
	}
	var s struct {
		Status string   `json:"status"`
		Email  string   `json:"email"`
		UserID string   `json:"user_id"`
		Roles  []string `json:"roles"`
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Errorf("audit row of %s: %q: %v", id, text, err)
	}
	return row{id: id, account: account, email: s.Email, user: s.UserID, status: s.Status, roles: strings.Join(s.Roles, " ")}
}

// scan reads rows of texts.
func scan(t testing.TB, tx *sql.Tx, query string, each func([]string)) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, targets := make([]string, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		each(values)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
