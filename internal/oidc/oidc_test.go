package oidc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/oidc"
	"hither/test/issuer"
)

const (
	audience = "https://hither.example.com"
	redirect = "https://hither.example.com/s/acme/callback"
)

// bench is a provider, and issuers that trust it, at a clock that a test moves.
type bench struct {
	*issuer.Provider
	*oidc.Issuers

	t     *testing.T
	moved atomic.Int64
}

func newBench(t *testing.T, change ...func(i *oidc.Issuer)) *bench {
	t.Helper()
	b := &bench{Provider: issuer.Start(t), t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(b.moved.Load())) }
	b.Now = now
	trusted := oidc.Issuer{
		Name: "acme", Title: "Acme", URL: b.URL, ClientID: issuer.ClientID, ClientSecret: issuer.ClientSecret,
		Audiences: []string{audience}, Algorithms: []string{"RS256", "ES256"}, Domains: []string{"example.com"},
		TrustedAMR: []string{"mfa"}, TrustedACR: []string{"urn:two"},
	}
	for _, c := range change {
		c(&trusted)
	}
	b.Issuers = oidc.New([]oidc.Issuer{trusted}, oidc.Options{Now: now})
	return b
}

func (b *bench) advance(d time.Duration) { b.moved.Add(int64(d)) }

func ada() map[string]any { return issuer.Person("subject-ada", "Ada@Example.com") }

func set(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

func drop(name string) func(map[string]any) {
	return func(claims map[string]any) { delete(claims, name) }
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// tokens are JWTs of one person and whether each proves who she is: KF-6, KF-26,
// KF-73, KF-74, KF-96.
func tokens() []struct {
	name   string
	change []func(map[string]any)
	taken  bool
} {
	return []struct {
		name   string
		change []func(map[string]any)
		taken  bool
	}{
		{"as it should be", nil, true},
		{"among other claims", []func(map[string]any){set("name", "Ada"), set("Groups", []string{"x"})}, true},
		{"another issuer", []func(map[string]any){set("iss", "https://evil.example")}, false},
		{"the issuer with a slash more", []func(map[string]any){func(c map[string]any) { c["iss"] = c["iss"].(string) + "/" }}, false},
		{"past its time", []func(map[string]any){set("exp", in(-time.Second))}, false},
		{"without an end", []func(map[string]any){drop("exp")}, false},
		{"not valid yet", []func(map[string]any){set("nbf", in(2*time.Minute))}, false},
		{"valid in a moment, by another clock", []func(map[string]any){set("nbf", in(30*time.Second))}, true},
		{"made in the future", []func(map[string]any){set("iat", in(2*time.Minute))}, false},
		{"a time that is none", []func(map[string]any){set("nbf", "now")}, false},
		{"no subject", []func(map[string]any){drop("sub")}, false},
		{"an empty subject", []func(map[string]any){set("sub", "")}, false},
		{"a subject beyond ASCII", []func(map[string]any){set("sub", "ada\u00e9")}, false},
		{"a subject with a line break", []func(map[string]any){set("sub", "ada\n")}, false},
		{"a subject that is too long", []func(map[string]any){set("sub", strings.Repeat("a", 256))}, false},
		{"address unproven", []func(map[string]any){set("email_verified", false)}, false},
		{"address proven by a string", []func(map[string]any){set("email_verified", "true")}, false},
		{"address proven by a number", []func(map[string]any){set("email_verified", 1)}, false},
		{"address proven by null", []func(map[string]any){set("email_verified", nil)}, false},
		{"address proven by a list", []func(map[string]any){set("email_verified", []bool{true})}, false},
		{"nothing said of the address", []func(map[string]any){drop("email_verified")}, false},
		{"proven by another name", []func(map[string]any){drop("email_verified"), set("Email_Verified", true)}, false},
		{"proven and not, by two names", []func(map[string]any){set("EMAIL_VERIFIED", true), set("email_verified", false)}, false},
		{"another address by another name", []func(map[string]any){set("Email", "victim@example.com")}, false},
		{"another subject by another name", []func(map[string]any){set("SUB", "somebody else")}, false},
		{"no address", []func(map[string]any){drop("email")}, false},
		{"a list of addresses", []func(map[string]any){set("email", []string{"ada@example.com"})}, false},
		{"an address that folds to another", []func(map[string]any){set("email", "ad\u0430@example.com")}, false},
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := append(tokens(), []struct {
		name   string
		change []func(map[string]any)
		taken  bool
	}{
		{"another audience", []func(map[string]any){set("aud", "https://other.example.com")}, false},
		{"our client, not our audience", []func(map[string]any){set("aud", issuer.ClientID)}, false},
		{"no audience", []func(map[string]any){drop("aud")}, false},
		{"among other audiences", []func(map[string]any){set("aud", []string{"https://other.example.com", audience})}, true},
		{"good for a day", []func(map[string]any){set("exp", in(24*time.Hour))}, true},
		{"good for two", []func(map[string]any){set("exp", in(48*time.Hour))}, false},
	}...)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			token := b.Token(audience, ada(), test.change...)
			got, err := b.Bearer(t.Context(), token)
			if test.taken {
				want := iam.Assertion{Issuer: b.URL, Subject: "subject-ada", Provider: "acme", Email: "ada@example.com", Authoritative: true}
				if err != nil || got != want {
					t.Errorf("got %+v, %v, want %+v", got, err, want)
				}
				return
			}
			refused(t, got, err, token)
		})
	}
}

