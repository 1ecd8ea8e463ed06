package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// TestErasedUserIsNowhere erases a person who did and was done to what there is to
// do, and looks for it in every row of every table.
func TestErasedUserIsNowhere(t *testing.T) {
	t.Parallel()
	const address, first, last = "ada.lovelace@person.test", "Adalinda", "Lovelacia"
	seed := newSeed().Account("a", "owner@a.test").Account("b", "owner@b.test")
	person(seed, harness.SeedUser{Email: address})
	person(seed, harness.SeedUser{Email: "next@person.test"})
	seed.Member("b", address, harness.SuperAdministrator)
	s := newSite(t, seed)
	owner, ada, a := s.as("owner@a.test"), s.as(address), harness.ID("a")

	// A member by an invitation, whom it renamed itself; it invited somebody who
	// joined and somebody who has yet to answer; it is invited elsewhere, and declined
	// once.
	row := owner.Once("key").OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": address, "roles": []string{harness.SuperAdministrator}}).Row(t)
	ada.OK(t, http.MethodPatch, "/user/invites/"+row.ID, object{"status": "rejected"})
	row = owner.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": address, "roles": []string{harness.SuperAdministrator}}).Row(t)
	ada.OK(t, http.MethodPatch, "/user/invites/"+row.ID, object{"status": "accepted"})
	ada.OK(t, http.MethodPatch, "/user", object{"first_name": first, "last_name": last})
	joined := ada.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "next@person.test", "roles": []string{viewer}}).Row(t)
	s.as("next@person.test").OK(t, http.MethodPatch, "/user/invites/"+joined.ID, object{"status": "accepted"})
	waits := ada.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "waits@person.test", "roles": []string{viewer}, "note": "Yours, " + first}).Row(t)
	made := s.operator().OK(t, http.MethodPost, "/accounts", object{"name": "C"}).Row(t)
	s.operator().OK(t, http.MethodPost, "/accounts/"+made.ID+"/members", object{"email": address, "roles": []string{viewer}})

	// It is in a list of people to invite, and handed in another one itself.
	listed := harness.CSV("email,roles\n" + address + "," + viewer + "\nnew@person.test," + viewer + "\n")
	for _, who := range []harness.Client{owner, ada} {
		begun := bulkOf(t, who.Once("list").OK(t, http.MethodPost, bulks("a"), listed))
		awaitBulk(t, owner, bulks("a")+"/"+begun.ID, ended)
	}

	// A force is not in the plain call: it is the second Super Administrator of b, and
	// the last one once the first is gone.
	s.operator().OK(t, http.MethodDelete, "/accounts/"+harness.ID("b")+"/members/"+rowID("b", "owner@b.test"), nil)
	if _, complaint, code := harness.Try(t, s.Data, "user", "erase", address); code == 0 || !strings.Contains(complaint, "last active Super Administrator") {
		t.Errorf("erasing the last Super Administrator: %d, %s", code, complaint)
	}
	ada.OK(t, http.MethodGet, "/user", nil)
	before := s.content(t)

	out := s.Run(t, "user", "erase", "--force", address)
	if strings.Contains(out, address) || !strings.Contains(out, "erased-") {
		t.Errorf("it says %s", out)
	}
	ada.Refused(t, http.MethodGet, "/user", nil, http.StatusForbidden, 9103)
	after := s.content(t)
	for key, row := range after {
		for column, value := range row {
			for _, personal := range []string{address, first, last} {
				if strings.Contains(value, personal) || strings.Contains(key, personal) {
					t.Errorf("%s still has %q in %s: %s", key, personal, column, value)
				}
			}
		}
	}
	for _, table := range []string{"users", "memberships", "audit", "user_keys", "deliveries", "counts", "bulks", "bulk_rows"} {
		if was, is := len(before.of(table)), len(after.of(table)); is < was {
			t.Errorf("%s had %d rows and has %d", table, was, is)
		}
	}
	if b := after.of("accounts")[harness.ID("b")]; b["needs_super_admin"] != "1" {
		t.Errorf("b is not flagged: %v", b)
	}
	// What others did goes on: who joined by its invitation stays, who was invited by
	// it can be confirmed, the numbers agree with the rows, and b is flagged.
	members := owner.OK(t, http.MethodGet, "/accounts/"+a+"/members?per_page=50", nil)
	if strings.Contains(string(members.Body), address) || members.ResultInfo.TotalCount != 4 || len(members.Rows(t)) != 4 {
		t.Errorf("members of a: %s", members.Body)
	}
	if got := owner.OK(t, http.MethodGet, "/organizations/"+a+"/invites/"+waits.ID, nil).Row(t); !got.NeedsConfirmation {
		t.Errorf("whom it invited: %+v, want it to need confirmation", got)
	}
	owner.OK(t, http.MethodPost, "/organizations/"+a+"/invites/"+waits.ID+"/confirm", nil)
	if log := auditOf(t, owner, "/accounts/"+a+"/audit_logs"); len(log) < 8 {
		t.Errorf("the log of a has %d rows", len(log))
	}
	// Erasing once more changes nothing, and its address may be somebody's again.
	id := strings.Split(out, "erased-")[1][:32]
	s.Run(t, "user", "erase", id)
	if _, complaint, code := harness.Try(t, s.Data, "user", "enable", id); code == 0 || !strings.Contains(complaint, "was erased") {
		t.Errorf("enabling it: %d, %s", code, complaint)
	}
	s.Run(t, "user", "add", address)
}
