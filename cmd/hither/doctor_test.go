package main

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// doctor runs the command and returns what it found. It listens on no port
// that tests share.
func (d desk) doctor(environ []string, args ...string) (code int, found []map[string]string) {
	d.t.Helper()
	var out, messages strings.Builder
	args = append([]string{"doctor", "--json", "--listen=127.0.0.1:0"}, args...)
	code = run(d.t.Context(), args, append(environ, "HITHER_DATA="+d.data), strings.NewReader(""), &out, &messages)
	return code, decode[[]map[string]string](d.t, out.String())
}

// finds holds the doctor to one finding, what it says and the exit code that
// goes with it. Nothing else may be wrong.
func (d desk) finds(state, check, found, todo string, environ []string, args ...string) {
	d.t.Helper()
	before := d.files()
	code, findings := d.doctor(environ, args...)
	if after := d.files(); !maps.Equal(after, before) {
		d.t.Errorf("%s: the folder was changed", check)
	}
	wantCode := exitOK
	if state == checkFail {
		wantCode = exitFailure
	}
	if code != wantCode {
		d.t.Errorf("%s: got exit code %d, want %d", check, code, wantCode)
	}
	seen := false
	for _, f := range findings {
		switch {
		case f["check"] == check && f["state"] == state && strings.Contains(f["found"], found):
			seen = true
			if !strings.Contains(f["todo"], todo) || (state != checkOK) != (f["todo"] != "") {
				d.t.Errorf("%s: got to do %q, want %q in it", check, f["todo"], todo)
			}
		case f["check"] != check && f["state"] != checkOK:
			d.t.Errorf("beside %s: got %v", check, f)
		}
	}
	if !seen {
		d.t.Errorf("got %v, want %s of %s with %q", findings, state, check, found)
	}
}

// files are the names, sizes, modes, times and contents in the folder.
func (d desk) files() map[string]string {
	d.t.Helper()
	found := map[string]string{}
	folder := filepath.Dir(d.data)
	entries, err := os.ReadDir(folder)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			d.t.Fatal(err)
		}
		text, _ := os.ReadFile(filepath.Join(folder, entry.Name())) // folders have none
		found[entry.Name()] = fmt.Sprint(info.Mode(), info.ModTime(), string(text))
	}
	return found
}

// sql changes the database past the program.
func (d desk) sql(statements ...string) {
	d.t.Helper()
	db, err := sql.Open("sqlite", d.data)
	if err != nil {
		d.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.ExecContext(d.t.Context(), statement); err != nil {
			d.t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// TestDoctorIsContent holds that nothing is found where nothing is wrong, on
// a terminal's page too.
func TestDoctorIsContent(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	before := d.files()
	code, findings := d.doctor([]string{"PATH=/bin"}, "--deep")
	if code != exitOK {
		t.Errorf("got exit code %d, want 0", code)
	}
	var checks []string
	for _, f := range findings {
		if f["state"] != checkOK || f["todo"] != "" {
			t.Errorf("got %v, want it ok", f)
		}
		checks = append(checks, f["check"])
	}
	want := []string{"environment", "file mode", "folder", "file system", "disk", "schema", "journal", "damage", "users", "accounts", "clock", "keyring", "address", "mail"}
	if !slices.Equal(checks, want) {
		t.Errorf("checks: got %q, want %q", checks, want)
	}
	text := d.ok("doctor", "--listen=127.0.0.1:0")
	if !strings.Contains(text, "ok    schema          1; this program knows 1\n") {
		t.Errorf("got %s, want a line of the schema", text)
	}
	if after := d.files(); !maps.Equal(after, before) {
		t.Error("the folder was changed")
	}
	if code, _, messages := d.run("", "doctor", "--tls-cert=c.pem"); code != exitUsage || !strings.Contains(messages, "--tls-cert needs --tls-key") {
		t.Errorf("a certificate without its key: got exit code %d, %s", code, messages)
	}
}

func TestDoctorFindsStraySettings(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.finds(checkFail, "environment", "HITHER_DATE is no setting", "did you mean HITHER_DATA?", []string{"HITHER_DATE=x"})
	d.finds(checkFail, "environment", "hither_listen is no setting", "did you mean HITHER_LISTEN?", []string{"hither_listen=x"})
	d.finds(checkFail, "environment", "HITHER_COLOUR_OF_ALL is no setting", "use one of HITHER_ADDRESS_RATE_LIMIT, HITHER_API_EMAIL, ", []string{"HITHER_COLOUR_OF_ALL=x"})
}
