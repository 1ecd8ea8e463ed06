package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"hither/internal/iam"
)

// Flow is a sign-in that a browser began: what it has to come back with. It is
// the browser's to keep, and good for one issuer.
type Flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Return is what a browser came back with from an issuer.
type Return struct {
	State  string
	Code   string
	Issuer string // who says that it sent the browser, "" where nobody does (RFC 9207)
	Error  string // instead of a code
}

// ErrDeclined says that the person, or the issuer, did not go through with it.
var ErrDeclined = errors.New("the provider sent the browser back without signing anybody in")

// Begin is where a browser signs in with an issuer, and what it needs for the
// way back to redirect.
func (all *Issuers) Begin(ctx context.Context, name, redirect string) (Flow, string, error) {
	i, err := all.signIn(name)
	if err != nil {
		return Flow{}, "", err
	}
	m, err := i.metadata.get(ctx, fresh)
	if err != nil {
		return Flow{}, "", i.unavailable("discovery", err)
	}
	flow := Flow{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier()}
	return flow, i.oauth(m, redirect).AuthCodeURL(flow.State, oidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier)), nil
}

// Finish verifies what a browser came back with. Its errors are those of Bearer,
// and ErrDeclined.
func (all *Issuers) Finish(ctx context.Context, name, redirect string, flow Flow, back Return) (iam.Assertion, error) {
	i, err := all.signIn(name)
	if err != nil {
		return iam.Assertion{}, err
	}
	if flow.State == "" || !same(flow.State, back.State) {
		return iam.Assertion{}, errors.New("the state is not the one that this browser began with")
	}
	m, err := i.metadata.get(ctx, fresh)
	if err != nil {
		return iam.Assertion{}, i.unavailable("discovery", err)
	}
	switch {
	case back.Issuer != "" && back.Issuer != i.URL, back.Issuer == "" && m.NamesItself:
		return iam.Assertion{}, errors.New("another issuer answered")
	case back.Error != "" || back.Code == "":
		return iam.Assertion{}, ErrDeclined
	}
	token, err := i.exchange(ctx, i.oauth(m, redirect), flow, back.Code)
	if err != nil {
		return iam.Assertion{}, err
	}
	c, err := i.verified(ctx, token)
	if err != nil {
		return iam.Assertion{}, err
	}
	return i.signedIn(c, flow)
}

// exchange has the code's ID token handed out.
func (i *issuer) exchange(ctx context.Context, config *oauth2.Config, flow Flow, code string) (string, error) {
	token, err := config.Exchange(oidc.ClientContext(ctx, i.client), code, oauth2.VerifierOption(flow.Verifier))
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		const broken = 500
		if refused.Response != nil && refused.Response.StatusCode >= broken {
			return "", i.unavailable("exchange of a code", fmt.Errorf("the status is %d", refused.Response.StatusCode))
		}
		return "", errors.New("the issuer refused the code: " + plainWord(refused.ErrorCode))
	}
	if err != nil {
		return "", i.unavailable("exchange of a code", reason(err))
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", errors.New("the issuer handed out no ID token")
	}
	return raw, nil
}

// signedIn holds an ID token to the client and to the browser that asked for it.
func (i *issuer) signedIn(c claims, flow Flow) (iam.Assertion, error) {
	audience := c.texts("aud")
	switch party := c.text("azp"); {
	case !slices.Contains(audience, i.ClientID), party != "" && party != i.ClientID, len(audience) > 1 && party == "":
		return iam.Assertion{}, errors.New("it is for another client")
	case flow.Nonce == "" || !same(flow.Nonce, c.text("nonce")):
		return iam.Assertion{}, errors.New("its nonce is not the one of this sign-in")
	}
	return i.assertion(c)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// plainWord is an error code of RFC 6749, which is all that is repeated of what
// an issuer says.
func plainWord(s string) string {
	for _, code := range []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	} {
		if s == code {
			return code
		}
	}
	return "no reason was given"
}

// random is a secret of 256 bits.
func random() string {
	const size = 32
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}
