package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
	"hither/test/postgres"
)

// TestRestoreDrill backs up under a write load, kills the server, follows what
// the command printed to go back to the copy, and serves from it: what was
// acknowledged before the command began is there, and all of it is whole.
func TestRestoreDrill(t *testing.T) {
	harness.OnlySQLite(t, "PostgreSQL is backed up by its own tools")
	t.Parallel()
	for range rounds(5, 2) {
		workers, seed := load.New(6)
		s := harness.Serve(t, seed)
		target := filepath.Join(t.TempDir(), "copy.db")
		before := make([]map[string]disk.Row, len(workers))
		var printed string
		load.Run(t, s, workers, 30, func() {
			for i, w := range workers {
				before[i] = w.Noted()
			}
			printed = s.Run(t, "backup", target)
			s.Kill(t)
		})
		copied := readCopy(t, target)
		lag := 0
		for _, noted := range before {
			lag += checkCopy(t, copied, noted)
		}
		if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the copy: got %v, %v, want 0600", info.Mode(), err)
		}
		t.Logf("%d rows went on changing between the notes and the copy", lag)

		restore(t, printed)
		s.Start(t)
		restored := disk.Read(t, s.Data)
		if len(restored.Order) != len(copied.Order) {
			t.Errorf("audit rows after going back: got %d, want the %d of the copy", len(restored.Order), len(copied.Order))
		}
		members := s.Client().As(load.Admin).OK(t, http.MethodGet, "/accounts/"+harness.ID(load.Account)+"/members?per_page=50", nil)
		if got, want := members.ResultInfo.TotalCount, copied.Live(harness.ID(load.Account)); got != want {
			t.Errorf("members served after going back: got %d, want %d", got, want)
		}
		s.Client().As(load.Admin).OK(t, http.MethodPost, "/accounts/"+harness.ID(load.Account)+"/members",
			object{"email": "later@example.com", "roles": []string{harness.MinimalAccess}})
	}
}

// TestPostgresRestoreDrill does the same with the tools that `hither backup`
// points to where the database is PostgreSQL's.
func TestPostgresRestoreDrill(t *testing.T) {
	t.Parallel()
	cluster := postgres.Start(t, postgres.Options{})
	data, empty := cluster.Create(t, "serving"), cluster.Create(t, "restored")
	workers, seed := load.New(4)
	harness.Run(t, data, "import", seed.Write(t))
	s := harness.Open(t, data)
	target := filepath.Join(t.TempDir(), "copy.dump")
	_, pointer, code := harness.Try(t, data, "backup", target)
	commands := regexp.MustCompile(`(?m)^  (pg_\w+) (.*)$`).FindAllStringSubmatch(pointer, -1)
	if code != 1 || len(commands) != 2 {
		t.Fatalf("hither backup on PostgreSQL: got exit code %d, %q, want two commands to use instead", code, pointer)
	}
	do := func(command []string, url string) {
		t.Helper()
		args := strings.Fields(strings.NewReplacer("URL", url, "FILE", target).Replace(command[2]))
		if out, err := exec.CommandContext(t.Context(), cluster.Tool(command[1]), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, out)
		}
	}
	before := make([]map[string]disk.Row, len(workers))
	load.Run(t, s, workers, 30, func() {
		for i, w := range workers {
			before[i] = w.Noted()
		}
		do(commands[0], data)
		s.Kill(t)
	})
	do(commands[1], empty)
	restored := disk.Read(t, empty)
	for _, noted := range before {
		checkCopy(t, restored, noted)
	}
	harness.Open(t, empty).Client().As(load.Admin).OK(t, http.MethodPost, "/accounts/"+harness.ID(load.Account)+"/members",
		object{"email": "later@example.com", "roles": []string{harness.MinimalAccess}})
}

