package e2e_test

import (
	"net/url"
	"regexp"
	"testing"

	"hither/test/browser"
	"hither/test/harness"
	"hither/test/issuer"

	"github.com/chromedp/chromedp"
)

// TestStoryProvider: somebody presses the button of the company's own login,
// proves the mailbox this once, accepts, and finds the way on to the product;
// another time the button alone signs in.
func TestStoryProvider(t *testing.T) {
	t.Parallel()
	b := browser.Start(t) // first: without one there is nothing to do
	p, m := issuer.Start(t), harness.Mailbox(t)
	const email = "ada@example.org" // of a domain that the issuer does not speak for
	seed := newSeed().Account("Account", theSuper).User(email)
	invited(seed, "Account", email, theSuper, viewer)
	s := &stage{Server: pagesAt(t, seed, m, trusting(t, p, nil)...), b: b}
	p.Change(func(b *issuer.Behaviour) { b.Person = issuer.Person("sub-ada", email) })

	s.goes(t, "/sign-in?return="+url.QueryEscape("https://app.example.com/welcome"))
	s.presses(t, "Continue with Acme")
	s.sees(t, "One more step, this once")
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(m.Await(t, 1)[0].Text)
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, code))
	s.presses(t, "Sign in")
	s.sees(t, "Your invitations")
	s.goes(t, "/invites/"+rowID("Account", email))
	s.presses(t, "Accept invitation")
	s.sees(t, "Welcome to Account")
	on := `document.querySelector('a[href="https://app.example.com/welcome"]') !== null`
	if !browser.See(t, s.b, chromedp.Evaluate[bool](on)) {
		t.Errorf("no way on to the product:\n%s", s.text(t))
	}

	again := &stage{Server: s.Server, b: browser.Start(t)}
	again.goes(t, "/sign-in")
	again.presses(t, "Continue with Acme")
	again.sees(t, "Your invitations")
}
