package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/internal/dataset"
	"hither/internal/iam"
)

// documented is the world of the public reference, and who asks in it.
func documented(t *testing.T) (*world, principal) {
	t.Helper()
	data, err := dataset.Documentation()
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, data), principal{email: anEmail, key: aKey}
}

// TestTheMainJob is the reference's own example, byte for byte: an invitation
// is looked at, accepted, and the member appears on the inviting side.
func TestTheMainJob(t *testing.T) {
	t.Parallel()
	w, me := documented(t)
	const (
		path   = "/user/invites/4f5f0c14a2a41d5063dd301b2f829f04"
		before = `{"result":{"id":"4f5f0c14a2a41d5063dd301b2f829f04","invited_member_id":"7c5dae5552338874e5053f2534d2767a",` +
			`"invited_member_email":"user@example.com","organization_id":"5a7805061c76ada191ed06f989cc3dac",` +
			`"organization_name":"Example, Inc.","organization_is_enforcing_twofactor":false,"invited_by":"admin@example.com",` +
			`"invited_on":"2026-01-01T05:20:00Z","expires_on":"2026-01-08T05:20:00Z","roles":["Administrator"],"status":"pending"},` +
			`"success":true,"errors":[],"messages":[]}` + "\n"
	)
	after := strings.Replace(before, `"pending"`, `"accepted"`, 1)
	if got := w.do(t, me, http.MethodGet, path, "").want(t, 200, 0); got.body != before {
		t.Errorf("\n got %s\nwant %s", got.body, before)
	}
	w.ahead.Store(int64(time.Hour))
	for range 2 { // the same answer again changes nothing
		if got := w.do(t, me, http.MethodPatch, path, `{"status":"accepted"}`).want(t, 200, 0); got.body != after {
			t.Errorf("\n got %s\nwant %s", got.body, after)
		}
	}
	w.do(t, me, http.MethodPatch, path, `{"status":"rejected"}`).want(t, 400, 1201)

	admin := principal{email: "admin@example.com", key: "5f0c6e1d2b3a49788695a4b3c2d1e0f9ad312"}
	member := w.do(t, admin, http.MethodGet, "/accounts/5a7805061c76ada191ed06f989cc3dac/members/4f5f0c14a2a41d5063dd301b2f829f04", "").want(t, 200, 0).row(t)
	if member.Status != "accepted" || member.User["first_name"] != "John" || member.User["id"] != "7c5dae5552338874e5053f2534d2767a" {
		t.Errorf("the inviting side sees %+v", member)
	}
}

