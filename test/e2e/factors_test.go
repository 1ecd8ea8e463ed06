package e2e_test

import (
	"bytes"
	"encoding/base32"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hither/test/harness"

	"github.com/pquerna/otp/totp"
)

// TestEnforcementOnEveryRoute asks for every operation of an account that
// enforces two-factor authentication, as a Super Administrator who has no second
// factor: by key, by token and by both it gets 1203 and nothing else, and nothing
// changes. What is its own stays open, and so does the way out (KF-70).
func TestEnforcementOnEveryRoute(t *testing.T) {
	t.Parallel()
	const bare, leaver, guarded, account = "bare@who.test", "leaver@who.test", "guarded@who.test", "locked"
	seed := newSeed()
	seed.User(bare).User(leaver)
	person(seed, harness.SeedUser{Email: guarded, TwoFactor: true})
	seed.User(addressOf(stranger))
	seed.Accounts = append(seed.Accounts, harness.SeedAccount{
		ID: harness.ID(account), Name: account, Settings: &harness.SeedSettings{EnforceTwoFactor: true},
	})
	seed.Member(account, bare, harness.SuperAdministrator).Member(account, guarded, harness.SuperAdministrator)
	seed.Member(account, leaver, harness.Administrator)
	invited(seed, account, "guest@who.test", guarded, viewer)
	token := harness.Key("token of bare")
	seed.Tokens = append(seed.Tokens, harness.SeedToken{ID: harness.ID("token of bare"), User: bare, Name: "t", Secret: token})
	s := newSite(t, seed)

	both := s.as(bare)
	both.Token = token
	before := s.content(t, "audit")
	tried := 0
	at := func(o operation) string {
		id, pending := harness.ID(account), rowID(account, "guest@who.test")
		return o.at(map[string]string{
			"account_id": id, "organization_id": id, "role_id": viewer, "member_id": pending, "invite_id": pending, "membership_id": pending,
		})
	}
	for _, o := range operations(t) {
		if len(o.params) == 0 || o.owned() {
			continue
		}
		tried++
		for name, client := range map[string]harness.Client{"key": s.as(bare), "token": s.client.Bearer(token), "both": both} {
			answer := client.Must(t, o.method, at(o), sampleBody(o.name, "fresh"))
			if got := outcome(answer); got != "403/1203" {
				t.Errorf("%s by %s: got %s: %s", o.name, name, got, answer.Body)
			}
			if !o.reads() && s.denials(t)[answer.Header.Get("X-Request-Id")] == nil {
				t.Errorf("%s by %s: the refusal is not in the audit log", o.name, name)
			}
		}
		// It tells nobody else that there is such an account.
		if got := outcome(s.as(addressOf(stranger)).Must(t, o.method, at(o), sampleBody(o.name, "fresh"))); got != "404/7003" {
			t.Errorf("%s as a stranger: got %s", o.name, got)
		}
		if o.reads() {
			want := "200"
			if slices.ContainsFunc(o.params, func(name string) bool { return name == "webhook_id" || name == "bulk_id" }) {
				want = "404/1003" // there is none
			}
			expectOutcome(t, s.as(guarded), o.method, at(o), nil, want)
			expectOutcome(t, s.operator(), o.method, at(o), nil, want)
		}
	}
	if tried < 15 {
		t.Fatalf("%d operations were tried", tried)
	}
	s.unchanged(t, before, "what was refused or only read")

	for _, path := range []string{"/user", "/accounts", "/memberships", "/user/invites", "/user/organizations", "/user/organizations/" + harness.ID(account)} {
		expectOutcome(t, s.as(bare), http.MethodGet, path, nil, "200")
	}
	expectOutcome(t, s.as(leaver), http.MethodDelete, "/user/organizations/"+harness.ID(account), nil, "200")

	path := "/accounts/" + harness.ID(account)
	off, on := object{"enforce_twofactor": false}, object{"enforce_twofactor": true}
	for _, more := range []object{
		{"name": "other", "settings": off},
		{"name": account, "settings": on},
		{"name": account},
		{"name": account, "settings": object{"enforce_twofactor": false, "default_invite_lifetime": 7200}},
	} {
		expectOutcome(t, s.as(bare), http.MethodPut, path, more, "403/1203")
	}
	expectOutcome(t, s.as(bare), http.MethodPut, path, object{"name": account, "settings": off}, "200")
	expectOutcome(t, s.as(bare), http.MethodGet, path, nil, "200")
	// Whoever switches it on without a factor keeps the way back, and that alone.
	expectOutcome(t, s.as(bare), http.MethodPut, path, object{"name": account, "settings": on}, "200")
	expectOutcome(t, s.as(bare), http.MethodGet, path, nil, "403/1203")
	expectOutcome(t, s.as(bare), http.MethodPut, path, object{"name": account, "settings": off}, "200")
}

