// Package auth turns the credentials of a request into an iam.Actor: a key
// pair (X-Auth-Email and X-Auth-Key), a Bearer token, or both of one user; and
// for pages the secret of a session. A Bearer token is one of ours or, where the
// operator trusts an issuer, a JWT.
//
// It reads headers and the store's principals and nothing else, never the query
// string nor, of itself, a cookie, and keeps nothing between requests: what is disabled is refused at
// the very next one. It knows no status or code of the wire; internal/api does.
// It imports internal/iam, and of ours nothing else.
package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"hither/internal/iam"
)

// Store finds principals by the SHA-256 of their secret; iam.ErrNoRow where
// there is none.
type Store interface {
	KeyPrincipal(ctx context.Context, hash [32]byte) (iam.KeyPrincipal, error)
	TokenPrincipal(ctx context.Context, hash [32]byte) (iam.TokenPrincipal, error)
	SessionPrincipal(ctx context.Context, hash [32]byte) (iam.SessionPrincipal, error)
	Update(ctx context.Context, fn func(tx iam.Tx) error) error
}

// Authenticator checks credentials. Its methods are safe for concurrent use.
type Authenticator struct {
	store Store
	now   func() time.Time

	issuers    Issuers // nil: no JWT is taken
	identities Identities

	reporter *[32]byte // nil: nobody reports what became of mail
}

// New returns an Authenticator over store. now decides which tokens are past
// their time.
func New(store Store, now func() time.Time) *Authenticator {
	return &Authenticator{store: store, now: now}
}

// Authenticate says who makes the request. What is wrong with the credentials
// is an *Error; any other error is the store's. The actor's RequestID is the
// caller's to set.
func (a *Authenticator) Authenticate(r *http.Request) (iam.Actor, error) {
	shown, err := a.read(r.Header)
	if err != nil {
		return iam.Actor{}, err
	}
	from := host(r.RemoteAddr)
	actor, err := a.actor(r.Context(), shown, from)
	actor.RemoteAddr = from
	return actor, err
}

// Token is the valid Bearer token that the request shows; a request that shows
// none has an invalid one.
func (a *Authenticator) Token(r *http.Request) (iam.Token, error) {
	shown, err := a.read(r.Header)
	if err != nil {
		return iam.Token{}, err
	}
	if shown.jwt != "" {
		return iam.Token{}, &Error{Fault: InvalidToken, Reason: "a JWT is no token that was made here"}
	}
	if shown.token == "" {
		return iam.Token{}, &Error{Fault: InvalidToken, Reason: "no token shown"}
	}
	principal, err := a.token(r.Context(), shown.token)
	return principal.Token, err
}

func (a *Authenticator) actor(ctx context.Context, shown credentials, from string) (iam.Actor, error) {
	var (
		pair iam.KeyPrincipal
		err  error
	)
	if shown.key != "" {
		if pair, err = a.pair(ctx, shown.email, shown.key); err != nil {
			return iam.Actor{}, err
		}
	}
	if !shown.bearer() {
		return iam.Actor{Kind: iam.ByUser, User: pair.User, CredentialID: pair.Key.ID, Key: true, Means: iam.MeansKey}, nil
	}
	// The token's rights apply: they are the user's own, or fewer.
	actor, err := a.bearer(ctx, shown, from)
	if err != nil {
		return iam.Actor{}, err
	}
	if shown.key != "" && actor.User.ID != pair.User.ID {
		return iam.Actor{}, &Error{Fault: Mixed, Reason: "key and token belong to two principals"}
	}
	return actor, nil
}

// bearer says who shows a token, ours or a JWT.
func (a *Authenticator) bearer(ctx context.Context, shown credentials, from string) (iam.Actor, error) {
	if shown.jwt != "" {
		return a.jwt(ctx, shown.jwt, from)
	}
	token, err := a.token(ctx, shown.token)
	if err != nil {
		return iam.Actor{}, err
	}
	if token.Token.UserID == "" {
		return iam.Actor{Kind: iam.ByOperator, CredentialID: token.Token.ID, Means: iam.MeansToken}, nil
	}
	return iam.Actor{Kind: iam.ByUser, User: token.User, CredentialID: token.Token.ID, Means: iam.MeansToken}, nil
}

// pair looks the key up and holds its user's address against the given one.
// Whatever fails, it was one indexed read, and the answer is the same.
func (a *Authenticator) pair(ctx context.Context, email, key string) (iam.KeyPrincipal, error) {
	hash := iam.HashSecret(key)
	principal, err := a.store.KeyPrincipal(ctx, hash)
	unknown := func(reason string) (iam.KeyPrincipal, error) {
		return iam.KeyPrincipal{}, &Error{Fault: UnknownPair, Reason: reason}
	}
	switch {
	case errors.Is(err, iam.ErrNoRow):
		return unknown("no such key")
	case err != nil:
		return iam.KeyPrincipal{}, fmt.Errorf("look up a key: %w", err)
	case subtle.ConstantTimeCompare(principal.Key.Hash[:], hash[:]) != 1:
		return unknown("another key was found")
	case subtle.ConstantTimeCompare([]byte(principal.User.Email), []byte(email)) != 1:
		return unknown("the key belongs to another address")
	case principal.Key.Disabled:
		return unknown("the key is disabled")
	case principal.User.Suspended:
		return unknown("the user is suspended")
	}
	return principal, nil
}

func (a *Authenticator) token(ctx context.Context, secret string) (iam.TokenPrincipal, error) {
	hash := iam.HashSecret(secret)
	principal, err := a.store.TokenPrincipal(ctx, hash)
	refused := func(reason string) (iam.TokenPrincipal, error) {
		return iam.TokenPrincipal{}, &Error{Fault: InvalidToken, Reason: reason}
	}
	ends := principal.Token.ExpiresOn
	switch {
	case errors.Is(err, iam.ErrNoRow):
		return refused("no such token")
	case err != nil:
		return iam.TokenPrincipal{}, fmt.Errorf("look up a token: %w", err)
	case subtle.ConstantTimeCompare(principal.Token.Hash[:], hash[:]) != 1:
		return refused("another token was found")
	case principal.Token.Disabled:
		return refused("the token is revoked")
	case !ends.IsZero() && !a.now().Before(ends):
		return refused("the token is past its time")
	case principal.User.Suspended:
		return refused("the user is suspended")
	case principal.User.ID != principal.Token.UserID:
		return refused("the token's user is gone")
	}
	return principal, nil
}

// host is the address of the peer without its port.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