// TestLife walks an invitation through both of its forms, seen from both sides.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iam.Dataset{
		Users:       []iam.ImportUser{user("aaaa00000000000000000000000000ff", ownerA.email), user("dddd00000000000000000000000000ff", guest.email)},
		Accounts:    []iam.ImportAccount{account(tenantA, "A")},
		Memberships: []iam.ImportMembership{joined(rowA, tenantA, ownerA.email, iam.SuperAdministrator)},
	})
	const (
		members = "/accounts/" + string(tenantA) + "/members"
		invites = "/organizations/" + string(tenantA) + "/invites"
		reader  = "f2b20eaa1a5d4af42b53ac16238c99c7"
		admin   = "05784afa30c1afe1440e79d9351c7430"
	)
	asking := `{"email":" Guest@EXAMPLE.com","roles":["` + reader + `"],"expires_on":"2026-01-02T06:20:00.5+01:00"}`
	invited := w.do(t, ownerA, http.MethodPost, members, asking).want(t, 200, 0)
	id := invited.row(t).ID
	if text := invited.body; !strings.Contains(text, `"user":{"email":"guest@example.com"}`) || !strings.Contains(text, `"expires_on":"2026-01-02T05:20:00.5Z"`) {
		t.Errorf("got %s", text)
	}

	again := w.do(t, ownerA, http.MethodPost, members, asking).want(t, 200, 0)
	if again.row(t).ID != id || len(again.Messages) != 1 || again.Messages[0].Code != 1208 {
		t.Errorf("asked again: %s", again.body)
	}
	w.do(t, ownerA, http.MethodPost, invites, `{"invited_member_email":"guest@example.com","roles":[{"id":"`+admin+`"}]}`).want(t, 400, 1208)
	changed := w.do(t, ownerA, http.MethodPatch, invites+"/"+id, `{"roles":["`+admin+`"]}`).want(t, 200, 0)
	if !strings.Contains(changed.body, `"name":"Administrator"`) || changed.row(t).InvitedMemberID != nil {
		t.Errorf("other roles: %s", changed.body)
	}
	same := w.do(t, ownerA, http.MethodPut, members+"/"+id, `{}`).want(t, 200, 0)
	if !strings.Contains(same.body, `"name":"Administrator"`) {
		t.Errorf("no roles named, so none should change: %s", same.body)
	}

	for path, want := range map[string]string{"/user/invites/" + id: "pending", "/memberships/" + id: "pending", "/user/organizations/" + string(tenantA): "invited"} {
		if seen := w.do(t, guest, http.MethodGet, path, "").want(t, 200, 0).row(t); seen.Status != want {
			t.Errorf("%s is %q; want %q", path, seen.Status, want)
		}
	}
	// Before it accepts it is nobody there.
	w.do(t, guest, http.MethodGet, members, "").want(t, 404, 7003)
	w.do(t, guest, http.MethodPut, "/memberships/"+id, `{"status":"accepted"}`).want(t, 200, 0)
	w.do(t, guest, http.MethodGet, members, "").want(t, 200, 0)
	if seen := w.do(t, ownerA, http.MethodGet, invites+"/"+id, "").want(t, 200, 0).row(t); seen.InvitedMemberID == nil {
		t.Error("an accepted invite doesn't say who it was")
	}
	w.do(t, ownerA, http.MethodPost, members, asking).want(t, 400, 1207)
	w.do(t, ownerA, http.MethodPatch, invites+"/"+id, `{"roles":["`+reader+`"]}`).want(t, 400, 1201)
	w.do(t, ownerA, http.MethodDelete, members+"/"+string(rowA), "").want(t, 400, 1210)

	bare := w.do(t, guest, http.MethodDelete, "/user/organizations/"+string(tenantA), "")
	if bare.status != 200 || bare.body != `{"id":"`+string(tenantA)+`"}`+"\n" {
		t.Errorf("left with %d: %s", bare.status, bare.body)
	}
	w.do(t, guest, http.MethodGet, "/user/invites/"+id, "").want(t, 404, 1003)

	// The other ends: withdrawn, rejected, expired.
	second := w.do(t, ownerA, http.MethodPost, invites, `{"invited_member_email":"guest@example.com","roles":["`+reader+`"]}`).want(t, 200, 0).row(t).ID
	for range 2 {
		bare = w.bad(t, ownerA, http.MethodDelete, invites+"/"+second, `not even JSON`)
		if bare.status != 200 || bare.body != `{"id":"`+second+`"}`+"\n" {
			t.Errorf("withdrawn with %d: %s", bare.status, bare.body)
		}
	}
	w.do(t, guest, http.MethodPatch, "/user/invites/"+second, `{"status":"accepted"}`).want(t, 404, 1003)
	third := w.do(t, ownerA, http.MethodPost, members, `{"email":"guest@example.com","roles":[{"id":"`+reader+`"}],"status":"pending"}`).want(t, 200, 0).row(t).ID
	w.do(t, guest, http.MethodDelete, "/memberships/"+third, "").want(t, 200, 0)
	fourth := w.do(t, ownerA, http.MethodPost, members, `{"email":"guest@example.com","roles":["`+reader+`"]}`).want(t, 200, 0).row(t).ID
	w.ahead.Store(int64(7*24*time.Hour) - 1)
	w.do(t, guest, http.MethodGet, "/user/invites?status=pending", "").want(t, 200, 0)
	w.ahead.Store(int64(7 * 24 * time.Hour)) // KF-8: from this moment on, with nobody having written it down
	refused := w.do(t, guest, http.MethodPatch, "/user/invites/"+fourth, `{"status":"accepted"}`).want(t, 400, 1200)
	if !strings.Contains(refused.Errors[0].Message, "2026-01-08") {
		t.Errorf("it doesn't say when: %s", refused.body)
	}
	states := map[string]string{}
	for _, invite := range w.do(t, ownerA, http.MethodGet, invites, "").want(t, 200, 0).rows(t) {
		states[invite.ID] = invite.Status
	}
	for rowID, want := range map[string]string{id: "", second: "canceled", third: "rejected", fourth: "expired"} {
		if states[rowID] != want {
			t.Errorf("the account sees %s as %q; want %q", rowID, states[rowID], want)
		}
	}
}