// refused holds that nothing was taken, and that the reason says nothing of it
// (KF-44, KF-45).
func refused(t *testing.T, got iam.Assertion, err error, token string) {
	t.Helper()
	if err == nil || iam.KindOf(err) == iam.Unavailable || got != (iam.Assertion{}) {
		t.Errorf("got %+v, %v, want a refusal", got, err)
		return
	}
	told := fmt.Sprintf("%v %+v", err, err)
	for _, part := range append(strings.Split(token, "."), "subject-ada", "example.com", "evil", "canary") {
		if len(part) > 3 && strings.Contains(told, part) {
			t.Errorf("the reason repeats %q: %s", part, told)
		}
	}
}

// KF-6: a signature is the issuer's, by an algorithm that it signs with and a key
// that it publishes for that.
func TestSignatures(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rs, es, foreign := issuer.NewKey(t, "RS256", "rsa"), issuer.NewKey(t, "ES256", "ec"), issuer.NewKey(t, "RS256", "rsa")
	b.SignWith(rs, es)
	claims := b.Claims(audience, ada())
	flip := func(token string, at int) string {
		parts := strings.Split(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(parts[at])
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		parts[at] = base64.RawURLEncoding.EncodeToString(text)
		return strings.Join(parts, ".")
	}
	for name, token := range map[string]string{
		"RS256": rs.Sign(claims), "ES256": es.Sign(claims),
		"no key named": rs.SignAs(map[string]any{"alg": "RS256"}, claims),
	} {
		if got, err := b.Bearer(t.Context(), token); err != nil || got.Subject != "subject-ada" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for name, token := range map[string]string{
		"none":                           issuer.Unsigned(claims),
		"none with a signature":          rs.SignAs(map[string]any{"alg": "none", "kid": "rsa"}, claims),
		"a MAC by the public key":        rs.HMAC(claims),
		"another's key by our name":      foreign.Sign(claims),
		"a key that the token brings":    foreign.SignAs(map[string]any{"alg": "RS256", "jwk": foreign.Public()}, claims),
		"a key by address":               foreign.SignAs(map[string]any{"alg": "RS256", "jku": "https://evil.example/keys", "kid": "x"}, claims),
		"an algorithm that is not named": rs.SignAs(map[string]any{"alg": "RS512", "kid": "rsa"}, claims),
		"a key for another algorithm":    rs.SignAs(map[string]any{"alg": "ES256", "kid": "rsa"}, claims),
		"something critical":             rs.SignAs(map[string]any{"alg": "RS256", "kid": "rsa", "crit": []string{"x"}, "x": 1}, claims),
		"changed claims":                 flip(rs.Sign(claims), 1),
		"a changed header":               flip(rs.Sign(claims), 0),
		"a changed signature":            flip(rs.Sign(claims), 2),
		"no JWT":                         "a.b.c",
		"nothing":                        "..",
		"half of one":                    strings.Join(strings.Split(rs.Sign(claims), ".")[:2], "."),
	} {
		got, err := b.Bearer(t.Context(), token)
		if t.Failed() {
			t.Log(name)
		}
		refused(t, got, err, token)
	}
}

// An issuer without audiences has its tokens taken by nobody, and a key for
// encryption signs nothing.
func TestOnlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(i *oidc.Issuer) { i.Audiences = nil })
	token := b.Token(audience, ada())
	got, err := b.Bearer(t.Context(), token)
	refused(t, got, err, token)
	if asked := b.Asked("/keys"); asked != 0 {
		t.Errorf("the issuer was asked for keys %d times", asked)
	}
}

