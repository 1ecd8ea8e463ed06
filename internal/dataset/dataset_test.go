package dataset

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

// TestParseExample holds the example of docs/import.md against what is read of
// it, and that the document names every field there is.
func TestParseExample(t *testing.T) {
	t.Parallel()
	got, err := Parse(strings.NewReader(example(t)))
	if err != nil {
		t.Fatalf("docs/import.md: %v", err)
	}
	if got.Size() != 12 {
		t.Errorf("rows: got %d, want 12", got.Size())
	}
	grace, account, pending := got.Users[1], got.Accounts[0], got.Memberships[2]
	if !grace.Verified || grace.Email != "grace@example.com" || len(grace.Keys) != 1 || grace.Zipcode != "22202" {
		t.Errorf("second user: got %+v", grace)
	}
	if eve := got.Users[2]; eve.Verified || !eve.Suspended {
		t.Errorf("third user: got %+v, want unverified and suspended", eve)
	}
	if account.Type != iam.Enterprise || account.InviteLifetime != 72*time.Hour || account.MemberLimit != 25 || account.AbuseContactEmail == "" {
		t.Errorf("first account: got %+v", account)
	}
	editor, archivist := got.Roles[0], got.Roles[1]
	if editor.Permissions["documents"] != iam.Read|iam.Write || editor.Permissions["members"] != iam.Read {
		t.Errorf("permissions of Editor: got %v", editor.Permissions)
	}
	if want := []iam.ID{editor.ID, archivist.ID}; !slices.Equal(got.Memberships[1].RoleIDs, want) {
		t.Errorf("roles of the second membership: got %v, want %v", got.Memberships[1].RoleIDs, want)
	}
	if got.Memberships[0].RoleIDs[0] != iam.SuperAdministrator {
		t.Errorf("roles of the first membership: got %v", got.Memberships[0].RoleIDs)
	}
	if pending.Status != iam.Pending || pending.Grantor != "ada@example.com" || !pending.ExpiresOn.Equal(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("third membership: got %+v", pending)
	}
	if got.Tokens[0].Email != "grace@example.com" || got.Tokens[1].Email != "" {
		t.Errorf("tokens: got %+v", got.Tokens)
	}
}

func TestManualNamesEveryField(t *testing.T) {
	t.Parallel()
	text := manual(t)
	var fields []string
	for _, names := range []string{
		names(fileFields()), names(userFields()), names(accountFields()), names(settingFields()),
		names(roleFields()), names(membershipFields()), names(tokenFields()),
	} {
		fields = append(fields, strings.Split(names, ", ")...)
	}
	for _, name := range fields {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/import.md doesn't describe the field %s", name)
		}
		if !strings.Contains(example(t), name+":") {
			t.Errorf("the example of docs/import.md doesn't show the field %s", name)
		}
	}
}

// TestParseJSON reads the same rows, and lines, of JSON in any layout.
func TestParseJSON(t *testing.T) {
	t.Parallel()
	text := "{\r\n\t\"users\": [\n\t\t{\"email\": \"ada@example.com\",\n\t\t \"first_name\": \"Ada \\ud83d\\ude80\", \"last_name\": \"O\\/L\"}\n" +
		",\n{\n\"email\": \"eve@example.com\", \"verified\": false}],\n\"accounts\": [{\"name\": \"A\", \"settings\": {\"member_limit\": 3}}]\n}"
	got, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Users[0].FirstName != "Ada 🚀" || got.Users[0].LastName != "O/L" || got.Accounts[0].MemberLimit != 3 {
		t.Errorf("got %+v", got)
	}
	if lines := [3]int{got.Users[0].Line, got.Users[1].Line, got.Accounts[0].Line}; lines != [3]int{3, 6, 8} {
		t.Errorf("lines: got %v, want 3, 6 and 8", lines)
	}
}

func TestRoleIDFollowsFromAccountAndName(t *testing.T) {
	t.Parallel()
	read := func(text string) iam.Role {
		t.Helper()
		roles, err := ParseRoles(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return roles[0]
	}
	first := read("roles: [{name: Editor, permissions: {a: write}}]")
	again := read("roles:\n- permissions: {b: read}\n  name: ' Editor '\n")
	if first.ID != again.ID {
		t.Errorf("the same name: got %s and %s, want the same id", first.ID, again.ID)
	}
	if _, ok := iam.ParseID(string(first.ID)); !ok {
		t.Errorf("%q is no id", first.ID)
	}
	for _, other := range []string{
		"roles: [{name: editor, permissions: {a: write}}]",
		"roles: [{name: Editor, account: 023e105f4ecef8ad9ca31a8372d0c353, permissions: {a: write}}]",
	} {
		if role := read(other); role.ID == first.ID {
			t.Errorf("%s: got the id of another role, %s", other, role.ID)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	_, err := Parse(strings.NewReader("users:\n" + strings.Repeat("- {}\n", maxProblems+5)))
	var problems iam.Problems
	if !errors.As(err, &problems) || len(problems) != maxProblems {
		t.Errorf("got %d problems, want %d", len(problems), maxProblems)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

func TestSizeIsBounded(t *testing.T) {
	t.Parallel()
	if _, err := Parse(endless{}); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("an endless file: got %v", err)
	}
}

func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func example(t *testing.T) string {
	t.Helper()
	_, rest, found := strings.Cut(manual(t), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/import.md holds no example")
	}
	return text
}
