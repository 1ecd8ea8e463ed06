package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
)

// raw is a connection beside the store's, as another process has one.
func raw(t *testing.T, path string) *sql.Conn {
	t.Helper()
	db, err := sqliteHandle(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(), db.Close()) })
	return conn
}

func mustExec(t *testing.T, conn *sql.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func open(t *testing.T, path string, options Options) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path, options)
	if err != nil {
		t.Fatalf("OpenSQLite(%s): %v", path, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func file(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "a folder", "with #, %20 and ?.db")
}

func folder(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConnectionsAreSafe(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	s := open(t, path, Options{})
	pragmas := func(session session) map[string]string {
		got := map[string]string{}
		for _, name := range []string{"journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only"} {
			err := session.query(`PRAGMA `+name, nil, func(r row) error {
				var value string
				err := r.Scan((*text)(&value))
				got[name] = value
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return got
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0"}
	if got := pragmas(s.writer.(*writer).session); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the writer has %v, want %v", got, want)
	}
	want["query_only"] = "1"
	for range cap(s.readers.free) {
		session, err := s.readers.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := pragmas(session); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("a reader has %v, want %v", got, want)
		}
		if _, err := session.exec(`UPDATE totals SET n = 7`); err == nil {
			t.Error("a reader wrote")
		}
		s.readers.give(session)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: got %v, %v, want 0600", filepath.Base(name), info.Mode(), err)
		}
	}
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	t.Run("a newer schema", func(t *testing.T) {
		t.Parallel()
		path := folder(t, file(t))
		_ = open(t, path, Options{}).Close()
		conn := raw(t, path)
		// A newer program made a change that this one can live with …
		mustExec(t, conn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		_ = open(t, path, Options{}).Close()
		// … and one that it cannot.
		mustExec(t, conn, `UPDATE instance SET min_program = 99`)
		_, err := OpenSQLite(t.Context(), path, Options{})
		if iam.KindOf(err) != iam.Unavailable || !strings.Contains(err.Error(), "newer hither") {
			t.Errorf("got %v, want an error that asks for a newer program", err)
		}
	})
	t.Run("a database of others", func(t *testing.T) {
		t.Parallel()
		path := folder(t, file(t))
		conn := raw(t, path)
		mustExec(t, conn, `CREATE TABLE users (id TEXT)`)
		if _, err := OpenSQLite(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "another application's") {
			t.Errorf("got %v, want a refusal of another application's database", err)
		}
		var tables int
		if err := conn.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil || tables != 1 {
			t.Errorf("it has %d tables now (%v), want the one it had", tables, err)
		}
	})
	t.Run("what is no database", func(t *testing.T) {
		t.Parallel()
		path := folder(t, file(t))
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 400)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSQLite(t.Context(), path, Options{}); err == nil {
			t.Error("it was opened")
		}
	})
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"", ":memory:", filepath.Join(t.TempDir(), "missing", "x.db"), t.TempDir()} {
			if _, err := OpenSQLite(t.Context(), path, Options{}); err == nil {
				t.Errorf("OpenSQLite(%q) went well", path)
			}
		}
	})
}

