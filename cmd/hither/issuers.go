package main

import (
	"fmt"
	"os"

	"hither/internal/clock"
	"hither/internal/dataset"
	"hither/internal/oidc"
)

// issuersSetting is where people sign in who have an account elsewhere.
type issuersSetting struct {
	Issuers string `env:"HITHER_ISSUERS" help:"Trust the identity providers of this file: for sign-in on the pages by OpenID Connect, and for their JWTs as Bearer tokens. docs/login.md has its fields." placeholder:"FILE"`
}

// trusted is what that file says; the zero value where there is none.
type trusted struct {
	issuers    *oidc.Issuers // nil: there are none
	returnURLs []string
}

// needsPages says that people sign in with one of them.
func (t trusted) needsPages() bool { return t.issuers != nil && len(t.issuers.Buttons()) > 0 }

// read reads the file, which is given.
func (s issuersSetting) read(env *environment) (dataset.Issuers, error) {
	file, err := os.Open(s.Issuers)
	if err != nil {
		return dataset.Issuers{}, fmt.Errorf("--issuers: %w", err)
	}
	defer func() { _ = file.Close() }()
	read, err := dataset.ParseIssuers(file)
	if err == nil {
		err = read.Secrets(env.getenv)
	}
	if err != nil {
		return dataset.Issuers{}, inFile("--issuers", s.Issuers, err)
	}
	return read, nil
}

func (s issuersSetting) trusted(env *environment) (trusted, error) {
	if s.Issuers == "" {
		return trusted{}, nil
	}
	read, err := s.read(env)
	if err != nil {
		return trusted{}, err
	}
	var list []oidc.Issuer
	for _, i := range read.Issuers {
		list = append(list, oidc.Issuer{
			Name: i.Name, Title: i.Title, URL: i.URL, ClientID: i.ClientID, ClientSecret: i.Secret, Audiences: i.Audiences,
			Algorithms: i.Algorithms, Domains: i.Domains, TrustedAMR: i.AMR, TrustedACR: i.ACR,
		})
	}
	return trusted{issuers: oidc.New(list, oidc.Options{Now: clock.Now}), returnURLs: read.ReturnURLs}, nil
}
