package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/oidc"
	"hither/internal/seal"
)

// exhibit is a page in a state: every one that people can get to see.
type exhibit struct {
	name   string
	world  *world
	method string
	path   string
	form   string
	status int
}

func (w *world) with(change func(w *world)) *world {
	change(w)
	return w
}

func refusing(kind iam.Kind) *world {
	return newWorld().with(func(w *world) { w.refusal = &iam.Error{Kind: kind, Message: "no", RetryAfter: time.Minute} })
}

func status(s iam.Status) *world { return newWorld().with(func(w *world) { w.linked.Status = s }) }

// exhibits are all of them.
func exhibits() []exhibit {
	get, post := http.MethodGet, http.MethodPost
	owned := func(w *world) *world { return w.as(invited) }
	accepted := status(iam.Accepted).as(invited).with(func(w *world) { w.linked.UserID = aUser })
	return []exhibit{
		{"open-new", newWorld(), get, "/invite", "", 200},
		{"open-branded", newWorld().with(func(w *world) {
			w.linked.Look.Brand = iam.Brand{Name: "Example Studio", Color: "#e8b500"}
			w.linked.Roles = append(w.linked.Roles, iam.Role{Name: "Billing"}, iam.Role{Name: "Domain Administrator with a very long name"})
		}), get, "/invite", "", 200},
		{"open-noted", newWorld().with(func(w *world) {
			w.linked.Note = "Welcome, Björn! <b>Start</b> with " + strings.Repeat("anunbreakablewordofmanyletters", 4) + ".\n\nThe first meeting is on Tuesday."
			w.linked.EndsOn = noon().AddDate(0, 6, 0)
		}), get, "/invite", "", 200},
		{"open-known", newWorld().with(func(w *world) { w.linked.Known = true }), get, "/invite", "", 200},
		{"open-own", owned(newWorld()), get, "/invite", "", 200},
		{"open-by-id", owned(newWorld()), get, "/invites/" + string(anInvite), "", 200},
		{"open-reminded", newWorld(), post, "/invite/later", "", 200},
		{"open-shown", newWorld().with(func(w *world) { w.shown = true }), get, "/invite", "", 200},
		{"open-shown-mailless", newWorld().with(func(w *world) { w.shown, w.mailless = true, true }), get, "/invite", "", 200},
		{"link-mailed", newWorld().with(func(w *world) { w.shown = true }), post, "/invite/mail", "", 200},
		{"joined", accepted, get, "/invite", "", 200},
		{"answered", status(iam.Accepted), get, "/invite", "", 200},
		{"declined", status(iam.Rejected), get, "/invite", "", 200},
		{"expired", newWorld().with(func(w *world) { w.linked.ExpiresOn = noon().Add(-time.Hour) }), get, "/invite", "", 410},
		{"withdrawn", status(iam.Canceled), get, "/invite", "", 410},
		{"replaced", newWorld().with(func(w *world) { w.linked.Link.Generation = 2 }), get, "/invite", "", 410},
		{"wrong", newWorld().as(stranger), get, "/invite", "", 403},
		{"suspended", newWorld().with(func(w *world) { w.linked.Account.Suspended = true }), get, "/invite", "", 403},
		{"confirm", newWorld().with(func(w *world) { w.linked.NeedsConfirmation = true }), get, "/invite", "", 403},
		{"factor", owned(newWorld()).with(func(w *world) { w.linked.Account.EnforceTwoFactor = true }), get, "/invite", "", 403},
		{"barred", newWorld().with(func(w *world) { w.linked.Account.InviteDomains = "example.net" }), get, "/invite", "", 403},
		{"seat", refusing(iam.NoSeat), post, "/invite/accept", "", 409},
		{"member", refusing(iam.AlreadyMember).as(invited), post, "/invite/accept", "", 409},
		{"asked", newWorld(), post, "/invite/ask", "", 200},
		{"report", newWorld(), get, "/invite/report", "", 200},
		{"reported", newWorld(), post, "/invite/report", "", 200},
		{"invalid", newWorld(), get, "/i/nonsense", "", 404},
		{"sign-in", newWorld(), get, "/sign-in", "", 200},
		{"sign-in-wrong", refusing(iam.Invalid), post, "/sign-in", "email=x", 422},
		{"sign-in-limit", refusing(iam.TooManyAttempts), post, "/sign-in", "email=x", 429},
		{"code", newWorld(), get, "/sign-in/code", "", 200},
		{"code-wrong", refusing(iam.ProofRefused), post, "/sign-in/code", "code=x", 403},
		{"code-limit", refusing(iam.TooManyAttempts), post, "/sign-in/code", "code=x", 429},
		{"proof", newWorld(), get, "/sign-in/link", "", 200},
		{"proof-old", newWorld().with(func(w *world) { w.forgotten = true }), get, "/sign-in/link", "", 403},
		{"proof-wrong", refusing(iam.ProofRefused), post, "/sign-in/link", "", 403},
		{"sign-in-with", newWorld().with(providers), get, "/sign-in", "", 200},
		{"open-known-with", newWorld().with(providers).with(func(w *world) { w.linked.Known = true }), get, "/invite", "", 200},
		{"joined-on", status(iam.Accepted).as(invited).with(func(w *world) { w.linked.UserID = aUser }).with(func(w *world) { w.returns = []string{"https://app.example.com/"} }), get, "/invite", "", 200},
		{"prove", newWorld(), get, "/sign-in/prove", "IDENTITY", 200},
		{"provider-lost", newWorld(), get, "/s/acme/callback", "", 403},
		{"provider-down", newWorld().with(providers).with(func(w *world) { w.provider = &iam.Error{Kind: iam.Unavailable} }), get, "/sign-in/with/acme", "", 503},
		{"provider-declined", newWorld().with(providers).with(func(w *world) { w.provider = oidc.ErrDeclined }), get, "/s/acme/callback?state=state", "FLOW", 200},
		{"provider-refused", newWorld().with(providers), get, "/s/acme/callback?state=other", "FLOW", 403},
		{"provider-suspended", refusing(iam.Forbidden).with(providers), get, "/s/acme/callback?state=state", "FLOW", 403},
		{"home", owned(newWorld()), get, "/home", "", 200},
		{"sessions", owned(newWorld()), get, "/sessions", "", 200},
		{"keys", owned(newWorld()), get, "/keys", "", 200},
		{"key-shown", owned(newWorld()), post, "/keys/" + string(aSession) + "/rotate", "", 200},
		{"second", owned(newWorld()), get, "/factor", "", 200},
		{"second-asked", owned(newWorld()), get, "/factor?next=/invites/" + string(anInvite), "", 200},
		{"second-on", owned(newWorld()).with(guardedBy), get, "/factor", "", 200},
		{"second-back", owned(newWorld()).with(guardedBy), get, "/factor?next=/invites/" + string(anInvite), "", 200},
		{"second-wrong", refusing(iam.ProofRefused).as(invited).with(guardedBy), post, "/factor/remove", "code=x", 403},
		{"set-up", owned(newWorld()), get, "/factor/set-up", "", 200},
		{"set-up-wrong", refusing(iam.ProofRefused).as(invited), post, "/factor/confirm", "code=x", 403},
		{"set-up-limit", refusing(iam.TooManyAttempts).as(invited), post, "/factor/confirm", "code=x", 429},
		{"set-up-done", owned(newWorld()), post, "/factor/confirm", "code=x", 200},
		{"codes-new", owned(newWorld()), post, "/factor/codes", "", 200},
		{"step", owned(newWorld()).half(), get, "/sign-in/factor?next=/invite", "", 200},
		{"step-wrong", refusing(iam.ProofRefused).as(invited).half(), post, "/sign-in/factor", "code=x", 403},
		{"step-limit", refusing(iam.TooManyAttempts).as(invited).half(), post, "/sign-in/factor", "code=x", 429},
		{"step-recovery", owned(newWorld()).half(), get, "/sign-in/recovery", "", 200},
		{"step-recovery-wrong", refusing(iam.ProofRefused).as(invited).half(), post, "/sign-in/recovery", "code=x", 403},
		{"address", owned(newWorld()), get, "/address", "", 200},
		{"address-wrong", owned(refusing(iam.Invalid)), post, "/address", "email=x", 422},
		{"address-limit", owned(refusing(iam.TooManyAttempts)), post, "/address", "email=x", 429},
		{"address-code", owned(newWorld()), get, "/address/code", "", 200},
		{"address-code-wrong", owned(refusing(iam.ProofRefused)), post, "/address/code", "code=x", 403},
		{"address-code-limit", owned(refusing(iam.TooManyAttempts)), post, "/address/code", "code=x", 429},
		{"address-link", owned(newWorld()), get, "/address/link", "", 200},
		{"address-link-old", owned(refusing(iam.ProofRefused)), post, "/address/link", "", 403},
		{"address-other", owned(refusing(iam.SignInFirst)), post, "/address/link", "", 403},
		{"address-taken", owned(refusing(iam.Invalid)), post, "/address/link", "", 409},
		{"address-invited", owned(refusing(iam.AlreadyInvited)), post, "/address/link", "", 409},
		{"address-changed", owned(newWorld()), post, "/address/link", "", 200},
		{"manage-confirm", newWorld().as("jane@example.com").with(func(w *world) { w.member.GrantorFacts = iam.GrantorFacts{} }), get, managedPath, "", 200},
		{"manage-asked", newWorld().as("jane@example.com").with(func(w *world) { w.member.AskedOn = noon() }), get, managedPath, "", 200},
		{"manage-pending", newWorld().as("jane@example.com"), get, managedPath, "", 200},
		{"manage-expired", newWorld().as("jane@example.com").with(func(w *world) { w.member.ExpiresOn = noon() }), get, managedPath, "", 200},
		{"manage-over", newWorld().as("jane@example.com").with(func(w *world) { w.member.Status = iam.Canceled }), get, managedPath, "", 200},
		{"manage-renewed", newWorld().as("jane@example.com"), post, managedPath + "/renew", "", 200},
		{"manage-confirmed", newWorld().as("jane@example.com"), post, managedPath + "/confirm", "", 200},
		{"manage-ceiling", refusing(iam.RoleCeiling).as("jane@example.com"), post, managedPath + "/confirm", "", 403},
		{"manage-factor", refusing(iam.TwoFactorRequired).as("jane@example.com"), post, managedPath + "/renew", "", 403},
		{"manage-seat", refusing(iam.NoSeat).as("jane@example.com"), post, managedPath + "/renew", "", 409},
		{"manage-domain", refusing(iam.DomainRefused).as("jane@example.com"), post, managedPath + "/renew", "", 409},
		{"manage-meanwhile", refusing(iam.AlreadyAnswered).as("jane@example.com"), post, managedPath + "/renew", "", 409},
		{"stop", newWorld(), get, "/u/TOKEN", "", 200},
		{"stopped", newWorld(), post, "/u/TOKEN", "from=everyone", 200},
		{"gone", owned(newWorld()), get, "/invites/none", "", 404},
		{"cross-site", newWorld(), post, "/invite/accept", "CROSS", 403},
		{"broken", refusing(iam.Internal), post, "/invite/ask", "", 500},
		{"busy", refusing(iam.Unavailable), post, "/invite/ask", "", 503},
		{"refused", newWorld(), http.MethodPut, "/invite", "", 405},
		{"mailbox", newWorld().with(letters), get, "/demo/mail", "", 200},
		{"mailbox-empty", newWorld(), get, "/demo/mail", "", 200},
		{"letter", newWorld().with(letters), get, "/demo/mail/1", "", 200},
		{"unlock", newWorld().with(func(w *world) { w.key = "k" }), get, "/demo/mail", "LOCKED", 403},
	}
}

