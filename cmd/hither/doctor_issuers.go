package main

import (
	"os"
	"slices"
	"strings"

	"hither/internal/dataset"
)

// issuers looks whether the server would start with the file of identity providers,
// and says whom that trusts with what. None of them is asked anything.
func (d *doctor) issuers(env *environment) {
	const check, fields = "issuers", "correct the file; docs/login.md has its fields"
	path := d.settings.Issuers
	if path == "" {
		return
	}
	file, err := d.settings.read(env)
	if err != nil {
		d.failf(check, fields, "%s", strings.ReplaceAll(err.Error(), "\n  ", " "))
		return
	}
	onPages := func(i dataset.Issuer) bool { return i.ClientID != "" }
	if d.settings.BaseURL == "" && slices.ContainsFunc(file.Issuers, onPages) {
		d.failf(check, "give --base-url URL (HITHER_BASE_URL): the server refuses to start like this",
			"%s: people sign in on the pages (client_id), and where these are reached is not said", path)
	}
	withSecret := func(i dataset.Issuer) bool { return i.Secret != "" && i.SecretFrom == "" }
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 && slices.ContainsFunc(file.Issuers, withSecret) {
		d.warnf(check, "chmod 600 "+path+", or name a variable by client_secret_env instead",
			"%s holds a client_secret, and others may read it or change it (%04o)", path, info.Mode().Perm())
	}
	speaks := map[string]string{}
	for _, i := range file.Issuers {
		for _, domain := range i.Domains {
			if other, twice := speaks[domain]; twice && other != i.Name {
				d.warnf(check, "let one of them speak for it, unless both prove each address themselves",
					"%s and %s both speak for the addresses of %s: who gets one from either is let in as its user", other, i.Name, domainWords(domain))
			}
			speaks[domain] = i.Name
		}
		if strings.HasPrefix(i.URL, "http:") {
			d.warnf(check, "for people who sign in use https",
				"%s, %s, is asked over plain http on this machine: fit for developing alone", i.Name, i.URL)
			continue
		}
		d.okf(check, "%s, %s: %s", i.Name, i.URL, trustWords(i))
	}
}

// trustWords say what an issuer is trusted with.
func trustWords(i dataset.Issuer) string {
	var words []string
	if i.ClientID != "" {
		words = append(words, "sign-in on the pages")
	}
	if len(i.Audiences) > 0 {
		words = append(words, "Bearer tokens for "+strings.Join(i.Audiences, ", "))
	}
	if len(i.AMR)+len(i.ACR) > 0 {
		words = append(words, "its word on a second factor")
	}
	domains := make([]string, len(i.Domains))
	for n, domain := range i.Domains {
		domains[n] = domainWords(domain)
	}
	if len(domains) == 0 {
		domains = []string{"no domain"}
	}
	return strings.Join(append(words, "it speaks for the addresses of "+strings.Join(domains, ", ")), "; ")
}

func domainWords(domain string) string {
	if domain == "*" {
		return "every domain"
	}
	return domain
}
