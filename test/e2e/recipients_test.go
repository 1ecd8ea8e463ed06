package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// answers are the requests by which a user answers an invitation.
func answers(row string) []struct {
	method, path string
	body         any
} {
	return []struct {
		method, path string
		body         any
	}{
		{http.MethodPatch, "/user/invites/" + row, object{"status": "accepted"}},
		{http.MethodPatch, "/user/invites/" + row, object{"status": "rejected"}},
		{http.MethodPut, "/memberships/" + row, object{"status": "accepted"}},
		{http.MethodPut, "/memberships/" + row, object{"status": "rejected"}},
		{http.MethodDelete, "/memberships/" + row, nil},
	}
}

// seesNothing checks that a user has no part in an invitation: not in its
// lists, not by its id, not by the account's.
func seesNothing(t *testing.T, s *site, client harness.Client, account, row string) {
	t.Helper()
	for _, path := range []string{
		"/user", "/user/invites", "/user/invites?status=pending", "/memberships", "/memberships?status=pending", "/user/organizations", "/accounts",
	} {
		answer := client.OK(t, http.MethodGet, path, nil)
		if strings.Contains(string(answer.Body), row) || strings.Contains(string(answer.Body), account) {
			t.Errorf("GET %s as %s: shows an invitation that is not for it: %s", path, client.Email, answer.Body)
		}
	}
	expectOutcome(t, client, http.MethodGet, "/user/invites/"+row, nil, "404/1003")
	expectOutcome(t, client, http.MethodGet, "/memberships/"+row, nil, "404/1003")
	expectOutcome(t, client, http.MethodGet, "/user/organizations/"+account, nil, "404/7003")
	expectOutcome(t, client, http.MethodDelete, "/user/organizations/"+account, nil, "404/7003")
	refused := map[string]string{} // request id: what
	for _, answer := range answers(row) {
		got := expectOutcome(t, client, answer.method, answer.path, answer.body, "404/1003")
		refused[got.Header.Get("X-Request-Id")] = answer.method + " " + answer.path
	}
	denials := s.denials(t)
	for id, what := range refused {
		if row := denials[id]; row["denied"] != "not_found" || row["actor_email"] != client.Email {
			t.Errorf("KF-1: %s as %s: got the audit row %v, want one that says who was refused", what, client.Email, row)
		}
	}
}

// ann is invited; the others have almost her address.
const ann = "ann@corp.test"

var almostAnn = []string{
	"bob@corp.test", "ann@evilcorp.test", "ann@sub.corp.test", "ann@corp.test.evil.test", "ann@corp.test.co", "ann+1@corp.test",
	"a.nn@corp.test", "ann-@corp.test", "xann@corp.test", "ann%corp.test@evil.test", "ann@xn--crp-sna.test",
}

// endings is in how many ways an invitation is ended below.
const endings = 7

// TestRecipients is about who may answer an invitation, and until when.
func TestRecipients(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	seed := newSeed().Account("house", "owner@house.test").User(ann)
	for _, other := range almostAnn {
		seed.User(other)
	}
	verified := false
	person(seed, harness.SeedUser{Email: "victim@corp.test", Verified: &verified})
	invited(seed, "house", "victim@corp.test", "owner@house.test", viewer)
	for i := range endings {
		seed.User(fmt.Sprintf("user%d@corp.test", i))
	}
	tenant(seed, "a")
	seed.Account("clock", "owner@clock.test").User("late@corp.test").User("next@corp.test")
	seed.Accounts[len(seed.Accounts)-1].Settings = &harness.SeedSettings{MemberLimit: 2}
	invited(seed, "clock", "late@corp.test", "owner@clock.test", viewer)
	s := newSite(t, seed)
	t.Run("only the invited address", s.onlyTheInvitedAddressAnswers)
	t.Run("an unverified address", s.unverifiedAddressSeesNothing)
	t.Run("ids alone", s.idsAloneOpenNothing)
	t.Run("expired without a cleaner", s.expiredWithoutACleaner)
	t.Run("ended invitations", s.endedInvitationsStayEnded)
}

