package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"hither/internal/iam"
)

const (
	anID   = "023e105f4ecef8ad9ca31a8372d0c353"
	member = "{account: " + anID + ", email: a@example.com, roles: "
)

// TestProblems has a row for each kind of mistake: its line and its words.
func TestProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string // line: message
	}{
		// The text itself.
		"empty":                   {"", []string{"1: the file is empty"}},
		"only comments":           {"# nothing\n", []string{"1: the file is empty"}},
		"not UTF-8":               {"users:\n- email: \xff\n", []string{"2: must be UTF-8 text"}},
		"a control character":     {"users:\n- email: \"\x01\"\n", []string{"2: must not hold the control character U+0001"}},
		"no mapping":              {"just text", []string{"1: must be a mapping of fields, not text"}},
		"a list":                  {"- users\n", []string{"1: must be a mapping of fields, not a list"}},
		"a second document":       {"users: []\n---\nusers: []\n", []string{"2: a second document begins here"}},
		"broken YAML, scanner":    {"users:\n- email: a@example.com\n  id: b: c\n", []string{"3: this is not YAML: mapping values are not allowed"}},
		"broken YAML, parser":     {"users: []\naccounts: []\nroles: [1,\ntokens: []\n", []string{"3: this is not YAML: did not find expected ',' or ']'"}},
		"broken YAML, tab":        {"users:\n\t- email: a@example.com\n", []string{"2: this is not YAML: found character that cannot start any token"}},
		"broken JSON":             {"{\n\"users\": [\n{\"email\": \"a@example.com\"}\n{}\n]}", []string{"4: this is not JSON: invalid character '{' after array element"}},
		"JSON cut off":            {"{\n\"users\": [\n", []string{"2: this is not JSON: unexpected end of JSON input"}},
		"JSON nested without end": {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), []string{"1: is nested too deeply"}},
		"an alias":                {"users: &all []\naccounts: *all\n", []string{"1: users: anchors and aliases", "2: accounts: anchors and aliases"}},
		"an alias to nothing":     {"users: []\naccounts: *all\n", []string{"2: anchors and aliases"}},
		"a merge key":             {"users:\n- <<: {email: a@example.com}\n", []string{`2: unknown field "<<"; known here: id, email`, "2: email: is required"}},
		"billion laughs": {
			"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nusers: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n",
			append([]string{`1: unknown field "a"`, `2: unknown field "b"`}, slices.Repeat([]string{"3: users: anchors"}, 9)...),
		},

		// Fields.
		"an unknown list":       {"user: []\n", []string{`1: unknown field "user"; known here: users, accounts, roles, memberships, tokens`}},
		"an unknown field":      {"users:\n- email: a@example.com\n  emial: x\n", []string{`3: unknown field "emial"; known here: id, email, verified`}},
		"an unknown setting":    {"accounts:\n- name: A\n  settings: {limit: 3}\n", []string{`3: settings: unknown field "limit"; known here: enforce_twofactor`}},
		"a key that is a list":  {"users:\n- email: a@example.com\n  [a]: x\n", []string{"3: unknown field that is a list"}},
		"a number as key":       {"1: x\n", []string{`1: unknown field "1"`}},
		"a field twice":         {"users:\n- email: a@example.com\n  verified: true\n  verified: false\n", []string{"4: verified: stands here twice, first on line 3"}},
		"a list twice":          {"users: []\nusers: []\n", []string{"2: users: stands here twice, first on line 1"}},
		"a field twice in JSON": {"{\"users\": [{\n\"email\": \"a@example.com\",\n\"email\": \"b@example.com\"}]}", []string{"3: email: stands here twice, first on line 2"}},
		"a long name":           {strings.Repeat("x", 500) + ": 1\n", []string{`1: unknown field "` + strings.Repeat("x", 60) + `…"`}},
		"required and missing":  {"users:\n- first_name: A\naccounts:\n- {}\nmemberships:\n- {}\ntokens:\n- {}\n", []string{"2: email: is required", "4: name: is required", "6: account: is required", "6: email: is required", "6: roles: is required", "8: secret: is required"}},
		"required and null":     {"users:\n- email:\n", []string{"2: email: is required"}},
		"everything at once":    {"users:\n- email: a\n- {verified: 1, email: b@example.com}\naccounts: x\n", []string{"2: email: must be an address", "3: verified: must be true or false, not a whole number", "4: accounts: must be a list, not text"}},

		// Types.
		"a list as mapping":      {"users: {email: a@example.com}\n", []string{"1: users: must be a list, not a mapping of fields"}},
		"an entry that is text":  {"users:\n- a@example.com\n", []string{"2: users: must be a mapping of fields, not text"}},
		"a number as text":       {"accounts:\n- name: 42\n", []string{"2: name: must be text, not a whole number; put it in quotes"}},
		"a yes":                  {"users:\n- email: a@example.com\n  verified: yes\n", []string{"3: verified: must be true or false, not text"}},
		"text as number":         {"accounts:\n- name: A\n  settings: {member_limit: ten}\n", []string{"3: settings/member_limit: must be a whole number, not text"}},
		"a number in hex":        {"accounts:\n- name: A\n  settings: {member_limit: 0x10}\n", []string{"3: settings/member_limit: must be a whole number in decimal digits"}},
		"an octal number":        {"accounts:\n- name: A\n  settings: {member_limit: 017}\n", []string{"3: settings/member_limit: must be a whole number in decimal digits"}},
		"a number beyond":        {"accounts:\n- name: A\n  settings: {member_limit: 9223372036854775808}\n", []string{"3: settings/member_limit: is too large"}},
		"a type of their own":    {"accounts:\n- name: !!binary aGk=\n", []string{`2: name: must be text, not of the type "!!binary"`}},
		"a mapping of their own": {"accounts:\n- !thing {name: A}\n", []string{`2: must be a mapping of fields, not of the type "!thing"`}},
		"a type with a line end": {"!thing%0A {}\n", []string{`1: must be a mapping of fields, not of the type "!thing\n"`}},
		"a list for text":        {"accounts:\n- name: [A]\n", []string{"2: name: must be text, not a list"}},

		// Values.
		"an id":                {"users:\n- {id: ABC, email: a@example.com}\n", []string{"2: id: must be 32 lower-case hex characters"}},
		"an address":           {"users:\n- email: a@localhost\n", []string{"2: email: the part after the @ must be a domain name"}},
		"a time":               {"users:\n- email: a@example.com\n  created_on: 2026-01-01\n", []string{"3: created_on: must be a time with its offset"}},
		"a status":             {"memberships:\n- {account: " + anID + ", email: a@example.com, roles: [DNS], status: active}\n", []string{`2: status: "active" is unknown; must be one of pending, accepted`}},
		"an account type":      {"accounts:\n- {name: A, type: big}\n", []string{`2: type: "big" is unknown; must be one of standard, enterprise`}},
		"a lifetime too short": {"accounts:\n- {name: A, settings: {default_invite_lifetime: 59m}}\n", []string{"2: settings/default_invite_lifetime: must be 3600 to 7776000 whole seconds"}},
		"a lifetime too long":  {"accounts:\n- {name: A, settings: {default_invite_lifetime: 9223372036854775807}}\n", []string{"2: settings/default_invite_lifetime: must be"}},
		"a key too short":      {"users:\n- email: a@example.com\n  keys:\n  - not-to-be-shown\n", []string{"4: keys/0: must be 32 to 128 of 0-9, a-z, A-Z, - and _"}},
		"a token with spaces":  {"tokens:\n- secret: not to be shown not to be shown not\n", []string{"2: secret: must be 32 to 128"}},

		// Roles.
		"no such access":  {"roles:\n- name: R\n  permissions:\n    dns: edit\n", []string{`4: permissions/dns: "edit" is unknown; must be one of read, write`}},
		"an empty access": {"roles:\n- {name: R, permissions: {dns: []}}\n", []string{"2: permissions/dns: must be read, write or [read, write]"}},
		"an area twice":   {"roles:\n- name: R\n  permissions:\n    dns: read\n    dns: write\n", []string{"5: permissions/dns: stands here twice"}},
		"an unknown role": {"memberships:\n- account: " + anID + "\n  email: a@example.com\n  roles:\n  - DNS\n  - Bakery\n", []string{`6: roles/1: no role "Bakery", neither built in nor in this file`}},
		"no roles":        {"memberships:\n- " + member + "[]}\n", []string{"2: roles: must name at least one role"}},
		"a role of another account": {
			"roles:\n- {name: R, account: " + strings.Repeat("a", 32) + ", permissions: {dns: read}}\nmemberships:\n- " + member + "[R]}\n",
			[]string{`4: roles/0: no role "R"`},
		},
		"an ambiguous role": {
			"roles:\n- {name: DNS, id: " + anID + ", permissions: {dns: read}}\nmemberships:\n- " + member + "[DNS]}\n",
			[]string{`4: roles/0: "DNS" names more than one role; use an id: 069fe803647ed3609e93d041d5df6050, ` + anID},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dataset, err := Parse(strings.NewReader(test.text))
			if dataset.Size() != 0 {
				t.Errorf("%q: got %d rows beside %v", test.text, dataset.Size(), err)
			}
			check(t, test.text, err, test.want)
		})
	}
}

func TestRoleFileProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":             {"", []string{"1: the file is empty"}},
		"cut off":           {"roles:\n", []string{"1: roles: is required"}},
		"other lists":       {"roles: []\nusers: []\n", []string{`2: unknown field "users"; known here: roles`}},
		"a built-in role":   {"roles:\n- {id: 069fe803647ed3609e93d041d5df6050, name: R, permissions: {dns: read}}\n", []string{`2: id: role "069fe803647ed3609e93d041d5df6050" is built in`}},
		"an id twice":       {"roles:\n- {name: R, permissions: {dns: read}}\n- {name: R, permissions: {dns: read}}\n", []string{"3: id: is that of line 2 too"}},
		"an area":           {"roles:\n- {name: R, permissions: {DNS: read}}\n", []string{`2: permissions: area "DNS" must be 1 to 64 of a-z`}},
		"no area":           {"roles:\n- {name: R, permissions: {}}\n", []string{"2: permissions: must name 1 to 200 areas"}},
		"two lines of text": {"roles:\n- {name: \"R\\nS\", permissions: {dns: read}}\n", []string{"2: name: must not hold control characters"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseRoles(strings.NewReader(test.text))
			check(t, test.text, err, test.want)
		})
	}
	if roles, err := ParseRoles(strings.NewReader("roles: []\n")); err != nil || len(roles) != 0 {
		t.Errorf("no roles: got %v, %v; want none and no error", roles, err)
	}
}

// check compares problems with "line: beginning of the message".
func check(t *testing.T, text string, err error, want []string) {
	t.Helper()
	var problems iam.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("%q: got %v, want problems", text, err)
	}
	got := make([]string, len(problems))
	for i, problem := range problems {
		got[i] = fmt.Sprintf("%d: %s", problem.Line, problem.Message)
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("%q:\ngot  %s\nwant %s", text, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	if strings.Contains(err.Error(), "to-be-shown") || strings.Contains(err.Error(), "to be shown") {
		t.Errorf("a problem shows a secret: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadError(t *testing.T) {
	t.Parallel()
	if _, err := Parse(broken{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want the reader's error", err)
	}
}
