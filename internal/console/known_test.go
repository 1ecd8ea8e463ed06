package console

import (
	"net/http"
	"testing"

	"hither/internal/iam"
	"hither/internal/seal"
)

// TestKnownBrowsers: who signed in gets a cookie by which the browser is known
// when it asks for a mail, and is nobody by it. Another link in its place counts
// for nothing, and only who holds a mailed invitation has read its address.
func TestKnownBrowsers(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := newSite(t, w, "https://hither.example.com")
	known := ""
	for _, cookie := range s.do(s.request(http.MethodPost, "/sign-in/link", "")).Result().Cookies() {
		if cookie.Name == s.cookieName(knownCookie) {
			known = cookie.Value
		}
	}
	ask := func(path, value string) iam.Visitor {
		r := s.request(http.MethodPost, path, "email="+invited)
		if value != "" {
			r.AddCookie(&http.Cookie{Name: s.cookieName(knownCookie), Value: value})
		}
		w.asking = iam.Visitor{}
		s.do(r)
		return w.asking
	}
	foreign := seal.NewKeyring(noon()).Token(seal.Link{Purpose: seal.KnownBrowser, ID: aUser})
	for _, test := range []struct {
		name, path, cookie string
		want               iam.ID
		read               string
	}{
		{"nothing", "/sign-in", "", "", ""},
		{"the cookie", "/sign-in", known, aUser, ""},
		{"a changed one", "/sign-in", "A" + known[1:], "", ""},
		{"one of another instance", "/sign-in", foreign, "", ""},
		{"the link of a mail", "/sign-in", s.token(seal.SignIn, 0), "", ""},
		{"a mailed invitation", "/invite/sign-in", "", "", invited},
	} {
		if got := ask(test.path, test.cookie); got.Known != test.want || got.HasRead != test.read {
			t.Errorf("%s: got known %q, read %q, want %q, %q", test.name, got.Known, got.HasRead, test.want, test.read)
		}
	}
	r := s.request(http.MethodGet, "/home", "")
	r.Header.Del("Cookie")
	r.AddCookie(&http.Cookie{Name: s.cookieName(knownCookie), Value: known})
	if got := s.do(r); got.Code != http.StatusSeeOther {
		t.Errorf("/home by that cookie alone: got %d, want the way to the sign-in", got.Code)
	}
}
