package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/internal/dataset"
	"hither/internal/iam"
)

// TestImportExample imports what docs/import.md shows.
func TestImportExample(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(manual), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	d := newDesk(t)
	code, out, stderr := d.run(example, "import", "-")
	if want := "imported 3 users, 2 accounts, 2 roles, 3 memberships, 2 tokens\n"; code != exitOK || out != want || stderr != "" {
		t.Fatalf("exit code %d, stdout %q, stderr %q; want %q", code, out, stderr, want)
	}
	members := d.objects("account", "members", "Analytical Engines", "--json")
	if len(members) != 3 || members[1]["email"] != "charles@example.com" || members[1]["status"] != "pending" || members[1]["invited_by"] != "ada@example.com" {
		t.Errorf("members: got %v", members)
	}
	if got := members[2]["membership_expires_on"]; got != "2099-06-30T00:00:00Z" {
		t.Errorf("an imported member ends %v", got)
	}
	if actor, err := d.actor(d.open(), keyHeaders("grace@example.com", "9b2d7c41e05f8a36b1c94de7f02a5683d1e7c")...); err != nil || actor.User.FirstName != "Grace" {
		t.Errorf("an imported key: got %+v, %v", actor, err)
	}
}

func TestImportDocumentation(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	db := d.open()
	rows, err := dataset.Documentation()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.service.Import(t.Context(), operator(), rows, nil); err != nil {
		t.Fatal(err)
	}
	user, err := d.actor(db, tokenHeaders(dataset.DocumentationToken)...)
	if err != nil {
		t.Fatal(err)
	}
	invitation, err := db.service.AnswerInvitation(t.Context(), user, dataset.DocumentationInvite, iam.Accepted)
	if err != nil || invitation.Account.Name != dataset.DocumentationInviterTitle || invitation.InvitedBy != dataset.DocumentationAdmin {
		t.Errorf("accepting the invitation of the reference: got %+v, %v", invitation, err)
	}
}

// TestImportIsAllOrNothing has a last row that the database refuses, and looks
// for what came before it.
func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	before := d.ok("user", "list") + d.ok("account", "list") + d.ok("role", "list") + d.ok("account", "members", "Engines")
	file := filepath.Join(t.TempDir(), "people.yaml")
	text := `
roles:
- {name: Editor, permissions: {documents: write}}
users:
- email: grace@example.com
accounts:
- {id: 2b8e7f60c9d14a53b6e0f1a2c3d4e5f6, name: Motors}
memberships:
- {account: 2b8e7f60c9d14a53b6e0f1a2c3d4e5f6, email: grace@example.com, roles: [Editor]}
- {account: 00000000000000000000000000000000, email: grace@example.com, roles: [Editor]}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.refused("nothing was imported; "+file+" has 1 problem:\n  line 10: membership of grace@example.com: account 000", "import", file)
	after := d.ok("user", "list") + d.ok("account", "list") + d.ok("role", "list") + d.ok("account", "members", "Engines")
	if after != before {
		t.Errorf("the refused import changed the database:\n%s\nwas\n%s", after, before)
	}
	good := strings.Replace(text, "00000000000000000000000000000000", "2b8e7f60c9d14a53b6e0f1a2c3d4e5f7", 1)
	good = strings.Replace(good, "memberships:", "- {id: 2b8e7f60c9d14a53b6e0f1a2c3d4e5f7, name: Boats}\nmemberships:", 1)
	if code, out, stderr := d.run(good, "import", "-", "--json"); code != exitOK || decode[map[string]any](t, out)["memberships"] != 2.0 {
		t.Errorf("the mended file: exit code %d, %q, %q", code, out, stderr)
	}
}

func TestImportProblems(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.refusedWith("users:\n- emial: x\n", "standard input has 2 problems:\n  line 2: unknown field \"emial\"; known here: id, email", "import", "-")
	d.refusedWith("users:\n"+strings.Repeat("- {}\n", 25), "  line 21: email: is required\n  and 5 more\n", "import", "-")
	d.refused("no such file", "import", filepath.Join(t.TempDir(), "none.yaml"))
	if _, err := os.Stat(d.data); err == nil {
		t.Error("a file that cannot be read made a database")
	}
	d.refusedWith("users:\n- email: a@example.com\n- email: A@example.com\n", "line 3: user a@example.com stands in the file twice", "import", "-")
}

// TestNoProgressInFiles holds that the bar is for terminals only.
func TestNoProgressInFiles(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	bar := newProgress(file, "rows")
	bar.show(1, 2)
	bar.clear()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("got %v, %v; want an empty file", info.Size(), err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
