package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/test/postgres"
)

func onBothEngines(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, open := range map[string]func(ctx context.Context) (*Store, error){
		"sqlite": func(ctx context.Context) (*Store, error) {
			return OpenSQLite(ctx, filepath.Join(t.TempDir(), "hither.db"), Options{})
		},
		"postgres": func(ctx context.Context) (*Store, error) { return OpenPostgres(ctx, postgres.Database(t), Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			test(t, s)
		})
	}
}

// Every column of bytes is one of hashes, or of sealed values that are counted by
// their key before that is dropped.
func TestSealedColumnsAreAllNamed(t *testing.T) {
	t.Parallel()
	hashes := []string{
		"challenges.browser", "idempotency.id", "idempotency.request", "sessions.hash", "tokens.hash", "user_keys.hash",
	}
	var sealed []string
	for _, c := range sealedColumns() {
		sealed = append(sealed, c.table+"."+c.column)
	}
	s := openPlain(t, nil)
	found, err := read(t.Context(), s, func(v *view) ([]string, error) {
		var columns []string
		err := v.query(`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND c.type = 'BLOB' ORDER BY 1`, nil, func(r row) error {
			var name string
			err := r.Scan((*text)(&name))
			columns = append(columns, name)
			return err
		})
		return columns, err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(append(hashes, sealed...)))
	if !slices.Equal(found, want) {
		t.Errorf("columns of bytes: got %q, want %q: name a new one in sealedColumns, or here if it holds a hash", found, want)
	}
}

func TestSealedIsCountedByItsKey(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s *Store) {
		t.Helper()
		first, second := "\x01abcdefgh", "\x01ABCDEFGH"
		bytes := "BLOB"
		if s.points != nil {
			bytes = "BYTEA"
		}
		err := s.Update(t.Context(), func(opened iam.Tx) error {
			tx := opened.(*tx)
			for _, name := range []string{"boxes", "crates"} {
				if _, err := tx.exec(`CREATE TABLE ` + name + ` (n BIGINT, v ` + bytes + ` NOT NULL)`); err != nil {
					return err
				}
			}
			for i, v := range []string{first + "1", first + "2", second + "3"} {
				if _, err := tx.exec(`INSERT INTO boxes (n, v) VALUES ($1, $2)`, i, []byte(v)); err != nil {
					return err
				}
			}
			_, err := tx.exec(`INSERT INTO crates (n, v) VALUES ($1, $2)`, 1, []byte("short"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.sealedIn(t.Context(), []sealedColumn{{"boxes", "v", "t.n < $1"}, {"crates", "v", "t.n < $1"}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, one := range found {
			got[one.Table+" "+string(one.Head)] = one.Values
		}
		if len(got) != 3 || got["boxes "+first] != 2 || got["boxes "+second] != 1 || got["crates short"] != 1 {
			t.Errorf("got %v, want two and one in boxes, and one that names no key in crates", got)
		}
	})
}

// Of factors count those that somebody has, or may have at any moment.
func TestAbandonedSetUpsAreNotSealed(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s *Store) {
		t.Helper()
		begun := time.Now().Add(-iam.SetUpLife)
		for i, one := range []struct {
			head      string
			created   time.Time
			confirmed time.Time
		}{
			{"\x01in use-", begun.Add(-time.Hour), begun},
			{"\x01set up-", begun.Add(time.Minute), time.Time{}},
			{"\x01gave up", begun.Add(-time.Second), time.Time{}},
		} {
			id := iam.ID(fmt.Sprintf("%032x", i+1))
			user := iam.User{ID: id, Email: string(id) + "@example.com", CreatedOn: begun}
			factor := iam.Factor{ID: id, UserID: id, Kind: iam.ByTOTP, Sealed: []byte(one.head), SessionID: id, CreatedOn: one.created}
			err := s.Update(t.Context(), func(tx iam.Tx) error {
				err := errors.Join(
					tx.InsertUser(user, iam.AuditEntry{OperationID: "user" + string(id), Action: iam.UserCreate}),
					tx.InsertFactor(factor, iam.AuditEntry{OperationID: "begin" + string(id), Action: iam.FactorBegin}),
				)
				if factor.ConfirmedOn = one.confirmed; err == nil && !one.confirmed.IsZero() {
					err = tx.ConfirmFactor(factor, iam.AuditEntry{OperationID: "add" + string(id), Action: iam.FactorAdd})
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		found, err := s.Sealed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, one := range found {
			got[string(one.Head)] = one.Values
		}
		if want := map[string]int{"\x01in use-": 1, "\x01set up-": 1}; !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Two servers that come to a fresh database at once, each with keys of its own, are
// not both told that there are no others.
func TestInstanceKeysAreNotedByOne(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s *Store) {
		t.Helper()
		var alone atomic.Int32 // whose check knows of nobody
		both := make(chan struct{})
		errKnown := errors.New("there are others")
		note := func(id string) error {
			return s.NoteInstanceKeys(t.Context(), []string{id}, func(known []string) error {
				if len(known) > 0 {
					return errKnown
				}
				if alone.Add(1) == 2 {
					close(both)
				}
				select {
				case <-both:
				case <-time.After(300 * time.Millisecond): // whoever could come has come
				}
				return nil
			})
		}
		second := make(chan error, 1)
		go func() { second <- note("bbbbbbbbbbbbbbbb") }()
		errs := []error{note("aaaaaaaaaaaaaaaa"), <-second}
		known, err := s.InstanceKeys(t.Context())
		if err != nil || len(known) != 1 || alone.Load() != 1 || (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), errKnown) {
			t.Errorf("got %v and %q, %v; want one noted and the other told", errs, known, err)
		}
	})
}

func TestInstanceKeysAreNotedAndForgotten(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, s *Store) {
		t.Helper()
		a, b, c := "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"
		known := func(want ...string) {
			t.Helper()
			got, err := s.InstanceKeys(t.Context())
			if slices.Sort(got); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		known()
		for _, ids := range [][]string{{a}, {a, b}, {a, b}} {
			if err := s.NoteInstanceKeys(t.Context(), ids, func([]string) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		known(a, b)
		entry := iam.AuditEntry{OperationID: "drop", Action: iam.KeyringDrop, Before: `{"key":"a"}`}
		if err := s.DropInstanceKeys(t.Context(), []string{a}, []string{b, c}, entry); err != nil {
			t.Fatal(err)
		}
		known(b, c)
		rows, err := s.Audit(t.Context(), "", 0, 10)
		if err != nil || len(rows) != 1 || rows[0].Action != iam.KeyringDrop {
			t.Errorf("audit rows: got %+v, %v, want the drop", rows, err)
		}
	})
}
