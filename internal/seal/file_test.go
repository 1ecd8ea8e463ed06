package seal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func fresh(t *testing.T) (path string, ring Keyring) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hither.db.keys")
	ring, err := Create(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return path, ring
}

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// alone holds that a folder has these files and no others.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("files: got %v, %v, want the keyring alone", entries, err)
	}
}

func equal(t *testing.T, got, want Keyring) {
	t.Helper()
	if got.text() != want.text() {
		t.Errorf("keyring: got %v, want %v", got, want)
	}
}

func TestCreateMakesAPrivateFile(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	alone(t, path)
	again, err := Create(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again, ring)
	rotated, err := Rotate(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if info, err = os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode after a rotation: got %v, %v, want 0600", info.Mode(), err)
	}
	loaded, err := Load(path)
	if err != nil || len(loaded.Keys()) != 2 || loaded.Keys()[0] != ring.Current() {
		t.Errorf("after a rotation: got %v, %v, want the older key first", loaded, err)
	}
	equal(t, loaded, rotated)
	alone(t, path)
}

// TestUnsafeFilesAreRefused holds what is refused and that the way out is said.
func TestUnsafeFilesAreRefused(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	refused := func(why, want string) {
		t.Helper()
		for name, act := range map[string]func() (Keyring, error){
			"Load":   func() (Keyring, error) { return Load(path) },
			"Create": func() (Keyring, error) { return Create(path, time.Now()) },
			"Rotate": func() (Keyring, error) { return Rotate(path, time.Now()) },
			"Drop":   func() (Keyring, error) { return Drop(path, ring.Current().ID) },
		} {
			got, err := act()
			if err == nil || len(got.keys) > 0 || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: got %v, %v; want it refused with %q", name, why, got, err, want)
			}
		}
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777} {
		put(t, path, ring.text(), mode)
		refused("a file that others may use", "chmod 600")
	}
	put(t, path, "", 0o600)
	refused("an empty file", "it is empty; put back the copy")
	put(t, path, "# nothing\n", 0o600)
	refused("a file of comments", "there is no key in it")
	text := ring.text()
	for n := 1; n < len(text); n++ {
		put(t, path, text[:n], 0o600)
		if _, err := Load(path); err == nil {
			t.Errorf("cut to %d of %d bytes: got no error", n, len(text))
		}
	}
	put(t, path, strings.TrimSuffix(text, "\n"), 0o600)
	refused("a file without its last byte", "cut short")
	put(t, path, strings.Repeat("# much\n", 10_000), 0o600)
	refused("a huge file", "it is no keyring")
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	refused("a folder", "this is no file")
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	refused("a pipe", "this is no file")
	if err := errors.Join(os.Remove(path), os.Symlink(path+".away", path)); err != nil {
		t.Fatal(err)
	}
	refused("a link that leads nowhere", "no such file")
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("files: got %v, %v, want nothing left behind", entries, err)
	}
}

