package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/oidc"
)

// sealed adds a cookie that the pages would have set, in place of one that is there.
func (s *site) sealed(r *http.Request, name string, value any) {
	w := httptest.NewRecorder()
	x := &exchange{Console: s.Console, w: w, r: r}
	x.sealCookie(name, value)
	for _, cookie := range w.Result().Cookies() {
		r.AddCookie(cookie)
	}
}

// set is the value of a cookie that an answer sets, and whether it does; "" drops it.
func (s *site) set(got *httptest.ResponseRecorder, name string) (string, bool) {
	for _, cookie := range got.Result().Cookies() {
		if cookie.Name == s.cookieName(name) {
			return cookie.Value, true
		}
	}
	return "", false
}

func flowOf(provider string) leaving {
	return leaving{Provider: provider, Flow: oidc.Flow{State: "state", Nonce: "nonce", Verifier: "verifier"}, Next: "/sessions"}
}

// A browser leaves with what it has to come back with, comes back, and is signed
// in where it wanted to go.
func TestProviderSignsIn(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://hither.example.com", "https://example.com/hither", "http://127.0.0.1:8787"} {
		w := newWorld().with(providers)
		s := newSite(t, w, base)
		at := strings.TrimSuffix(s.Base.Path, "/")
		do := func(r *http.Request) *httptest.ResponseRecorder { // behind a proxy that takes the path off
			r.URL.Path = strings.TrimPrefix(r.URL.Path, at)
			return s.do(r)
		}
		shown := do(s.request(http.MethodGet, "/sign-in?next=/sessions", ""))
		if button := `href="` + at + `/sign-in/with/acme?next=%2Fsessions"`; !strings.Contains(shown.Body.String(), button) {
			t.Fatalf("no button %s in\n%s", button, shown.Body)
		}
		left := do(s.request(http.MethodGet, "/sign-in/with/acme?next=/sessions", ""))
		to, err := url.Parse(left.Header().Get("Location"))
		if err != nil || left.Code != http.StatusSeeOther || to.Host != "login.example.com" || to.Query().Get("redirect") != base+"/s/acme/callback" {
			t.Fatalf("%s: left by %d to %s, %v", base, left.Code, to, err)
		}
		flow, _ := s.set(left, flowCookie)
		if flow == "" || strings.Contains(flow, "state") || strings.Contains(flow, "verifier") {
			t.Fatalf("the browser holds %q", flow)
		}
		r := s.request(http.MethodGet, "/s/acme/callback?state=state&code=code&iss=iss", "")
		r.AddCookie(&http.Cookie{Name: s.cookieName(flowCookie), Value: flow})
		back := do(r)
		if location := back.Header().Get("Location"); back.Code != http.StatusSeeOther || location != at+"/sessions" {
			t.Errorf("%s: came back by %d to %q", base, back.Code, location)
		}
		if session, _ := s.set(back, sessionCookie); session != aSecret {
			t.Errorf("the session is %q", session)
		}
		if dropped, ok := s.set(back, flowCookie); !ok || dropped != "" {
			t.Error("the flow is good for another time")
		}
		if want := (oidc.Return{State: "state", Code: "code", Issuer: "iss"}); w.back != want || !slices.Equal(w.calls, []string{"sign in by identity: ada"}) {
			t.Errorf("finished with %+v, called %q", w.back, w.calls)
		}
	}
}