// seedOn reads the seed from a page of the set-up, as it is typed.
func seedOn(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`<pre class="secret"[^>]*>([A-Z2-7 ]+)</pre>`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no seed on the page:\n%s", page)
	}
	return strings.ReplaceAll(found[1], " ", "")
}

// codeOf is what an authenticator shows some time from now.
func codeOf(t *testing.T, seed string, later time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(seed, time.Now().Add(later))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// signIn signs in by the code of a mail, the nth to the address.
func (b *browsing) signIn(s *harness.Server, email string, n int) seen {
	b.t.Helper()
	b.post("/sign-in", "email="+email)
	letter := mailed(b.t, s, email, n)
	code := regexp.MustCompile(`\b[2-9A-Z]{4}-[2-9A-Z]{4}\b`).FindString(letter)
	return b.post("/sign-in/code", "code="+code)
}

// known is another browser that was signed in before, as b was: its mails are
// counted apart from those that anybody can ask for.
func (b *browsing) known(s *harness.Server) *browsing {
	b.t.Helper()
	base, err := url.Parse(s.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	other := browse(b.t, s)
	for _, cookie := range b.Jar.Cookies(base) {
		if cookie.Name == "hither-known" {
			other.Jar.SetCookies(base, []*http.Cookie{cookie})
			return other
		}
	}
	b.t.Fatal("a browser that was signed in is not known")
	return nil
}

// TestSecondFactor sets one up, signs in with it and with a recovery code, and
// has it taken away by the operator. Neither the seed nor a code is in the
// database or the log.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	const email = "regular@example.org"
	s := newDemo(t, func(seed *harness.Seed) {
		seed.User(email).Member("Account", email, viewer)
	})
	enabled := func(want bool) {
		t.Helper()
		text := `"two_factor_authentication_enabled":` + strconv.FormatBool(want)
		for client, path := range map[string]string{email: "/user", theSuper: members("Account") + "/" + rowID("Account", email)} {
			if answer := s.Client().As(client).OK(t, http.MethodGet, path, nil); !strings.Contains(string(answer.Body), text) {
				t.Errorf("%s: want %s in %s", path, text, answer.Body)
			}
		}
	}
	enabled(false)
	b := browse(t, s)
	if got := b.signIn(s, email, 1); got.header.Get("Location") != "/home" {
		t.Fatalf("signed in: %d %v", got.status, got.header)
	}
	elsewhere := browse(t, s)
	elsewhere.signIn(s, email, 2)
	if got := b.post("/factor/set-up", ""); got.header.Get("Location") != "/factor/set-up" {
		t.Fatalf("begun: %d %v\n%s", got.status, got.header, got.body)
	}
	seed := seedOn(t, b.get("/factor/set-up").body)
	if got := b.post("/factor/confirm", "code=000000"); got.status != http.StatusForbidden || seedOn(t, got.body) != seed {
		t.Errorf("a wrong code: %d\n%s", got.status, got.body)
	}
	enabled(false)
	got := b.post("/factor/confirm", "code="+codeOf(t, seed, 0))
	recovery := regexp.MustCompile(`<li>([2-9A-Z]{5}-[2-9A-Z]{5})</li>`).FindAllStringSubmatch(got.body, -1)
	if got.status != http.StatusOK || len(recovery) != 10 {
		t.Fatalf("confirmed: %d\n%s", got.status, got.body)
	}
	enabled(true)
	if got := b.get("/factor"); got.status != http.StatusOK || strings.Contains(got.body, recovery[0][1]) {
		t.Errorf("the factor's page: %d\n%s", got.status, got.body)
	}
	if got := elsewhere.get("/home"); got.header.Get("Location") != "/sign-in/factor?next=%2Fhome" {
		t.Errorf("another session goes on: %d %v", got.status, got.header)
	}
	letter := mailed(t, s, email, 3)
	if !strings.Contains(letter, "A second factor was added") {
		t.Errorf("the notice says\n%s", letter)
	}
	b.post("/sign-out", "")

	second := b.known(s)
	if got := second.signIn(s, email, 4); got.header.Get("Location") != "/sign-in/factor?next=%2Fhome" {
		t.Fatalf("signing in leads to %v", got.header)
	}
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	half := second.Jar.Cookies(base)
	for _, path := range []string{"/home", "/keys", "/sessions", "/factor", "/factor/set-up"} {
		if got := second.get(path); got.status != http.StatusSeeOther {
			t.Errorf("%s by half a sign-in: %d", path, got.status)
		}
	}
	for _, wrong := range []string{"000000", "", codeOf(t, seed, -10*time.Minute), recovery[0][1]} {
		if got := second.post("/sign-in/factor", "code="+wrong); got.status != http.StatusForbidden {
			t.Errorf("%q: %d", wrong, got.status)
		}
	}
	if got := second.post("/sign-in/factor", "next=/sessions&code="+codeOf(t, seed, 30*time.Second)); got.header.Get("Location") != "/sessions" {
		t.Fatalf("a right code: %d %v\n%s", got.status, got.header, got.body)
	}
	if got := second.get("/sessions"); got.status != http.StatusOK {
		t.Errorf("signed in: %d", got.status)
	}
	thief := browse(t, s)
	thief.Jar.SetCookies(base, half)
	if got := thief.get("/home"); got.header.Get("Location") != "/sign-in?next=%2Fhome" {
		t.Errorf("the secret of half a sign-in outlived it: %d %v", got.status, got.header)
	}

	third := b.known(s)
	third.signIn(s, email, 5)
	if got := third.post("/sign-in/recovery", "code="+strings.ToLower(recovery[0][1])); got.header.Get("Location") != "/home" {
		t.Fatalf("a recovery code: %d\n%s", got.status, got.body)
	}
	mailed(t, s, email, 6) // a notice of that
	for _, file := range []string{s.Data, s.Data + "-wal"} {
		data, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		raw, err := base32.StdEncoding.DecodeString(seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{raw, []byte(seed), []byte(recovery[0][1]), []byte(strings.ReplaceAll(recovery[1][1], "-", ""))} {
			if bytes.Contains(data, secret) || strings.Contains(s.Log(), string(secret)) {
				t.Errorf("%s or the log has the secret %q", file, secret)
			}
		}
	}

	if out := s.Run(t, "user", "reset-factor", email); !strings.Contains(out, email) {
		t.Errorf("the command says %s", out)
	}
	enabled(false)
	if got := third.get("/home"); got.header.Get("Location") != "/sign-in?next=%2Fhome" {
		t.Errorf("a session outlived the reset: %d %v", got.status, got.header)
	}
	if letter := mailed(t, s, email, 7); !strings.Contains(letter, "A second factor was removed") {
		t.Errorf("the notice says\n%s", letter)
	}
	if got := b.known(s); got.signIn(s, email, 8).header.Get("Location") != "/home" {
		t.Error("signing in still asks for a code")
	}
}

// TestEnforcedInvitation accepts, as somebody new and as somebody who is known,
// what an account asks that enforces two-factor authentication: through the
// set-up and back. Being invited keeps nobody out elsewhere (KF-70).
func TestEnforcedInvitation(t *testing.T) {
	t.Parallel()
	const regular = "regular@example.org"
	s := newDemo(t, func(seed *harness.Seed) {
		seed.Account("Elsewhere", regular)
	})
	s.Run(t, "account", "set", "Account", "--enforce-two-factor")
	s.Run(t, "user", "set", theSuper, "--two-factor")
	for _, email := range []string{"newcomer@example.org", regular} {
		id := invite(t, s.Client().As(theSuper), "Account", email)
		b := browse(t, s)
		b.get(linkIn(t, s, mailed(t, s, email, 1), "/i/"))
		if email == regular {
			if got := b.post("/invite/sign-in", ""); got.status != http.StatusSeeOther {
				t.Fatalf("signing in to answer: %d", got.status)
			}
			code := regexp.MustCompile(`\b[2-9A-Z]{4}-[2-9A-Z]{4}\b`).FindString(mailed(t, s, email, 2))
			if got := b.post("/sign-in/code", "code="+code); got.header.Get("Location") != "/invite" {
				t.Fatalf("signed in: %d %v", got.status, got.header)
			}
		}
		b.post("/invite/accept", "")
		page := b.get("/invite")
		if page.status != http.StatusForbidden || page.heading() != "Account asks for a second factor" {
			t.Fatalf("%s: %d %q", email, page.status, page.heading())
		}
		status := func() string {
			return s.Client().As(theSuper).OK(t, http.MethodGet, "/organizations/"+harness.ID("Account")+"/invites/"+id, nil).Row(t).Status
		}
		if got := status(); got != "pending" {
			t.Errorf("%s: the invitation is %s", email, got)
		}
		if email == regular {
			expectOutcome(t, s.Client().As(regular), http.MethodGet, "/accounts/"+harness.ID("Elsewhere"), nil, "200")
		}
		next := "/invites/" + id
		link := html.UnescapeString(regexp.MustCompile(`href="(/factor\?[^"]+)"`).FindStringSubmatch(page.body)[1])
		if got := b.get(link); !strings.Contains(got.body, `value="`+next+`"`) {
			t.Errorf("%s: the factor's page forgets the invitation:\n%s", link, got.body)
		}
		to := b.post("/factor/set-up", "next="+next).header.Get("Location")
		got := b.post("/factor/confirm", "next="+next+"&code="+codeOf(t, seedOn(t, b.get(to).body), 0))
		if !strings.Contains(got.body, `href="`+next+`"`) {
			t.Fatalf("%s: confirmed: %d\n%s", email, got.status, got.body)
		}
		if got := b.get(next); got.heading() != "Join Account" {
			t.Errorf("%s: back at %q", email, got.heading())
		}
		b.post(next+"/accept", "")
		if got := b.get(next).heading(); got != "Welcome to Account" || status() != "accepted" {
			t.Errorf("%s: %q, the invitation is %s", email, got, status())
		}
	}
}
