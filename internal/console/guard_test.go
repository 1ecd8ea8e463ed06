package console

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/internal/seal"
)

// every path with something in its place, and the forms that its page posts.
func paths(s *site) map[string]*page {
	filled := strings.NewReplacer("{account_id}", string(anAccount), "{invite_id}", string(anInvite), "{session_id}", string(aSession), "{key_id}", string(aSession), "{letter_id}", "1", "{provider}", "acme")
	all := map[string]*page{}
	for _, p := range s.pages() {
		path := filled.Replace(p.pattern)
		switch {
		case strings.HasPrefix(path, "/i/"):
			path = "/i/" + s.token(seal.MailedInvitation, 1)
		case p.pattern == "/s/{token}":
			path = "/s/" + s.token(seal.SignIn, 0)
		case strings.HasPrefix(path, "/u/"):
			path = "/u/" + s.token(seal.Unsubscribe, 0)
		}
		all[path] = p
	}
	return all
}

// TestSafeMethodsDoNothing asks for every page, as mail scanners and prefetching
// browsers do: no use case that writes is called, and no cookie lives longer
// than ten minutes (KF-67).
func TestSafeMethodsDoNothing(t *testing.T) {
	t.Parallel()
	for _, w := range []*world{newWorld(), newWorld().as(invited), newWorld().as(stranger)} {
		s := newSite(t, w, "https://hither.example.com")
		for path, p := range paths(s) {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
				r := s.request(method, path+"?next=/home&_method=POST&reason=x", "")
				r.Header.Set("User-Agent", "Mozilla/5.0 (compatible; SafeLinks)")
				r.Header.Set("Sec-Purpose", "prefetch")
				r.Header.Set("X-Http-Method-Override", "POST")
				got := s.do(r)
				if allowed := p.methods()[method] != nil; allowed == (got.Code == http.StatusMethodNotAllowed) {
					t.Errorf("%s %s: got %d", method, path, got.Code)
				}
				if method == http.MethodHead && got.Header().Get("Content-Length") == "" && got.Code != http.StatusSeeOther {
					t.Errorf("HEAD %s: no length", path)
				}
				for _, cookie := range got.Result().Cookies() {
					if cookie.MaxAge > 600 {
						t.Errorf("%s %s: sets %s for %d s", method, path, cookie.Name, cookie.MaxAge)
					}
				}
			}
		}
		if len(w.calls) > 0 {
			t.Errorf("called %q", w.calls)
		}
	}
}

// TestOtherSitesPostInVain posts to every page from another site in every way
// that a browser does it (KF-68).
func TestOtherSitesPostInVain(t *testing.T) {
	t.Parallel()
	attempts := map[string]http.Header{
		"fetch":     {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
		"same site": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://evil.example.com"}},
		"old":       {"Origin": {"https://evil.example"}},
		"null":      {"Origin": {"null"}},
		"other":     {"Origin": {"http://hither.example.com"}},
		"port":      {"Origin": {"https://hither.example.com:444"}},
	}
	w := newWorld().as(invited)
	s := newSite(t, w, "https://hither.example.com")
	for path, p := range paths(s) {
		if p.post == nil {
			continue
		}
		for name, header := range attempts {
			for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/json"} {
				r := s.request(http.MethodPost, path, "reason=x")
				r.Header.Del("Sec-Fetch-Site")
				maps.Copy(r.Header, header)
				r.Header.Set("Content-Type", kind)
				if got := s.do(r); got.Code != http.StatusForbidden {
					t.Errorf("%s, %s, POST %s: got %d, want 403", name, kind, path, got.Code)
				}
			}
		}
		// Ours gets through, and nothing but a form does.
		for kind, want := range map[string]bool{"application/x-www-form-urlencoded": true, "text/plain": false, "application/json": false, "": false} {
			r := s.request(http.MethodPost, path, "email=x&code=y")
			r.Header.Set("Content-Type", kind)
			if got := s.do(r); (got.Code == http.StatusUnsupportedMediaType) == want {
				t.Errorf("%q, POST %s: got %d", kind, path, got.Code)
			}
		}
	}
	for _, call := range []string{"answer: accepted", "decline: ", "sign in", "suppress", "rotate", "end session", "ask address", "prove address", "renew", "confirm"} {
		if !slices.Contains(w.calls, call) {
			t.Errorf("%q was never called, so nothing was tried: %q", call, w.calls)
		}
	}
}

// TestOneClickStops posts what a mail program does (RFC 8058): from nowhere, and
// only where the link says so.
func TestOneClickStops(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := newSite(t, w, "https://hither.example.com")
	for path, p := range paths(s) {
		if p.post == nil {
			continue
		}
		w.calls = nil
		r := s.request(http.MethodPost, path, "List-Unsubscribe=One-Click&from=everyone")
		r.Header.Del("Cookie")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://mail.example")
		got := s.do(r)
		if p.oneClick != (got.Code == http.StatusOK) || !p.oneClick && got.Code != http.StatusForbidden {
			t.Errorf("POST %s: got %d", path, got.Code)
		}
		if want := map[bool][]string{true: {"suppress"}}[p.oneClick]; !slices.Equal(w.calls, want) {
			t.Errorf("POST %s: called %q, want %q", path, w.calls, want)
		}
	}
	r := s.request(http.MethodPost, "/u/"+s.token(seal.MailedInvitation, 1), "List-Unsubscribe=One-Click")
	if got := s.do(r); got.Code != http.StatusNotFound {
		t.Errorf("an invitation's link unsubscribes: %d", got.Code)
	}
}

