package e2e_test

import (
	"database/sql"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

var aTime = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T[\d:.]+Z`)

// timeless is an answer without what differs between any two rows: its id, its
// address and its times.
func timeless(answer harness.Answer, email string) string {
	text := telling(answer, answerID(answer), email)
	return regexp.MustCompile(`Content-Length: \[\d+\]`).ReplaceAllString(aTime.ReplaceAllString(text, "<time>"), "")
}

var anID = regexp.MustCompile(`"id":"([0-9a-f]{32})"`)

// answerID is the first id in an answer: that of the row.
func answerID(answer harness.Answer) string {
	if found := anID.FindSubmatch(answer.Body); found != nil {
		return string(found[1])
	}
	return ""
}

// Whom an account invites, below.
const known, unused, disabled, unproven = "known@corp.test", "nobody@corp.test", "disabled@corp.test", "unproven@corp.test"

var (
	knownID = harness.ID("the user known")
	sorted  = []string{"p@corp.test", "q@corp.test", "r@corp.test"}
)

// TestEnumeration is about learning who has a user, and what it is called, from
// answers that are about something else.
func TestEnumeration(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	verified := false
	seed := newSeed().Account("house", "owner@house.test").User(disabled)
	person(seed, harness.SeedUser{ID: knownID, Email: known, FirstName: "Xanthippe", TwoFactor: true})
	person(seed, harness.SeedUser{Email: unproven, Verified: &verified, FirstName: "Yolanda"})
	for i, email := range sorted {
		person(seed, harness.SeedUser{Email: email, FirstName: []string{"Mm", "Aa", "Zz"}[i]})
		invited(seed, "house", email, "owner@house.test", viewer)
	}
	seed.User("active@corp.test").User("suspended@corp.test").User("keyless@corp.test")
	for name, user := range map[string]string{"active": "active", "suspended": "suspended", "revoked": "active", "late": "active"} {
		seed.Tokens = append(seed.Tokens, harness.SeedToken{
			ID: harness.ID("token of " + name), User: user + "@corp.test", Name: name, Secret: harness.Key("token of " + name),
		})
	}
	s := newSite(t, seed)
	t.Run("the order of pending members", s.orderTellsNoName)
	t.Run("a pending person", s.pendingPersonIsAnAddress)
	t.Run("wrong credentials", s.wrongCredentialsAreAlike)
}

// pendingPersonIsAnAddress invites somebody who has a user with a name and a
// second factor, and somebody who has none: in no answer on the account's side
// can the two be told apart, until the person accepts (rule 4 of inviting;
// KF-46, KF-48).
func (s *site) pendingPersonIsAnAddress(t *testing.T) {
	s.Run(t, "user", "disable", disabled)
	owner := s.as("owner@house.test")

	var seen []harness.Answer
	views := map[string]map[string]string{} // by view, what each address gets
	look := func(view, email string, answer harness.Answer) {
		t.Helper()
		if answer.HTTPStatus != http.StatusOK {
			t.Fatalf("%s of %s: %s", view, email, answer.Body)
		}
		if views[view] == nil {
			views[view] = map[string]string{}
		}
		views[view][email] = timeless(answer, email)
		seen = append(seen, answer)
	}
	ids := map[string]string{}
	for _, email := range []string{known, unused, disabled, unproven} {
		look("not invited", email, owner.Must(t, http.MethodGet, members("house")+"?email="+email, nil))
		made := owner.Must(t, http.MethodPost, members("house"), object{"email": email, "roles": []string{viewer}})
		look("invited", email, made)
		id := made.Row(t).ID
		look("invited again", email, owner.Must(t, http.MethodPost, members("house"), object{"email": email, "roles": []string{viewer}}))
		look("member", email, owner.Must(t, http.MethodGet, members("house")+"/"+id, nil))
		look("members", email, owner.Must(t, http.MethodGet, members("house")+"?email="+email, nil))
		look("invite", email, owner.Must(t, http.MethodGet, invites("house")+"/"+id, nil))
		look("edited", email, owner.Must(t, http.MethodPut, members("house")+"/"+id, object{"roles": []string{manager}}))
		look("edited in the older form", email, owner.Must(t, http.MethodPatch, invites("house")+"/"+id, object{"roles": []string{viewer}}))
		look("canceled", email, owner.Must(t, http.MethodDelete, invites("house")+"/"+id, nil))
		look("canceled invite", email, owner.Must(t, http.MethodGet, invites("house")+"/"+id, nil))
		older := owner.Must(t, http.MethodPost, invites("house"), object{"invited_member_email": email, "roles": []string{viewer}})
		look("invited in the older form", email, older)
		ids[email] = older.Row(t).ID
	}
	for view, byAddress := range views {
		for email, got := range byAddress {
			if got != byAddress[unused] {
				t.Errorf("KF-48: %s: for %s:\n got %s\nwant %s, as for an address without a user", view, email, got, byAddress[unused])
			}
		}
	}
	for _, path := range []string{members("house"), members("house") + "?status=pending&order=user.first_name", invites("house")} {
		seen = append(seen, owner.OK(t, http.MethodGet, path, nil))
	}
	s.as(known).OK(t, http.MethodPatch, "/user/invites/"+ids[known], object{"status": "rejected"})
	for _, path := range []string{
		members("house") + "/" + ids[known], members("house") + "?status=rejected", invites("house") + "/" + ids[known], invites("house") + "?status=rejected",
	} {
		answer := owner.OK(t, http.MethodGet, path, nil)
		if !strings.Contains(string(answer.Body), known) {
			t.Errorf("GET %s: got %s, want the rejected row", path, answer.Body)
		}
		seen = append(seen, answer)
	}
	for _, answer := range seen {
		for _, secret := range []string{knownID, "Xanthippe", "Yolanda", `"first_name"`, `"two_factor_authentication_enabled":true`} {
			// The owner itself is an accepted member, in the lists, and has a name.
			if secret == `"first_name"` && strings.Contains(string(answer.Body), "owner@house.test") {
				continue
			}
			if strings.Contains(string(answer.Body), secret) {
				t.Errorf("KF-46: somebody who has not accepted: %q is told: %s", secret, answer.Body)
			}
		}
	}
	again := owner.OK(t, http.MethodPost, members("house"), object{"email": known, "roles": []string{viewer}}).Row(t).ID
	s.as(known).OK(t, http.MethodPut, "/memberships/"+again, object{"status": "accepted"})
	if body := string(owner.OK(t, http.MethodGet, members("house")+"/"+again, nil).Body); !strings.Contains(body, knownID) || !strings.Contains(body, "Xanthippe") {
		t.Errorf("an accepted member: got %s, want its user", body)
	}
}

// orderTellsNoName sorts pending members by name while the people behind
// them change their names: the order stays, so nobody learns a name from it.
func (s *site) orderTellsNoName(t *testing.T) {
	order := func() (found string) {
		t.Helper()
		for _, by := range []string{"user.first_name", "user.last_name"} {
			for _, direction := range []string{"asc", "desc"} {
				for _, status := range []string{"", "&status=pending"} {
					for _, row := range s.as("owner@house.test").OK(t, http.MethodGet, members("house")+"?order="+by+"&direction="+direction+status, nil).Rows(t) {
						found += row.Email + " "
					}
				}
			}
		}
		return found
	}
	before := order()
	for _, names := range [][]string{{"Aa", "Mm", "Zz"}, {"Zz", "Mm", "Aa"}, {"Mm", "Zz", "Aa"}} {
		for i, email := range sorted {
			s.as(email).OK(t, http.MethodPatch, "/user", object{"first_name": names[i], "last_name": names[i]})
		}
		if got := order(); got != before {
			t.Errorf("KF-46: order of pending members named %v: got %s, want %s as with other names", names, got, before)
		}
	}
}

// wrongCredentialsAreAlike shows credentials that are wrong in every way:
// unknown, wrong, disabled, of a suspended user, past their time. Each kind is
// answered with one text, so nobody learns which addresses have a user
// (KF-48, KF-82).
func (s *site) wrongCredentialsAreAlike(t *testing.T) {
	token := func(name string) string { return harness.Key("token of " + name) }
	s.Run(t, "user", "disable", "suspended@corp.test")
	s.Run(t, "key", "disable", onlyOf(t, s, "keyless@corp.test"))
	s.Run(t, "token", "revoke", harness.ID("token of revoked"))
	late := func(db *sql.DB) {
		result, err := db.ExecContext(t.Context(), `UPDATE tokens SET expires_on = 1000000 WHERE id = $1`, harness.ID("token of late"))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := result.RowsAffected(); n != 1 || err != nil {
			t.Fatalf("tokens that end: got %d, %v", n, err)
		}
	}
	late(s.open(t))

	pair := func(email, key string) harness.Client {
		c := s.client
		c.Email, c.Key = email, key
		return c
	}
	pairs := map[string]harness.Client{
		"unknown address": pair("nobody@corp.test", wrongSecret), "wrong key": pair("active@corp.test", wrongSecret),
		"somebody's key": pair("active@corp.test", harness.Key("suspended@corp.test")), "unknown address, good key": pair("nobody@corp.test", harness.Key("active@corp.test")),
		"suspended user": pair("suspended@corp.test", harness.Key("suspended@corp.test")), "suspended user, wrong key": pair("suspended@corp.test", wrongSecret),
		"disabled key": pair("keyless@corp.test", harness.Key("keyless@corp.test")), "a token as a key": pair("active@corp.test", token("active")),
		"the operator's token as a key": pair("active@corp.test", operatorToken),
	}
	tokens := map[string]harness.Client{
		"unknown": s.client.Bearer(wrongSecret), "revoked": s.client.Bearer(token("revoked")), "of a suspended user": s.client.Bearer(token("suspended")),
		"past its time": s.client.Bearer(token("late")), "a key as a token": s.client.Bearer(harness.Key("active@corp.test")),
	}
	s.as("active@corp.test").OK(t, http.MethodGet, "/user", nil)
	s.client.Bearer(token("active")).OK(t, http.MethodGet, "/user", nil)
	for want, clients := range map[string]map[string]harness.Client{"403/9103": pairs, "401/1000": tokens} {
		for _, o := range operations(t) {
			if !slices.Contains([]string{"GET /user", "PATCH /user", "GET /user/invites/{invite_id}", "POST /accounts", "GET /user/tokens/verify"}, o.name) {
				continue
			}
			told := map[string]string{}
			for name, client := range clients {
				answer := expectOutcome(t, client, o.method, o.at(map[string]string{"invite_id": harness.ID("nothing")}), sampleBody(o.name, "x"), want)
				told[telling(answer)] = name
				if challenge := answer.Header.Get("WWW-Authenticate"); (challenge == `Bearer error="invalid_token"`) != (want == "401/1000") {
					t.Errorf("%s: WWW-Authenticate: got %q", name, challenge)
				}
			}
			if len(told) != 1 {
				t.Errorf("KF-48: %s with wrong credentials: got %d different answers, want one: %v", o.name, len(told), told)
			}
		}
	}
	if log := s.Log(); strings.Contains(log, "corp.test") {
		t.Error("KF-44: an address of wrong credentials is in the log")
	}
}

// whoIsAMemberIsForManagers: whether an address is a member or invited is
// told to who manages members, after that right was checked, and to nobody
// else (KF-46, KF-48).
func (s *site) whoIsAMemberIsForManagers(t *testing.T) {
	for asker, want := range map[string]string{
		"minimal@a.test": "403/9109", "reader@a.test": "403/9109", "guest@a.test": "404/7003", "stranger@who.test": "404/7003",
	} {
		for _, form := range []struct{ path, field string }{{members("a"), "email"}, {invites("a"), "invited_member_email"}} {
			told := map[string]bool{}
			for _, email := range []string{"colleague@a.test", "guest@a.test", "decliner@a.test", "nobody@a.test", "stranger@who.test", "owner@a.test"} {
				for _, role := range []string{viewer, manager, harness.SuperAdministrator, idOfNothing("role_id")} {
					told[telling(expectOutcome(t, s.as(asker), http.MethodPost, form.path, object{form.field: email, "roles": []string{role}}, want))] = true
				}
			}
			if len(told) != 1 {
				t.Errorf("KF-48: %s invites to %s: got %d different answers, want one", asker, form.path, len(told))
			}
		}
	}
	expectOutcome(t, s.as("manager@a.test"), http.MethodPost, members("a"), object{"email": "colleague@a.test", "roles": []string{viewer}}, "400/1207")
	expectOutcome(t, s.as("manager@a.test"), http.MethodPost, members("a"), object{"email": "guest@a.test", "roles": []string{manager}}, "400/1208")
}