// onlyTheInvitedAddressAnswers lets users of every address that is almost
// the invited one try to see and answer it: they find nothing, nothing is
// consumed, and the attempt is in the audit log (KF-1, KF-2, KF-3, KF-31). The
// invited one itself, however its case was written, then accepts.
func (s *site) onlyTheInvitedAddressAnswers(t *testing.T) {
	owner, account := s.as("owner@house.test"), harness.ID("house")
	row := owner.OK(t, http.MethodPost, "/accounts/"+account+"/members", object{"email": " Ann@CORP.test ", "roles": []string{viewer}}).Row(t)
	before := s.content(t, "audit")
	for _, other := range almostAnn {
		seesNothing(t, s, s.as(other), account, row.ID)
	}
	// Naming the invited address otherwise than by its own credentials does
	// nothing (KF-31): not in the body, not in the query.
	evil := s.as("bob@corp.test")
	for _, request := range answers(row.ID)[:4] {
		body := request.body.(object)
		body["email"], body["invited_member_email"], body["user"] = ann, ann, object{"email": ann}
		expectOutcome(t, evil, request.method, request.path+"?email="+ann, body, "404/1003")
	}
	s.unchanged(t, before, "answers by others")
	if got := owner.OK(t, http.MethodGet, "/accounts/"+account+"/members/"+row.ID, nil).Row(t); got.Status != "pending" || got.Email != ann {
		t.Errorf("KF-1: the invitation after all that: got %+v, want it pending for %s", got, ann)
	}
	expectOutcome(t, s.as(ann), http.MethodPatch, "/user/invites/"+row.ID, object{"status": "accepted"}, "200")
	// An address with the root's dot is another text for the same domain: it is
	// refused rather than taken for one of them (KF-2).
	for _, odd := range []string{"ann@corp.test.", "ann@corp..test", "ann@", "@corp.test", "ann", "ann@corp.test@evil.test", "ann@[127.0.0.1]", `"ann"@corp.test`} {
		expectOutcome(t, owner, http.MethodPost, "/accounts/"+account+"/members", object{"email": odd, "roles": []string{viewer}}, "400/1001")
	}
}

// unverifiedAddressSeesNothing registers the invited address without proof,
// before and after the invitation: it sees and answers nothing until the
// address is proven, and nothing again where the proof is taken back (KF-4,
// KF-5).
func (s *site) unverifiedAddressSeesNothing(t *testing.T) {
	account, row := harness.ID("house"), rowID("house", "victim@corp.test")
	victim := s.as("victim@corp.test")
	before := s.content(t, "audit")
	seesNothing(t, s, victim, account, row)
	s.unchanged(t, before, "answers from an unproven address")
	// The other order: invited first, registered without proof afterwards.
	later := s.as("owner@house.test").OK(t, http.MethodPost, "/accounts/"+account+"/members",
		object{"email": "later@corp.test", "roles": []string{viewer}}).Row(t)
	s.Run(t, "user", "add", "later@corp.test", "--unverified")
	unproven := s.client
	unproven.Email, unproven.Key = "later@corp.test", secretIn(t, s.Run(t, "key", "add", "later@corp.test", "--json"))
	seesNothing(t, s, unproven, account, later.ID)

	s.Run(t, "user", "set", "victim@corp.test", "--verified")
	expectOutcome(t, victim, http.MethodGet, "/user/invites/"+row, nil, "200")
	if got := victim.OK(t, http.MethodGet, "/user/invites", nil).Rows(t); len(got) != 1 || got[0].ID != row {
		t.Errorf("KF-4: invites once the address is proven: got %+v, want the one", got)
	}
	s.Run(t, "user", "set", "victim@corp.test", "--unverified")
	seesNothing(t, s, victim, account, row)
	s.Run(t, "user", "set", "victim@corp.test", "--verified")
	expectOutcome(t, victim, http.MethodPatch, "/user/invites/"+row, object{"status": "accepted"}, "200")
}

