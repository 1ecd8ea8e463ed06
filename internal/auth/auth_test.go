package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
)

const (
	userKey      = "144c9defac04969c7bfad8efaa8ea194"
	disabledKey  = "disabled-disabled-disabled-disab"
	suspendedKey = "suspendd-suspendd-suspendd-suspe"
	wrongHashKey = "wronghsh-wronghsh-wronghsh-wrong"
	unknownKey   = "unknownn-unknownn-unknownn-unkno"

	userToken      = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
	otherToken     = "otherother-otherother-otherother"
	operatorToken  = "operator-operator-operator-opera"
	revokedToken   = "revoked--revoked--revoked--revok"
	endedToken     = "ended----ended----ended----ended"
	endingToken    = "ending---ending---ending---endin"
	suspendedToken = "suspended-token-suspended-token-"
	orphanToken    = "orphan---orphan---orphan---orpha"
	wrongHashToken = "wronghash-token-wronghash-token-"
)

// store is a table of principals; a secret that is "broken" breaks it.
type store struct {
	keys     map[[32]byte]iam.KeyPrincipal
	tokens   map[[32]byte]iam.TokenPrincipal
	sessions map[[32]byte]iam.SessionPrincipal
	err      error
	reads    int
	writes   int
}

func (s *store) KeyPrincipal(_ context.Context, hash [32]byte) (iam.KeyPrincipal, error) {
	s.reads++
	principal, ok := s.keys[hash]
	if !ok && s.err == nil {
		return principal, iam.ErrNoRow
	}
	return principal, s.err
}

