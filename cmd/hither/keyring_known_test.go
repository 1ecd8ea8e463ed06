package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/internal/clock"
	"hither/internal/seal"
	"hither/internal/store"
)

// served starts a server on a desk's database and stops it, as a life before.
func (d desk) served() {
	d.t.Helper()
	p := startIn(d.t, []string{"HITHER_DATA=" + d.data}, "serve", "--listen=127.0.0.1:0")
	p.logged(d.t, "serving")
	if code, _, said := p.end(); code != exitOK {
		d.t.Fatalf("the server ended with %d\n%s", code, said)
	}
}

// unserved is why a server refuses to start.
func (d desk) unserved(want ...string) {
	d.t.Helper()
	code, _, said := d.run("", "serve", "--listen=127.0.0.1:0")
	for _, words := range want {
		if code != exitFailure || !strings.Contains(said, words) {
			d.t.Errorf("hither serve: got exit code %d and %q, want %q", code, said, words)
		}
	}
}

// TestALostKeyringIsNotRemade: a database knows the ids of the keys that it was
// served with. Where the keyring is gone, or another's, a server refuses to start,
// until the copy is back or the loss is admitted.
func TestALostKeyringIsNotRemade(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	path := d.data + ".keys"
	d.served()
	ring, err := seal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	id := ring.Current().ID
	aside := path + ".aside"
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	d.unserved("there is no keyring "+path, id, "put back the copy", "hither keyring forget")
	if _, err := os.Stat(path); err == nil {
		t.Error("a keyring was made")
	}
	d.finds(checkFail, "keyring", "was served with the keys "+id, "hither keyring forget", nil)

	if _, err := seal.Create(path, clock.Now()); err != nil { // somebody else's
		t.Fatal(err)
	}
	d.unserved("has none of the keys", id, "put back the copy")
	d.finds(checkFail, "keyring", "has none of the keys", "hither keyring forget", nil)

	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	d.served()
	d.finds(checkOK, "keyring", path+": 1 key", "", nil)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if out := d.ok("keyring", "forget"); !strings.Contains(out, id) {
		t.Errorf("hither keyring forget: got %s, want %s named", out, id)
	}
	d.refused("knows no keys", "keyring", "forget")
	d.served()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after the loss was admitted: %v, want another keyring", err)
	}
}

// TestKeysChangeBetweenTwoStarts: who rotates and drops the old key while no server
// runs is not taken for somebody else.
func TestKeysChangeBetweenTwoStarts(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.served()
	old := d.objects("keyring", "show", "--json")[0]["id"].(string)
	d.ok("keyring", "rotate")
	d.ok("keyring", "drop", old)
	d.served()
}

// TestAnOldKeyringIsNoticed: a copy from before a rotation opens much, so a server
// takes it, but says what it lacks. No server need have started since.
func TestAnOldKeyringIsNoticed(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	path := d.data + ".keys"
	d.served()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.ok("keyring", "rotate")
	id := d.objects("keyring", "show", "--json")[1]["id"].(string)
	d.finds(checkOK, "keyring", path+": 2 keys", "", nil)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	d.finds(checkWarn, "keyring", "served with, "+id+": it may be an old copy", "put back the newest copy", nil)
	lacks := func() (ids any) {
		t.Helper()
		p := startIn(t, []string{"HITHER_DATA=" + d.data}, "serve", "--listen=127.0.0.1:0")
		defer p.end()
		for {
			line, err := p.stderr.ReadString('\n')
			var entry map[string]any
			if err != nil || json.Unmarshal([]byte(line), &entry) != nil {
				t.Fatalf("the log ended with %q: %v", line, err)
			}
			switch text, _ := entry["msg"].(string); {
			case text == "serving":
				return ids
			case strings.Contains(text, "put back the newest copy"):
				ids = entry["lacks"]
			}
		}
	}
	if got := lacks(); got != id {
		t.Errorf("a server with the keyring from before: the log says that it lacks %v, want %s", got, id)
	}
	d.ok("keyring", "forget")
	if got := lacks(); got != nil {
		t.Errorf("after the loss was admitted: the log says that the keyring lacks %v", got)
	}
}

