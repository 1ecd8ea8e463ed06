package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hither/internal/seal"
	"hither/test/postgres"
)

// testKeyring has one key, which guards nothing.
const testKeyring = "9174df1cbbb2ccfd 2026-01-01T00:00:00Z AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// material is every key of a keyring's text.
func material(t *testing.T, text string) []string {
	t.Helper()
	var keys []string
	for _, found := range regexp.MustCompile(`(?m)^[0-9a-f]{16} \S+ ([\w-]{43})$`).FindAllStringSubmatch(text, -1) {
		keys = append(keys, found[1])
	}
	return keys
}

// TestKeyring walks a keyring through its commands, none of which shows a key.
func TestKeyring(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	path := d.data + ".keys"
	var said strings.Builder
	ok := func(args ...string) string {
		t.Helper()
		out := d.ok(append([]string{"keyring"}, args...)...)
		said.WriteString(out)
		return out
	}
	d.refused("there is no keyring "+path+"; --keyring (HITHER_KEYRING) says where it is, and `hither serve` makes one", "keyring", "show")
	d.refused("no such file", "keyring", "rotate")
	if out := ok("make"); !strings.Contains(out, "made "+path) || !strings.Contains(out, "apart from the backups") {
		t.Errorf("hither keyring make: got %s", out)
	}
	d.refused("is there already", "keyring", "make")
	first := d.objects("keyring", "show", "--json")
	if len(first) != 1 || first[0]["current"] != true {
		t.Fatalf("got %v, want one key, the current one", first)
	}
	old, _ := first[0]["id"].(string)
	d.refused("is the current one", "keyring", "drop", old)

	after := time.Now().Add(longestLink - time.Hour)
	out := ok("rotate")
	until, err := time.Parse(time.RFC3339, regexp.MustCompile(`drop an older\s+key before (\S+) `).FindStringSubmatch(out)[1])
	if err != nil || until.Before(after) || until.After(after.Add(2*time.Hour)) {
		t.Errorf("the overlap: got %s, %v, want 90 days from now, in %s", until, err, out)
	}
	rows := regexp.MustCompile(`(?m)^(\w{16})  \S+Z  (yes|no)$`).FindAllStringSubmatch(ok("show"), -1)
	if len(rows) != 2 || rows[0][1] != old || rows[0][2] != "no" || rows[1][2] != "yes" {
		t.Fatalf("got %v, want the old key and the current one", rows)
	}
	d.refused("is the current one", "keyring", "drop", rows[1][1])
	d.refused("there is no key \"none\"", "keyring", "drop", "none")

	text, err := os.ReadFile(path)
	keys := material(t, string(text))
	if err != nil || len(keys) != 2 {
		t.Fatalf("got %d keys, %v, want two", len(keys), err)
	}
	if out := ok("drop", old); !strings.Contains(out, "dropped the key "+old) || !strings.Contains(out, "opens no longer") {
		t.Errorf("hither keyring drop: got %s", out)
	}
	if left := d.objects("keyring", "show", "--json"); len(left) != 1 || left[0]["id"] != rows[1][1] {
		t.Errorf("after the drop: got %v, want the current key", left)
	}
	if !strings.Contains(said.String(), "never shown") {
		t.Errorf("got %s, want it to be said that keys are not shown", said.String())
	}
	for _, key := range keys {
		if strings.Contains(said.String(), key) {
			t.Error("a command shows a key")
		}
	}
	if _, err := os.Stat(d.data); err == nil {
		t.Error("a command made a database")
	}
}

// TestKeyringOfTheEnvironment reads the same keyring in each form of HITHER_KEY.
func TestKeyringOfTheEnvironment(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("keyring", "make", "--keyring", d.data+".own")
	code, _, said := d.run("", "keyring", "rotate", "--keyring", d.data+".own") // whose database it is can't be told
	if code != exitOK || !strings.Contains(said, "does not know of the new key") || !strings.Contains(said, "HITHER_DATA") {
		t.Fatalf("hither keyring rotate without a database: got exit code %d and %q, want it done, and what is lacking", code, said)
	}
	text, err := os.ReadFile(d.data + ".own")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(d.ok("keyring", "show", "--keyring", d.data+".own"), d.data+".own", keyVariable)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[len(lines)-2:]
	for _, value := range []string{string(text), strings.Join(lines, "\n"), strings.Join(lines, ";"), strings.Join(lines, " ; ") + ";\n"} {
		env := map[string]string{keyVariable: value, "HITHER_DATA": d.data}
		if code, out, messages := call(t.Context(), env, "keyring", "show"); code != exitOK || out != want {
			t.Errorf("%s in another form: got exit code %d, %q, %q, want %q", keyVariable, code, out, messages, want)
		}
		for _, args := range [][]string{{"rotate"}, {"drop", "x"}, {"make"}} {
			code, _, messages := call(t.Context(), env, append([]string{"keyring"}, args...)...)
			if code != exitUsage || !strings.Contains(messages, "no command can change it") {
				t.Errorf("hither keyring %q: got exit code %d and %q", args, code, messages)
			}
		}
	}
}