func (s *store) TokenPrincipal(_ context.Context, hash [32]byte) (iam.TokenPrincipal, error) {
	s.reads++
	principal, ok := s.tokens[hash]
	if !ok && s.err == nil {
		return principal, iam.ErrNoRow
	}
	return principal, s.err
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newStore() *store {
	s := &store{keys: map[[32]byte]iam.KeyPrincipal{}, tokens: map[[32]byte]iam.TokenPrincipal{}}
	user := iam.User{ID: "u1", Email: "user@example.com"}
	gone := iam.User{ID: "u3", Email: "gone@example.com", Suspended: true}
	addKey := func(id iam.ID, secret string, user iam.User, disabled bool) {
		hash := iam.HashSecret(secret)
		s.keys[hash] = iam.KeyPrincipal{Key: iam.Key{ID: id, UserID: user.ID, Hash: hash, Disabled: disabled}, User: user}
	}
	addToken := func(secret string, user iam.User, token iam.Token) {
		token.Hash, token.UserID = iam.HashSecret(secret), user.ID
		s.tokens[token.Hash] = iam.TokenPrincipal{Token: token, User: user}
	}
	addKey("k1", userKey, user, false)
	addKey("k2", disabledKey, user, true)
	addKey("k3", suspendedKey, gone, false)
	s.keys[iam.HashSecret(wrongHashKey)] = s.keys[iam.HashSecret(userKey)]
	addToken(userToken, user, iam.Token{ID: "t1"})
	addToken(otherToken, iam.User{ID: "u2", Email: "other@example.com"}, iam.Token{ID: "t2"})
	addToken(operatorToken, iam.User{}, iam.Token{ID: "t3"})
	addToken(revokedToken, user, iam.Token{ID: "t4", Disabled: true})
	addToken(endedToken, user, iam.Token{ID: "t5", ExpiresOn: noon})
	addToken(endingToken, user, iam.Token{ID: "t6", ExpiresOn: noon.Add(time.Nanosecond)})
	addToken(suspendedToken, gone, iam.Token{ID: "t7"})
	hash := iam.HashSecret(orphanToken)
	s.tokens[hash] = iam.TokenPrincipal{Token: iam.Token{ID: "t8", Hash: hash, UserID: "u9"}}
	s.tokens[iam.HashSecret(wrongHashToken)] = s.tokens[iam.HashSecret(userToken)]
	return s
}

// request has headers given as "Name: value".
func request(t *testing.T, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/user", nil)
	r.RemoteAddr = "[2001:db8::1]:4711"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

const (
	email  = "X-Auth-Email: user@example.com"
	key    = "X-Auth-Key: " + userKey
	bearer = "Authorization: Bearer "
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	byUser := func(user, credential iam.ID) iam.Actor {
		means := map[byte]iam.Means{'k': iam.MeansKey, 't': iam.MeansToken}[credential[0]]
		return iam.Actor{Kind: iam.ByUser, User: iam.User{ID: user}, CredentialID: credential, Means: means}
	}
	tests := []struct {
		name    string
		headers []string
		actor   iam.Actor  // who it is, or
		fault   auth.Fault // why it is nobody
		in      []string   // the malformed headers
	}{
		{name: "key pair", headers: []string{email, key}, actor: byUser("u1", "k1")},
		{name: "address in another form", headers: []string{"X-Auth-Email: USER@Example.COM", key}, actor: byUser("u1", "k1")},
		{name: "token", headers: []string{bearer + userToken}, actor: byUser("u1", "t1")},
		{name: "scheme in lower case", headers: []string{"Authorization: bearer " + userToken}, actor: byUser("u1", "t1")},
		{name: "scheme in upper case", headers: []string{"Authorization: BEARER  " + userToken}, actor: byUser("u1", "t1")},
		{name: "operator's token", headers: []string{bearer + operatorToken}, actor: iam.Actor{Kind: iam.ByOperator, CredentialID: "t3", Means: iam.MeansToken}},
		{name: "token that ends in a moment", headers: []string{bearer + endingToken}, actor: byUser("u1", "t6")},
		{name: "both of one user", headers: []string{email, key, bearer + userToken}, actor: byUser("u1", "t1")},

		{name: "both of two users", headers: []string{email, key, bearer + otherToken}, fault: auth.Mixed},
		{name: "a user's key and the operator's token", headers: []string{email, key, bearer + operatorToken}, fault: auth.Mixed},
		{name: "good key, bad token", headers: []string{email, key, bearer + revokedToken}, fault: auth.InvalidToken},
		{name: "bad key, good token", headers: []string{email, "X-Auth-Key: " + unknownKey, bearer + userToken}, fault: auth.UnknownPair},

		{name: "nothing", fault: auth.Missing},
		{name: "secrets in other headers", headers: []string{"Cookie: key=" + userKey, "X-Api-Key: " + userKey}, fault: auth.Missing},
		{name: "no key", headers: []string{email}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "no address", headers: []string{key}, fault: auth.Malformed, in: []string{auth.EmailHeader}},
		{name: "no address beside a token", headers: []string{key, bearer + userToken}, fault: auth.Malformed, in: []string{auth.EmailHeader}},
		{name: "no address in it", headers: []string{"X-Auth-Email: user", key}, fault: auth.Malformed, in: []string{auth.EmailHeader}},
		{name: "a letter that folds to another", headers: []string{"X-Auth-Email: u\u017fer@example.com", key}, fault: auth.Malformed, in: []string{auth.EmailHeader}},
		{name: "two addresses", headers: []string{email, email, key}, fault: auth.Malformed, in: []string{auth.EmailHeader}},
		{name: "two keys", headers: []string{email, key, key}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "short key", headers: []string{email, key[:len(key)-1]}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "long key", headers: []string{email, "X-Auth-Key: " + strings.Repeat("k", 129)}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "key with a space", headers: []string{email, "X-Auth-Key: " + strings.Repeat("k k", 12)}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "empty key", headers: []string{email, "X-Auth-Key: "}, fault: auth.Malformed, in: []string{auth.KeyHeader}},
		{name: "two tokens", headers: []string{bearer + userToken, bearer + userToken}, fault: auth.Malformed, in: []string{auth.TokenHeader}},
		{name: "another scheme", headers: []string{"Authorization: Basic dXNlcjpwYXNz"}, fault: auth.Malformed, in: []string{auth.TokenHeader}},
		{name: "no scheme", headers: []string{"Authorization: " + userToken}, fault: auth.Malformed, in: []string{auth.TokenHeader}},
		{name: "no token", headers: []string{"Authorization: Bearer"}, fault: auth.Malformed, in: []string{auth.TokenHeader}},
		{name: "two tokens in one", headers: []string{bearer + userToken + "," + userToken}, fault: auth.Malformed, in: []string{auth.TokenHeader}},
		{
			name: "everything malformed", headers: []string{"X-Auth-Email: @", "X-Auth-Key: x", "Authorization: x"},
			fault: auth.Malformed, in: []string{auth.EmailHeader, auth.KeyHeader, auth.TokenHeader},
		},

		{name: "unknown key", headers: []string{email, "X-Auth-Key: " + unknownKey}, fault: auth.UnknownPair},
		{name: "unknown address", headers: []string{"X-Auth-Email: nobody@example.com", key}, fault: auth.UnknownPair},
		{name: "disabled key", headers: []string{email, "X-Auth-Key: " + disabledKey}, fault: auth.UnknownPair},
		{name: "suspended user", headers: []string{"X-Auth-Email: gone@example.com", "X-Auth-Key: " + suspendedKey}, fault: auth.UnknownPair},
		{name: "another hash than asked for", headers: []string{email, "X-Auth-Key: " + wrongHashKey}, fault: auth.UnknownPair},
		{name: "key as a token", headers: []string{bearer + userKey}, fault: auth.InvalidToken},
		{name: "revoked token", headers: []string{bearer + revokedToken}, fault: auth.InvalidToken},
		{name: "token that ended", headers: []string{bearer + endedToken}, fault: auth.InvalidToken},
		{name: "token of a suspended user", headers: []string{bearer + suspendedToken}, fault: auth.InvalidToken},
		{name: "token of a user that is gone", headers: []string{bearer + orphanToken}, fault: auth.InvalidToken},
		{name: "another token's hash", headers: []string{bearer + wrongHashToken}, fault: auth.InvalidToken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			actor, err := auth.New(s, func() time.Time { return noon }).Authenticate(request(t, test.headers...))
			if test.actor.Kind != "" {
				if err != nil || actor.Kind != test.actor.Kind || actor.User.ID != test.actor.User.ID || actor.CredentialID != test.actor.CredentialID {
					t.Fatalf("%q: got %s %q by %q, %v; want %s %q by %q", test.headers,
						actor.Kind, actor.User.ID, actor.CredentialID, err, test.actor.Kind, test.actor.User.ID, test.actor.CredentialID)
				}
				if actor.Means != test.actor.Means {
					t.Errorf("means %q; want %q", actor.Means, test.actor.Means)
				}
				if actor.RemoteAddr != "2001:db8::1" {
					t.Errorf("remote address %q; want it without its port", actor.RemoteAddr)
				}
				return
			}
			refused, ok := errors.AsType[*auth.Error](err)
			if !ok || refused.Fault != test.fault || !slices.Equal(refused.Headers, test.in) {
				t.Fatalf("%q: got %#v; want fault %d in %q", test.headers, err, test.fault, test.in)
			}
			if actor.Kind != "" || actor.User.ID != "" || actor.CredentialID != "" {
				t.Errorf("%q was refused, and yet is %+v", test.headers, actor)
			}
			if malformed := test.fault == auth.Missing || test.fault == auth.Malformed; malformed && s.reads > 0 {
				t.Errorf("%q cost %d reads; want none", test.headers, s.reads)
			}
			// KF-44, KF-45: what goes to the log says why, and never what was shown.
			for _, header := range test.headers {
				if _, value, _ := strings.Cut(header, ": "); len(value) > 2 && strings.Contains(err.Error(), value) {
					t.Errorf("the error repeats the header %q: %v", header, err)
				}
			}
		})
	}
}

// A query string ends up in logs and histories: no secret is taken from it.
func TestNotFromQuery(t *testing.T) {
	t.Parallel()
	r := request(t)
	r.URL.RawQuery = "X-Auth-Email=user@example.com&X-Auth-Key=" + userKey + "&access_token=" + userToken
	_, err := auth.New(newStore(), time.Now).Authenticate(r)
	if refused, ok := errors.AsType[*auth.Error](err); !ok || refused.Fault != auth.Missing {
		t.Errorf("credentials in the query: got %v; want that they are missing", err)
	}
}

// A store that is down is no reason to tell anybody that a key is wrong.
func TestStoreErrorIsPassedOn(t *testing.T) {
	t.Parallel()
	down := errors.New("disk on fire")
	for _, headers := range [][]string{{email, key}, {bearer + userToken}} {
		s := newStore()
		s.err = down
		_, err := auth.New(s, time.Now).Authenticate(request(t, headers...))
		if _, refused := errors.AsType[*auth.Error](err); refused || !errors.Is(err, down) {
			t.Errorf("%q: got %v; want the store's error", headers, err)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	a := auth.New(newStore(), func() time.Time { return noon })
	if token, err := a.Token(request(t, email, key, bearer+endingToken)); err != nil || token.ID != "t6" {
		t.Errorf("a good token: got %q, %v; want t6", token.ID, err)
	}
	for _, headers := range [][]string{{email, key}, {bearer + endedToken}} {
		_, err := a.Token(request(t, headers...))
		if refused, ok := errors.AsType[*auth.Error](err); !ok || refused.Fault != auth.InvalidToken {
			t.Errorf("%q: got %v; want an invalid token", headers, err)
		}
	}
}