// Nobody comes back who did not leave from this browser, just now, to there.
func TestProviderIsBoundToTheBrowser(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, r *http.Request){
		"no flow":          func(*site, *http.Request) {},
		"another provider": func(s *site, r *http.Request) { s.sealed(r, flowCookie, flowOf("other")) },
		"another state": func(s *site, r *http.Request) {
			held := flowOf("acme")
			held.Flow.State = "other"
			s.sealed(r, flowCookie, held)
		},
		"a flow that it wrote itself": func(s *site, r *http.Request) {
			r.AddCookie(&http.Cookie{Name: s.cookieName(flowCookie), Value: "eyJwIjoiYWNtZSJ9"})
		},
		"a sealed cookie of another name": func(s *site, r *http.Request) {
			other := httptest.NewRequest(http.MethodGet, "/", nil)
			s.sealed(other, identityCookie, flowOf("acme"))
			r.AddCookie(&http.Cookie{Name: s.cookieName(flowCookie), Value: other.Cookies()[0].Value})
		},
		"an old flow": func(s *site, r *http.Request) {
			old := s.Now
			s.Now = func() time.Time { return old().Add(-shortLife) }
			s.sealed(r, flowCookie, flowOf("acme"))
			s.Now = old
		},
		"two flows": func(s *site, r *http.Request) {
			s.sealed(r, flowCookie, flowOf("acme"))
			s.sealed(r, flowCookie, flowOf("acme"))
		},
		"HEAD": func(s *site, r *http.Request) {
			r.Method = http.MethodHead
			s.sealed(r, flowCookie, flowOf("acme"))
		},
		"looked at beforehand": func(s *site, r *http.Request) {
			r.Header.Set("Sec-Purpose", "prefetch")
			s.sealed(r, flowCookie, flowOf("acme"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld().with(providers)
			s := newSite(t, w, "https://hither.example.com")
			r := s.request(http.MethodGet, "/s/acme/callback?state=state&code=code", "")
			change(s, r)
			got := s.do(r)
			if _, begun := s.set(got, sessionCookie); got.Code != http.StatusForbidden || begun || len(w.calls) > 0 {
				t.Errorf("got %d, a session: %v, called %q", got.Code, begun, w.calls)
			}
		})
	}
}

// Who is not linked proves its mailbox in the same browser, which links. What the
// browser holds meanwhile nobody can write.
func TestUnlinkedProvesItsMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld().with(providers).with(func(w *world) { w.refusal = &iam.Error{Kind: iam.IdentityUnlinked} })
	s := newSite(t, w, "https://hither.example.com")
	r := s.request(http.MethodGet, "/s/acme/callback?state=state&code=code", "")
	s.sealed(r, flowCookie, flowOf("acme"))
	back := s.do(r)
	held, _ := s.set(back, identityCookie)
	if location := back.Header().Get("Location"); back.Code != http.StatusSeeOther || location != "/sign-in/prove" || held == "" {
		t.Fatalf("came back by %d to %q with %q", back.Code, location, held)
	}
	if _, begun := s.set(back, sessionCookie); begun {
		t.Error("a session began")
	}
	w.refusal, w.calls = nil, nil
	with := func(method, path, form, identity string) *httptest.ResponseRecorder {
		r := s.request(method, path, form)
		r.AddCookie(&http.Cookie{Name: s.cookieName(identityCookie), Value: identity})
		return s.do(r)
	}
	if got := with(http.MethodGet, "/sign-in/prove", "", held); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), invited) || len(w.calls) > 0 {
		t.Errorf("the page is %d, called %q", got.Code, w.calls)
	}
	if got := with(http.MethodPost, "/sign-in/prove", "", held); got.Header().Get("Location") != "/sign-in/code" {
		t.Errorf("asking leads to %q", got.Header().Get("Location"))
	}
	got := with(http.MethodPost, "/sign-in/code", "code=x", held)
	if dropped, ok := s.set(got, identityCookie); got.Code != http.StatusSeeOther || !ok || dropped != "" {
		t.Errorf("the code leads by %d to %q", got.Code, got.Header().Get("Location"))
	}
	with(http.MethodPost, "/sign-in/link", "", held)
	with(http.MethodPost, "/sign-in/code", "code=x", "eyJhIjp7IlN1YmplY3QiOiJldmUifX0")
	if want := []string{"ask sign-in", "sign in and link: ada", "sign in and link: ada", "sign in"}; !slices.Equal(w.calls, want) {
		t.Errorf("called %q, want %q", w.calls, want)
	}
	for _, identity := range []string{"", "x"} {
		if got := with(http.MethodPost, "/sign-in/prove", "", identity); got.Header().Get("Location") != "/sign-in" {
			t.Errorf("with %q it leads to %q", identity, got.Header().Get("Location"))
		}
	}
}

