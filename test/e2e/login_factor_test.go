package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"hither/test/harness"
	"hither/test/issuer"
)

// TestProviderGetsPastNoSecondFactor: whoever reads the mailbox of a user with a
// second factor ties no login to it, neither on the pages nor by a JWT, before that
// was shown.
func TestProviderGetsPastNoSecondFactor(t *testing.T) {
	t.Parallel()
	p, m := issuer.Start(t), harness.Mailbox(t)
	const email = "ada@example.com" // the issuer even speaks for its domain
	seed := newSeed().Account("Account", theSuper).User(email)
	s := pagesAt(t, seed, m, trusting(t, p, nil)...)
	person := issuer.Person("sub-eve", email)
	person["amr"] = []string{"mfa"}
	p.Change(func(b *issuer.Behaviour) { b.Person = person })
	code := func(n int) string {
		return url.Values{"code": {regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(m.Await(t, n)[n-1].Text)}}.Encode()
	}

	owner := browse(t, s)
	owner.post("/sign-in", "email="+url.QueryEscape(email))
	owner.post("/sign-in/code", code(1))
	owner.post("/factor/set-up", "")
	secret := seedOn(t, owner.get("/factor/set-up").body)
	if got := owner.post("/factor/confirm", "code="+codeOf(t, secret, 0)); got.status != http.StatusOK {
		t.Fatalf("set up: %d %s", got.status, got.body)
	}
	m.Await(t, 2) // the notice of that

	b := browse(t, s)
	if got := b.through("/sign-in/with/acme?next=/home"); got.header.Get("Location") != "/sign-in/prove" {
		t.Fatalf("the provider alone: %d to %q", got.status, got.header.Get("Location"))
	}
	b.post("/sign-in/prove", "")
	if got := b.post("/sign-in/code", code(3)); got.header.Get("Location") != "/sign-in/factor?next=%2Fhome" {
		t.Fatalf("with the mailbox: %d to %q", got.status, got.header.Get("Location"))
	}
	jwt := bearing(s, p, person)
	if got := jwt.Must(t, http.MethodGet, "/user", nil); got.HTTPStatus == http.StatusOK {
		t.Fatalf("its JWT is taken without the factor: %s", got.Body)
	}
	if got := b.post("/sign-in/factor", "next=/home&code="+codeOf(t, secret, 30*time.Second)); got.header.Get("Location") != "/home" {
		t.Fatalf("with the factor: %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	jwt.OK(t, http.MethodGet, "/user", nil)
}