// A direct add is the operator's; others are refused, whether or not there is
// such a user.
func TestDirectAdd(t *testing.T) {
	t.Parallel()
	const operatorToken = "operator-operator-operator-opera"
	data := twoTenants()
	data.Tokens = []iam.ImportToken{{Name: "operator", Secret: operatorToken}}
	unproven := user("eeee00000000000000000000000000ff", "unproven@example.com")
	unproven.Verified = false
	data.Users = append(data.Users, unproven)
	w := newWorld(t, data)
	members, invites := "/accounts/"+string(tenantB)+"/members", "/organizations/"+string(tenantB)+"/invites"
	const role = `"roles":["05784afa30c1afe1440e79d9351c7430"]`
	var bodies []string
	for _, email := range []string{ownerA.email, "nobody@example.com"} {
		bodies = append(bodies,
			w.do(t, ownerB, http.MethodPost, members, `{"email":"`+email+`","status":"accepted",`+role+`}`).want(t, 400, 1001).body,
			w.do(t, ownerB, http.MethodPost, invites, `{"invited_member_email":"`+email+`","auto_accept":true,`+role+`}`).want(t, 400, 1001).body)
	}
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, "automatic verification of new members is not allowed") {
			t.Errorf("got %s and %s", body, bodies[0])
		}
	}
	operator := principal{token: operatorToken}
	added := w.do(t, operator, http.MethodPost, members, `{"email":"new@example.com","status":"accepted",`+role+`}`).want(t, 200, 0).row(t)
	if added.Status != "accepted" || added.User["email"] != "new@example.com" {
		t.Errorf("got %+v", added)
	}
	// The operator vouches for an address that nobody has, and not for one that somebody has yet to prove.
	if refused := w.do(t, operator, http.MethodPost, members, `{"email":"unproven@example.com","status":"accepted",`+role+`}`).want(t, 400, 1001); refused.pointer() != "/email" {
		t.Errorf("blames %q", refused.pointer())
	}
	if refused := w.do(t, operator, http.MethodPost, invites, `{"invited_member_email":"unproven@example.com","auto_accept":true,`+role+`}`).want(t, 400, 1001); refused.pointer() != "/invited_member_email" {
		t.Errorf("blames %q", refused.pointer())
	}
	// It was never an invite.
	w.do(t, operator, http.MethodGet, invites+"/"+added.ID, "").want(t, 404, 1003)
	if accepted := w.do(t, operator, http.MethodPost, invites, `{"invited_member_email":"other@example.com","auto_accept":true,`+role+`}`); accepted.status != 200 {
		t.Errorf("by the older form: %d: %s", accepted.status, accepted.body)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	w, me := documented(t)
	changed := w.do(t, me, http.MethodPatch, "/user", `{"first_name":" Jo ","last_name":null,"country":"","telephone":"+1 123-123-1234"}`).want(t, 200, 0)
	var got struct {
		FirstName     *string `json:"first_name"`
		LastName      *string `json:"last_name"`
		Country       *string
		Telephone     *string
		Organizations []row
	}
	if err := json.Unmarshal(changed.Result, &got); err != nil {
		t.Fatal(err)
	}
	if got.FirstName == nil || *got.FirstName != "Jo" || got.LastName != nil || got.Country != nil || got.Telephone == nil || len(got.Organizations) != 3 {
		t.Errorf("got %s", changed.body)
	}
	if read := w.do(t, me, http.MethodGet, "/user", ""); read.body != changed.body {
		t.Errorf("changed to\n%sbut reads as\n%s", changed.body, read.body)
	}
	refused := w.bad(t, me, http.MethodPatch, "/user", `{"first_name":"`+strings.Repeat("x", 61)+`"}`).want(t, 400, 1001)
	if refused.pointer() != "/first_name" {
		t.Errorf("blames %q", refused.pointer())
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	w, me := documented(t)
	const path = "/accounts/023e105f4ecef8ad9ca31a8372d0c353"
	w.vouch(t, me) // for what it is about to enforce
	// As the SDK and the Terraform provider send it.
	w.bad(t, me, http.MethodPut, path, `{"id":"023e105f4ecef8ad9ca31a8372d0c353","name":"Demo Account","type":"standard","managed_by":{},
		"settings":{"abuse_contact_email":"abuse_contact_email","enforce_twofactor":true}}`).want(t, 200, 0)
	set := w.do(t, me, http.MethodPut, path, `{"name":"Demo Account","type":null,"settings":{"default_invite_lifetime":3600,"invite_domains":["*.B.example","bücher.example"],"member_limit":7}}`).want(t, 200, 0).row(t)
	want := map[string]any{"abuse_contact_email": "abuse_contact_email", "enforce_twofactor": true, "default_invite_lifetime": 3600.0, "member_limit": 7.0}
	if domains := fmt.Sprint(set.Settings["invite_domains"]); domains != "[*.b.example xn--bcher-kva.example]" {
		t.Errorf("invite_domains is %s", domains)
	}
	for name, value := range want {
		if set.Settings[name] != value {
			t.Errorf("%s is %v; want %v", name, set.Settings[name], value)
		}
	}
	lifted := w.do(t, me, http.MethodPut, path, `{"name":"Demo Account","settings":{"abuse_contact_email":null,"member_limit":null}}`).want(t, 200, 0).row(t)
	if lifted.Settings["member_limit"] != nil || lifted.Settings["abuse_contact_email"] != nil || lifted.Settings["default_invite_lifetime"] != 3600.0 {
		t.Errorf("got %v", lifted.Settings)
	}
	// What it reads it can send back, and nothing changes.
	read := w.do(t, me, http.MethodGet, path, "").want(t, 200, 0)
	back := w.do(t, me, http.MethodPut, path, string(read.Result)).want(t, 200, 0)
	if back.body != read.body {
		t.Errorf("sent back\n%sbecame\n%s", read.body, back.body)
	}
	w.do(t, me, http.MethodPut, path, `{"name":"Demo Account","settings":{"invite_domains":["example.com"]}}`).want(t, 200, 0)
	cleared := w.do(t, me, http.MethodPut, path, `{"name":"Demo Account","settings":{"invite_domains":null}}`).want(t, 200, 0).row(t)
	if list, ok := cleared.Settings["invite_domains"].([]any); !ok || len(list) != 0 {
		t.Errorf("null left %v", cleared.Settings["invite_domains"])
	}
	for body, pointer := range map[string]string{
		`{"settings":{}}`: "/name",
		`{"name":""}`:     "/name",
		`{"name":"x","settings":{"default_invite_lifetime":60}}`:            "/settings/default_invite_lifetime",
		`{"name":"x","settings":{"default_invite_lifetime":99999999999}}`:   "/settings/default_invite_lifetime",
		`{"name":"x","settings":{"enforce_twofactor":"yes"}}`:               "/settings/enforce_twofactor",
		`{"name":"x","settings":{"invite_domains":"example.com"}}`:          "/settings/invite_domains",
		`{"name":"x","settings":{"invite_domains":[7]}}`:                    "/settings/invite_domains/0",
		`{"name":"x","settings":{"invite_domains":["a.b","example.com."]}}`: "/settings/invite_domains/1",
		`{"name":"x","settings":[]}`:                                        "/settings",
		`{"name":"x","type":"premium"}`:                                     "/type",
	} {
		if got := w.bad(t, me, http.MethodPut, path, body); got.status != 400 || got.pointer() != pointer {
			t.Errorf("%s: got %d at %q; want it to blame %q", body, got.status, got.pointer(), pointer)
		}
	}
	made := w.do(t, me, http.MethodPost, "/accounts", `{"name":"New","type":"enterprise","unit":{"id":"f267e341f3dd4697bd3b9f71dd96247f"}}`).want(t, 200, 0).row(t)
	w.do(t, me, http.MethodDelete, "/accounts/"+made.ID, "").want(t, 200, 0)
	w.do(t, me, http.MethodGet, "/accounts/"+made.ID, "").want(t, 404, 7003)
}
