package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/internal/auth"
	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/store"
)

// desk runs commands on a database of its own, as a shell would.
type desk struct {
	t    *testing.T
	data string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	return desk{t, filepath.Join(t.TempDir(), "hither.db")}
}

// newFilledDesk has the database of `hither init`, with what that printed, and a
// keyring, as after a first start.
func newFilledDesk(t *testing.T) (desk, map[string]any) {
	t.Helper()
	d := newDesk(t)
	d.ok("keyring", "make")
	return d, d.object("init", "--email", "ada@example.com", "--account", "Engines", "--json")
}

func (d desk) run(stdin string, args ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	var out, err bytes.Buffer
	code = run(d.t.Context(), args, []string{"HITHER_DATA=" + d.data}, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// ok runs a command that must do what it was asked.
func (d desk) ok(args ...string) string {
	d.t.Helper()
	code, out, err := d.run("", args...)
	if code != exitOK || err != "" {
		d.t.Fatalf("hither %q: exit code %d\n%s%s", args, code, out, err)
	}
	return out
}

// refused runs a command that must fail, print nothing to stdout, and say why
// in these words.
func (d desk) refused(why string, args ...string) {
	d.t.Helper()
	d.refusedWith("", why, args...)
}

func (d desk) refusedWith(stdin, why string, args ...string) {
	d.t.Helper()
	code, out, err := d.run(stdin, args...)
	if code == exitOK || out != "" || !strings.Contains(err, why) {
		d.t.Errorf("hither %q: exit code %d, stdout %q, stderr %q; want it refused with %q", args, code, out, err, why)
	}
}

// object runs a command that prints a JSON object, objects one that prints a
// list of them.
func (d desk) object(args ...string) map[string]any {
	d.t.Helper()
	return decode[map[string]any](d.t, d.ok(args...))
}

func (d desk) objects(args ...string) []map[string]any {
	d.t.Helper()
	return decode[[]map[string]any](d.t, d.ok(args...))
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q is not JSON: %v", text, err)
	}
	return value
}

// open opens the database once more, as a running server has it.
func (d desk) open() opened {
	d.t.Helper()
	db, err := openDatabase(d.t.Context(), place{file: d.data}, store.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := db.store.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return db
}

// actor is who a server takes the credentials for.
func (d desk) actor(db opened, headers ...string) (iam.Actor, error) {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodGet, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return auth.New(db.store, clock.Now).Authenticate(r)
}

func keyHeaders(email, key any) []string {
	return []string{"X-Auth-Email", email.(string), "X-Auth-Key", key.(string)}
}

func tokenHeaders(token any) []string {
	return []string{"Authorization", "Bearer " + token.(string)}
}

func TestLookingMakesNoDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, args := range [][]string{
		{"user", "list"},
		{"user", "add", "ada@example.com"},
		{"account", "list", "--json"},
		{"key", "list", "ada@example.com"},
		{"token", "list", "--operator"},
		{"role", "list"},
	} {
		d.refused("there is no database", args...)
	}
	d.refused("--data (HITHER_DATA)", "user", "list", "--data", "elsewhere.db")
	if _, err := os.Stat(d.data); err == nil {
		t.Error("a refused command made a database")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	for _, test := range []struct {
		why  string
		args []string
	}{
		{"email: must be an address of the form name@domain", []string{"user", "add", "nobody"}},
		{"email: a user with this address or id exists already\n", []string{"user", "add", "ADA@example.com"}},
		{"--first-name: must be at most 60 characters", []string{"user", "add", "x@example.com", "--first-name", strings.Repeat("x", 61)}},
		{"--member-limit: must be 0 (no limit) or more", []string{"account", "set", "Engines", "--member-limit=-1"}},
		{"--default-invite-lifetime: must be 3600 to 7776000 seconds", []string{"account", "set", "Engines", "--default-invite-lifetime", "10m"}},
		{"--type: must be \"standard\" or \"enterprise\"", []string{"account", "set", "Engines", "--type", "big"}},
		{"nothing to set: give --name", []string{"account", "set", "Engines"}},
		{"nothing to set: give --verified", []string{"user", "set", "ada@example.com"}},
		{`there is no account "Motors"; ` + "`hither account list` shows all", []string{"account", "show", "Motors"}},
		{`there is no account "` + strings.Repeat("0", 32), []string{"account", "show", strings.Repeat("0", 32)}},
		{`there is no user "eve@example.com"; ` + "`hither user list` shows all", []string{"user", "show", "eve@example.com"}},
		{`"ada" names no user: give an id or an address`, []string{"user", "show", "ada"}},
		{`--role: there is no role "Bakery"; ` + "`hither role list` shows all", []string{"account", "add-member", "Engines", "b@example.com", "--role", "Bakery"}},
		{"eve@example.com is neither a member of \"Engines\" nor invited", []string{"account", "remove-member", "Engines", "eve@example.com"}},
		{"--permission: dns=edit must be dns=read or dns=write", []string{"role", "add", "R", "--permission", "dns=edit"}},
		{"--permission: area \"DNS\" must be", []string{"role", "add", "R", "--permission", "DNS=read"}},
		{"--id: must be 32 lower-case hex characters", []string{"role", "add", "R", "--permission", "dns=read", "--id", "R"}},
		{"--expires: ", []string{"token", "add", "--operator", "--expires", "soon"}},
		{"--expires: must lie ahead", []string{"token", "add", "--operator", "--expires", "2001-01-01T00:00:00Z"}},
	} {
		d.refused(test.why, test.args...)
	}
}
