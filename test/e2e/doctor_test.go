package e2e_test

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// TestDoctorTouchesNothing runs the doctor beside a server, on what a crash
// left, and on a database that was closed: it sees what is in the log alone, and
// every byte of the folder stays.
func TestDoctorTouchesNothing(t *testing.T) {
	harness.OnlySQLite(t, "it looks at files")
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	s.Client().As(theSuper).OK(t, http.MethodPost, "/accounts/"+harness.ID("Account")+"/members",
		object{"email": "new@example.com", "roles": []string{viewer}})
	address := strings.TrimPrefix(s.URL, "http://")
	check := func(when, listens string) {
		t.Helper()
		before := folderOf(t, s.Data)
		stdout, stderr, code := harness.Try(t, s.Data, "doctor", "--listen", address, "--deep")
		if code != 0 || !strings.Contains(stdout, "--listen "+address+listens) || strings.Contains(stdout, "warn") {
			t.Errorf("%s: got exit code %d, %s%s, want all well and %q", when, code, stdout, stderr, listens)
		}
		after := folderOf(t, s.Data)
		if !slices.Equal(slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before))) {
			t.Errorf("%s: files: got %q, want %q", when, slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
		}
		for name, text := range after {
			if !bytes.Equal(text, before[name]) {
				t.Errorf("%s: %s was changed", when, name)
			}
		}
	}
	check("beside a server", ": hither answers there")
	s.Kill(t)
	if len(folderOf(t, s.Data)) < 3 {
		t.Fatal("after a crash: got no log, want one")
	}
	check("after a crash", " is free")
	s.Start(t)
	s.Stop(t)
	check("closed", " is free")
	s.Run(t, "user", "list") // the database is good
}

// TestDoctorBesideALoad runs the doctor while others write: it finds nothing
// wrong, and no write fails.
func TestDoctorBesideALoad(t *testing.T) {
	harness.OnlySQLite(t, "the tests' PostgreSQL does not wait for its disk, which the doctor finds wrong")
	t.Parallel()
	workers, seed := load.New(6)
	s := harness.Serve(t, seed)
	address := strings.TrimPrefix(s.URL, "http://")
	load.Run(t, s, workers, 10, func() {
		for range rounds(20, 5) {
			stdout, stderr, code := harness.Try(t, s.Data, "doctor", "--listen", address)
			if code != 0 || strings.Contains(stdout, "warn") {
				t.Errorf("beside a load: got exit code %d, %s%s, want all well", code, stdout, stderr)
			}
		}
		s.Kill(t)
	})
	d := disk.Read(t, s.Data)
	for _, w := range workers {
		w.Check(t, d)
	}
}

// folderOf is what lies beside a database, byte for byte.
func folderOf(t *testing.T, path string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = text
	}
	return found
}
