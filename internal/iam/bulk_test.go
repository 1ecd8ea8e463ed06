package iam

import (
	"slices"
	"strings"
	"testing"
)

func TestRolesOfABulkByIDOrName(t *testing.T) {
	t.Parallel()
	const account, own, twin, comma, foreign = ID("a"), ID("11111111111111111111111111111111"), ID("22222222222222222222222222222222"), ID("33333333333333333333333333333333"), ID("44444444444444444444444444444444")
	names := newRoleNames(NewCatalog([]Role{
		{ID: own, AccountID: account, Name: "Editor"},
		{ID: twin, Name: "Twin"},
		{ID: "55555555555555555555555555555555", Name: "twin"},
		{ID: comma, Name: "Read, and write"},
		{ID: foreign, AccountID: "b", Name: "Theirs"},
	}), account)
	for _, test := range []struct {
		texts []string
		want  string // ids, or what the refusal says
		field string
	}{
		{[]string{string(own)}, string(own), ""},
		{[]string{"editor"}, string(own), ""},
		{[]string{"Read, and write"}, string(comma), ""},
		{[]string{"Editor, " + string(twin)}, string(own) + " " + string(twin), ""},
		{[]string{"Editor", "Read, and write"}, string(own) + " " + string(comma), ""},
		{[]string{"Editor", "TWIN"}, "2 roles have this name", "/roles/1"},
		{[]string{"Theirs"}, "neither the id nor the name", "/roles/0"},
		{[]string{string(foreign)}, "neither the id nor the name", "/roles/0"},
		{[]string{"ada@example.com"}, "neither the id nor the name", "/roles/0"},
		{[]string{strings.Repeat("Editor,", MaxRolesPerMember-1) + "Editor"}, string(own), ""},
		{[]string{strings.Repeat("Editor,", MaxRolesPerMember) + "Editor"}, "at most", "/roles"},
		{slices.Repeat([]string{"Editor"}, MaxRolesPerMember+1), "at most", "/roles"},
		{[]string{"Editor,"}, "neither the id nor the name", "/roles/0"},
		{nil, "", ""},
	} {
		rows := []BulkRow{{Email: "x@example.com", Roles: test.texts, Outcome: BulkWaiting}}
		resolveRoles(rows, names)
		got := strings.Join(rows[0].Roles, " ")
		if rows[0].Outcome == BulkRefused {
			got = rows[0].Message
		}
		if !strings.Contains(got, test.want) || test.want == "" && got != "" || rows[0].Field != test.field || strings.Contains(rows[0].Message, "@") {
			t.Errorf("%q: got %q at %q, want %q at %q", test.texts, got, rows[0].Field, test.want, test.field)
		}
	}
}

// An address stands once in a bulk, whatever became of its first row; another one
// behind a plus is another.
func TestRepeatedAddressesOfABulk(t *testing.T) {
	t.Parallel()
	rows := []BulkRow{
		{Line: 2, Email: "a@example.com", Outcome: BulkWaiting},
		{Line: 3, Email: "", Outcome: BulkRefused, Message: "no address"},
		{Line: 5, Email: "a+1@example.com", Outcome: BulkWaiting},
		{Line: 6, Email: "a@example.com", Outcome: BulkWaiting},
		{Line: 7, Email: "b@example.com", Outcome: BulkRefused, Message: "wrong otherwise"},
		{Line: 8, Email: "b@example.com", Outcome: BulkWaiting},
		{Line: 9, Email: "a@example.com", Outcome: BulkRefused, Message: "wrong otherwise"},
		{Line: 10, Email: "", Outcome: BulkRefused, Message: "no address"},
	}
	refuseRepeated(rows)
	for i, want := range []string{"", "no address", "", "line 2 has", "wrong otherwise", "line 7 has", "wrong otherwise", "no address"} {
		if got := rows[i].Message; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("line %d: got %q, want %q", rows[i].Line, got, want)
		}
	}
}

// Every kind that refuses a row is kept under a name and found by it again.
func TestReasonsOfRowsAreKept(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for kind, name := range bulkReasons() {
		if ReasonKind(name) != kind || ReasonName(kind) != name || seen[name] {
			t.Errorf("%d is kept as %q, which is %d", kind, name, ReasonKind(name))
		}
		seen[name] = true
	}
	for _, kind := range []Kind{Unavailable, Conflict, Internal} {
		if refusesRow(&Error{Kind: kind}) {
			t.Errorf("kind %d refuses a row, and is no refusal", kind)
		}
	}
}
