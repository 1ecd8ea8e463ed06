package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"hither/internal/store"
	"hither/test/postgres"
)

// TestDoctorOfPostgres looks at a server that is looked after, before and after
// hither was set up in it, and at one that is not.
func TestDoctorOfPostgres(t *testing.T) {
	t.Parallel()
	good := postgres.Start(t, postgres.Options{}).Create(t, "hither")
	environ := []string{keyVariable + "=" + testKeyring}
	hither := func(want int, args ...string) string {
		t.Helper()
		var out, messages strings.Builder
		if code := run(t.Context(), args, environ, strings.NewReader(""), &out, &messages); code != want {
			t.Fatalf("hither %q: got exit code %d, want %d\n%s%s", args, code, want, out.String(), messages.String())
		}
		return out.String()
	}
	doctor := func(want int, url string) string {
		t.Helper()
		return hither(want, "doctor", "--database", url, "--listen", "127.0.0.1:0")
	}
	setUp := func(url string) {
		t.Helper()
		hither(exitOK, "init", "--database", url, "--email", "a@example.com", "--account", "A")
	}
	expect := func(out, line string) {
		t.Helper()
		if !regexp.MustCompile(`(?m)^` + line).MatchString(out) {
			t.Errorf("hither doctor: got\n%swant a line that begins with %q", out, line)
		}
	}
	expect(doctor(exitFailure, good), `fail  database +hither was never set up`)
	setUp(good)
	out := doctor(exitOK, good)
	for _, line := range []string{`ok +database +postgres://127\.0\.0\.1`, `ok +schema`, `ok +durability +PostgreSQL 1`, `ok +connection`, `ok +users +1`, `ok +clock `, `ok +keyring +HITHER_KEY: 1 key`} {
		expect(out, line)
	}
	if strings.Contains(out, "warn") || strings.Contains(out, good) {
		t.Errorf("hither doctor: got\n%swant no warning, and nothing of the password", out)
	}
	environ = nil
	expect(doctor(exitFailure, good), `fail  keyring +the nodes of a PostgreSQL database need the same`)

	careless := postgres.Start(t, postgres.Options{Settings: map[string]string{"fsync": "off"}}).Create(t, "hither")
	setUp(careless)
	expect(doctor(exitFailure, careless), `fail  durability`)
	expect(doctor(exitFailure, "postgres://127.0.0.1:1/hither"), `fail  database`)
}

func TestDoctorJudgesAServer(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	d := &doctor{now: now}
	d.server(store.Server{Version: "15.1", Synced: true, Clock: now.Add(-3 * time.Second)})
	var states []string
	for _, f := range d.findings {
		states = append(states, f.state+" "+f.check)
	}
	if got, want := strings.Join(states, ", "), "ok durability, warn connection, warn clocks"; got != want {
		t.Errorf("a server that is far away, unencrypted and late: got %s, want %s", got, want)
	}
}
