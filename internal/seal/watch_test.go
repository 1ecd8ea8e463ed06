package seal

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAFileIsFollowed changes a keyring beside who uses it: what is whole is in
// force at the next use, what is broken is not and is logged once.
func TestAFileIsFollowed(t *testing.T) {
	t.Parallel()
	path, ring := fresh(t)
	var log strings.Builder
	file, err := OpenFile(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	is := func(want Keyring, message string) {
		t.Helper()
		for range 3 {
			equal(t, file.Keyring(), want)
		}
		lines := strings.Count(log.String(), "\n")
		if want := min(len(message), 1); lines != want || !strings.Contains(log.String(), message) {
			t.Errorf("log: got %q, want one line with %q", log.String(), message)
		}
		if secret := strings.Fields(want.text()); strings.Contains(log.String(), secret[len(secret)-1]) {
			t.Errorf("the log has the key: %s", log.String())
		}
		log.Reset()
	}
	is(ring, "")
	if ring, err = Rotate(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	is(ring, "read anew")
	put(t, path, strings.Replace(ring.text(), "Z ", "Z x", 1), 0o600)
	is(ring, "line 5: the third part")
	put(t, path, "", 0o600)
	is(ring, "it is empty")
	put(t, path, ring.text(), 0o600)
	is(ring, "read anew")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	is(ring, "chmod 600")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	is(ring, "no such file")
	put(t, path, ring.text(), 0o600)
	is(ring, "read anew")
	dropped, err := Drop(path, ring.Keys()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	is(dropped, "read anew")
}

// TestEachSignOfAChangeCounts makes changes that show in nothing but one sign.
func TestEachSignOfAChangeCounts(t *testing.T) {
	t.Parallel()
	var rings [2]Keyring
	for i := range rings {
		rings[i] = NewKeyring(time.Unix(0, 0)) // of one length
	}
	at := time.Unix(1_000_000_000, 0)
	for name, act := range map[string]func(path string) error{
		"time": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(rings[1].text()), 0o600), os.Chtimes(path, at, at.Add(time.Millisecond)))
		},
		"size": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte(rings[1].text()+"#\n"), 0o600), os.Chtimes(path, at, at))
		},
		"file": func(path string) error {
			next := path + ".next"
			return errors.Join(os.WriteFile(next, []byte(rings[1].text()), 0o600), os.Chtimes(next, at, at), os.Rename(next, path))
		},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		put(t, path, rings[0].text(), 0o600)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		file, err := OpenFile(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, file.Keyring(), rings[0])
		if err := act(path); err != nil {
			t.Fatal(err)
		}
		if got := file.Keyring(); got.text() != rings[1].text() {
			t.Errorf("another %s alone: the change was not seen", name)
		}
	}
}

// TestRotationsAreSeenAtOnce asks two users of a file for what the other made.
func TestRotationsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	path, _ := fresh(t)
	link := Link{Purpose: SignIn, ID: "0123456789abcdef0123456789abcdef"}
	var files [2]*File
	for i := range files {
		var err error
		if files[i], err = OpenFile(path, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxKeys - 1 {
		if _, err := Rotate(path, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, ok := files[(i+1)%2].Keyring().Parse(files[i%2].Keyring().Token(link)); !ok {
			t.Errorf("rotation %d: one refuses what the other made", i)
		}
	}
}

func BenchmarkKeyring(b *testing.B) {
	path := b.TempDir() + "/keys"
	if _, err := Create(path, time.Now()); err != nil {
		b.Fatal(err)
	}
	file, err := OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	link := Link{Purpose: SignIn, ID: "0123456789abcdef0123456789abcdef"}
	token := file.Keyring().Token(link)
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			file.Keyring()
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		ring := file.Keyring()
		for b.Loop() {
			ring.Parse(token)
		}
	})
}