// checkCopy holds a copy to what was acknowledged before it was begun: each row
// is as it was, or as something later made it. It counts the latter.
func checkCopy(t *testing.T, copied disk.State, before map[string]disk.Row) (later int) {
	t.Helper()
	for id, was := range before {
		r, there := copied.Rows[id]
		switch {
		case !there:
			t.Errorf("acknowledged before the backup began: %+v: not in the copy", was)
		case same(r, was):
		case !slices.ContainsFunc(copied.Events[id], func(e disk.Event) bool { return same(e.After, was) }):
			t.Errorf("acknowledged before the backup began: %+v: got %+v in the copy, which never was that", was, r)
		default:
			later++
		}
	}
	return later
}

// same compares what a worker knows of a row.
func same(r, noted disk.Row) bool {
	return r.ID == noted.ID && r.Status == noted.Status && r.Roles == noted.Roles
}

// readCopy is disk.Read on a copy of the copy: reading makes a log beside it.
func readCopy(t *testing.T, path string) disk.State {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "read.db")
	if err := os.WriteFile(other, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return disk.Read(t, other)
}

// restore runs the indented commands at the end of what backup printed.
func restore(t *testing.T, printed string) {
	t.Helper()
	_, commands, _ := strings.Cut(printed, "To go back to it")
	script := strings.Join(regexp.MustCompile(`(?m)^  \S.*$`).FindAllString(commands, -1), "\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if err != nil || strings.Count(script, "\n") != 2 {
		t.Fatalf("%s\n%v: %s", script, err, out)
	}
}

// TestKilledBackup kills the command at many points. Under the final name there
// is nothing, or a copy that is whole; and what was left is in no later one's way.
func TestKilledBackup(t *testing.T) {
	harness.OnlySQLite(t, "PostgreSQL is backed up by its own tools")
	t.Parallel()
	seed := newSeed().Account("Account", theSuper)
	for i := range 4000 {
		seed.Users = append(seed.Users, harness.SeedUser{Email: fmt.Sprintf("filler%d@example.com", i), FirstName: strings.Repeat("x", 60)})
	}
	s := harness.Serve(t, seed)
	target := filepath.Join(t.TempDir(), "copy.db")
	halfway, n := 0, rounds(20, 8)
	for i := range n {
		cmd := exec.CommandContext(t.Context(), harness.Binary(t), "backup", "--data", s.Data, target)
		if killWriting(t, cmd, target, int64(i)<<20/int64(n)) {
			halfway++
		}
		switch _, err := os.Stat(target); {
		case err == nil: // it was quicker
			readCopy(t, target)
			_ = os.Remove(target)
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	if halfway == 0 {
		t.Error("backups that were killed half-way: got none")
	}
	t.Logf("%d of %d backups were killed half-way", halfway, n)

	s.Run(t, "backup", target)
	whole, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	readCopy(t, target)
	if _, stderr, code := harness.Try(t, s.Data, "backup", target); code != 1 || !strings.Contains(stderr, "overwrites nothing") {
		t.Errorf("a second backup to the same name: got exit code %d, %s, want a refusal", code, stderr)
	}
	if after, err := os.ReadFile(target); err != nil || !bytes.Equal(after, whole) {
		t.Errorf("the copy after the second backup: got another one (%v), want the first", err)
	}
}

// killWriting starts a backup, and kills it once so many bytes of the copy are
// written. It tells whether the final name was not given by then.
func killWriting(t *testing.T, cmd *exec.Cmd, target string, bytes int64) (halfway bool) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // it is killed, or was quicker
	}()
	for {
		select {
		case <-gone:
			return false
		default:
		}
		partial, err := filepath.Glob(filepath.Join(filepath.Dir(target), ".*.partial"))
		if err != nil {
			t.Fatal(err)
		}
		if len(partial) == 0 {
			continue
		}
		info, err := os.Stat(partial[0])
		if err != nil || info.Size() < bytes {
			continue
		}
		_ = cmd.Process.Kill()
		<-gone
		if os.Remove(partial[0]) != nil {
			return false
		}
		_, err = os.Stat(target)
		return err != nil
	}
}