func TestFactors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, test := range []struct {
		claim string
		value any
		want  string
	}{
		{"amr", []string{"pwd", "mfa"}, "amr:mfa"},
		{"amr", []string{"pwd"}, ""},
		{"amr", []string{"MFA"}, ""},
		{"amr", "mfa", "amr:mfa"},
		{"amr", map[string]bool{"mfa": true}, ""},
		{"acr", "urn:two", "acr:urn:two"},
		{"acr", "urn:one", ""},
		{"acr", []string{"urn:two"}, ""},
	} {
		got, err := b.Bearer(t.Context(), b.Token(audience, ada(), set(test.claim, test.value)))
		if err != nil || got.Factor != test.want {
			t.Errorf("%s %v: got %q, %v, want %q", test.claim, test.value, got.Factor, err, test.want)
		}
	}
}

// KF-75: an issuer speaks for the domains that the operator named, not for what
// looks like them.
func TestDomains(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for email, want := range map[string]bool{
		"ada@example.com": true, "ADA@EXAMPLE.COM": true, "ada@sub.example.com": false, "ada@evil-example.com": false,
		"ada@example.com.evil.org": false, "ada@example.org": false,
	} {
		got, err := b.Bearer(t.Context(), b.Token(audience, issuer.Person("s", email)))
		if err != nil || got.Authoritative != want {
			t.Errorf("%s: got %+v, %v, want authoritative %v", email, got, err, want)
		}
	}
	all := newBench(t, func(i *oidc.Issuer) { i.Domains = []string{"*"} })
	if got, err := all.Bearer(t.Context(), all.Token(audience, issuer.Person("s", "ada@example.org"))); err != nil || !got.Authoritative {
		t.Errorf("for all domains: got %+v, %v", got, err)
	}
}

// A key that is new is looked for, one that was taken back is forgotten, and who
// shows keys that nobody has does not have the issuer asked each time.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	old, fresh := issuer.NewKey(t, "RS256", "old"), issuer.NewKey(t, "ES256", "new")
	b.SignWith(old)
	take := func(token string) error {
		_, err := b.Bearer(t.Context(), token)
		return err
	}
	if err := take(b.Token(audience, ada())); err != nil {
		t.Fatal(err)
	}
	b.SignWith(old, fresh)
	b.advance(11 * time.Second)
	if err := take(b.Token(audience, ada())); err != nil {
		t.Errorf("with a new key: %v", err)
	}
	asked := b.Asked("/keys")
	if asked != 2 {
		t.Errorf("the keys were asked for %d times, want 2", asked)
	}
	unknown := issuer.NewKey(t, "ES256", "")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			claims := b.Claims(audience, ada())
			if err := take(unknown.SignAs(map[string]any{"alg": "ES256", "kid": fmt.Sprint(i)}, claims)); err == nil {
				t.Error("a key of nobody's was taken")
			}
		})
	}
	wg.Wait()
	if now := b.Asked("/keys"); now != asked {
		t.Errorf("200 unknown keys had the issuer asked %d times more, want 0 within the pause", now-asked)
	}
	b.advance(11 * time.Second)
	for i := range 50 {
		_ = take(unknown.SignAs(map[string]any{"alg": "ES256", "kid": fmt.Sprint("again", i)}, b.Claims(audience, ada())))
	}
	if now := b.Asked("/keys"); now != asked+1 {
		t.Errorf("after the pause it was asked %d times more, want 1", now-asked)
	}
	b.SignWith(fresh)
	b.advance(11 * time.Minute)
	if err := take(old.Sign(b.Claims(audience, ada()))); err == nil {
		t.Error("a key that the issuer took back is still good after eleven minutes")
	}
}