// KF-69: people go on to where the operator said, to the byte, or nowhere.
func TestReturnIsTheOperators(t *testing.T) {
	t.Parallel()
	const first, second = "https://app.example.com/welcome?from=hither", "https://other.example.com/"
	joinedAt := func(returns []string, path string) (href string, held string) {
		t.Helper()
		w := status(iam.Accepted).as(invited).with(func(w *world) { w.linked.UserID, w.returns = aUser, returns })
		s := newSite(t, w, "https://hither.example.com")
		opened := s.do(s.request(http.MethodGet, path, ""))
		held, _ = s.set(opened, returnCookie)
		r := s.request(http.MethodGet, "/invite", "")
		if held != "" {
			r.AddCookie(&http.Cookie{Name: s.cookieName(returnCookie), Value: held})
		}
		page := s.do(r).Body.String()
		_, rest, found := strings.Cut(page, `<a class="button" href="`)
		if !found {
			t.Fatalf("no button in\n%s", page)
		}
		href, _, _ = strings.Cut(rest, `"`)
		return strings.ReplaceAll(href, "&amp;", "&"), held
	}
	both := []string{first, second}
	link := "/i/none" // the cookie of the request holds a good one
	for _, test := range []struct {
		returns    []string
		path, want string
	}{
		{nil, link, "/home"},
		{nil, link + "?return=" + url.QueryEscape(second), "/home"},
		{both, link, first},
		{both, link + "?return=" + url.QueryEscape(second), second},
		{both, "/sign-in?return=" + url.QueryEscape(second), second},
		{both, "/invites/" + string(anInvite) + "?return=" + url.QueryEscape(second), second},
	} {
		if got, _ := joinedAt(test.returns, test.path); got != test.want {
			t.Errorf("%s with %q: leads to %q, want %q", test.path, test.returns, got, test.want)
		}
	}
	for _, bad := range []string{
		"//other.example.com/", "///other.example.com/", "/\\other.example.com/", "https:other.example.com/", "https:/other.example.com/",
		"http://other.example.com/", "https://other.example.com", "https://other.example.com//", "https://other.example.com/x",
		"https://other.example.com/?x", "https://other.example.com/#x", "https://other.example.com:443/", "https://OTHER.example.com/",
		"https://other.example.com.evil.com/", "https://evil.com/https://other.example.com/", "https://other.example.com@evil.com/",
		"https://evil.com#https://other.example.com/", "https://evil.com\\@other.example.com/", " https://other.example.com/",
		"https://other.example.com/\r\nSet-Cookie: a=b", "https://other.example.com/%0d%0aSet-Cookie:a=b", "https://other.example.com/\x00",
		"javascript:alert(1)//https://other.example.com/", "data:text/html,x", "/home", "%2f%2fother.example.com/", "",
	} {
		got, held := joinedAt(both, link+"?return="+url.QueryEscape(bad))
		if got != first || held != "" {
			t.Errorf("%q: leads to %q, and the browser holds %q", bad, got, held)
		}
	}
	if got, held := joinedAt(both, link+"?return="+url.QueryEscape(second)+"&return="+url.QueryEscape("https://evil.com/")); got != first || held != "" {
		t.Errorf("two of them: leads to %q, %q", got, held)
	}
	// The cookie is the visitor's, who may have written it.
	w := status(iam.Accepted).as(invited).with(func(w *world) { w.linked.UserID, w.returns = aUser, both })
	s := newSite(t, w, "https://hither.example.com")
	r := s.request(http.MethodGet, "/invite", "")
	r.AddCookie(&http.Cookie{Name: s.cookieName(returnCookie), Value: url.QueryEscape("https://evil.com/")})
	if page := s.do(r).Body.String(); strings.Contains(page, "evil.com") {
		t.Errorf("a cookie leads away:\n%s", page)
	}
}