// TestHeaders holds what every answer carries, and the cookies' attributes.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"https://hither.example.com", "http://127.0.0.1:8787"} {
		s := newSite(t, newWorld(), base)
		secure := strings.HasPrefix(base, "https:")
		for path, p := range paths(s) {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				got := s.do(s.request(method, path, "email=x"))
				h := got.Header()
				want := map[string]string{
					"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
					"Cache-Control": "private, no-store", "X-Request-Id": "01234567",
				}
				if (p.pattern == s.stylePath || p.pattern == s.scriptPath) && got.Code == http.StatusOK {
					want["Cache-Control"] = "public, max-age=31536000, immutable"
				}
				if secure {
					want["Strict-Transport-Security"] = "max-age=31536000"
				}
				for name, value := range want {
					if h.Get(name) != value {
						t.Errorf("%s %s: %s is %q, want %q", method, path, name, h.Get(name), value)
					}
				}
				policy := h.Get("Content-Security-Policy")
				for _, rule := range []string{"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
					if !strings.Contains(policy+";", rule+";") {
						t.Errorf("%s %s: policy %q has no %q", method, path, policy, rule)
					}
				}
				// One page runs one script, by its nonce, which may talk to us alone.
				if strings.Contains(got.Body.String(), "<script") {
					nonce := regexp.MustCompile(`<script [^>]*nonce="([^"]+)"`).FindStringSubmatch(got.Body.String())
					if nonce == nil || strings.Count(got.Body.String(), "<script") != 1 || !strings.Contains(path, "invite") {
						t.Errorf("%s %s: scripts: %s", method, path, got.Body)
						continue
					}
					policy = strings.Replace(policy, "; script-src 'nonce-"+nonce[1]+"'; connect-src 'self'", "", 1)
				}
				for _, word := range []string{"unsafe", "*", "script-src", "connect-src", "http:"} {
					if strings.Contains(policy, word) {
						t.Errorf("%s %s: policy %q has %q", method, path, policy, word)
					}
				}
				for _, cookie := range got.Result().Cookies() {
					named := strings.HasPrefix(cookie.Name, "__Host-")
					if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" ||
						cookie.Secure != secure || named != secure {
						t.Errorf("%s %s: cookie %s", method, path, cookie)
					}
				}
			}
		}
	}
}

// TestSecretsStayOut looks for the secret of the link in what follows after it:
// no page, header or log line has it (KF-39, KF-44).
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld(), "https://hither.example.com")
	token := s.token(seal.MailedInvitation, 1)
	opened := s.do(s.request(http.MethodGet, "/i/"+token, ""))
	if got := opened.Header().Get("Location"); opened.Code != http.StatusSeeOther || got != "/invite" {
		t.Errorf("the link leads by %d to %q", opened.Code, got)
	}
	if opened.Body.Len() > 0 {
		t.Errorf("the link answers with %q", opened.Body)
	}
	for path := range paths(s) {
		if strings.HasPrefix(path, "/i/") {
			continue
		}
		got := s.do(s.request(http.MethodGet, path, ""))
		if strings.Contains(got.Body.String(), token) || strings.Contains(got.Header().Get("Location"), token) {
			t.Errorf("%s shows the secret of the link", path)
		}
	}
	for _, seen := range s.seen {
		if strings.Contains(seen.Route, token) || seen.Route == "" {
			t.Errorf("seen as %q", seen.Route)
		}
	}
}

// TestPicturesOfOneHost holds that a page with a logo may load that, and a page
// without one nothing of others.
func TestPicturesOfOneHost(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := newSite(t, w, "https://hither.example.com")
	for logo, want := range map[string]string{
		"https://logos.example.com/a.png": "img-src 'self' data: https://logos.example.com;",
		"https://evil.example.com/a.png":  "img-src 'self' data:;",
		"":                                "img-src 'self' data:;",
	} {
		w.linked.Look.Logo = logo
		got := s.do(s.request(http.MethodGet, "/invite", ""))
		if policy := got.Header().Get("Content-Security-Policy"); !strings.Contains(policy, want) {
			t.Errorf("%q: policy %q", logo, policy)
		}
		if shown := strings.Contains(got.Body.String(), "<img"); shown != strings.Contains(want, "https:") {
			t.Errorf("%q: shown is %v", logo, shown)
		}
	}
}

// TestPlainHTTPSaysSo: over plain http, from another machine, browsers name no
// origin. Such a post is refused as from anywhere, and told why.
func TestPlainHTTPSaysSo(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:8787": "work on the machine itself alone, at http://127.0.0.1:8787", "https://hither.example.com": "Open the page here",
	} {
		w := newWorld()
		s := newSite(t, w, base)
		r := s.request(http.MethodPost, "/invite/accept", "")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set("Origin", "null")
		if got := s.do(r); got.Code != http.StatusForbidden || len(w.calls) > 0 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %d, called %q\n%s", base, got.Code, w.calls, got.Body)
		}
	}
}
