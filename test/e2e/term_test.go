package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// TestAMembershipForATime: an end that is offered with an invitation, shown to every
// side, moved and taken away, and refused to the last Super Administrator. From its end
// on a member has no part in the account though nobody has written that down; then a
// sweep does, once, and the seat is free.
func TestAMembershipForATime(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("a", "owner@a.test").User("guest@a.test").User("next@a.test")
	seed.Accounts[len(seed.Accounts)-1].Settings = &harness.SeedSettings{MemberLimit: 2}
	s := newSite(t, seed)
	owner, guest, a := s.as("owner@a.test"), s.as("guest@a.test"), harness.ID("a")
	members := "/accounts/" + a + "/members"
	ends := time.Now().Add(40 * 24 * time.Hour).UTC().Truncate(time.Second)
	says := func(answer harness.Answer, field string, at time.Time) {
		t.Helper()
		want := `"` + field + `":"` + at.Format(time.RFC3339) + `"`
		if !strings.Contains(string(answer.Body), want) {
			t.Errorf("got %s, want %s", answer.Body, want)
		}
	}
	quiet := func(answer harness.Answer, fields ...string) {
		t.Helper()
		for _, field := range fields {
			if strings.Contains(string(answer.Body), `"`+field+`"`) {
				t.Errorf("got %s, want no %s", answer.Body, field)
			}
		}
	}

	made := owner.OK(t, http.MethodPost, members, object{"email": "guest@a.test", "roles": []string{manager}, "membership_expires_on": ends})
	says(made, "membership_expires_on", ends)
	row := made.Row(t).ID
	member, invite := members+"/"+row, "/organizations/"+a+"/invites/"+row
	says(guest.OK(t, http.MethodGet, "/user/invites/"+row, nil), "membership_expires_on", ends)
	says(owner.OK(t, http.MethodGet, invite, nil), "membership_expires_on", ends)
	near := time.Now().Add(2 * 24 * time.Hour).UTC().Truncate(time.Second)
	// The invitation gives way to the membership, and gets no longer by itself.
	got := owner.OK(t, http.MethodPatch, invite, object{"membership_expires_on": near})
	says(got, "membership_expires_on", near)
	says(got, "expires_on", near)
	owner.Refused(t, http.MethodPatch, invite, object{"expires_on": near.Add(time.Hour)}, http.StatusBadRequest, 1001)
	owner.OK(t, http.MethodPatch, invite, object{"membership_expires_on": ends})

	guest.OK(t, http.MethodPatch, "/user/invites/"+row, object{"status": "accepted"})
	says(owner.OK(t, http.MethodGet, member, nil), "expires_on", ends)
	says(guest.OK(t, http.MethodGet, "/memberships/"+row, nil), "expires_on", ends)
	says(owner.OK(t, http.MethodGet, members+"?status=accepted", nil), "expires_on", ends)
	// What somebody read while it was pending, and sends back, is no end of the member.
	says(owner.OK(t, http.MethodPut, member, object{"roles": []string{manager}, "expires_on": near}), "expires_on", ends)
	quiet(owner.OK(t, http.MethodPut, member, object{"expires_on": nil}), "expires_on", "membership_expires_on")
	says(owner.OK(t, http.MethodPut, member, object{"expires_on": ends}), "expires_on", ends)
	owner.Refused(t, http.MethodPut, member, object{"expires_on": time.Now().Add(-time.Hour).UTC()}, http.StatusBadRequest, 1001)
	owner.Refused(t, http.MethodPut, members+"/"+rowID("a", "owner@a.test"), object{"expires_on": ends}, http.StatusBadRequest, 1210)

	// Nobody writes it down: the clock alone decides (KF-8).
	guest.OK(t, http.MethodGet, members, nil)
	s.outlasted(t, row, true)
	for _, path := range []string{"/accounts/" + a, members, "/user/organizations/" + a, "/memberships/" + row, "/user/invites/" + row} {
		if answer := guest.Must(t, http.MethodGet, path, nil); !strings.HasPrefix(outcome(answer), "404") {
			t.Errorf("GET %s: got %s, want 404", path, answer.Body)
		}
	}
	for _, path := range []string{"/accounts", "/memberships", "/user/invites?status=accepted", "/user/organizations"} {
		if rows := guest.OK(t, http.MethodGet, path, nil).Rows(t); len(rows) != 0 {
			t.Errorf("GET %s: got %+v, want nothing", path, rows)
		}
	}
	guest.Refused(t, http.MethodPost, members, object{"email": "x@a.test", "roles": []string{viewer}}, http.StatusNotFound, 7003)
	owner.Refused(t, http.MethodGet, member, nil, http.StatusNotFound, 1003)
	if list := owner.OK(t, http.MethodGet, members, nil); list.ResultInfo.TotalCount != 1 || len(list.Rows(t)) != 1 {
		t.Errorf("members: %s, want the owner alone", list.Body)
	}
	if got := s.content(t).of("memberships")[row]["status"]; got != "accepted" {
		t.Fatalf("the row on disk: got %s, want accepted, or this shows nothing", got)
	}
	// Its seat is free.
	next := owner.OK(t, http.MethodPost, members, object{"email": "next@a.test", "roles": []string{viewer}}).Row(t).ID
	owner.OK(t, http.MethodDelete, members+"/"+next, nil)

	// Then a sweep comes by, of any number of nodes.
	s.outlasted(t, row, false)
	harness.Open(t, s.Data) // a second one, which looks at once
	for deadline := time.Now().Add(time.Minute); s.content(t).of("memberships")[row]["status"] != "removed"; {
		if time.Now().After(deadline) {
			t.Fatal("a membership that is over: got accepted for more than a minute, want removed")
		}
	}
	ended := s.content(t).where("audit", "action", "member.expire")
	if len(ended) != 1 || ended[0]["target_id"] != row || ended[0]["actor"] != "" {
		t.Errorf("audit rows of the end: %v, want one by the clock", ended)
	}
	if log := owner.OK(t, http.MethodGet, "/accounts/"+a+"/audit_logs?action.type=member.expire", nil); !strings.Contains(string(log.Body), row) {
		t.Errorf("the account's log: %s", log.Body)
	}
	again := owner.OK(t, http.MethodPost, members, object{"email": "guest@a.test", "roles": []string{viewer}}).Row(t)
	if again.ID == row || again.Status != "pending" {
		t.Errorf("invited anew: %+v", again)
	}
}