// What is known of an issuer that went away is good for an hour, and it is not
// asked at every request meanwhile.
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(b *issuer.Behaviour){
		"down":    func(b *issuer.Behaviour) { b.Down = true },
		"endless": func(b *issuer.Behaviour) { b.Endless = true },
		"garbage": func(b *issuer.Behaviour) { b.Garbage = true },
		"another": func(b *issuer.Behaviour) { b.Issuer = "https://evil.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.Change(broken)
			for range 20 {
				got, err := b.Bearer(t.Context(), b.Token(audience, ada()))
				if iam.KindOf(err) != iam.Unavailable || got != (iam.Assertion{}) || strings.Contains(err.Error(), "canary") {
					t.Fatalf("got %+v, %v, want it unavailable", got, err)
				}
			}
			if asked := b.Asked("/.well-known/openid-configuration"); asked != 1 {
				t.Errorf("it was asked %d times at once, want 1", asked)
			}
			_, _, err := b.Begin(t.Context(), "acme", redirect)
			if iam.KindOf(err) != iam.Unavailable {
				t.Errorf("Begin: %v", err)
			}
			b.Change(func(b *issuer.Behaviour) { *b = issuer.Behaviour{} })
			b.advance(11 * time.Second)
			if _, err := b.Bearer(t.Context(), b.Token(audience, ada())); err != nil {
				t.Errorf("when it was back: %v", err)
			}
			b.Change(broken)
			b.advance(50 * time.Minute)
			if _, err := b.Bearer(t.Context(), b.Token(audience, ada())); err != nil {
				t.Errorf("within an hour after it went away: %v", err)
			}
			b.advance(61 * time.Minute)
			if _, err := b.Bearer(t.Context(), b.Token(audience, ada())); iam.KindOf(err) != iam.Unavailable {
				t.Errorf("later: %v, want it unavailable", err)
			}
		})
	}
}

// An issuer that never answers costs a few seconds, once for all who wait.
func TestSilentIssuer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for five seconds")
	}
	b := newBench(t)
	b.Change(func(b *issuer.Behaviour) { b.Silent = true })
	began := time.Now()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := b.Bearer(t.Context(), b.Token(audience, ada())); iam.KindOf(err) != iam.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if asked := b.Asked("/.well-known/openid-configuration"); asked != 1 {
		t.Errorf("50 requests asked it %d times, want 1", asked)
	}
}

// signIn goes through the provider as a browser does, up to what it comes back with.
func (b *bench) signIn(person map[string]any) (oidc.Flow, oidc.Return) {
	b.t.Helper()
	b.Change(func(b *issuer.Behaviour) { b.Person = person })
	flow, at, err := b.Begin(b.t.Context(), "acme", redirect)
	if err != nil {
		b.t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, at, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		b.t.Fatalf("the provider answered %d, %v", answer.StatusCode, err)
	}
	if !strings.HasPrefix(back.String(), redirect+"?") {
		b.t.Fatalf("it sends the browser to %s", back)
	}
	return flow, returned(back.Query())
}