// idsAloneOpenNothing tries to accept with nothing but ids, and looks for
// the routes by which other products let that happen (KF-28): there is none
// beside those of the document, and they want the invited user itself.
func (s *site) idsAloneOpenNothing(t *testing.T) {
	account, row := harness.ID("a"), rowID("a", "guest@a.test")
	before := s.content(t, "audit")
	ids := object{
		"status": "accepted", "inviterId": rowID("a", "owner@a.test"), "inviteeId": row, "invite_id": row, "id": row,
		"email": "guest@a.test", "password": "x", "token": row,
	}
	for _, request := range answers(row) {
		var body any
		if request.body != nil {
			body = ids
		}
		expectOutcome(t, s.client, request.method, request.path+"?inviteeId="+row+"&inviterId="+rowID("a", "owner@a.test"), body, "400/9106")
		expectOutcome(t, s.operator(), request.method, request.path, request.body, "403/9109")
		expectOutcome(t, s.as("owner@a.test"), request.method, request.path, request.body, "404/1003")
	}
	for _, path := range []string{
		"/invites/ROW", "/invites/ROW/accept", "/invite/ROW", "/invitations/ROW/accept", "/user/invites/ROW/accept",
		"/memberships/ROW/accept", "/accounts/ACCOUNT/members/ROW/accept", "/accounts/ACCOUNT/invites", "/accounts/ACCOUNT/invites/ROW",
		"/organizations/ACCOUNT/invites/ROW/accept", "/organizations/ACCOUNT/members", "/organizations/ACCOUNT", "/accept/ROW", "/signup",
		"/users", "/users/ROW", "/user/register", "/users/ROW/accept-invitation", "/resolve-signup-token", "/user/invites/ROW/resend",
	} {
		path = strings.NewReplacer("ROW", row, "ACCOUNT", account).Replace(path)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			for _, client := range []harness.Client{s.client, s.as("guest@a.test")} {
				var body any
				if method != http.MethodGet && method != http.MethodDelete {
					body = ids
				}
				if got := outcome(odd(client).Must(t, method, path, body)); got != "404/7000" {
					t.Errorf("KF-28: %s %s: got %s, want 404/7000", method, path, got)
				}
			}
		}
	}
	s.unchanged(t, before, "ids without a credential")
}

// expiredWithoutACleaner answers invitations whose time ran out while
// nothing swept them: the clock alone decides (KF-8). On disk they are pending
// still; everywhere else they are over.
func (s *site) expiredWithoutACleaner(t *testing.T) {
	owner, late := s.as("owner@clock.test"), s.as("late@corp.test")
	account, row := harness.ID("clock"), rowID("clock", "late@corp.test")
	s.overdue(t, row)
	if got := s.content(t).of("memberships")[row]["status"]; got != "pending" {
		t.Fatalf("the row on disk: got %s, want pending, or this shows nothing", got)
	}
	for _, request := range answers(row) {
		want := "400/1200"
		if request.method == http.MethodDelete {
			want = "404/1003"
		}
		expectOutcome(t, late, request.method, request.path, request.body, want)
	}
	if got := late.OK(t, http.MethodGet, "/user/invites/"+row, nil).Row(t).Status; got != "expired" {
		t.Errorf("KF-8: a due invitation reads as %s, want expired", got)
	}
	expectOutcome(t, late, http.MethodGet, "/memberships/"+row, nil, "404/1003")
	expectOutcome(t, late, http.MethodGet, "/user/organizations/"+account, nil, "404/7003")
	for _, path := range []string{"/memberships", "/user/organizations"} {
		if rows := late.OK(t, http.MethodGet, path, nil).Rows(t); len(rows) != 0 {
			t.Errorf("KF-8: GET %s holds a due invitation: %+v", path, rows)
		}
	}
	if rows := owner.OK(t, http.MethodGet, "/accounts/"+account+"/members", nil); rows.ResultInfo.TotalCount != 1 || len(rows.Rows(t)) != 1 {
		t.Errorf("KF-8: members with a due invitation: got %s, want the owner alone", rows.Body)
	}
	expectOutcome(t, owner, http.MethodPut, "/accounts/"+account+"/members/"+row, object{"roles": []string{viewer}}, "400/1200")
	expectOutcome(t, owner, http.MethodPatch, "/organizations/"+account+"/invites/"+row, object{"roles": []string{viewer}}, "400/1200")
	expectOutcome(t, owner, http.MethodDelete, "/organizations/"+account+"/invites/"+row, nil, "400/1200")
	expectOutcome(t, owner, http.MethodDelete, "/accounts/"+account+"/members/"+row, nil, "404/1003")
	// Its seat is free, and its address can be invited anew.
	fresh := owner.OK(t, http.MethodPost, "/accounts/"+account+"/members", object{"email": "late@corp.test", "roles": []string{viewer}}).Row(t)
	if fresh.ID == row {
		t.Error("KF-8: inviting anew brought the expired row back")
	}
	expectOutcome(t, owner, http.MethodPost, "/accounts/"+account+"/members", object{"email": "next@corp.test", "roles": []string{viewer}}, "400/1204")
	expectOutcome(t, late, http.MethodPatch, "/user/invites/"+row, object{"status": "accepted"}, "400/1200")
	expectOutcome(t, late, http.MethodPatch, "/user/invites/"+fresh.ID, object{"status": "accepted"}, "200")
}

