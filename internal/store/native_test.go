package store

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openedNative(t *testing.T) *nativeSession {
	t.Helper()
	path := filepath.Join(t.TempDir(), "native.db")
	if err := createSQLite(path); err != nil {
		t.Fatal(err)
	}
	s, err := openNative(sqliteURI(path), time.Second, "journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := s.exec(`CREATE TABLE kinds (t TEXT, n INTEGER, b BLOB) STRICT`); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNativeRoundTrip writes values of every kind and reads them back, the
// large ones after small ones through the same statement.
func TestNativeRoundTrip(t *testing.T) {
	t.Parallel()
	s := openedNative(t)
	for _, c := range []struct {
		text any
		n    any
		blob any
	}{
		{"", int64(0), []byte{}},
		{"a", int64(-1), []byte{0}},
		{nil, nil, nil},
		{"zero \x00 inside, ü, 🦎", int64(1) << 62, bytes.Repeat([]byte{0, 255}, 16)},
		{strings.Repeat("long ", 100_000), 7, bytes.Repeat([]byte("x"), 1<<20)},
		{"short again", int64(2), []byte("y")},
	} {
		if _, err := s.exec(`DELETE FROM kinds`); err != nil {
			t.Fatal(err)
		}
		if n, err := s.exec(`INSERT INTO kinds (t, n, b) VALUES ($1, $2, $3)`, c.text, c.n, c.blob); n != 1 || err != nil {
			t.Fatalf("insert: got %d rows, %v, want 1", n, err)
		}
		var (
			gotText, gotBlob text
			got              number
		)
		if err := one(s, `SELECT t, n, b FROM kinds`, nil, &gotText, &got, &gotBlob); err != nil {
			t.Fatal(err)
		}
		wantText, _ := c.text.(string)
		wantBlob, _ := c.blob.([]byte)
		want, _ := c.n.(int64)
		if n, ok := c.n.(int); ok {
			want = int64(n)
		}
		if string(gotText) != wantText || string(gotBlob) != string(wantBlob) || int64(got) != want {
			t.Errorf("got %.40q, %d, %.40q, want %.40q, %d, %.40q", gotText, got, gotBlob, wantText, want, wantBlob)
		}
	}
}

// TestNativeRefuses holds what would read or write another's memory.
func TestNativeRefuses(t *testing.T) {
	t.Parallel()
	s := openedNative(t)
	const all = `SELECT t, n, b FROM kinds`
	if _, err := s.exec(`INSERT INTO kinds (t, n, b) VALUES ('a', 1, x'00'), ('b', 2, x'01')`); err != nil {
		t.Fatal(err)
	}
	wants := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", what, err, want)
		}
	}
	_, err := s.exec(`DELETE FROM kinds WHERE n = $1`)
	wants("no argument", "has 1 parameters, and 0", err)
	_, err = s.exec(`DELETE FROM kinds WHERE n = $1`, 1.5)
	wants("a float", "is a float64", err)
	wants("too few columns", "3 columns is scanned into 1", one(s, all, nil, new(text)))
	wants("a type of nobody's", "into a *int", one(s, `SELECT 1`, nil, new(int)))
	wants("a hash that is none", "of 1 bytes", one(s, `SELECT b FROM kinds`, nil, new(hash32)))
	wants("a statement in itself", "while its own rows", s.query(all, nil, func(row) error {
		return s.query(all, nil, func(row) error { return nil })
	}))
	_, err = s.exec(`SELECT "no column"`)
	wants("a text in the place of a column", "no such column", err)
	_, err = s.exec(`INSERT INTO kinds (n) VALUES ('text')`)
	wants("a text in the place of a number", "cannot store TEXT", err)
	// What failed leaves the statements usable.
	rows := 0
	if err := s.query(all, nil, func(row) error { rows++; return nil }); err != nil || rows != 2 {
		t.Errorf("got %d rows, %v, want 2", rows, err)
	}
}

// TestNativeForgetsNothingInUse prepares more statements than are kept while
// the rows of one are read.
func TestNativeForgetsNothingInUse(t *testing.T) {
	t.Parallel()
	s := openedNative(t)
	if _, err := s.exec(`INSERT INTO kinds (n) VALUES (1), (2), (3)`); err != nil {
		t.Fatal(err)
	}
	rows := 0
	err := s.query(`SELECT n FROM kinds`, nil, func(row) error {
		rows++
		for i := range 2 * maxPrepared {
			if err := one(s, `SELECT n FROM kinds WHERE n = 1 AND 1 < `+strings.Repeat("1", i%maxPrepared+2), nil, new(number)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || rows != 3 {
		t.Errorf("got %d rows, %v, want 3", rows, err)
	}
	if n := len(s.prepared); n > maxPrepared {
		t.Errorf("%d statements are kept, want %d at most", n, maxPrepared)
	}
}