// TestDroppingAKeyAsksTheRightDatabase: a keyring that is named for itself can be any
// database's, so that none lies where one lies by default says nothing, and one of
// another instance can't answer.
func TestDroppingAKeyAsksTheRightDatabase(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.served()
	ring := d.data + ".keys"
	old := d.objects("keyring", "show", "--json")[0]["id"].(string)
	d.ok("keyring", "rotate")
	empty := newDesk(t)
	empty.refused("there is no database "+empty.data, "keyring", "drop", old, "--keyring", ring)
	other, _ := newFilledDesk(t)
	other.served()
	other.refused("was served with other keys", "keyring", "drop", old, "--keyring", ring)
	code, _, said := other.run("", "keyring", "rotate", "--keyring", ring)
	if code != exitOK || !strings.Contains(said, "was served with other keys") {
		t.Errorf("hither keyring rotate beside another's database: got exit code %d and %q", code, said)
	}
	if got := len(d.objects("keyring", "show", "--json")); got != 3 {
		t.Errorf("after refusals and a rotation: got %d keys, want all three", got)
	}
	other.finds(checkOK, "keyring", "1 key", "", nil)
	code, _, said = empty.run("", "keyring", "drop", old, "--keyring", ring, "--force")
	if code != exitOK || !strings.Contains(said, "could not be asked") {
		t.Errorf("with --force: got exit code %d and %q, want the key dropped", code, said)
	}
}

// TestWhatIsSealedKeepsItsKey: what counts is which keys the database's values name.
func TestWhatIsSealedKeepsItsKey(t *testing.T) {
	t.Parallel()
	ring := seal.NewKeyring(clock.Now())
	id := ring.Current().ID
	value := ring.Seal("boxes", "x", []byte("seed"))
	other := seal.NewKeyring(clock.Now())
	sealed := []store.Sealed{
		{Table: "boxes", Head: value[:9], Values: 3}, {Table: "crates", Head: value[:9], Values: 1}, {Table: "crates", Head: []byte("short"), Values: 1},
	}
	if got := strings.Join(sealedBy(sealed, id), ", "); got != "3 in boxes, 1 in crates" {
		t.Errorf("sealed by %s: got %q", id, got)
	}
	if got := sealedBy(sealed, other.Current().ID); got != nil {
		t.Errorf("sealed by a key that sealed nothing: got %q", got)
	}
	if got := strings.Join(orphans(sealed, other), ", "); got != id+", 0x73686f7274" {
		t.Errorf("keys that are missing: got %q", got)
	}
	if got := orphans(sealed[:2], ring); got != nil {
		t.Errorf("keys that are missing, where none is: got %q", got)
	}
}

// TestDroppingAKeyAsksTheDatabase: one that cannot be asked is no reason to think
// that nothing is sealed.
func TestDroppingAKeyAsksTheDatabase(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	old := d.objects("keyring", "show", "--json")[0]["id"].(string)
	d.ok("keyring", "rotate")
	whole, err := os.ReadFile(d.data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.data, []byte(strings.Repeat("this is no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"-wal", "-shm"} {
		_ = os.Remove(filepath.Clean(d.data + log))
	}
	d.refused("can't be told", "keyring", "drop", old)
	if got := len(d.objects("keyring", "show", "--json")); got != 2 {
		t.Errorf("after a refusal: got %d keys, want both", got)
	}
	code, _, said := d.run("", "keyring", "drop", old, "--force")
	if code != exitOK || !strings.Contains(said, "could not be asked") || len(d.objects("keyring", "show", "--json")) != 1 {
		t.Errorf("with --force: got exit code %d and %q, want the key dropped", code, said)
	}
	if err := os.WriteFile(d.data, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}