// TestTheCurrentKeyStays holds what drop refuses.
func TestTheCurrentKeyStays(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	for id, want := range map[string]string{ring.Current().ID: "is the current one", "0123456789abcdef": "there is no key", "": "there is no key"} {
		if _, err := Drop(path, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("drop %q: got %v, want it refused with %q", id, err, want)
		}
	}
	for range maxKeys - 1 {
		if _, err := Rotate(path, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Rotate(path, time.Now()); err == nil || !strings.Contains(err.Error(), "drop the oldest first") {
		t.Errorf("one key too many: got %v", err)
	}
	if left, err := Load(path); err != nil || len(left.keys) != maxKeys {
		t.Errorf("got %v, %v, want all of them", left, err)
	}
	alone(t, path)
}

// TestOneOfManyCreatorsWins lets many make the keyring at once.
func TestOneOfManyCreatorsWins(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys")
		var (
			group sync.WaitGroup
			begin = make(chan struct{})
			rings [16]Keyring
		)
		for i := range rings {
			group.Go(func() {
				<-begin
				var err error
				if rings[i], err = Create(path, time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		group.Wait()
		for _, ring := range rings {
			equal(t, ring, rings[0])
		}
		alone(t, path)
	}
}

// TestTwoChangesLoseNoKey lets many rotate at once: each that was told of success
// finds its key.
func TestTwoChangesLoseNoKey(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	var (
		group sync.WaitGroup
		begin = make(chan struct{})
		made  [8]string
	)
	for i := range made {
		group.Go(func() {
			<-begin
			rotated, err := Rotate(path, time.Now())
			if err == nil {
				made[i] = rotated.Current().ID
			} else if !strings.Contains(err.Error(), "another command is changing the keyring") {
				t.Error(err)
			}
		})
	}
	close(begin)
	group.Wait()
	found, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := 1
	for _, id := range made {
		if id != "" {
			want++
			if found.find(id) == nil {
				t.Errorf("the key %s is lost", id)
			}
		}
	}
	if len(found.keys) != want || want == 1 || found.find(ring.Current().ID) == nil {
		t.Errorf("got %v, want %d keys, the first among them", found, want)
	}
	alone(t, path)
}

// TestACrashLeavesEither ends a rotation before and after the new file gets its
// name, as a kill would: nothing is tidied up.
func TestACrashLeavesEither(t *testing.T) {
	t.Parallel()
	crash := func(path string, rename func(from, to string) error) {
		defer func() { _ = recover() }()
		_, _ = change(path, func(from, to string) error {
			_ = rename(from, to)
			panic("killed")
		}, func(old Keyring) (Keyring, error) { return Keyring{keys: append(old.keys, drawKey(time.Now()))}, nil })
	}
	path, ring := fresh(t)
	crash(path, func(string, string) error { return nil })
	before, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, before, ring)
	lock := path + ".lock"
	if info, err := os.Stat(lock); err != nil || info.Mode() != 0o600 {
		t.Errorf("what is left of it: got %v, %v, want a file of mode 0600", info, err)
	}
	if _, err := Rotate(path, time.Now()); err == nil || !strings.Contains(err.Error(), "remove that file") || !strings.Contains(err.Error(), lock) {
		t.Errorf("after the crash: got %v, want to be told of %s", err, lock)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	crash(path, os.Rename)
	after, err := Load(path)
	if err != nil || len(after.keys) != 2 || after.keys[0].ID != ring.Current().ID {
		t.Errorf("killed after the rename: got %v, %v, want both keys", after, err)
	}
	alone(t, path)
	if _, err := Rotate(path, time.Now()); err != nil {
		t.Errorf("after that crash: %v", err)
	}
}

// TestAFailedChangeChangesNothing gives the new file no name.
func TestAFailedChangeChangesNothing(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	_, err := change(path, func(string, string) error { return syscall.EIO }, func(old Keyring) (Keyring, error) { return old, nil })
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	left, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, left, ring)
	alone(t, path)
}

// TestCreateWithoutLinks is for file systems that have none, and for a name that
// comes to be taken at the last moment.
func TestCreateWithoutLinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	made, err := create(path, time.Now(), func(string, string) error { return syscall.EPERM })
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, loaded, made)
	alone(t, path)

	path = filepath.Join(t.TempDir(), "keys")
	theirs := NewKeyring(time.Now())
	for name, link := range map[string]func(from, to string) error{"with": os.Link, "without": func(string, string) error { return syscall.EPERM }} {
		got, err := create(path, time.Now(), func(from, to string) error {
			put(t, to, theirs.text(), 0o600)
			return link(from, to)
		})
		if err != nil {
			t.Fatalf("%s links: %v", name, err)
		}
		equal(t, got, theirs)
		alone(t, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestChangeKeepsWhoseFileItIs holds that root does not take the file from the
// server's user, and that a symbolic link stays one.
func TestChangeKeepsWhoseFileItIs(t *testing.T) {
	t.Parallel()
	path, _ := fresh(t)
	name := filepath.Join(t.TempDir(), "name")
	if err := os.Symlink(path, name); err != nil {
		t.Fatal(err)
	}
	const somebody = 12345
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(path, somebody, somebody); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := Rotate(name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, loaded, ring)
	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the symbolic link: got %v, %v", info, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); root && (!ok || owner.Uid != somebody || owner.Gid != somebody) {
		t.Errorf("owner after a change by root: got %+v, want %d", owner, somebody)
	}
}
