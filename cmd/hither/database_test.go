package main

import (
	"strings"
	"testing"

	"hither/test/postgres"
)

// TestCommandsOnPostgres sets hither up in a PostgreSQL database that the
// environment names, which nothing but init and the like does.
func TestCommandsOnPostgres(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HITHER_DATABASE": postgres.Database(t)}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"user", "list"}, exitFailure, "`hither init` sets it up"},
		{[]string{"init", "--email=ana@example.com", "--account=Motors"}, exitOK, "is ready"},
		{[]string{"user", "list"}, exitOK, "ana@example.com"},
		{[]string{"account", "members", "Motors"}, exitOK, "ana@example.com"},
	} {
		code, stdout, stderr := call(t.Context(), env, step.args...)
		if code != step.code || !strings.Contains(stdout+stderr, step.want) {
			t.Errorf("hither %q: got exit code %d, output %q and messages %q, want %d and %q", step.args, code, stdout, stderr, step.code, step.want)
		}
	}
}