func returned(q url.Values) oidc.Return {
	return oidc.Return{State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	flow, back := b.signIn(ada())
	got, err := b.Finish(t.Context(), "acme", redirect, flow, back)
	want := iam.Assertion{Issuer: b.URL, Subject: "subject-ada", Provider: "acme", Email: "ada@example.com", Authoritative: true}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := b.Finish(t.Context(), "acme", redirect, flow, back); err == nil {
		t.Error("the code worked twice")
	}
	other, _ := b.signIn(ada())
	if other == flow || other.State == other.Nonce || len(other.Verifier) < 43 {
		t.Errorf("flows %+v and %+v", flow, other)
	}
	if b.Buttons()[0] != (oidc.Button{Name: "acme", Title: "Acme"}) {
		t.Errorf("buttons: %+v", b.Buttons())
	}
}

// What a browser comes back with counts for the sign-in that it began, with the
// issuer that it began it with.
func TestSignInIsBoundToItsBeginning(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(flow *oidc.Flow, back *oidc.Return){
		"another state":       func(_ *oidc.Flow, back *oidc.Return) { back.State += "x" },
		"no state":            func(flow *oidc.Flow, back *oidc.Return) { flow.State, back.State = "", "" },
		"another nonce":       func(flow *oidc.Flow, _ *oidc.Return) { flow.Nonce = strings.Repeat("n", 43) },
		"no nonce":            func(flow *oidc.Flow, _ *oidc.Return) { flow.Nonce = "" },
		"another verifier":    func(flow *oidc.Flow, _ *oidc.Return) { flow.Verifier = strings.Repeat("v", 43) },
		"another issuer says": func(_ *oidc.Flow, back *oidc.Return) { back.Issuer = "https://evil.example" },
		"no code":             func(_ *oidc.Flow, back *oidc.Return) { back.Code = "" },
		"an error":            func(_ *oidc.Flow, back *oidc.Return) { back.Error = "access_denied" },
		"somebody's code":     func(_ *oidc.Flow, back *oidc.Return) { back.Code = "canary-guess" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			flow, back := b.signIn(ada())
			change(&flow, &back)
			got, err := b.Finish(t.Context(), "acme", redirect, flow, back)
			refused(t, got, err, "")
			if declined := back.Code == "" || back.Error != ""; errors.Is(err, oidc.ErrDeclined) != declined {
				t.Errorf("got %v, want declined %v", err, declined)
			}
		})
	}
	t.Run("an issuer that names itself, unnamed", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.Change(func(b *issuer.Behaviour) { b.Names = true })
		flow, back := b.signIn(ada())
		back.Issuer = ""
		got, err := b.Finish(t.Context(), "acme", redirect, flow, back)
		refused(t, got, err, "")
	})
	t.Run("another redirect", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		flow, back := b.signIn(ada())
		got, err := b.Finish(t.Context(), "acme", redirect+"x", flow, back)
		refused(t, got, err, "")
	})
	t.Run("no such provider", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		if _, _, err := b.Begin(t.Context(), "other", redirect); iam.KindOf(err) != iam.NotFound {
			t.Errorf("got %v", err)
		}
	})
}

// ID tokens are held to the same as Bearer tokens, and to the client.
func TestIDTokens(t *testing.T) {
	t.Parallel()
	tests := append(tokens(), []struct {
		name   string
		change []func(map[string]any)
		taken  bool
	}{
		{"another client", []func(map[string]any){set("aud", "other")}, false},
		{"a Bearer's audience", []func(map[string]any){set("aud", audience)}, false},
		{"several clients, made for us", []func(map[string]any){set("aud", []string{"other", issuer.ClientID}), set("azp", issuer.ClientID)}, true},
		{"several clients, made for another", []func(map[string]any){set("aud", []string{"other", issuer.ClientID}), set("azp", "other")}, false},
		{"several clients, made for nobody", []func(map[string]any){set("aud", []string{"other", issuer.ClientID})}, false},
		{"no nonce", []func(map[string]any){drop("nonce")}, false},
		{"a nonce of another sign-in", []func(map[string]any){set("nonce", strings.Repeat("n", 43))}, false},
	}...)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.Change(func(b *issuer.Behaviour) {
				b.Claims = func(claims map[string]any) {
					for _, c := range test.change {
						c(claims)
					}
				}
			})
			flow, back := b.signIn(maps.Clone(ada()))
			got, err := b.Finish(t.Context(), "acme", redirect, flow, back)
			if test.taken {
				if err != nil || got.Subject != "subject-ada" {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			refused(t, got, err, "")
		})
	}
	t.Run("unsigned", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.Change(func(b *issuer.Behaviour) { b.Sign = issuer.Unsigned })
		flow, back := b.signIn(ada())
		got, err := b.Finish(t.Context(), "acme", redirect, flow, back)
		refused(t, got, err, "")
	})
}

// A provider that breaks between the two steps is unavailable, and a wrong secret
// of ours is told as what it is.
func TestExchangeFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	flow, back := b.signIn(ada())
	b.Change(func(b *issuer.Behaviour) { b.Down = true })
	if _, err := b.Finish(t.Context(), "acme", redirect, flow, back); iam.KindOf(err) != iam.Unavailable || strings.Contains(err.Error(), "canary") {
		t.Errorf("down: %v", err)
	}
	wrong := newBench(t, func(i *oidc.Issuer) { i.ClientSecret = "canary-other" })
	flow, back = wrong.signIn(ada())
	if _, err := wrong.Finish(t.Context(), "acme", redirect, flow, back); err == nil || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "canary") {
		t.Errorf("wrong secret: %v", err)
	}
}
