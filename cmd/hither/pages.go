package main

import (
	"fmt"
	"net/url"
	"strings"

	"hither/internal/console"
	"hither/internal/seal"
)

// pagesSetting is what the pages need beside the base URL.
type pagesSetting struct {
	LogoHosts []string `env:"HITHER_LOGO_HOSTS" help:"Hosts from which accounts may show their logos on pages, by https. Whoever serves a logo learns who looks at it. Unless given, no logo is shown." placeholder:"HOST"`
}

// check refuses what is no host: a policy of the page is made of it.
func (p *pagesSetting) check() error {
	for _, host := range p.LogoHosts {
		u, err := url.Parse("https://" + host)
		if err != nil || host == "" || u.Host != host || strings.ToLower(host) != host {
			return usageError{fmt.Sprintf("--logo-hosts %s: must be a host in lower case, for example logos.example.com (HITHER_LOGO_HOSTS)", host)}
		}
	}
	return nil
}

// pages are the pages that a server shows: with a base URL, which links lead to.
func (c *serveCommand) pages(keys func() seal.Keyring, returnURLs []string) (*console.Options, error) {
	base, err := c.base()
	if err != nil || base == "" {
		return nil, err
	}
	options, err := pagesAt(base, keys, c.LogoHosts)
	if err != nil {
		return nil, err
	}
	options.ReturnURLs = returnURLs
	return options, nil
}

func pagesAt(base string, keys func() seal.Keyring, logoHosts []string) (*console.Options, error) {
	at, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the base URL %s: %w", base, err)
	}
	return &console.Options{Keys: keys, Base: at, LogoHosts: logoHosts}, nil
}
