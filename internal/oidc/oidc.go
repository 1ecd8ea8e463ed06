// Package oidc verifies what identity providers say by OpenID Connect: of who
// signs in on the pages, by an authorization code with PKCE, and of who shows a
// JWT of its company's own login as a Bearer token.
//
// What it makes is an iam.Assertion; whom that stands for iam decides. It
// speaks to the issuers that the operator named and to nobody else, within
// bounds of time, size and frequency, and what it says of a failure holds
// nothing of a token, a code or an answer. It imports iam, and of libraries
// go-oidc with what that stands on.
package oidc

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"hither/internal/iam"
)

// Issuer is an identity provider as the operator trusts it.
type Issuer struct {
	Name  string // short, for paths, settings and logs
	Title string // on its button
	URL   string // its identifier, to the letter

	ClientID     string // of the sign-in on the pages; "": there is none
	ClientSecret string // "": a public client, which PKCE alone protects

	Audiences  []string // of Bearer tokens; none: they are not taken
	Algorithms []string // that it may sign with

	Domains    []string // for whose addresses it speaks; "*" is all
	TrustedAMR []string // what counts as a second factor, of its amr
	TrustedACR []string // and of its acr
}

// Issuers are the providers of an instance. Its methods are safe for concurrent
// use.
type Issuers struct {
	issuers []*issuer
}

// Options are what Issuers stand on.
type Options struct {
	Now func() time.Time
	// Transport carries requests to the issuers; nil is one of its own.
	Transport http.RoundTripper
}

// issuer is one of them, with what is known of it by now.
type issuer struct {
	Issuer

	client   *http.Client
	now      func() time.Time
	metadata *cached[metadata]
	keys     *keySet
}

// New returns the issuers. Nothing is asked of them before it is needed: one
// that is down keeps no server from starting.
func New(issuers []Issuer, o Options) *Issuers {
	all := &Issuers{}
	client := newClient(o.Transport)
	for _, one := range issuers {
		i := &issuer{Issuer: one, client: client, now: o.Now}
		i.metadata = newCached(i.discover, o.Now)
		i.keys = newKeySet(i)
		all.issuers = append(all.issuers, i)
	}
	return all
}

// Button is an issuer that people can sign in with on the pages.
type Button struct{ Name, Title string }

// Buttons lists them in the operator's order.
func (all *Issuers) Buttons() []Button {
	var buttons []Button
	for _, i := range all.issuers {
		if i.ClientID != "" {
			buttons = append(buttons, Button{i.Name, i.Title})
		}
	}
	return buttons
}

// signIn is the issuer of a name that people can sign in with.
func (all *Issuers) signIn(name string) (*issuer, error) {
	at := slices.IndexFunc(all.issuers, func(i *issuer) bool { return i.Name == name && i.ClientID != "" })
	if at < 0 {
		return nil, &iam.Error{Kind: iam.NotFound, Message: "no such provider"}
	}
	return all.issuers[at], nil
}

// unavailable says that an issuer could not be asked. The cause is for the log.
func (i *issuer) unavailable(doing string, cause error) error {
	return &iam.Error{
		Kind: iam.Unavailable, Message: "the identity provider " + i.Name + " cannot be reached; try again",
		Err: fmt.Errorf("%s of %s: %w", doing, i.Name, cause),
	}
}
