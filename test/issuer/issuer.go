// Package issuer is an OpenID provider for tests, on loopback: discovery, keys,
// an authorization endpoint that asks nobody anything, and a token endpoint that
// holds clients to what they began with. It can be made to misbehave.
package issuer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// The client that it knows.
const (
	ClientID     = "hither-test"
	ClientSecret = "canary-client-secret-4d1f"
)

// Provider is a running one. Its fields are set before it is used, or by Change.
type Provider struct {
	URL string
	Now func() time.Time

	mu     sync.Mutex
	keys   []*Key
	codes  map[string]grant
	codeNo int
	asked  map[string]int // requests by path
	change Behaviour
	hang   chan struct{}
}

// Behaviour is what is other than it should be.
type Behaviour struct {
	Down    bool                               // every answer is 503
	Silent  bool                               // no answer ever comes
	Endless bool                               // answers have no end
	Garbage bool                               // answers are no JSON
	Issuer  string                             // what it calls itself in discovery, "": what it is
	Claims  func(claims map[string]any)        // changes an ID token before it is signed
	Sign    func(claims map[string]any) string // signs it otherwise
	Deny    bool                               // people decline
	Names   bool                               // it says in the answer who it is (RFC 9207)
	// Person is who signs in.
	Person map[string]any
}

// grant is what a code was given for.
type grant struct {
	redirect, nonce, challenge string
	person                     map[string]any
}

// Start starts a provider that signs with a key of RS256. It ends with the test.
func Start(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{
		Now: time.Now, keys: []*Key{NewKey(t, "RS256", "key-1")}, codes: map[string]grant{}, asked: map[string]int{}, hang: make(chan struct{}),
	}
	server := httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = server.URL
	t.Cleanup(func() {
		close(p.hang)
		server.Close()
	})
	return p
}

// Person is a person with a proven address.
func Person(subject, email string) map[string]any {
	return map[string]any{"sub": subject, "email": email, "email_verified": true}
}

// Change changes how it behaves from now on.
func (p *Provider) Change(change func(b *Behaviour)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.change)
}

// SignWith replaces the keys that it publishes; it signs with the last one.
func (p *Provider) SignWith(keys ...*Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Asked is how often a path was asked for.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Token is a JWT of a person for an audience, good for ten minutes unless a
// change says otherwise.
func (p *Provider) Token(audience any, person map[string]any, change ...func(claims map[string]any)) string {
	p.mu.Lock()
	key := p.keys[len(p.keys)-1]
	p.mu.Unlock()
	return key.Sign(p.Claims(audience, person, change...))
}

// Claims are those of such a token.
func (p *Provider) Claims(audience any, person map[string]any, change ...func(claims map[string]any)) map[string]any {
	now := p.Now()
	claims := map[string]any{"iss": p.URL, "aud": audience, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	maps.Copy(claims, person)
	for _, c := range change {
		c(claims)
	}
	return claims
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	b, keys := p.change, p.keys
	p.mu.Unlock()
	switch {
	case b.Down:
		http.Error(w, "canary-answer-of-the-provider", http.StatusServiceUnavailable)
	case b.Silent:
		select {
		case <-p.hang:
		case <-r.Context().Done():
		}
	case b.Endless:
		for text := make([]byte, 64<<10); ; {
			if _, err := w.Write(text); err != nil {
				return
			}
		}
	case b.Garbage:
		_, _ = w.Write([]byte("<html>canary-answer-of-the-provider"))
	case r.URL.Path == "/.well-known/openid-configuration":
		p.describe(w, b)
	case r.URL.Path == "/keys":
		answer(w, map[string]any{"keys": public(keys)})
	case r.URL.Path == "/authorize":
		p.authorize(w, r, b)
	case r.URL.Path == "/token":
		p.token(w, r, b)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(text)
}

func (p *Provider) describe(w http.ResponseWriter, b Behaviour) {
	name := p.URL
	if b.Issuer != "" {
		name = b.Issuer
	}
	answer(w, map[string]any{
		"issuer": name, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"authorization_response_iss_parameter_supported": b.Names,
	})
}

// authorize sends the browser back with a code, as if the person had signed in.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, b Behaviour) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		q.Get("state") == "" || q.Get("nonce") == "" || q.Get("scope") != "openid email" {
		http.Error(w, "this is no request of the client", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if b.Names {
		back.Set("iss", p.URL)
	}
	if b.Deny {
		back.Set("error", "access_denied")
	} else {
		back.Set("code", p.code(grant{q.Get("redirect_uri"), q.Get("nonce"), q.Get("code_challenge"), b.Person}))
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) code(g grant) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codeNo++
	code := "canary-code-" + base64.RawURLEncoding.EncodeToString([]byte{byte(p.codeNo >> 8), byte(p.codeNo)})
	p.codes[code] = g
	return code
}

// token hands the ID token of a code out: once, to the client that proves itself
// and that it began the sign-in.
func (p *Provider) token(w http.ResponseWriter, r *http.Request, b Behaviour) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(ClientSecret)) != 1 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		answer(w, map[string]string{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	g, found := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !found || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant", "error_description": "canary-answer-of-the-provider"})
		return
	}
	claims := p.Claims(ClientID, g.person, func(claims map[string]any) { claims["nonce"] = g.nonce })
	if b.Claims != nil {
		b.Claims(claims)
	}
	p.mu.Lock()
	sign := p.keys[len(p.keys)-1].Sign
	p.mu.Unlock()
	if b.Sign != nil {
		sign = b.Sign
	}
	answer(w, map[string]any{"access_token": "canary-access-token", "token_type": "Bearer", "id_token": sign(claims)})
}
