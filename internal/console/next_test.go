package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestNextIsOurs tries what leads out of other products (KF-69): a sign-in leads
// to a page of ours, and nowhere else.
func TestNextIsOurs(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld(), "https://hither.example.com")
	for _, good := range []string{"/home", "/invite", "/sessions", "/keys", "/address", "/address/link", "/invites/" + string(anInvite)} {
		if got := s.next(good); got != good {
			t.Errorf("%q: got %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "//evil.com", "///evil.com", "/\\evil.com", "\\\\evil.com", "/%2f%2fevil.com", "%2f%2fevil.com", "https:evil.com",
		"https://evil.com", "http:///evil.com", "javascript:alert(1)", "data:text/html,x", "/\tevil.com", "/\n/evil.com",
		"/home\r\nSet-Cookie: a=b", "/home%0d%0aSet-Cookie:a=b", "/home?x=//evil.com", "/home#//evil.com", "/./home", "/../home", "/home/..//evil.com",
		"home", "@evil.com", "/@evil.com", "/home@evil.com", ".evil.com", "/.evil.com", "https://hither.example.com@evil.com",
		"https://hither.example.com/home", "/client/v4/user", "/sign-out", "/i/abc", "/invite/accept", "/sign-in", "/unknown", "/home/",
		"/HOME", "/invites/", " /home", "/home ", "/ho\x00me", "/" + strings.Repeat("a", 300), "/／evil.com", "/。evil.com",
	} {
		if got := s.next(bad); got != "/home" {
			t.Errorf("%q: got %q", bad, got)
		}
		r := s.request(http.MethodPost, "/sign-in", url.Values{"email": {invited}, "next": {bad}}.Encode())
		var held string
		for _, cookie := range s.do(r).Result().Cookies() {
			if cookie.Name == s.cookieName(browserCookie) {
				held = cookie.Value
			}
		}
		r = s.request(http.MethodPost, "/sign-in/code", "code=x")
		r.Header.Del("Cookie")
		// The cookie itself is the visitor's, who may have written it.
		for _, value := range []string{held, url.Values{"id": {string(anInvite)}, "next": {bad}}.Encode()} {
			r.Header.Set("Cookie", (&http.Cookie{Name: s.cookieName(browserCookie), Value: value}).String())
			got := s.do(r)
			if location := got.Header().Get("Location"); got.Code != http.StatusSeeOther || location != "/home" {
				t.Errorf("%q: signed in to %d %q", bad, got.Code, location)
			}
		}
	}
}