const managedPath = "/accounts/" + string(anAccount) + "/invites/" + string(anInvite)

func guardedBy(w *world) {
	w.factor = iam.FactorState{Since: noon().Add(-50 * time.Hour), CodesLeft: 9}
}

func providers(w *world) {
	w.providers = []oidc.Button{{Name: "acme", Title: "Acme"}, {Name: "other", Title: "Other & Sons"}}
}

func letters(w *world) {
	w.letters = []Letter{
		{ID: "2", To: invited, Subject: "Your sign-in link", Text: "Hello", Sent: noon()},
		{ID: "1", To: invited, Subject: "jane@example.com invites you to Example, Inc.", Text: "Hello,\n\njane@example.com invites you.\n\nhttps://hither.example.com/i/abc <b>\n\nGoodbye", Sent: noon().Add(-time.Hour)},
	}
}

// request is how a browser asks for the exhibit.
func (e exhibit) request(s *site) *http.Request {
	path := e.path
	if path == "/u/TOKEN" {
		path = "/u/" + s.token(seal.Unsubscribe, 0)
	}
	r := s.request(e.method, path, e.form)
	switch e.form {
	case "FLOW":
		s.sealed(r, flowCookie, leaving{Provider: "acme", Flow: oidc.Flow{State: "state"}, Next: "/invite"})
	case "IDENTITY":
		s.sealed(r, identityCookie, arrived{Assertion: iam.Assertion{Subject: "ada", Email: invited}, Next: "/invite"})
	case "CROSS":
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	case "LOCKED":
		r.Header.Del("Cookie")
	}
	return r
}

