package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hither/internal/iam"
)

func silent(int, int) {}

// names are the files of a folder.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, len(entries))
	for i, entry := range entries {
		found[i] = entry.Name()
	}
	return found
}

func record(s *Store, id string) error {
	return s.Update(context.Background(), func(tx iam.Tx) error {
		return tx.Record(iam.AuditEntry{OperationID: id, Action: iam.Import, After: strings.Repeat("x", 2000)})
	})
}

// While another process writes at every step, the copy is of one moment, does
// not start over, and leaves nothing but itself.
func TestBackupWhileOthersWrite(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	s := open(t, path, Options{})
	for i := range 2000 {
		if err := record(s, fmt.Sprint("before ", i)); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "copy #1 50%?.db")
	steps, last := 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	copied, err := BackupSQLite(ctx, path, target, func(done, total int) {
		if steps++; steps == 100 {
			cancel()
		}
		if done <= last || done > total {
			t.Errorf("progress: got %d of %d pages after %d, want more each time", done, total, last)
		}
		last = done
		if err := record(s, fmt.Sprint("during ", steps)); err != nil {
			t.Errorf("a write meanwhile: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if steps < 2 {
		t.Fatalf("progress: got %d steps, want several", steps)
	}
	info, err := os.Stat(target)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != copied.Bytes {
		t.Errorf("the copy: got %v, %v, want mode 0600 and %d bytes", info, err, copied.Bytes)
	}
	if want := (Copied{Bytes: copied.Bytes, Schema: Schema, Audit: 2000}); copied != want {
		t.Errorf("got %+v, want %+v", copied, want)
	}
	if got := names(t, filepath.Dir(target)); len(got) != 1 {
		t.Errorf("files beside the copy: got %q, want the copy alone", got)
	}
	entries, err := open(t, target, Options{}).Audit(t.Context(), "", 0, 3000)
	if err != nil || len(entries) != 2000 {
		t.Errorf("the copy opened as a database: got %d audit rows, %v, want 2000", len(entries), err)
	}
}

// What is in the log alone is copied too, and so is a database without rows.
func TestBackupOfWhatIsNotInTheFileYet(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	open(t, path, Options{})
	target := path + " copy"
	copied, err := BackupSQLite(t.Context(), path, target, silent)
	if err != nil || copied.Schema != Schema || copied.Users+copied.Audit != 0 {
		t.Errorf("got %+v, %v, want an empty copy of schema %d", copied, err, Schema)
	}
	if err := open(t, target, Options{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	_ = open(t, path, Options{}).Close()
	beside := func(name, content string) string {
		name = filepath.Join(filepath.Dir(path), name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	others := filepath.Join(filepath.Dir(path), "others.db")
	conn := raw(t, others)
	mustExec(t, conn, `CREATE TABLE users (id TEXT)`)
	newer := filepath.Join(filepath.Dir(path), "newer.db")
	_ = open(t, newer, Options{}).Close()
	mustExec(t, raw(t, newer), `UPDATE instance SET min_program = 99`)
	existing := beside("existing", "precious")
	dangling := filepath.Join(filepath.Dir(path), "dangling")
	if err := os.Symlink(filepath.Join(t.TempDir(), "nothing"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, target, want string }{
		{"a file of that name", path, existing, "overwrites nothing"},
		{"a link of that name", path, dangling, "overwrites nothing"},
		{"a folder of that name", path, t.TempDir(), "overwrites nothing"},
		{"the database itself", path, path, "overwrites nothing"},
		{"no such folder", path, filepath.Join(path+".d", "copy"), "no such file or directory"},
		{"no database", filepath.Join(filepath.Dir(path), "missing.db"), path + "1", "unable to open"},
		{"garbage", beside("garbage", strings.Repeat("garbage ", 999)), path + "2", "not hither's"},
		{"an empty file", beside("empty", ""), path + "3", "not hither's"},
		{"another application's", others, path + "4", "not hither's"},
		{"a newer schema", newer, path + "5", "newer hither"},
	} {
		before := names(t, filepath.Dir(path))
		_, err := BackupSQLite(t.Context(), test.path, test.target, silent)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if after := names(t, filepath.Dir(path)); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: files: got %q, want %q", test.name, after, before)
		}
	}
	if text, err := os.ReadFile(existing); string(text) != "precious" {
		t.Errorf("the file that was there: got %q, %v", text, err)
	}
}

// A database whose pages are damaged makes no backup that passes for a good one.
func TestDamageIsNotBackedUp(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	s := open(t, path, Options{})
	for i := range 50 {
		if err := record(s, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Close()
	damage(t, path, "audit_account")
	target := path + " copy"
	if _, err := BackupSQLite(t.Context(), path, target, silent); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("got %v, want a refusal", err)
	}
	if got := names(t, filepath.Dir(path)); fmt.Sprint(got) != fmt.Sprint([]string{filepath.Base(path)}) {
		t.Errorf("files: got %q, want the database alone", got)
	}
}

// damage overwrites the root page of an index.
func damage(t *testing.T, path, index string) {
	t.Helper()
	db, err := sql.Open("sqlite", fileURI(path, nil))
	if err != nil {
		t.Fatal(err)
	}
	var page, size int64
	err = db.QueryRowContext(t.Context(), `SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = $1`, index).Scan(&page, &size)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt(bytes.Repeat([]byte{0xff}, 200), (page-1)*size+size-200)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestBackupThatIsGivenUpLeavesNothing(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	s := open(t, path, Options{})
	for i := range 1500 {
		if err := record(s, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "copy")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := BackupSQLite(ctx, path, target, func(int, int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if got := names(t, filepath.Dir(target)); len(got) > 0 {
		t.Errorf("files: got %q, want none", got)
	}
}

// Of backups to one name at once, one wins, and it is whole.
func TestBackupsToOneName(t *testing.T) {
	t.Parallel()
	path := folder(t, file(t))
	open(t, path, Options{})
	target := filepath.Join(t.TempDir(), "copy")
	var group sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		group.Go(func() { _, errs[i] = BackupSQLite(t.Context(), path, target, silent) })
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !strings.Contains(err.Error(), "overwrites nothing"):
			t.Error(err)
		}
	}
	if got := names(t, filepath.Dir(target)); won != 1 || len(got) != 1 {
		t.Errorf("got %d winners and the files %q, want one of each", won, got)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	noLinks := func(string, string) error { return fs.ErrPermission }
	for name, link := range map[string]func(string, string) error{"links": os.Link, "no links": noLinks} {
		partial, target := filepath.Join(t.TempDir(), "partial"), filepath.Join(t.TempDir(), "target")
		if err := os.WriteFile(partial, []byte("copy"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := place(partial, target, link); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, _ := os.ReadFile(target); string(text) != "copy" {
			t.Errorf("%s: got %q under the name, want the copy", name, text)
		}
		_ = os.Remove(partial)
		if err := os.WriteFile(partial, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := place(partial, target, link); err == nil {
			t.Errorf("%s: a name that is taken was given", name)
		}
		if text, _ := os.ReadFile(target); string(text) != "copy" {
			t.Errorf("%s: got %q under the name afterwards, want the copy", name, text)
		}
	}
}
