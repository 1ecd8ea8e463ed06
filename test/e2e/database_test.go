package e2e_test

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/disk"
)

// content is everything that a database holds: by table and key, the columns.
type content map[string]map[string]string

// open opens the site's database for writing, past the program.
func (s *site) open(t testing.TB) *sql.DB {
	t.Helper()
	db := disk.Open(t, s.Data, "rw")
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// overdue ends the time of a pending row behind the back of the program, out of
// the sight of its sweeps: as if nothing swept.
func (s *site) overdue(t testing.TB, row string) {
	t.Helper()
	at := time.Now().Add(-time.Hour).UnixMicro()
	statement := fmt.Sprintf(`UPDATE memberships SET expires_on = %d, wake_on = 0 WHERE id = '%s' AND status = 'pending'`, at, row)
	result, err := s.open(t).ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("pending rows of that id: got %d and %v, want 1", n, err)
	}
}

// outlasted moves the end of a membership into the past, and leaves it to the sweep
// or, with waits, to nobody.
func (s *site) outlasted(t testing.TB, row string, waits bool) {
	t.Helper()
	at, wake := time.Now().Add(-time.Minute).UnixMicro(), int64(0)
	if !waits {
		wake = at
	}
	statement := fmt.Sprintf(`UPDATE memberships SET ends_on = %d, end_wake = %d WHERE id = '%s' AND status = 'accepted'`, at, wake, row)
	result, err := s.open(t).ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("accepted rows of that id: got %d and %v, want 1", n, err)
	}
}

// content reads all tables but those that are named, as of one moment. The last
// event's position goes with the audit rows that it is of.
func (s *site) content(t testing.TB, without ...string) content {
	t.Helper()
	if s.reader == nil {
		s.reader = disk.Open(t, s.Data, "ro")
	}
	tx := disk.Begin(t, s.reader)
	defer func() { _ = tx.Rollback() }()
	found := content{}
	for table, keys := range disk.Tables(t, tx, s.Data) {
		of := table
		if table == "event_position" {
			of = "audit"
		}
		if !slices.Contains(without, of) {
			readTable(t, tx, table, keys, found)
		}
	}
	if len(found) == 0 {
		t.Fatal("the database holds nothing")
	}
	return found
}

func readTable(t testing.TB, tx *sql.Tx, table string, keys []string, into content) {
	t.Helper()
	rows, err := tx.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row, key := make(map[string]string, len(columns)), []string{table}
		for i, column := range columns {
			row[column] = shown(values[i])
		}
		for _, name := range keys {
			key = append(key, row[name])
		}
		into[strings.Join(key, "/")] = row
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func shown(value any) string {
	switch value := value.(type) {
	case nil:
		return "NULL"
	case []byte:
		return hex.EncodeToString(value)
	default:
		return fmt.Sprint(value)
	}
}

// of is the rows of a table, by their key.
func (c content) of(table string) map[string]map[string]string {
	found := map[string]map[string]string{}
	for key, row := range c {
		if id, ok := strings.CutPrefix(key, table+"/"); ok {
			found[id] = row
		}
	}
	return found
}

// where are the rows of a table in which a column has a value.
func (c content) where(table, column, value string) []map[string]string {
	var found []map[string]string
	for _, row := range c.of(table) {
		if row[column] == value {
			found = append(found, row)
		}
	}
	return found
}

// changes lists, sorted, what is other in after: "memberships/ID status:
// pending → canceled", "users/ID added", "roles/ID gone".
func (c content) changes(after content) []string {
	var found []string
	for key, row := range after {
		was, known := c[key]
		if !known {
			found = append(found, key+" added")
			continue
		}
		for _, column := range slices.Sorted(maps.Keys(row)) {
			if was[column] != row[column] {
				found = append(found, fmt.Sprintf("%s %s: %s → %s", key, column, was[column], row[column]))
			}
		}
	}
	for key := range c {
		if _, still := after[key]; !still {
			found = append(found, key+" gone")
		}
	}
	slices.Sort(found)
	return found
}

// unchanged fails the test where anything but the audit log is other than
// before.
func (s *site) unchanged(t testing.TB, before content, what string) {
	t.Helper()
	if changes := before.changes(s.content(t, "audit")); len(changes) > 0 {
		t.Errorf("%s: changed the database, want nothing:\n%s", what, strings.Join(changes, "\n"))
	}
}

// denials are the audit rows of what was refused, by request id.
func (s *site) denials(t testing.TB) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	for _, row := range s.content(t).of("audit") {
		if row["denied"] != "" {
			found[row["request_id"]] = row
		}
	}
	return found
}
