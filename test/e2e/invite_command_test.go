package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
)

// written writes a file of a test's and returns its path.
func written(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inviting is the line of `hither invite` as somebody at a server.
func inviting(t testing.TB, s *harness.Server, email string, more ...string) []string {
	t.Helper()
	return append([]string{"invite", "--url", s.URL, "--email", email, "--key-file", written(t, "key", harness.Key(email)+"\n")}, more...)
}

// TestInviteCommand: what would be, then what is; the same file once more finds what
// it led to, and --anew finds everybody invited.
func TestInviteCommand(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	people := written(t, "people.csv", "email;roles;note\nada@people.test;Viewer;Welcome\nnobody;Viewer;\n"+theSuper+";Viewer;\n")
	try := func(more ...string) (string, string, int) {
		return harness.Try(t, s.Data, inviting(t, s, theSuper, append([]string{"--account", "Account"}, more...)...)...)
	}
	out, complaint, code := try("--csv", people, "--dry-run")
	if code != 1 || !strings.Contains(complaint, "1 would be invited, 0 invited already, 1 members already, 1 refused") ||
		!strings.Contains(out, "3     -") || !strings.Contains(out, "name@domain") {
		t.Errorf("dry run: %d\n%s\n%s", code, out, complaint)
	}
	if rows := disk.Read(t, s.Data).Rows; len(rows) != 1 {
		t.Errorf("after a dry run: %v", rows)
	}
	out, complaint, code = try("--csv", people, "--json")
	if code != 1 || strings.Count(out, "\n") != 3 || !strings.Contains(out, `"outcome":"invited"`) || !strings.Contains(complaint, "1 invited, ") {
		t.Errorf("inviting: %d\n%s\n%s", code, out, complaint)
	}
	again, complaint, code := try("--csv", people, "--json")
	if code != 1 || again != out || !strings.Contains(complaint, "--anew") {
		t.Errorf("once more: %d\n%s\n%s", code, again, complaint)
	}
	good := written(t, "people.jsonl", `{"email":"ada@people.test","roles":["viewer"]}`)
	out, complaint, code = try("--jsonl", good)
	if code != 0 || !strings.Contains(out, "0 invited, 1 invited already") {
		t.Errorf("who is invited: %d\n%s\n%s", code, out, complaint)
	}
	if _, complaint, code = try("--jsonl", good, "--anew"); code != 0 || strings.Contains(complaint, "was sent") {
		t.Errorf("anew: %d\n%s", code, complaint)
	}
	if _, complaint, code = try("--csv", written(t, "x.csv", "mail,roles\n")); code != 1 || !strings.Contains(complaint, "nobody was invited: line 1") {
		t.Errorf("an unknown column: %d\n%s", code, complaint)
	}
	_, complaint, code = harness.Try(t, s.Data, inviting(t, s, theSuper, "--account", "Elsewhere", "--csv", people)...)
	if code != 1 || !strings.Contains(complaint, `no account "Elsewhere"`) {
		t.Errorf("an unknown account: %d\n%s", code, complaint)
	}
}

// TestInviteCommandIsKilled kills the command, and the server under it, in the
// middle; started again it ends what it began.
func TestInviteCommandIsKilled(t *testing.T) {
	t.Parallel()
	const n = 4000
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	file := written(t, "people.csv", strings.Join(people(n), "\n"))
	c := s.Client().As(theSuper)
	kills := 0
	for range rounds(4, 2) {
		var messages bytes.Buffer
		cmd := exec.CommandContext(t.Context(), harness.Binary(t), inviting(t, s, theSuper, "--account", harness.ID("Account"), "--csv", file)...)
		cmd.Stderr = &messages
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var path string
		waiting := func() int {
			listed := c.OK(t, http.MethodGet, bulks("Account"), nil)
			if listed.ResultInfo.TotalCount == 0 {
				return n
			}
			path = bulks("Account") + "/" + listed.Rows(t)[0].ID
			return bulkOf(t, c.OK(t, http.MethodGet, path, nil)).Counts["waiting"]
		}
		before := waiting()
		for waiting() > before-200 && waiting() > 0 { // it polls, as a client does
			continue
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		s.Kill(t)
		kills++
		s.Start(t)
		c = s.Client().As(theSuper)
	}
	out, complaint, code := harness.Try(t, s.Data, inviting(t, s, theSuper, "--account", harness.ID("Account"), "--csv", file)...)
	if code != 0 || !strings.Contains(out, fmt.Sprintf("%d invited, 0 invited already, 0 members already, 0 refused", n)) {
		t.Errorf("at the end: %d\n%s\n%s", code, out, complaint)
	}
	if listed := c.OK(t, http.MethodGet, bulks("Account"), nil); listed.ResultInfo.TotalCount != 1 {
		t.Errorf("bulks: %s", listed.Body)
	}
	pending, d := 0, disk.Read(t, s.Data)
	for id, row := range d.Rows {
		if row.Status == "pending" && len(d.Events[id]) == 1 {
			pending++
		}
	}
	if pending != n {
		t.Errorf("%d invitations with one audit row each, want %d", pending, n)
	}
	t.Logf("killed %d times", kills)
}

// TestInviteCommandIsInterrupted: who presses Ctrl-C hears how to go on and how to
// cancel. Canceled, what waits is left out and what is done stays, however often.
func TestInviteCommandIsInterrupted(t *testing.T) {
	t.Parallel()
	const n = 6000
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	file := written(t, "people.csv", strings.Join(people(n), "\n"))
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), inviting(t, s, theSuper, "--account", "Account", "--csv", file)...)
	pipe, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	messages := bufio.NewReader(pipe)
	if first, err := messages.ReadString('\n'); err != nil || !strings.HasPrefix(first, "the server took it on as bulk ") {
		t.Fatalf("%v, %q", err, first)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(messages)
	_ = cmd.Wait() // it fails, which is looked at here
	_, line, told := strings.Cut(string(rest), "interrupted; the server goes on with the bulk: the same command again follows it")
	_, line, offered := strings.Cut(line, "cancels it:\n  hither invite ")
	if !told || !offered || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("interrupted: %d, %q", cmd.ProcessState.ExitCode(), rest)
	}
	cancel := inviting(t, s, theSuper, strings.Fields(line)...)
	out, complaint, code := harness.Try(t, s.Data, cancel...)
	if code != 0 || !strings.Contains(out, "canceled: ") || !strings.Contains(out, " left out since the bulk was canceled") {
		t.Errorf("canceling: %d\n%s\n%s", code, out, complaint)
	}
	again, complaint, code := harness.Try(t, s.Data, cancel...)
	if code != 0 || again != out {
		t.Errorf("canceling again: %d\n%s\n%s, want %s", code, again, complaint, out)
	}
	rows, complaint, code := harness.Try(t, s.Data, append(cancel, "--json")...)
	left := strings.Count(rows, `"outcome":"canceled"`)
	invited := strings.Count(rows, `"outcome":"invited"`)
	if code != 0 || invited+left != n || left == 0 || !strings.HasPrefix(out, fmt.Sprintf("canceled: %d invited, ", invited)) {
		t.Errorf("its rows: %d, %d invited and %d left out of %d\n%s\n%s", code, invited, left, n, out, complaint)
	}
	d := disk.Read(t, s.Data)
	if got := len(d.Rows) - 1; got != invited { // the administrator is one
		t.Errorf("%d invitations, want %d", got, invited)
	}
	_, complaint, code = harness.Try(t, s.Data, inviting(t, s, theSuper, "--account", "Account", "--csv", file)...)
	if code != 1 || !strings.Contains(complaint, fmt.Sprintf("%d left out since the bulk was canceled; --anew", left)) {
		t.Errorf("the same file again: %d\n%s", code, complaint)
	}
	_, complaint, code = harness.Try(t, s.Data, inviting(t, s, theSuper, "--account", "Account", "--cancel", strings.Repeat("0", 32))...)
	if code != 1 || !strings.Contains(complaint, "the bulk was not canceled: ") {
		t.Errorf("one that is none: %d\n%s", code, complaint)
	}
}