// endedInvitationsStayEnded ends an invitation in every way there is,
// invites again, and answers the old one: it is dead, the new one has an id of
// its own and works (KF-9, KF-10; of KF-98 what needs no mail).
func (s *site) endedInvitationsStayEnded(t *testing.T) {
	ends := []struct {
		name string
		end  func(t *testing.T, s *site, owner, user harness.Client, account, row string)
		want string // of accepting the old one
	}{
		{"rejected", func(t *testing.T, _ *site, _, user harness.Client, _, row string) {
			t.Helper()
			user.OK(t, http.MethodPatch, "/user/invites/"+row, object{"status": "rejected"})
		}, "400/1201"},
		{"rejected by leaving", func(t *testing.T, _ *site, _, user harness.Client, account, _ string) {
			t.Helper()
			user.OK(t, http.MethodDelete, "/user/organizations/"+account, nil)
		}, "400/1201"},
		{"canceled", func(t *testing.T, _ *site, owner, _ harness.Client, account, row string) {
			t.Helper()
			owner.OK(t, http.MethodDelete, "/organizations/"+account+"/invites/"+row, nil)
		}, "404/1003"},
		{"canceled as a member", func(t *testing.T, _ *site, owner, _ harness.Client, account, row string) {
			t.Helper()
			owner.OK(t, http.MethodDelete, "/accounts/"+account+"/members/"+row, nil)
		}, "404/1003"},
		{"accepted and removed", func(t *testing.T, _ *site, owner, user harness.Client, account, row string) {
			t.Helper()
			user.OK(t, http.MethodPatch, "/user/invites/"+row, object{"status": "accepted"})
			owner.OK(t, http.MethodDelete, "/accounts/"+account+"/members/"+row, nil)
		}, "404/1003"},
		{"accepted and left", func(t *testing.T, _ *site, _, user harness.Client, _, row string) {
			t.Helper()
			user.OK(t, http.MethodPut, "/memberships/"+row, object{"status": "accepted"})
			user.OK(t, http.MethodDelete, "/memberships/"+row, nil)
		}, "404/1003"},
		{"removed by the operator", func(t *testing.T, s *site, _, user harness.Client, _, row string) {
			t.Helper()
			user.OK(t, http.MethodPut, "/memberships/"+row, object{"status": "accepted"})
			s.Run(t, "account", "remove-member", "house", row)
		}, "404/1003"},
	}
	owner, account := s.as("owner@house.test"), harness.ID("house")
	if len(ends) != endings {
		t.Fatalf("users: got %d, want %d", endings, len(ends))
	}
	for i, end := range ends {
		email := fmt.Sprintf("user%d@corp.test", i)
		user := s.as(email)
		var ids []string
		for range 3 { // as often as one likes
			body := object{"email": email, "roles": []string{viewer}}
			row := owner.OK(t, http.MethodPost, "/accounts/"+account+"/members", body).Row(t)
			if row.Status != "pending" {
				t.Errorf("KF-10: %s, invited again: got %+v", end.name, row)
			}
			for _, old := range ids {
				if old == row.ID {
					t.Errorf("KF-10: %s: the id %s comes back", end.name, old)
				}
				before := s.content(t, "audit")
				expectOutcome(t, user, http.MethodPatch, "/user/invites/"+old, object{"status": "accepted"}, end.want)
				expectOutcome(t, user, http.MethodPut, "/memberships/"+old, object{"status": "accepted"}, end.want)
				expectOutcome(t, user, http.MethodDelete, "/memberships/"+old, nil, "404/1003")
				expectOutcome(t, owner, http.MethodPut, "/accounts/"+account+"/members/"+old, object{"roles": []string{viewer}}, "404/1003")
				s.unchanged(t, before, "answering what "+end.name)
			}
			ids = append(ids, row.ID)
			end.end(t, s, owner, user, account, row.ID)
		}
		if rows := s.content(t).where("memberships", "email", email); len(rows) != 3 {
			t.Errorf("KF-9: rows of %s: got %d, want 3 ended ones", email, len(rows))
		}
	}
}
