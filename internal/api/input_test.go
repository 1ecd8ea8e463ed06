package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"hither/internal/iam"
)

// TestMassAssignment sends what is not a client's to set, at every depth, and
// holds what the row became against what plain requests make of it (KF-24 to
// KF-27, KF-100).
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	const role = `"roles":["05784afa30c1afe1440e79d9351c7430"]`
	const more = `"id":"cccc0000000000000000000000000001","account_id":"aaaa0000000000000000000000000001","invited_by":"ceo@example.com",` +
		`"invited_on":"2020-01-01T00:00:00Z","accepted_at":"2020-01-01T00:00:00Z","needs_confirmation":false,"grantor":"x","Status":"accepted",` +
		`"STATUS":"accepted","auto_accept":true,"user_id":"cccc0000000000000000000000000001","is_owner":true,"has_admin_role":true,"seats":9,` +
		`"permissions":{"members":{"read":true,"write":true}},"user":{"id":"cccc0000000000000000000000000001","two_factor_authentication_enabled":true}`
	members := "/accounts/" + string(tenantB) + "/members"
	plain := w.do(t, ownerB, http.MethodPost, members, `{"email":"x1@example.com",`+role+`}`).want(t, 200, 0)
	stuffed := w.do(t, ownerB, http.MethodPost, members, `{"email":"x2@example.com",`+role+`,`+more+`}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, "x2@example.com", "x1@example.com")

	path := members + "/" + string(pendB)
	plain = w.do(t, ownerB, http.MethodPut, path, `{`+role+`}`).want(t, 200, 0)
	stuffed = w.do(t, ownerB, http.MethodPut, path, `{"email":"thief@example.com","status":"accepted",`+role+`,`+more+`}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, "", "")

	plain = w.do(t, guest, http.MethodGet, "/user", "").want(t, 200, 0)
	stuffed = w.do(t, guest, http.MethodPatch, "/user", `{"email":"thief@example.com","verified":true,"operator":true,"suspended":true,"betas":["sso"],`+
		`"two_factor_authentication_enabled":true,"two_factor_authentication_locked":true,"organizations":[],"FIRST_NAME":"x","sso":false,`+more+`}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, "", "")
	w.do(t, guest, http.MethodPost, "/accounts", `{"name":"mine"}`).want(t, 403, 9109)

	path = "/user/invites/" + string(pendB)
	plain = w.do(t, guest, http.MethodGet, path, "").want(t, 200, 0)
	stuffed = w.do(t, guest, http.MethodPatch, path, `{"status":"rejected","roles":["33666b9c79b9a5273fc7344ff42f953d"],"invited_member_email":"x@example.com","organization_id":"`+string(tenantA)+`",`+more+`}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, `"rejected"`, `"pending"`)

	// The account's protected settings, by somebody who may change the others.
	path = "/accounts/" + string(tenantB)
	plain = w.do(t, ownerB, http.MethodGet, path, "").want(t, 200, 0)
	stuffed = w.do(t, ownerB, http.MethodPut, path, `{"name":"B","type":"enterprise","suspended":true,"created_on":"2020-01-01T00:00:00Z","settings":{"member_limit":1,"suspended":true,"ENFORCE_TWOFACTOR":true},`+more+`}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, "", "")
	// What is the operator's is not even looked at.
	stuffed = w.bad(t, ownerB, http.MethodPut, path, `{"name":"B","type":{"is":"premium"},"settings":{"member_limit":"all of them"}}`).want(t, 200, 0)
	holdsAlike(t, stuffed, plain, "", "")
}

// holdsAlike compares two answers but for their ids and one word.
func holdsAlike(t *testing.T, got, want reply, word, plain string) {
	t.Helper()
	strip := func(r reply, word string) string {
		text := strings.Replace(r.body, r.row(t).ID, "", 1)
		if word == "" {
			return text
		}
		return strings.ReplaceAll(text, word, "")
	}
	if a, b := strip(got, word), strip(want, plain); a != b {
		t.Errorf("with more in the request\n%swithout\n%s", a, b)
	}
}

// TestBadInput holds which field is blamed, and that nothing came of it
// (KF-26, KF-80: no second address, no list where one is meant).
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	const (
		members = "/accounts/" + string(tenantB) + "/members"
		invites = "/organizations/" + string(tenantB) + "/invites"
		answer  = "/user/invites/" + string(pendB)
		role    = `"roles":["05784afa30c1afe1440e79d9351c7430"]`
	)
	tests := []struct {
		name, method, path, body string
		status, code             int
		pointer                  string
	}{
		{"no body", "PATCH", answer, ``, 400, 1002, ""},
		{"no answer", "PATCH", answer, `{}`, 400, 1001, "/status"},
		{"null", "PATCH", answer, `{"status":null}`, 400, 1001, "/status"},
		{"another answer", "PATCH", answer, `{"status":"pending"}`, 400, 1001, "/status"},
		{"an end", "PATCH", answer, `{"status":"removed"}`, 400, 1001, "/status"},
		{"in another case", "PATCH", answer, `{"Status":"accepted"}`, 400, 1001, "/status"},
		{"a list", "PATCH", answer, `{"status":["accepted"]}`, 400, 1002, "/status"},
		{"twice", "PATCH", answer, `{"status":"rejected","status":"accepted"}`, 400, 1002, "/status"},
		{"trailing data", "PATCH", answer, `{"status":"accepted"} {}`, 400, 1002, ""},
		{"form", "PATCH", answer, `status=accepted`, 400, 1002, ""},

		{"no address", "POST", members, `{` + role + `}`, 400, 1001, "/email"},
		{"two addresses", "POST", members, `{"email":["a@example.com","b@example.com"],` + role + `}`, 400, 1002, "/email"},
		{"address twice", "POST", members, `{"email":"a@example.com","email":"b@example.com",` + role + `}`, 400, 1002, "/email"},
		{"address of an object", "POST", members, `{"email":{"address":"a@example.com"},` + role + `}`, 400, 1002, "/email"},
		{"malformed address", "POST", members, `{"email":"a@localhost",` + role + `}`, 400, 1001, "/email"},
		{"long address", "POST", members, `{"email":"` + strings.Repeat("a", 60) + `@` + strings.Repeat("b", 40) + `.example",` + role + `}`, 400, 1001, "/email"},
		{"no roles", "POST", members, `{"email":"a@example.com"}`, 400, 1001, "/roles"},
		{"empty roles", "POST", members, `{"email":"a@example.com","roles":[]}`, 400, 1001, "/roles"},
		{"a role", "POST", members, `{"email":"a@example.com","roles":"05784afa30c1afe1440e79d9351c7430"}`, 400, 1002, "/roles"},
		{"unknown role", "POST", members, `{"email":"a@example.com","roles":["05784afa30c1afe1440e79d9351c7430","00000000000000000000000000000000"]}`, 400, 1001, "/roles/1"},
		{"role by its name", "POST", members, `{"email":"a@example.com","roles":["Administrator"]}`, 400, 1001, "/roles/0"},
		{"51 roles", "POST", members, `{"email":"a@example.com","roles":[` + strings.Repeat(`"05784afa30c1afe1440e79d9351c7430",`, 50) + `"05784afa30c1afe1440e79d9351c7430"]}`, 400, 1001, "/roles"},
		{"another status", "POST", members, `{"email":"a@example.com","status":"removed",` + role + `}`, 400, 1001, "/status"},
		{"policies", "POST", members, `{"email":"a@example.com",` + role + `,"policies":[]}`, 400, 1001, "/policies"},
		{"no time", "POST", members, `{"email":"a@example.com",` + role + `,"expires_on":"tomorrow"}`, 400, 1001, "/expires_on"},
		{"past", "POST", members, `{"email":"a@example.com",` + role + `,"expires_on":"2025-12-31T00:00:00Z"}`, 400, 1001, "/expires_on"},
		{"too late", "POST", members, `{"email":"a@example.com",` + role + `,"expires_on":"2026-06-01T00:00:00Z"}`, 400, 1001, "/expires_on"},
		{"policies instead of roles", "PUT", members + "/" + string(pendB), `{"policies":[{"id":"x"}]}`, 400, 1001, "/policies"},
		{"empty roles at a change", "PUT", members + "/" + string(pendB), `{"roles":[]}`, 400, 1001, "/roles"},

		{"older: no address", "POST", invites, `{"email":"a@example.com",` + role + `}`, 400, 1001, "/invited_member_email"},
		{"older: text for a flag", "POST", invites, `{"invited_member_email":"a@example.com",` + role + `,"auto_accept":"true"}`, 400, 1002, "/auto_accept"},
		{"older: policies", "POST", invites, `{"invited_member_email":"a@example.com",` + role + `,"policies":[]}`, 400, 1001, "/policies"},
		{"older: policies at a change", "PATCH", invites + "/" + string(pendB), `{` + role + `,"policies":[]}`, 400, 1001, "/policies"},
		{"older: past", "POST", invites, `{"invited_member_email":"a@example.com",` + role + `,"expires_on":"2026-01-01T05:20:01Z"}`, 400, 1001, "/expires_on"},
		{"older: empty roles at a change", "PATCH", invites + "/" + string(pendB), `{"roles":[]}`, 400, 1001, "/roles"},
	}
	before := w.do(t, ownerB, http.MethodGet, members, "").body
	t.Cleanup(func() {
		if after := w.exchange(t, context.Background(), w.wire, ownerB, http.MethodGet, members, "").body; after != before {
			t.Errorf("something came of it:\n%s%s", before, after)
		}
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			who := ownerB
			if test.path == answer {
				who = guest
			}
			got := w.bad(t, who, test.method, test.path, test.body).want(t, test.status, test.code)
			if got.pointer() != test.pointer {
				t.Errorf("%s: blames %q; want %q: %s", test.body, got.pointer(), test.pointer, got.body)
			}
		})
	}
}

// KF-24: whoever may not change an account changes nothing of it, not even by
// sending back what it read.
func TestSettingsAreGuarded(t *testing.T) {
	t.Parallel()
	data := twoTenants()
	reader := iam.ID("f2b20eaa1a5d4af42b53ac16238c99c7")
	data.Memberships = append(data.Memberships, joined("bbbb0000000000000000000000000008", tenantB, ownerA.email, reader))
	w := newWorld(t, data)
	path := "/accounts/" + string(tenantB)
	read := w.do(t, ownerA, http.MethodGet, path, "").want(t, 200, 0)
	for _, body := range []string{string(read.Result), `{"name":"B","settings":{"enforce_twofactor":true}}`} {
		w.do(t, ownerA, http.MethodPut, path, body).want(t, 403, 9109)
	}
	if after := w.do(t, ownerA, http.MethodGet, path, ""); after.body != read.body {
		t.Errorf("got %s", after.body)
	}
}