func TestFreshFileIsOpenedByManyAtOnce(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := OpenSQLite(t.Context(), path, Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("ping: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
}

// A write waits for one of another process, but not for ever.
func TestBusyDatabase(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	s := open(t, path, Options{busyTimeout: 100 * time.Millisecond})
	other := raw(t, path)
	mustExec(t, other, `BEGIN IMMEDIATE`)
	mustExec(t, other, `UPDATE totals SET n = n`)
	record := func(id string) error {
		return s.Update(context.Background(), func(tx iam.Tx) error {
			return tx.Record(iam.AuditEntry{OperationID: id, Action: iam.Import})
		})
	}
	err := record("one")
	if iam.KindOf(err) != iam.Unavailable {
		t.Errorf("while another writes: got %v, want kind %v", err, iam.Unavailable)
	}
	if _, err := s.User(t.Context(), "x"); !errors.Is(err, iam.ErrNoRow) {
		t.Errorf("a read meanwhile: got %v, want %v", err, iam.ErrNoRow)
	}
	mustExec(t, other, `COMMIT`)
	if err := record("two"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	entries, err := s.Audit(t.Context(), "", 0, 9)
	if err != nil || len(entries) != 1 || entries[0].OperationID != "two" {
		t.Errorf("audit: got %+v, %v, want the second write alone", entries, err)
	}

	patient := open(t, path, Options{})
	mustExec(t, other, `BEGIN IMMEDIATE`)
	answer := make(chan error, 1)
	go func() {
		answer <- patient.Update(context.Background(), func(tx iam.Tx) error {
			return tx.Record(iam.AuditEntry{OperationID: "three", Action: iam.Import})
		})
	}()
	mustExec(t, other, `UPDATE totals SET n = n`)
	mustExec(t, other, `COMMIT`)
	if err := <-answer; err != nil {
		t.Errorf("a write that had to wait: %v", err)
	}
}

// KF-81, KF-82: what one process changes holds for another at its next read.
func TestSecondProcessIsSeenAtTheNextRead(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	here, there := open(t, path, Options{}), open(t, path, Options{})
	u := iam.User{ID: iam.ID(strings.Repeat("a", 32)), Email: "u@example.com", Verified: true}
	a := iam.Account{ID: iam.ID(strings.Repeat("b", 32)), Name: "A", Type: iam.Standard}
	key := iam.Key{ID: iam.ID(strings.Repeat("c", 32)), UserID: u.ID, Hash: iam.HashSecret("s")}
	role := iam.Role{ID: iam.ID(strings.Repeat("d", 32)), Name: "R", Permissions: iam.Permissions{"dns": iam.Write}}
	row := iam.Membership{ID: iam.ID(strings.Repeat("e", 32)), AccountID: a.ID, Email: u.Email, UserID: u.ID, Status: iam.Accepted, Roles: []iam.Role{role}}
	operation := 0
	update := func(s *Store, fns ...func(tx iam.Tx, e iam.AuditEntry) error) {
		t.Helper()
		err := s.Update(t.Context(), func(tx iam.Tx) error {
			for _, fn := range fns {
				operation++
				if err := fn(tx, iam.AuditEntry{OperationID: fmt.Sprint(operation), Action: iam.Import}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	update(here,
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertUser(u, e) },
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertAccount(a, e) },
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertKey(key, e) },
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertRole(role, iam.OriginFile, e) },
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertMembership(row, iam.Link{}, e) },
	)
	seen := func(what string, want string) {
		t.Helper()
		for name, s := range map[string]*Store{"here": here, "there": there} {
			principal, err := s.KeyPrincipal(t.Context(), key.Hash)
			if err != nil {
				t.Fatal(err)
			}
			_, own, err := s.Access(t.Context(), a.ID, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			permissions := "none"
			if own != nil {
				permissions = fmt.Sprint(own.Roles[0].Permissions)
			}
			catalog, err := s.Catalog(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			_, known := catalog.Find(a.ID, role.ID)
			got := fmt.Sprintf("disabled %v, suspended %v, permissions %v, in catalog %v", principal.Key.Disabled, principal.User.Suspended, permissions, known)
			if got != want {
				t.Errorf("%s, %s: got %s, want %s", what, name, got, want)
			}
		}
	}
	seen("at first", "disabled false, suspended false, permissions map[dns:2], in catalog true")
	role.Permissions = iam.Permissions{"dns": iam.Read}
	update(there, func(tx iam.Tx, e iam.AuditEntry) error { return tx.InsertRole(role, iam.OriginFile, e) })
	seen("a role that lost a permission", "disabled false, suspended false, permissions map[dns:1], in catalog true")
	update(there, func(tx iam.Tx, e iam.AuditEntry) error { return tx.DisableKey(key.ID, e) })
	seen("a disabled key", "disabled true, suspended false, permissions map[dns:1], in catalog true")
	u.Suspended = true
	update(there, func(tx iam.Tx, e iam.AuditEntry) error { return tx.UpdateUser(u, e) })
	seen("a suspended user", "disabled true, suspended true, permissions map[dns:1], in catalog true")
	removed := row
	removed.Status = iam.Removed
	update(there,
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.UpdateMembership(row, removed, e) },
		func(tx iam.Tx, e iam.AuditEntry) error { return tx.DropRole(role.ID, e) },
	)
	seen("a removed member and a dropped role", "disabled true, suspended true, permissions none, in catalog false")
	// The other process' writer judges by them too.
	update(here, func(tx iam.Tx, _ iam.AuditEntry) error {
		facts, err := tx.AccountFacts(a.ID, iam.Actor{Kind: iam.ByUser, User: u})
		if _, known := facts.Catalog.Find(a.ID, role.ID); known || facts.Own != nil {
			t.Errorf("a transaction here still sees the role (%v) or the member (%v)", known, facts.Own)
		}
		return err
	})
}

// KF-36: a row without a tenant, or of one that does not exist, cannot be
// planted, whoever writes to the file.
func TestRowWithoutATenantCannotBe(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	open(t, path, Options{})
	conn := raw(t, path)
	for _, account := range []any{nil, "", "0", 0, strings.Repeat("0", 32)} {
		_, err := conn.ExecContext(t.Context(), `INSERT INTO memberships (id, account_id, email, status, roles, super, invited, invited_by,
				invited_on, expires_on, grantor_kind, first_name, last_name, created_on, answered_on, revision)
			VALUES ($1, $2, 'a@example.com', 'pending', $3, 0, 1, '', 0, 0, '', '', '', 0, 0, 0)`,
			strings.Repeat("1", 32), account, strings.Repeat("2", 32))
		if err == nil {
			t.Errorf("a membership of account %v was taken", account)
		}
	}
}

func TestParametersAreNumberedInTheOrderOfFirstUse(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		`SELECT 1`:                   true,
		`SELECT $1, $2, $1, $3`:      true,
		`SELECT $2, $1`:              false,
		`SELECT $1, $3, $2`:          false,
		`SELECT $1 WHERE $2 = $12`:   false,
		`SELECT '$', $1 || '-' , $2`: true,
	} {
		if err := checkNumbers(text); (err == nil) != good {
			t.Errorf("%s: got %v, want good %v", text, err, good)
		}
	}
}

// Whoever asks for every filter and order there is fills no memory, and
// repeating a filter makes no statement of its own.
func TestPreparedStatementsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, folder(t, file(t)), Options{})
	who := iam.Invitee{UserID: iam.ID(strings.Repeat("a", 32)), Email: "a@example.com"}
	all := []iam.Status{iam.Pending, iam.Accepted, iam.Rejected, iam.Expired}
	ask := func(statuses []iam.Status, order iam.MembershipOrder, descending bool) {
		t.Helper()
		query := iam.MembershipQuery{PageRequest: iam.PageRequest{Number: 1, Size: 5}, Statuses: statuses, Order: order, Descending: descending}
		if _, err := s.Memberships(t.Context(), who, query, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Invitations(t.Context(), who, statuses, time.Now(), 5); err != nil {
			t.Fatal(err)
		}
	}
	most := func() int {
		most := 0
		for range cap(s.readers.free) {
			session, err := s.readers.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, len(session.(*nativeSession).prepared))
			s.readers.give(session)
		}
		return most
	}
	for i := range 40 {
		ask([]iam.Status{all[i%4], all[i/4%4], all[i%4], all[i/4%4]}[:2+i%3], "", false)
	}
	if got := most(); got > 25 {
		t.Errorf("lists of one or two states made %d statements", got)
	}
	for i := range 16 {
		var statuses []iam.Status
		for bit, status := range all {
			if i>>bit&1 == 1 {
				statuses = append(statuses, status)
			}
		}
		for _, order := range []iam.MembershipOrder{iam.ByMembershipID, iam.ByAccountName, iam.ByMembershipStatus} {
			for range 2 * cap(s.readers.free) {
				ask(statuses, order, i%2 == 0)
			}
		}
	}
	if got := most(); got > maxPrepared {
		t.Errorf("got %d statements on one connection, want at most %d", got, maxPrepared)
	}
}
