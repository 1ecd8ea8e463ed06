package e2e_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
	"hither/test/issuer"
)

// What the product of these tests calls hither, and an audience of others.
const ourAudience = "https://hither.example.com"

// trusting writes a file of issuers with p in it, changed as a test wants, and
// returns the flags of a server that trusts it.
func trusting(t *testing.T, p *issuer.Provider, change func(row object)) []string {
	t.Helper()
	row := object{
		"name": "acme", "title": "Acme", "issuer": p.URL, "client_id": issuer.ClientID, "client_secret": issuer.ClientSecret,
		"audiences": []string{ourAudience}, "authoritative_domains": []string{"example.com"}, "trusted_amr": []string{"mfa"},
	}
	if change != nil {
		change(row)
	}
	text, err := json.Marshal(object{"issuers": []object{row}, "return_urls": []string{"https://app.example.com/welcome"}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "issuers.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--issuers=" + path, "--log-level=debug", "--base-url=" + base}
}

// bearing is the same client with a JWT.
func bearing(s *harness.Server, p *issuer.Provider, person map[string]any, change ...func(claims map[string]any)) harness.Client {
	return s.Client().Bearer(p.Token(ourAudience, person, change...))
}

func claim(name string, value any) func(claims map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

// A product with a login of its own shows and answers invitations in its own
// pages: by the JWT alone, for who has a user and for who has none yet.
func TestCompanyLogin(t *testing.T) {
	t.Parallel()
	p := issuer.Start(t)
	seed := newSeed().Account("Account", theSuper).User("known@example.com")
	invited(seed, "Account", "known@example.com", theSuper, viewer)
	invited(seed, "Account", "new@example.org", theSuper, viewer)
	invited(seed, "Account", "away@example.org", theSuper, viewer)
	seed.User("away@example.org")
	s := harness.Serve(t, seed, trusting(t, p, nil)...)

	for email, subject := range map[string]string{"known@example.com": "sub-known", "new@example.org": "sub-new"} {
		c := bearing(s, p, issuer.Person(subject, email))
		id := rowID("Account", email)
		if list := c.OK(t, http.MethodGet, "/user/invites", nil).Rows(t); len(list) != 1 || list[0].ID != id {
			t.Errorf("%s sees %+v", email, list)
		}
		if row := c.OK(t, http.MethodGet, "/user/invites/"+id, nil).Row(t); row.Status != "pending" {
			t.Errorf("%s reads %+v", email, row)
		}
		if row := c.OK(t, http.MethodPatch, "/user/invites/"+id, object{"status": "accepted"}).Row(t); row.Status != "accepted" {
			t.Errorf("%s accepts: %+v", email, row)
		}
		if me := c.OK(t, http.MethodGet, "/user", nil).Row(t); me.Email != email {
			t.Errorf("%s is %+v", email, me)
		}
		// The identity is the subject: another address by now changes nothing.
		moved := bearing(s, p, issuer.Person(subject, "moved@example.net"))
		if me := moved.OK(t, http.MethodGet, "/user", nil).Row(t); me.Email != email {
			t.Errorf("with another address %s is %+v", email, me)
		}
		// Nor does another subject with the address get to the user (KF-73).
		bearing(s, p, issuer.Person(subject+"2", email)).Refused(t, http.MethodGet, "/user", nil, http.StatusForbidden, 9109)
	}
	// The issuer does not speak for this domain, and there is a user: its mailbox has to be proved.
	bearing(s, p, issuer.Person("sub-away", "away@example.org")).Refused(t, http.MethodGet, "/user/invites", nil, http.StatusForbidden, 9109)
	// Nobody invited this one.
	bearing(s, p, issuer.Person("sub-none", "none@example.com")).Refused(t, http.MethodGet, "/user/invites", nil, http.StatusForbidden, 9109)
	if n := len(dump(t, s).of("identities")); n != 2 {
		t.Errorf("%d identities, want 2", n)
	}

	// KF-82, KF-84: a token that is good for ten minutes more ends with its user.
	c := bearing(s, p, issuer.Person("sub-known", "known@example.com"))
	s.Run(t, "user", "disable", "known@example.com")
	c.Refused(t, http.MethodGet, "/user", nil, http.StatusUnauthorized, 1000)
	s.Run(t, "user", "enable", "known@example.com")
	c.OK(t, http.MethodGet, "/user", nil)
}

// Whatever is wrong with a JWT, it is refused as any other token, and it stands
// neither in the log nor in the database (KF-44, KF-45, KF-74, KF-96).
func TestWrongJWTs(t *testing.T) {
	t.Parallel()
	p := issuer.Start(t)
	other := issuer.Start(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper).User("ada@example.com"), trusting(t, p, nil)...)
	ada := issuer.Person("canary-subject", "ada@example.com")
	claims := p.Claims(ourAudience, ada)
	foreign := issuer.NewKey(t, "RS256", "key-1")
	tokens := map[string]string{
		"another issuer":   other.Token(ourAudience, ada),
		"another audience": p.Token("https://other.example.com", ada),
		"another key":      foreign.Sign(claims),
		"a MAC":            foreign.HMAC(claims),
		"over":             p.Token(ourAudience, ada, claim("exp", time.Now().Add(-time.Minute).Unix())),
		"not yet":          p.Token(ourAudience, ada, claim("nbf", time.Now().Add(time.Hour).Unix())),
		"address unproven": p.Token(ourAudience, ada, claim("email_verified", false)),
		"proven by a word": p.Token(ourAudience, ada, claim("email_verified", "true")),
		"nobody's":         "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.AAAA",
	}
	for name, token := range tokens {
		answer := s.Client().Bearer(token).Refused(t, http.MethodGet, "/user", nil, http.StatusUnauthorized, 1000)
		if answer.Header.Get("WWW-Authenticate") == "" || strings.Contains(string(answer.Body), "canary") {
			t.Errorf("%s: got %v %s", name, answer.Header, answer.Body)
		}
	}
	s.Client().Bearer(issuer.Unsigned(claims)).Exempt("a JWT without a signature").Refused(t, http.MethodGet, "/user", nil, http.StatusBadRequest, 6003)
	good := p.Token(ourAudience, ada)
	s.Client().Bearer(good).OK(t, http.MethodGet, "/user", nil)
	tokens["good"] = good

	p.Change(func(b *issuer.Behaviour) { b.Down = true })
	s.Client().Bearer(good).OK(t, http.MethodGet, "/user", nil) // its keys are known
	log := s.Log()
	for name, token := range tokens {
		for at, part := range strings.Split(token, ".") {
			if at > 0 && len(part) > 8 && strings.Contains(log, part) {
				t.Errorf("the log has part %d of the token %q", at, name)
			}
		}
	}
	for _, word := range []string{issuer.ClientSecret, "canary-answer", "canary-subject"} {
		if strings.Contains(log, word) {
			t.Errorf("the log has %q", word)
		}
	}
	if !strings.Contains(log, "another audience") {
		t.Errorf("the log does not say why a token was refused:\n%s", log)
	}
}

// An issuer that was down from the beginning costs a 503 that may be tried again,
// and no server its start.
func TestIssuerIsDown(t *testing.T) {
	t.Parallel()
	p := issuer.Start(t)
	p.Change(func(b *issuer.Behaviour) { b.Down = true })
	s := harness.Serve(t, newSeed().Account("Account", theSuper).User("ada@example.com"), trusting(t, p, nil)...)
	c := bearing(s, p, issuer.Person("ada", "ada@example.com"))
	for range 5 {
		if answer := c.Refused(t, http.MethodGet, "/user", nil, http.StatusServiceUnavailable, 10503); answer.Header.Get("Retry-After") == "" {
			t.Errorf("no Retry-After: %v", answer.Header)
		}
	}
	if asked := p.Asked("/.well-known/openid-configuration"); asked != 1 {
		t.Errorf("five requests asked it %d times, want 1", asked)
	}
	s.Client().As(theSuper).OK(t, http.MethodGet, "/user", nil)
}

// What a provider saw counts in the session in which it saw it (KF-70, KF-71).
func TestTrustedFactor(t *testing.T) {
	t.Parallel()
	p := issuer.Start(t)
	seed := newSeed().Account("Account", theSuper).User("ada@example.com")
	seed.Accounts[0].Settings = &harness.SeedSettings{EnforceTwoFactor: true}
	invited(seed, "Account", "ada@example.com", "", viewer)
	s := harness.Serve(t, seed, trusting(t, p, nil)...)
	ada, at := issuer.Person("ada", "ada@example.com"), "/user/invites/"+rowID("Account", "ada@example.com")
	for name, c := range map[string]harness.Client{
		"no amr":         bearing(s, p, ada),
		"an amr too few": bearing(s, p, ada, claim("amr", []string{"pwd"})),
		"the key":        s.Client().As("ada@example.com"),
	} {
		if answer := c.Must(t, http.MethodPatch, at, object{"status": "accepted"}); answer.Code() != 1203 {
			t.Errorf("%s: got %d %s, want 1203", name, answer.HTTPStatus, answer.Body)
		}
	}
	c := bearing(s, p, ada, claim("amr", []string{"pwd", "mfa"}))
	if row := c.OK(t, http.MethodPatch, at, object{"status": "accepted"}).Row(t); row.Status != "accepted" {
		t.Errorf("got %+v", row)
	}
}

// pagesAt starts a server whose pages are where it listens, so that a browser's
// cookies find it, and that mails by m.
func pagesAt(t *testing.T, seed *harness.Seed, m *harness.MailServer, flags ...string) *harness.Server {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	return harness.Serve(t, seed, append(flags,
		"--listen="+address, "--base-url=http://"+address, "--smtp="+m.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>",
	)...)
}

// through is a browser's way to the provider and back, up to the page of ours that
// it ends at.
func (b *browsing) through(from string) seen {
	b.t.Helper()
	left := b.get(from)
	to := left.header.Get("Location")
	if left.status != http.StatusSeeOther {
		b.t.Fatalf("%s: got %d %s", from, left.status, left.body)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, to, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	back := answer.Header.Get("Location")
	if !strings.HasPrefix(back, b.url+"/s/acme/callback?") {
		b.t.Fatalf("the provider answers %d and sends the browser to %q", answer.StatusCode, back)
	}
	return b.get(strings.TrimPrefix(back, b.url))
}

// The whole way in a browser: the provider, the proof of the mailbox this once,
// the invitation, back to the product; and from then on the provider alone.
func TestProviderStory(t *testing.T) {
	t.Parallel()
	p, m := issuer.Start(t), harness.Mailbox(t)
	const email = "ada@example.org" // of a domain that the issuer does not speak for
	seed := newSeed().Account("Account", theSuper).User(email)
	invited(seed, "Account", email, theSuper, viewer)
	s := pagesAt(t, seed, m, trusting(t, p, nil)...)
	p.Change(func(b *issuer.Behaviour) { b.Person = issuer.Person("sub-ada", email) })
	b := browse(t, s)

	if page := b.get("/sign-in?next=/home&return=" + url.QueryEscape("https://app.example.com/welcome")); !strings.Contains(page.body, "Continue with Acme") {
		t.Fatalf("the sign-in page: %s", page.body)
	}
	if got := b.through("/sign-in/with/acme?next=/home"); got.header.Get("Location") != "/sign-in/prove" {
		t.Fatalf("the first time: got %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	if got := b.get("/home"); got.status != http.StatusSeeOther {
		t.Errorf("signed in without a proof: %d", got.status)
	}
	if got := b.post("/sign-in/prove", ""); got.header.Get("Location") != "/sign-in/code" {
		t.Fatalf("asking for the mail: got %d to %q", got.status, got.header.Get("Location"))
	}
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(m.Await(t, 1)[0].Text)
	if got := b.post("/sign-in/code", url.Values{"code": {code}}.Encode()); got.header.Get("Location") != "/home" {
		t.Fatalf("the code: got %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	mails := m.Await(t, 2)
	if notice := mails[len(mails)-1]; notice.To[0] != email || !strings.Contains(notice.Text, "sign") {
		t.Errorf("the notice is %q to %v", notice.Text, notice.To)
	}
	at := "/invites/" + rowID("Account", email)
	if got := b.post(at+"/accept", ""); got.status != http.StatusSeeOther {
		t.Fatalf("accepting: %d %s", got.status, got.body)
	}
	if page := b.get(at); !strings.Contains(page.body, `href="https://app.example.com/welcome"`) || page.heading() != "Welcome to Account" {
		t.Errorf("afterwards: %s", page.body)
	}

	again := browse(t, s)
	if got := again.through("/sign-in/with/acme?next=/sessions"); got.header.Get("Location") != "/sessions" {
		t.Fatalf("the second time: got %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	if page := again.get("/sessions"); page.status != http.StatusOK || !strings.Contains(page.body, email) {
		t.Errorf("signed in: %d %s", page.status, page.body)
	}
	// The API takes the same login now.
	bearing(s, p, issuer.Person("sub-ada", email)).OK(t, http.MethodGet, "/user", nil)

	// Another browser comes by the same address: its state is not there, and nothing happens.
	stranger := browse(t, s)
	if got := stranger.get("/s/acme/callback?state=x&code=y"); got.status != http.StatusForbidden {
		t.Errorf("a stranger's callback: %d", got.status)
	}
	// And what the operator takes away is gone at once.
	for _, word := range []string{"canary-code", "canary-access-token", issuer.ClientSecret, code} {
		if strings.Contains(s.Log(), word) {
			t.Errorf("the log has %q", word)
		}
	}
}

// Who is new and was shown a link comes in by the provider, which the operator
// trusts for this domain: no mail is sent, no form of ours but the answer.
func TestProviderBringsTheInvited(t *testing.T) {
	t.Parallel()
	p, m := issuer.Start(t), harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper)
	invited(seed, "Account", "new@example.com", theSuper, viewer)
	s := pagesAt(t, seed, m, trusting(t, p, nil)...)
	p.Change(func(b *issuer.Behaviour) { b.Person = issuer.Person("sub-new", "new@example.com") })
	b := browse(t, s)
	if got := b.through("/sign-in/with/acme?next=/home"); got.header.Get("Location") != "/home" {
		t.Fatalf("got %d to %q %s", got.status, got.header.Get("Location"), got.body)
	}
	if page := b.get("/home"); !strings.Contains(page.body, "/invites/"+rowID("Account", "new@example.com")) {
		t.Errorf("home: %s", page.body)
	}
	p.Change(func(b *issuer.Behaviour) { b.Deny = true })
	if got := browse(t, s).through("/sign-in/with/acme"); got.status != http.StatusOK || got.heading() != "You were not signed in" {
		t.Errorf("declined: %d %q", got.status, got.heading())
	}
	p.Change(func(b *issuer.Behaviour) {
		*b = issuer.Behaviour{Person: issuer.Person("sub-other", "other@example.com"), Claims: claim("nonce", "other")}
	})
	if got := browse(t, s).through("/sign-in/with/acme"); got.status != http.StatusForbidden {
		t.Errorf("another nonce: %d %q", got.status, got.heading())
	}
	if len(m.Mails()) != 0 {
		t.Errorf("%d mails were sent", len(m.Mails()))
	}
}

// A file that is wrong keeps the server from starting, and says where.
func TestIssuersFileIsChecked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "issuers.yaml")
	for text, want := range map[string]string{
		"issuers:\n  - name: acme\n    issuer: http://login.example.com\n    client_id: x\n":                                     "line 3: issuer: must be an https URL",
		"issuers:\n  - {name: acme, issuer: \"https://login.example.com\", client_id: x, client_secret_env: NOT_THERE_AT_ALL}\n": "NOT_THERE_AT_ALL",
		"issuers:\n  - {name: acme, issuer: \"https://login.example.com\", client_id: x}\n":                                      "--base-url",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, code := harness.Try(t, harness.Database(t), "serve", "--listen=127.0.0.1:0", "--issuers="+path)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s\ngot exit code %d, %s\nwant %s", text, code, stderr, want)
		}
	}
}
