package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// poison is what a request has no business to say: privileges, states, ids and
// bookkeeping, under every name that this and other products have for them.
func poison() object {
	id := harness.ID("poison")
	return object{
		"id": id, "account": object{"id": id}, "account_id": id, "organization_id": id, "user_id": id, "invited_member_id": id,
		"user": object{
			"id": id, "email": "poison@evil.test", "verified": true, "operator": true, "two_factor_authentication_enabled": true,
		},
		"invited_by": "poison@evil.test", "invited_on": "2001-01-01T00:00:00Z", "grantor": id, "grantor_id": id, "grantor_kind": "operator",
		"grantor_user": id, "accepted_at": "2001-01-01T00:00:00Z", "answered_on": "2001-01-01T00:00:00Z", "created_on": "2001-01-01T00:00:00Z",
		"is_owner": true, "owner": true, "is_admin": true, "has_admin_role": true, "isAdmin": true, "admin": true, "super": true,
		"is_superuser": true, "super_admin": true, "operator": true, "is_operator": true, "verified": true, "email_verified": true,
		"two_factor": true, "two_factor_authentication_enabled": true, "two_factor_authentication_locked": false, "suspended": true,
		"needs_super_admin": true, "needs_confirmation": false, "deleted_on": 1, "revision": 99, "member_limit": 1,
		"generation": 99, "sent_on": 1, "wake_on": 1, "asked_on": "2001-01-01T00:00:00Z", "locale": "xx",
		"permissions": object{"members": object{"read": true, "write": true, "edit": true}}, "policy": object{}, "scopes": []string{"*"},
		"keys": []string{harness.Key("poison")}, "key": harness.Key("poison"), "password": "poison", "token": harness.Key("poison"),
		"betas": []string{"poison"}, "organizations": []object{{"id": id}}, "api_access_enabled": true, "force": true, "confirm": true,
		"__proto__": object{"operator": true}, "constructor": object{"prototype": object{"operator": true}}, "$set": object{"operator": true},
		"sso": false, "enforce_twofactor": false, "auth_type": "none", "invited": false, "direct": true, "Status": "accepted", "ROLES": []string{"x"},
	}
}

// poisoned is a request body with the poison beside its fields, at the top and
// in every object below; what the body says itself stays.
func poisoned(body object, except ...string) object {
	merged := poison()
	for _, name := range except {
		delete(merged, name)
	}
	for name, value := range body {
		switch value := value.(type) {
		case object:
			merged[name] = poisoned(value, except...)
		case []object:
			list := make([]object, len(value))
			for i, item := range value {
				list[i] = poisoned(item, except...)
			}
			merged[name] = list
		default:
			merged[name] = value
		}
	}
	return merged
}

