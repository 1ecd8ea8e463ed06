// Package disk reads the database beside the running server, with SQL of its
// own, and holds it to what must be true at every moment. It knows the schema
// and imports nothing of ours.
package disk

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // reads a file beside the server
)

// Row is a membership as it lies on disk, or as an audit row holds it.
type Row struct {
	ID, Account, Email, User string
	Status                   string
	Roles                    string // ids, a space between
}

// Event is an audit row of something that happened to a membership.
type Event struct {
	Action        string
	Before, After Row
}

// State is what of a database the invariants are about, as of one moment.
type State struct {
	Rows   map[string]Row
	Events map[string][]Event // by membership, in order
	Order  []Event            // all of them
}

// Open opens a database beside the running server: a file of SQLite's, or by
// its URL one of PostgreSQL's. mode is ro or rw.
func Open(t testing.TB, data, mode string) *sql.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+data+"?mode="+mode+"&_pragma=busy_timeout(10000)"
	if onPostgres(data) {
		driver, source = "pgx", data
		if mode == "ro" {
			source += "&default_transaction_read_only=on"
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func onPostgres(data string) bool { return strings.HasPrefix(data, "postgres://") }

// Begin opens a transaction that sees the database as of one moment.
func Begin(t testing.TB, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: isolation(db)})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// isolation is what makes a moment of a transaction; SQLite knows no other.
func isolation(db *sql.DB) sql.IsolationLevel {
	if _, ok := db.Driver().(*stdlib.Driver); ok {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// Tables names the database's tables, each with the columns of its primary key.
func Tables(t testing.TB, tx *sql.Tx, data string) map[string][]string {
	t.Helper()
	query := `SELECT m.name || ' ' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.pk > 0 ORDER BY m.name, c.pk`
	if onPostgres(data) {
		query = `SELECT i.indrelid::regclass::text || ' ' || a.attname FROM pg_index i
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indisprimary AND i.indrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace)
			ORDER BY i.indrelid::regclass::text, array_position(i.indkey, a.attnum)`
	}
	tables := map[string][]string{}
	for _, found := range Texts(t, tx, query) {
		table, column, _ := strings.Cut(found, " ")
		tables[table] = append(tables[table], column)
	}
	return tables
}

// Read reads the database of a running server, and fails the test where
// something is not whole: the file itself, a reference, a kept count, two live
// rows of one address or user, a row that its audit rows do not lead to, an
// audit row without its membership.
func Read(t testing.TB, data string) State {
	t.Helper()
	db := Open(t, data, "ro")
	defer db.Close()
	tx := Begin(t, db)
	defer func() { _ = tx.Rollback() }()

	d := State{Rows: memberships(t, tx), Events: map[string][]Event{}}
	for _, e := range events(t, tx) {
		d.Events[e.After.ID] = append(d.Events[e.After.ID], e)
		d.Order = append(d.Order, e)
	}
	if !onPostgres(data) { // which looks after its files and references itself
		expectLines(t, tx, "integrity_check", `PRAGMA integrity_check`, "ok")
		expectLines(t, tx, "broken references", `SELECT "table" || ' ' || parent FROM pragma_foreign_key_check`)
	}
	expectLines(t, tx, "two live rows of one address", `SELECT account_id || ' ' || email FROM memberships
		WHERE status IN ('pending', 'accepted') GROUP BY account_id, email HAVING count(*) > 1`)
	expectLines(t, tx, "two live rows of one user", `SELECT account_id || ' ' || user_id FROM memberships
		WHERE status IN ('pending', 'accepted') AND user_id IS NOT NULL GROUP BY account_id, user_id HAVING count(*) > 1`)
	expectLines(t, tx, "kept counts", `SELECT account_id || ' ' || status || ' ' || invited || ' ' || n FROM counts WHERE n > 0 ORDER BY 1`,
		Texts(t, tx, `SELECT account_id || ' ' || status || ' ' || invited || ' ' || count(*) FROM memberships
			GROUP BY account_id, status, invited ORDER BY account_id || ' ' || status || ' ' || invited || ' ' || count(*)`)...)
	expectLines(t, tx, "kept totals", `SELECT name || ' ' || n FROM totals ORDER BY name`,
		Texts(t, tx, `SELECT 'accounts ' || count(*) FROM accounts WHERE deleted_on = 0 UNION ALL SELECT 'users ' || count(*) FROM users`)...)
	d.expectHistory(t)
	return d
}

func expectLines(t testing.TB, tx *sql.Tx, what, query string, want ...string) {
	t.Helper()
	if got := Texts(t, tx, query); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Of are the rows of an address in an account, by id.
func (d State) Of(account, email string) map[string]Row {
	found := map[string]Row{}
	for id, r := range d.Rows {
		if r.Account == account && r.Email == email {
			found[id] = r
		}
	}
	return found
}

// Live counts an account's pending and accepted rows.
func (d State) Live(account string) int {
	n := 0
	for _, r := range d.Rows {
		if r.Account == account && (r.Status == "pending" || r.Status == "accepted") {
			n++
		}
	}
	return n
}

// Actions are what happened to a membership, in order.
func (d State) Actions(id string) string {
	var names []string
	for _, e := range d.Events[id] {
		names = append(names, e.Action)
	}
	return strings.Join(names, " ")
}

// expectHistory holds each row to its audit rows: each begins where the one
// before ended, and the last leads to what the row is.
func (d State) expectHistory(t testing.TB) {
	t.Helper()
	for id, r := range d.Rows {
		var was Row
		if len(d.Events[id]) == 0 {
			t.Errorf("membership %+v: no audit row, want one of each change", r)
			continue
		}
		for _, e := range d.Events[id] {
			if e.Before != was {
				t.Errorf("membership %s: %s begins at %+v, want %+v, where the one before ended", id, e.Action, e.Before, was)
			}
			was = e.After
		}
		if was != r {
			t.Errorf("membership %s: the audit rows lead to %+v, want %+v, what the row is", id, was, r)
		}
	}
	for id := range d.Events {
		if _, known := d.Rows[id]; !known {
			t.Errorf("audit rows of membership %s: got %v, want a membership", id, d.Events[id])
		}
	}
}

func memberships(t testing.TB, tx *sql.Tx) map[string]Row {
	t.Helper()
	found := map[string]Row{}
	scan(t, tx, `SELECT id, account_id, email, COALESCE(user_id, ''), status, roles FROM memberships`, func(c []string) {
		found[c[0]] = Row{ID: c[0], Account: c[1], Email: c[2], User: c[3], Status: c[4], Roles: c[5]}
	})
	return found
}

// events are the audit rows of memberships, those of an import among them.
func events(t testing.TB, tx *sql.Tx) []Event {
	t.Helper()
	var found []Event
	scan(t, tx, `SELECT action, account_id, target_id, state_before, state_after FROM audit WHERE denied = ''
		AND (action LIKE 'invite.%' OR action LIKE 'member.%' OR action = 'import' AND state_after LIKE '%"status"%') ORDER BY seq`,
		func(c []string) {
			found = append(found, Event{Action: c[0], Before: state(t, c[2], c[1], c[3]), After: state(t, c[2], c[1], c[4])})
		})
	return found
}

// state reads a membership as an audit row holds it; "" is none.
func state(t testing.TB, id, account, text string) Row {
	t.Helper()
	if text == "" {
		return Row{}
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
	return Row{ID: id, Account: account, Email: s.Email, User: s.UserID, Status: s.Status, Roles: strings.Join(s.Roles, " ")}
}

// Columns names a table's columns.
func Columns(t testing.TB, tx *sql.Tx, table string) []string {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), `SELECT * FROM `+table+` WHERE 1 = 0`)
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || rows.Err() != nil {
		t.Fatalf("columns of %s: %v, %v", table, err, rows.Err())
	}
	return columns
}

// Guard says whether a connection's writes are held to the references between
// tables, which SQLite doesn't do unasked and PostgreSQL doesn't leave so.
func Guard(t testing.TB, conn *sql.Conn, data string, guarded bool) {
	t.Helper()
	statement := `PRAGMA foreign_keys = ` + map[bool]string{true: "ON", false: "OFF"}[guarded]
	if onPostgres(data) {
		statement = `SET session_replication_role = ` + map[bool]string{true: "origin", false: "replica"}[guarded]
	}
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Texts is the one column of text that a query gives.
func Texts(t testing.TB, tx *sql.Tx, query string, args ...any) []string {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
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
