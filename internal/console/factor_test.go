package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/internal/iam"
)

// KF-71: whoever has signed in but for the second factor gets to no page that is
// somebody's own, and nothing is done for it: every way leads to what is left of
// the sign-in.
func TestHalfASignInLeadsToTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld().as(invited).half()
	w.linked.Known = true
	s := newSite(t, w, "https://hither.example.com")
	own := 0
	for path, p := range paths(s) {
		if !p.private {
			continue
		}
		for method := range p.methods() {
			own++
			got := s.do(s.request(method, path, "code=x"))
			if got.Code != http.StatusSeeOther || !strings.HasPrefix(got.Header().Get("Location"), "/sign-in/factor?next=") {
				t.Errorf("%s %s: %d to %q", method, path, got.Code, got.Header().Get("Location"))
			}
		}
	}
	if len(w.calls) > 0 || own < 20 {
		t.Errorf("of %d requests came the calls %q", own, w.calls)
	}
	// The page of the link is a visitor's, and answering leads through the factor.
	page := s.do(s.request(http.MethodGet, "/invite", "")).Body.String()
	if strings.Contains(page, `action="/invite/accept"`) || !strings.Contains(page, `action="/invite/sign-in"`) {
		t.Errorf("half a sign-in answers:\n%s", page)
	}
	got := s.do(s.request(http.MethodPost, "/invite/sign-in", ""))
	if to := got.Header().Get("Location"); to != "/sign-in/factor?next=%2Finvite" || len(w.calls) > 0 {
		t.Errorf("signing in to answer leads to %q by %q", to, w.calls)
	}
}

// TestStepCompletes goes from either page of the second factor to where the
// sign-in was to lead, with a cookie of another secret.
func TestStepCompletes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/sign-in/factor": "show factor", "/sign-in/recovery": "show recovery code"} {
		for next, to := range map[string]string{"/invites/" + string(anInvite): "/invites/" + string(anInvite), "https://evil.example": "/home", "": "/home"} {
			w := newWorld().as(invited).half()
			s := newSite(t, w, "https://hither.example.com")
			got := s.do(s.request(http.MethodPost, path, "code=123456&next="+next))
			if got.Code != http.StatusSeeOther || got.Header().Get("Location") != to || !slices.Equal(w.calls, []string{want}) {
				t.Errorf("%s, %q: %d to %q by %q", path, next, got.Code, got.Header().Get("Location"), w.calls)
			}
			if cookie := got.Header().Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-hither-session=another;") {
				t.Errorf("%s: cookie %q", path, cookie)
			}
		}
		// Nobody, and who is signed in wholly, has nothing to complete.
		for who, to := range map[string]string{"": "/sign-in?next=%2Fhome", invited: ""} {
			w := newWorld()
			if who != "" {
				w.as(who)
			}
			s := newSite(t, w, "https://hither.example.com")
			got := s.do(s.request(http.MethodPost, path, "code=123456"))
			if len(w.calls) > 0 || to != "" && got.Header().Get("Location") != to {
				t.Errorf("%s as %q: %d to %q by %q", path, who, got.Code, got.Header().Get("Location"), w.calls)
			}
		}
		w := refusing(iam.SignInAgain).as(invited).half()
		got := newSite(t, w, "https://hither.example.com")
		if to := got.do(got.request(http.MethodPost, path, "code=1")).Header().Get("Location"); to != "/sign-in?next=%2Fhome" {
			t.Errorf("%s after too long leads to %q", path, to)
		}
	}
}

// TestSetUpLeadsBack keeps where the set-up was asked for, through all of its
// pages.
func TestSetUpLeadsBack(t *testing.T) {
	t.Parallel()
	w := newWorld().as(invited)
	w.linked.Account.EnforceTwoFactor = true
	s := newSite(t, w, "https://hither.example.com")
	next := "/invites/" + string(anInvite)
	page := s.do(s.request(http.MethodGet, "/invite", "")).Body.String()
	if !strings.Contains(page, `href="/factor?next=%2Finvites%2F`+string(anInvite)+`"`) {
		t.Fatalf("the invitation leads to no set-up:\n%s", page)
	}
	field := `name="next" value="` + next + `"`
	if page = s.do(s.request(http.MethodGet, "/factor?next="+next, "")).Body.String(); !strings.Contains(page, field) {
		t.Errorf("the page of the factor forgets:\n%s", page)
	}
	got := s.do(s.request(http.MethodPost, "/factor/set-up", "next="+next))
	if to := got.Header().Get("Location"); to != "/factor/set-up?next=%2Finvites%2F"+string(anInvite) {
		t.Errorf("beginning leads to %q", to)
	}
	page = s.do(s.request(http.MethodGet, "/factor/set-up?next="+next, "")).Body.String()
	for _, want := range []string{
		field, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", `src="data:image/png;base64,iVBOR`, `inputmode="numeric"`, `autocomplete="one-time-code"`,
		`href="otpauth://totp/hither.example.com:john.appleseed@example.com?issuer=hither.example.com&amp;secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the set-up has no %q:\n%s", want, page)
		}
	}
	got = s.do(s.request(http.MethodPost, "/factor/confirm", "code=123456&next="+next))
	page = got.Body.String()
	if !strings.Contains(page, "ABCDE-FGHJK") || !strings.Contains(page, `href="`+next+`"`) || !strings.Contains(got.Header().Get("Set-Cookie"), "another") {
		t.Errorf("confirming answers %v\n%s", got.Header(), page)
	}
	for _, hostile := range []string{"https://evil.example", "//evil.example", "/sign-out", "/factor/../x"} {
		if page := s.do(s.request(http.MethodPost, "/factor/confirm", "code=1&next="+hostile)).Body.String(); !strings.Contains(page, `<a class="button" href="/home">`) {
			t.Errorf("next %q:\n%s", hostile, page)
		}
	}
	w.refusal = &iam.Error{Kind: iam.SignInAgain}
	if to := s.do(s.request(http.MethodPost, "/factor/set-up", "next="+next)).Header().Get("Location"); to != "/sign-in?next=%2Finvites%2F"+string(anInvite) {
		t.Errorf("a stale session is led to %q", to)
	}
	w.noSeed = &iam.Error{Kind: iam.NotFound}
	if to := s.do(s.request(http.MethodGet, "/factor/set-up?next="+next, "")).Header().Get("Location"); to != "/factor?next=%2Finvites%2F"+string(anInvite) {
		t.Errorf("a set-up that is over leads to %q", to)
	}
}

// TestRemoveTellsCodes takes either sort of code in one field.
func TestRemoveTellsCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"123456": "remove factor", "123 456": "remove factor", "ABCDE-FGHJK": "remove factor by recovery code", "abcdefghjk": "remove factor by recovery code",
	} {
		w := newWorld().as(invited)
		s := newSite(t, w, "https://hither.example.com")
		got := s.do(s.request(http.MethodPost, "/factor/remove", "code="+code))
		if !slices.Equal(w.calls, []string{want}) || got.Header().Get("Location") != "/factor" {
			t.Errorf("%q: %q, to %q", code, w.calls, got.Header().Get("Location"))
		}
	}
}
