package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// TestNodesSweepOnce: three processes on one database, and invitations that end
// while they run. Each ends once, and is told to be over by its row, its audit row
// and the counts alike.
func TestNodesSweepOnce(t *testing.T) {
	t.Parallel()
	const accounts, each = 8, 25
	seed := newSeed()
	ends := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
	for i := range accounts {
		account := fmt.Sprint("a", i)
		seed.Account(account, "owner@"+account+".test")
		for j := range each {
			invited(seed, account, fmt.Sprintf("%d@%s.test", j, account), "owner@"+account+".test", viewer)
			row := &seed.Memberships[len(seed.Memberships)-1]
			row.InvitedOn, row.ExpiresOn = ends.Add(-time.Hour).Format(time.RFC3339), ends.Format(time.RFC3339)
		}
	}
	s := newSite(t, seed)
	for range 2 {
		harness.Open(t, s.Data)
	}
	started := time.Now()
	deadline := started.Add(time.Minute)
	for len(s.content(t).where("memberships", "status", "pending")) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("invitations that are due: got pending for a minute, want expired")
		}
	}
	ended := map[string]int{}
	for _, row := range s.content(t).where("audit", "action", "invite.expire") {
		ended[row["target_id"]]++
	}
	for i := range accounts {
		account := fmt.Sprint("a", i)
		for j := range each {
			if id := rowID(account, fmt.Sprintf("%d@%s.test", j, account)); ended[id] != 1 {
				t.Errorf("%s: got %d audit rows of its end, want 1", id, ended[id])
			}
		}
		owner := s.as("owner@" + account + ".test")
		list := owner.OK(t, http.MethodGet, "/organizations/"+harness.ID(account)+"/invites?status=expired&per_page=50", nil)
		if got := strings.Count(string(list.Body), `"status":"expired"`); got != each {
			t.Errorf("%s: got %d expired invitations, want %d", account, got, each)
		}
	}
	if len(ended) != accounts*each {
		t.Errorf("got %d ends, want %d", len(ended), accounts*each)
	}
	if started.After(ends) {
		t.Logf("the nodes were up %s after the end only", started.Sub(ends))
	}
}
