package dataset

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"hither/internal/iam"
)

// FuzzParse holds that no file breaks the reader, that every problem has a line
// of the file and one line of words, and that what is taken is well formed.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"users": [{"email": "a@example.com", "keys": ["144c9defac04969c7bfad8efaa8ea194"]}], "tokens": [{"secret": 1}]}`))
	f.Add([]byte("roles:\n- name: R\n  permissions: {dns: [read, write], members: read}\n"))
	f.Add([]byte("accounts: [{name: A, settings: {default_invite_lifetime: 72h, member_limit: 3}, created_on: 2026-01-01T00:00:00Z}]\n"))
	f.Add([]byte("memberships:\n- {account: 023e105f4ecef8ad9ca31a8372d0c353, email: a@b.example, status: pending, roles: [DNS]}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *b\n? [x]\n: y\n--- |\n z\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dataset, err := Parse(bytes.NewReader(data))
		checkProblems(t, data, err)
		if err != nil && dataset.Size() != 0 {
			t.Errorf("%q: %d rows beside an error", data, dataset.Size())
		}
		for _, row := range dataset.Memberships {
			for _, id := range append(row.RoleIDs, row.AccountID) {
				if _, ok := iam.ParseID(string(id)); !ok {
					t.Errorf("%q: a membership with the id %q", data, id)
				}
			}
		}
		for _, row := range dataset.Users {
			if canonical, err := iam.CanonicalEmail(row.Email); err != nil || canonical != row.Email {
				t.Errorf("%q: a user with the address %q", data, row.Email)
			}
		}
		roles, err := ParseRoles(bytes.NewReader(data))
		checkProblems(t, data, err)
		for _, role := range roles {
			if _, err := iam.CheckDefinedRole(role); err != nil {
				t.Errorf("%q: role %+v: %v", data, role, err)
			}
		}
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var problems iam.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%q: got %v, want problems", data, err)
	}
	for _, problem := range problems {
		if problem.Line < 1 || problem.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029"))+bytes.Count(data, []byte("\u0085")) {
			t.Errorf("%q: a problem on line %d: %s", data, problem.Line, problem.Message)
		}
		if problem.Message == "" || strings.Contains(problem.Message, "\n") {
			t.Errorf("%q: the message %q", data, problem.Message)
		}
	}
}