// TestMassAssignment sends the poison with every operation that takes a body,
// and compares the whole database before and after: what changes is what the
// honest part of the request says, and nothing else (KF-25, KF-26, KF-27,
// KF-100). The row it makes is compared field by field.
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	person(seed, harness.SeedUser{Email: "me@me.test", FirstName: "Old"})
	person(seed, harness.SeedUser{Email: "opuser@me.test", Operator: true})
	invited(seed, "a", "me@me.test", "owner@a.test", viewer)
	reporter := harness.Key("who reports")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(reporter), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, seed, "--mail-report-token-file="+file)
	account := harness.ID("a")
	role := func(id string) []object { return []object{{"id": id}} }
	mine, guest, colleague := rowID("a", "me@me.test"), rowID("a", "guest@a.test"), rowID("a", "colleague@a.test")
	row := func(id, column string) string { return "memberships/" + id + " " + column }

	remindOn := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	wakesOn := s.content(t).where("memberships", "id", mine)[0]["wake_on"]

	tests := []struct {
		operation, as, path string
		body                object
		except              []string // that the operation knows itself
		want                []string // what changes, but for counts, sort keys and revisions
	}{
		{
			"PATCH /user", "me@me.test", "/user",
			object{"first_name": "New"},
			nil,
			[]string{"users/USER(me@me.test) first_name: Old → New"},
		},
		{
			"PUT /accounts/{account_id}", "owner@a.test", "/accounts/" + account,
			object{"name": "renamed", "type": "enterprise", "settings": object{"abuse_contact_email": "abuse"}},
			[]string{"enforce_twofactor"},
			[]string{"accounts/" + account + " abuse_contact_email:  → abuse", "accounts/" + account + " name: a → renamed"},
		},
		{
			"PUT /accounts/{account_id}/members/{member_id}", "owner@a.test", "/accounts/" + account + "/members/" + colleague,
			object{"roles": role(harness.MinimalAccess), "status": "rejected"},
			[]string{"locale"},
			[]string{row(colleague, "roles: "+viewer+" → "+harness.MinimalAccess)},
		},
		{ // a pending one stays pending, whatever its account says about that
			"PUT /accounts/{account_id}/members/{member_id}", "owner@a.test", "/accounts/" + account + "/members/" + guest,
			object{"roles": role(harness.MinimalAccess), "status": "accepted"},
			[]string{"locale"},
			[]string{row(guest, "roles: "+viewer+" → "+harness.MinimalAccess)},
		},
		{
			"PATCH /organizations/{organization_id}/invites/{invite_id}", "owner@a.test", "/organizations/" + account + "/invites/" + guest,
			object{"roles": role(viewer), "status": "accepted", "auto_accept": true},
			[]string{"locale"},
			[]string{row(guest, "roles: "+harness.MinimalAccess+" → "+viewer)},
		},
		{
			"POST /organizations/{organization_id}/invites/{invite_id}/confirm", "owner@a.test",
			"/organizations/" + account + "/invites/" + guest + "/confirm",
			object{"roles": role(harness.SuperAdministrator), "status": "accepted", "expires_on": "2099-01-01T00:00:00Z"},
			nil,
			nil,
		},
		{
			"POST /user/invites/{invite_id}/remind", "me@me.test", "/user/invites/" + mine + "/remind",
			object{"remind_on": remindOn.Format(time.RFC3339), "status": "accepted", "expires_on": "2099-01-01T00:00:00Z"},
			nil,
			[]string{row(mine, fmt.Sprintf("wake_on: %s → %d", wakesOn, remindOn.UnixMicro()))},
		},
		{
			"PATCH /user/invites/{invite_id}", "me@me.test", "/user/invites/" + mine,
			object{"status": "rejected", "roles": []string{harness.SuperAdministrator}, "organization_name": "x"},
			[]string{"Status", "ROLES"},
			[]string{row(mine, "status: pending → rejected"), row(mine, "user_id: NULL → USER(me@me.test)")},
		},
		{
			"POST /accounts/{account_id}/members", "owner@a.test", "/accounts/" + account + "/members",
			object{"email": "fresh@me.test", "roles": role(viewer), "status": "pending"},
			[]string{"locale"},
			[]string{"memberships/NEW added"},
		},
		{
			"POST /organizations/{organization_id}/invites", "owner@a.test", "/organizations/" + account + "/invites",
			object{"invited_member_email": "older@me.test", "roles": role(viewer), "auto_accept": false, "status": "accepted", "email": "x@x.test"},
			[]string{"locale"},
			[]string{"memberships/NEW added"},
		},
		{
			"POST /accounts", "opuser@me.test", "/accounts",
			object{"name": "made", "type": "standard"},
			nil,
			[]string{"accounts/NEW added", "memberships/NEW added"},
		},
		{
			"PUT /memberships/{membership_id}", "fresh@me.test", "",
			object{"status": "accepted", "roles": []string{harness.SuperAdministrator}},
			nil,
			[]string{"memberships/FRESH status: pending → accepted", "memberships/FRESH user_id: NULL → USER(fresh@me.test)"},
		},
	}
	covered := map[string]bool{}
	for _, test := range tests {
		covered[test.operation] = true
		if test.path == "" { // what the invitation above made
			s.Run(t, "user", "add", "fresh@me.test")
			secret := secretIn(t, s.Run(t, "key", "add", "fresh@me.test", "--json"))
			before := s.content(t, "audit")
			fresh := before.where("memberships", "email", "fresh@me.test")[0]["id"]
			client := s.client
			client.Email, client.Key = "fresh@me.test", secret
			client.OK(t, http.MethodPut, "/memberships/"+fresh, poisoned(test.body, test.except...))
			compareChanges(t, test.operation, before, s.content(t, "audit"), test.want, fresh)
			continue
		}
		method, _, _ := strings.Cut(test.operation, " ")
		before := s.content(t, "audit")
		answer := s.as(test.as).Must(t, method, test.path, poisoned(test.body, test.except...))
		if answer.HTTPStatus != http.StatusOK {
			t.Errorf("KF-25: %s with fields it does not know: got %s, want 200: %s", test.operation, outcome(answer), answer.Body)
			continue
		}
		compareChanges(t, test.operation, before, s.content(t, "audit"), test.want, "")
	}
	poisonedWebhooks(t, s, account, reporter, covered)
	for _, o := range operations(t) {
		if sampleBody(o.name, "x") != nil && !covered[o.name] {
			t.Errorf("KF-25: %s takes a body and was not tried", o.name)
		}
	}
	madeRows(t, s)
}

