package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	target := filepath.Join(t.TempDir(), "the copy.db")
	text := d.ok("backup", target)
	for _, want := range []string{"users        1\n", "memberships  1\n", "schema 1", "cp '" + target + "' " + d.data, d.data + ".keys, are not in the copy"} {
		if !strings.Contains(text, want) {
			t.Errorf("hither backup: got %s, want %q in it", text, want)
		}
	}
	copied := desk{t, target}
	if got, want := copied.ok("user", "list"), d.ok("user", "list"); got != want {
		t.Errorf("users of the copy: got %s, want %s", got, want)
	}
	d.refused("overwrites nothing; give another name", "backup", target)
	said := d.object("backup", target+"2", "--json")
	if info, err := os.Stat(target + "2"); err != nil || said["bytes"] != float64(info.Size()) || said["users"] != 1.0 || said["keyring"] != d.data+".keys" {
		t.Errorf("hither backup --json: got %v for %v, %v", said, info, err)
	}
}

// What cannot be backed up makes neither a database nor a copy.
func TestBackupOfNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	target := filepath.Join(filepath.Dir(d.data), "copy.db")
	d.refused("there is no database", "backup", target)
	if err := os.WriteFile(d.data, []byte(strings.Repeat("garbage ", 999)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.refused("it is not hither's", "backup", target)
	if entries, err := os.ReadDir(filepath.Dir(d.data)); err != nil || len(entries) != 1 {
		t.Errorf("files: got %v, %v, want the garbage alone", entries, err)
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"./hither.db": "./hither.db", "a copy": "'a copy'", "it's": `'it'\''s'`, "": "''", "-f": "'-f'", "$HOME": "'$HOME'",
	} {
		if got := quoted(name); got != want {
			t.Errorf("quoted(%q): got %s, want %s", name, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1 << 10: "1.0 KiB", 3 << 29: "1.5 GiB", 5 << 50: "5120.0 TiB"} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d): got %s, want %s", bytes, got, want)
		}
	}
}