// TestServeNeedsItsKeyring holds what a server refuses to start with, and that the
// message says the way out and nothing of a key.
func TestServeNeedsItsKeyring(t *testing.T) {
	t.Parallel()
	url := postgres.Database(t)
	folder := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const secret = "AAAAAAAAAAAAAAAA"
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		code int
		want []string
	}{
		{"PostgreSQL", []string{"--database", url}, nil, exitUsage, []string{"`hither keyring make --keyring FILE`", "--keyring (HITHER_KEYRING)", keyVariable}},
		{"PostgreSQL, no file", []string{"--database", url, "--keyring", folder + "/none"}, nil, exitFailure, []string{folder + "/none", "copied to the others"}},
		{"both", []string{"--keyring=k"}, map[string]string{keyVariable: testKeyring}, exitUsage, []string{keyVariable, "--keyring", "can't be used together"}},
		{"a bad variable", nil, map[string]string{keyVariable: testKeyring + "A"}, exitUsage, []string{keyVariable + ": line 1: "}},
		{"another's", []string{"--keyring", file("wide", testKeyring+"\n", 0o644)}, nil, exitFailure, []string{"wide", "chmod 600"}},
		{"empty", []string{"--keyring", file("empty", "", 0o600)}, nil, exitFailure, []string{"it is empty"}},
		{"cut short", []string{"--keyring", file("cut", testKeyring, 0o600)}, nil, exitFailure, []string{"cut short"}},
		{"a folder", []string{"--keyring", folder}, nil, exitFailure, []string{"no file"}},
		{"no folder", []string{"--keyring", folder + "/no/keys"}, nil, exitFailure, []string{folder + "/no/keys"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{}
			if !strings.Contains(test.name, "PostgreSQL") {
				env["HITHER_DATA"] = filepath.Join(t.TempDir(), "hither.db")
			}
			maps.Copy(env, test.env)
			code, _, messages := call(t.Context(), env, append([]string{"serve", "--listen=127.0.0.1:0"}, test.args...)...)
			if code != test.code || strings.Contains(messages, secret) {
				t.Errorf("got exit code %d and %q, want %d and nothing of a key", code, messages, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(messages, want) {
					t.Errorf("the message lacks %q: %s", want, messages)
				}
			}
		})
	}
}

// TestServeMakesItsKeyring starts two servers at once on a fresh database, and one
// that has its keys from the environment.
func TestServeMakesItsKeyring(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "hither.db")
	a := start(t, "serve", "--listen=127.0.0.1:0", "--data", data)
	b := start(t, "serve", "--listen=127.0.0.1:0", "--data", data)
	ringA, ringB := a.logged(t, "serving")["keyring"], b.logged(t, "serving")["keyring"]
	ring, err := seal.Load(data + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint(ring); ringA != want || ringB != want {
		t.Errorf("two servers at once: got %v and %v, want %s of both", ringA, ringB, want)
	}
	text, err := os.ReadFile(data + ".keys")
	if err != nil {
		t.Fatal(err)
	}
	_, outA, errA := a.end()
	_, outB, errB := b.end()
	for _, key := range material(t, string(text)) {
		if strings.Contains(outA+errA+outB+errB, key) {
			t.Error("a server shows a key")
		}
	}

	data = filepath.Join(t.TempDir(), "hither.db")
	p := startIn(t, []string{keyVariable + "=" + testKeyring}, "serve", "--listen=127.0.0.1:0", "--data", data)
	if got := p.logged(t, "serving")["keyring"]; got != "keyring[9174df1cbbb2ccfd]" {
		t.Errorf("with a keyring of its environment: got %v", got)
	}
	if _, err := os.Stat(data + ".keys"); err == nil {
		t.Error("with a keyring of its environment it made one")
	}
	p.end()
}

// TestKeyringIsFollowed is what a server does with its keyring while commands
// change it.
func TestKeyringIsFollowed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	keys, err := keyPlace{file: d.data + ".keys"}.open(slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	link := seal.Link{Purpose: seal.MailedInvitation, ID: "0123456789abcdef0123456789abcdef"}
	old := keys().Token(link)
	d.ok("keyring", "rotate")
	fresh := keys().Token(link)
	if _, ok := keys().Parse(old); fresh == old || !ok {
		t.Errorf("after a rotation: the same key made %v, the old link opens %v; want another key, and it to open", fresh == old, ok)
	}
	d.ok("keyring", "drop", keys().Keys()[0].ID)
	if _, ok := keys().Parse(old); ok {
		t.Error("a link of a key that was dropped opens")
	}
	if _, ok := keys().Parse(fresh); !ok {
		t.Error("a link of the key that was kept is refused")
	}
}

func TestDoctorReadsTheKeyring(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	path := d.data + ".keys"
	put := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	d.finds(checkOK, "keyring", path+": 1 key, the current one", "", nil)
	d.finds(checkOK, "keyring", "HITHER_KEY: 1 key, the current one, 9174df1cbbb2ccfd, is of 2026-01-01T00:00:00Z", "", []string{keyVariable + "=" + testKeyring})
	put(strings.Replace(testKeyring, "2026", "2001", 1)+"\n", 0o600)
	d.finds(checkWarn, "keyring", "is of 2001-01-01T00:00:00Z", "hither keyring rotate", nil)
	put(testKeyring+"\n", 0o640)
	d.finds(checkFail, "keyring", "its mode is 0640", "operations.md", nil)
	put("", 0o600)
	d.finds(checkFail, "keyring", "it is empty", "operations.md", nil)
	put(testKeyring+"A\n", 0o600)
	d.finds(checkFail, "keyring", "line 1: ", "operations.md", nil)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.finds(checkWarn, "keyring", "there is none at "+path, "put back the copy", nil)
	d.finds(checkFail, "keyring", "can't be used together", "operations.md", []string{keyVariable + "=" + testKeyring}, "--keyring=k")
	d.finds(checkFail, "environment", "HITHER_KEYS is no setting", "did you mean HITHER_KEY", []string{"HITHER_KEYS=x", keyVariable + "=" + testKeyring})
}
