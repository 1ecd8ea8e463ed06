package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hither/internal/iam"
)

// TestManaging holds what a manager of members can do for an invitation, and where
// a refusal leads.
func TestManaging(t *testing.T) {
	t.Parallel()
	jane := func(w *world) *world { return w.as("jane@example.com") }
	for _, test := range []struct {
		name, method, path string
		world              *world
		status             int
		location           string
		calls              []string
	}{
		{"nobody is signed in", http.MethodGet, managedPath, newWorld(), 303, "/sign-in?next=" + "%2Faccounts%2F" + string(anAccount) + "%2Finvites%2F" + string(anInvite), nil},
		{"looked at", http.MethodGet, managedPath, jane(newWorld()), 200, "", nil},
		{"sent again", http.MethodPost, managedPath + "/renew", jane(newWorld()), 200, "", []string{"renew"}},
		{"confirmed", http.MethodPost, managedPath + "/confirm", jane(newWorld()), 200, "", []string{"confirm"}},
		{"signed in long ago", http.MethodPost, managedPath + "/renew", jane(refusing(iam.SignInAgain)), 303, "/sign-in?next=" + "%2Faccounts%2F" + string(anAccount) + "%2Finvites%2F" + string(anInvite), []string{"renew"}},
		{"above the ceiling", http.MethodPost, managedPath + "/renew", jane(refusing(iam.RoleCeiling)), 403, "", []string{"renew"}},
		{"without a second factor", http.MethodPost, managedPath + "/renew", jane(refusing(iam.TwoFactorRequired)), 403, "", []string{"renew"}},
		{"too often", http.MethodPost, managedPath + "/renew", jane(refusing(iam.BudgetSpent)), 429, "", []string{"renew"}},
		{"of an account that is not seen", http.MethodPost, managedPath + "/renew", jane(refusing(iam.AccountNotFound)), 404, "", []string{"renew"}},
		{"no id", http.MethodGet, "/accounts/x/invites/y", jane(newWorld()), 404, "", nil},
	} {
		s := newSite(t, test.world, "https://hither.example.com")
		got := s.do(s.request(test.method, test.path, ""))
		if got.Code != test.status || got.Header().Get("Location") != test.location || !slices.Equal(test.world.calls, test.calls) {
			t.Errorf("%s: got %d %q, called %q; want %d %q, %q", test.name, got.Code, got.Header().Get("Location"), test.world.calls, test.status, test.location, test.calls)
		}
	}
}

// TestManagingAsksForASecondFactor holds that who needs one is led to where it is set
// up, and from there back.
func TestManagingAsksForASecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t, refusing(iam.TwoFactorRequired).as("jane@example.com"), "https://hither.example.com")
	got := s.do(s.request(http.MethodPost, managedPath+"/confirm", ""))
	want := `href="/factor?next=` + url.QueryEscape(managedPath) + `"`
	if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), want) {
		t.Errorf("got %d and %s, want 403 and %s", got.Code, got.Body.String(), want)
	}
}
