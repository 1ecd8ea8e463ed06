package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/test/postgres"
)

// engineVariable chooses the engine on which tests that don't say otherwise run
// their servers: sqlite, unless set, or postgres.
const engineVariable = "HITHER_TEST_ENGINE"

// OnPostgres reports whether tests run on PostgreSQL.
func OnPostgres(t testing.TB) bool {
	t.Helper()
	switch engine := os.Getenv(engineVariable); engine {
	case "", "sqlite":
		return false
	case "postgres":
		return true
	default:
		t.Fatalf("%s: got %q, want sqlite or postgres", engineVariable, engine)
		return false
	}
}

// OnlySQLite leaves a test out on the other engine: why says what it is about
// that the other has not.
func OnlySQLite(t testing.TB, why string) {
	t.Helper()
	if OnPostgres(t) {
		t.Skipf("on SQLite only: %s", why)
	}
}

// Database is a fresh database of the engine that tests run on: the path of a
// file that is not there yet, or the URL of a database that is empty.
func Database(t testing.TB) string {
	t.Helper()
	if OnPostgres(t) {
		return postgres.Database(t)
	}
	return filepath.Join(t.TempDir(), "hither.db")
}

// keyring is what the nodes of a PostgreSQL database share in tests. It guards
// nothing.
const keyring = "9174df1cbbb2ccfd 2026-01-01T00:00:00Z AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// settings are the variables by which the program finds a database, and the
// instance keys where it must not make them.
func settings(data string) []string {
	// Tests ask more, and from fewer places, than anybody may.
	unlimited := []string{"HITHER_RATE_LIMIT=off", "HITHER_ADDRESS_RATE_LIMIT=off"}
	if strings.HasPrefix(data, "postgres://") {
		return append(unlimited, "HITHER_DATABASE="+data, "HITHER_KEY="+keyring)
	}
	return append(unlimited, "HITHER_DATA="+data)
}
