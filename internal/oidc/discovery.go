package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// metadata is what an issuer says of itself.
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover reads them (OpenID Connect Discovery).
func (i *issuer) discover(ctx context.Context) (metadata, error) {
	var m metadata
	if err := i.get(ctx, strings.TrimSuffix(i.URL, "/")+"/.well-known/openid-configuration", &m); err != nil {
		return metadata{}, fmt.Errorf("discovery: %w", err)
	}
	if m.Issuer != i.URL {
		return metadata{}, errors.New("discovery: it calls itself otherwise than the operator does; the issuer's URL must be the same to the letter")
	}
	if err := Usable(m.Keys); err != nil {
		return metadata{}, fmt.Errorf("discovery: jwks_uri %w", err)
	}
	if i.ClientID == "" {
		return m, nil
	}
	for name, address := range map[string]string{"authorization_endpoint": m.Authorization, "token_endpoint": m.Token} {
		if err := Usable(address); err != nil {
			return metadata{}, fmt.Errorf("discovery: %s %w", name, err)
		}
	}
	return m, nil
}

// oauth is how the issuer's endpoints are called.
func (i *issuer) oauth(m metadata, redirect string) *oauth2.Config {
	style := oauth2.AuthStyleInHeader // unless it says otherwise, RFC 8414
	if i.ClientSecret == "" || len(m.ClientAuth) > 0 && !slices.Contains(m.ClientAuth, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: i.ClientID, ClientSecret: i.ClientSecret, RedirectURL: redirect, Scopes: []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style},
	}
}