// maxPage is how many bytes a page may have with its style.
const maxPage = 30 << 10

// TestEveryPage shows every page in every language: complete, in that language,
// and small, whatever an account is called.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	for _, e := range exhibits() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, lang := range languages() { // one after the other: an exhibit has one world
				s := newSite(t, e.world, "https://hither.example.com")
				r := e.request(s)
				r.Header.Set("Accept-Language", lang)
				got := s.do(r)
				page := got.Body.String()
				if got.Code != e.status {
					t.Fatalf("%s: status: got %d, want %d\n%s", lang, got.Code, e.status, page)
				}
				if kind := got.Header().Get("Content-Type"); kind != "text/html; charset=utf-8" {
					t.Errorf("type: got %q", kind)
				}
				if !strings.Contains(page, `<html lang="`+lang+`">`) || strings.Count(page, "<h1>") != 1 || !strings.HasSuffix(page, "</html>\n") {
					t.Errorf("not one whole page in %s:\n%s", lang, page)
				}
				for _, hole := range []string{"%s", "%d", "%!", "<no value>", "ZgotmplZ", "<script", " style=", " onclick"} {
					if strings.Contains(withoutOwnScript(s, page), hole) {
						t.Errorf("the page has %q:\n%s", hole, page)
					}
				}
				if size := len(page) + len(styleText); size > maxPage {
					t.Errorf("%d bytes with the style, want at most %d", size, maxPage)
				}
			}
		})
	}
}

// TestNamesAreText calls an account and its roles what would be something else
// in a page.
func TestNamesAreText(t *testing.T) {
	t.Parallel()
	const name = `"><script>alert(1)</script>{{.}}%s'`
	w := newWorld().with(letters)
	w.linked.Account.Name, w.linked.InvitedBy, w.linked.Look.Name = name, name, name
	w.linked.Roles = []iam.Role{{Name: name}}
	w.letters[0].Subject, w.letters[0].Text = name, name
	for _, who := range []string{"", invited, stranger} {
		if w.user = nil; who != "" {
			w.as(who)
		}
		for _, state := range []iam.Status{iam.Pending, iam.Accepted, iam.Rejected, iam.Canceled} {
			w.linked.Status = state
			s := newSite(t, w, "https://hither.example.com")
			for path := range paths(s) {
				if got := withoutOwnScript(s, s.do(s.request(http.MethodGet, path, "")).Body.String()); strings.Contains(got, "<script") {
					t.Errorf("%s as %q: the name is markup:\n%s", path, who, got)
				}
			}
		}
	}
}
