package console

import (
	"net/http"
	"strings"
	"testing"

	"hither/internal/iam"
	"hither/internal/seal"
)

// TestAddressAsksForASignIn holds that the change of an address begins with a
// fresh sign-in, and that its link is for nobody but who is signed in (KF-77).
func TestAddressAsksForASignIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		world              *world
		status             int
		location           string
	}{
		{"nobody", http.MethodGet, "/address", newWorld(), 303, "/sign-in?next=%2Faddress"},
		{"nobody, by the link", http.MethodGet, "/address/link", newWorld(), 303, "/sign-in?next=%2Faddress%2Flink"},
		{"long ago", http.MethodGet, "/address", newWorld().as(invited).with(func(w *world) { w.ago = iam.FreshFor }), 303, "/sign-in?next=%2Faddress"},
		{"just now", http.MethodGet, "/address", newWorld().as(invited).with(func(w *world) { w.ago = iam.FreshFor - 1 }), 200, ""},
		{"too late to ask", http.MethodPost, "/address", refusing(iam.SignInAgain).as(invited), 303, "/sign-in?next=%2Faddress"},
		{"asked", http.MethodPost, "/address", newWorld().as(invited), 303, "/address/code"},
	} {
		s := newSite(t, test.world, "https://hither.example.com")
		got := s.do(s.request(test.method, test.path, ""))
		if got.Code != test.status || got.Header().Get("Location") != test.location {
			t.Errorf("%s: got %d %q, want %d %q", test.name, got.Code, got.Header().Get("Location"), test.status, test.location)
		}
	}
}

// TestProofsOpenOneLock opens the mailed links that prove a mailbox: each leads to
// its own page, and its cookie opens no other.
func TestProofsOpenOneLock(t *testing.T) {
	t.Parallel()
	w := newWorld().as(invited)
	s := newSite(t, w, "https://hither.example.com")
	pages := map[seal.Purpose]struct{ page, cookie string }{
		seal.SignIn: {"/sign-in/link", proofCookie}, seal.Address: {"/address/link", addressCookie},
	}
	for purpose, own := range pages {
		got := s.do(s.request(http.MethodGet, "/s/"+s.token(purpose, 0), ""))
		if got.Code != http.StatusSeeOther || got.Header().Get("Location") != own.page || !strings.Contains(got.Header().Get("Set-Cookie"), own.cookie) {
			t.Errorf("purpose %d: got %d %v", purpose, got.Code, got.Header())
		}
		for other, there := range pages {
			r := s.request(http.MethodPost, there.page, "")
			r.Header.Del("Cookie")
			r.AddCookie(&http.Cookie{Name: s.cookieName(sessionCookie), Value: aSecret})
			r.AddCookie(&http.Cookie{Name: s.cookieName(there.cookie), Value: s.token(purpose, 0)})
			w.calls = nil
			if got := s.do(r); (len(w.calls) > 0) != (other == purpose) {
				t.Errorf("purpose %d at %s: %d, called %q", purpose, there.page, got.Code, w.calls)
			}
		}
	}
	for _, purpose := range []seal.Purpose{seal.MailedInvitation, seal.ShownInvitation, seal.Unsubscribe} {
		if got := s.do(s.request(http.MethodGet, "/s/"+s.token(purpose, 0), "")); got.Code != http.StatusNotFound {
			t.Errorf("purpose %d: got %d", purpose, got.Code)
		}
	}
}

// TestNewAddressGoesOn: the browser that proved it has the new session.
func TestNewAddressGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld().as(invited), "https://hither.example.com")
	for path, form := range map[string]string{"/address/link": "", "/address/code": "code=ABCD-EFGH"} {
		got := s.do(s.request(http.MethodPost, path, form))
		if !strings.Contains(got.Body.String(), "john@new.example.org") || strings.Contains(got.Body.String(), invited) ||
			!strings.Contains(strings.Join(got.Header().Values("Set-Cookie"), ";"), s.cookieName(sessionCookie)+"="+aSecret) {
			t.Errorf("%s: got %d %v\n%s", path, got.Code, got.Header(), got.Body)
		}
	}
}