// poisonedWebhooks goes on with what needs more than a body: a webhook that was
// made, the token of who reports. A bulk takes no field that it does not know.
func poisonedWebhooks(t *testing.T, s *site, account, reporter string, covered map[string]bool) {
	t.Helper()
	owner, webhooks := s.as("owner@a.test"), "/accounts/"+account+"/webhooks"
	made := owner.OK(t, http.MethodPost, webhooks, poisoned(object{"url": "https://hooks.example.com/made"}))
	honest := owner.OK(t, http.MethodPost, webhooks, object{"url": "https://hooks.example.com/honest"})
	edited := webhooks + "/" + made.Row(t).ID
	owner.OK(t, http.MethodPatch, edited, poisoned(object{"url": "https://hooks.example.com/edited"}))
	owner.OK(t, http.MethodPatch, webhooks+"/"+honest.Row(t).ID, object{"url": "https://hooks.example.com/other"})
	c := s.content(t)
	a, b := maps.Clone(c.where("webhooks", "id", honest.Row(t).ID)[0]), maps.Clone(c.where("webhooks", "id", made.Row(t).ID)[0])
	for name := range a {
		if a[name] != b[name] && !slices.Contains([]string{"id", "url", "created_on", "secret", "after_position"}, name) {
			t.Errorf("KF-25: the %s of a webhook that poisoned requests made: got %q, want %q", name, b[name], a[name])
		}
	}
	before := s.content(t, "audit", "webhooks", "webhook_deliveries", "webhook_attempts", "webhook_position")
	s.client.Bearer(reporter).OK(t, http.MethodPost, "/mail/reports",
		poisoned(object{"reports": []object{{"id": "1", "kind": "bounce", "message_id": "<none@example.com>"}}}))
	compareChanges(t, "POST /mail/reports", before, s.content(t, "audit", "webhooks", "webhook_deliveries", "webhook_attempts", "webhook_position"), nil, "")
	for _, name := range []string{
		"POST /accounts/{account_id}/webhooks", "PATCH /accounts/{account_id}/webhooks/{webhook_id}", "POST /mail/reports",
		"POST /organizations/{organization_id}/invites/bulk",
	} {
		covered[name] = true
	}
}

// compareChanges holds what changed against what was to change. Ids of new rows
// and users are named by what they are.
func compareChanges(t *testing.T, operation string, before, after content, want []string, fresh string) {
	t.Helper()
	var names []string
	for id, user := range after.of("users") {
		names = append(names, id, "USER("+user["email"]+")")
	}
	for key := range after {
		if _, known := before[key]; !known {
			_, id, _ := strings.Cut(key, "/")
			names = append(names, id, "NEW")
		}
	}
	if fresh != "" {
		names = append(names, fresh, "FRESH")
	}
	// What follows by itself from the changes that are wanted.
	follows := regexp.MustCompile(`^(counts|totals)/|^memberships/\S+ (first_name|last_name|revision|answered_on|ended_on): `)
	var got []string
	for _, change := range before.changes(after) {
		if change = strings.NewReplacer(names...).Replace(change); !follows.MatchString(change) {
			got = append(got, change)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("KF-25: %s: what changed in the database:\n got %s\nwant %s", operation, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// madeRows holds the rows that poisoned requests made against rows that honest
// ones make: they are alike but for ids, addresses and times.
func madeRows(t *testing.T, s *site) {
	t.Helper()
	owner, account := s.as("owner@a.test"), harness.ID("a")
	owner.OK(t, http.MethodPost, "/accounts/"+account+"/members", object{"email": "plain@me.test", "roles": []string{viewer}})
	owner.OK(t, http.MethodPost, "/organizations/"+account+"/invites", object{"invited_member_email": "plain2@me.test", "roles": []string{viewer}})
	s.as("opuser@me.test").OK(t, http.MethodPost, "/accounts", object{"name": "plain"})
	c := s.content(t)
	alike := func(table, column, honest, made string, but ...string) {
		a, b := maps.Clone(c.where(table, column, honest)[0]), maps.Clone(c.where(table, column, made)[0])
		for _, name := range append(but, "id", column, "created_on", "invited_on", "expires_on", "answered_on", "sent_on", "wake_on") {
			delete(a, name)
			delete(b, name)
		}
		if !maps.Equal(a, b) {
			t.Errorf("KF-25: a row of %s that a poisoned request made: got %v, want %v", table, b, a)
		}
	}
	alike("memberships", "email", "plain2@me.test", "older@me.test")
	alike("memberships", "email", "plain@me.test", "fresh@me.test", "status", "user_id", "revision")
	alike("accounts", "name", "plain", "made")
	for _, id := range []string{harness.ID("poison"), "poison@evil.test"} {
		for key, row := range c {
			if strings.Contains(fmt.Sprint(row), id) {
				t.Errorf("KF-25: the poison is in the database: %s %v", key, row)
			}
		}
	}
}

// secretIn is the secret in what a command printed as JSON.
func secretIn(t *testing.T, text string) string {
	t.Helper()
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.Secret == "" {
		t.Fatalf("a fresh secret: got %q, %v", text, err)
	}
	return made.Secret
}
