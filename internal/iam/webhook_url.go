package iam

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// WebhookPolicy says where events may be sent. The zero policy allows https to
// public addresses.
type WebhookPolicy struct {
	// Allow are networks that the operator opens, private ones too; what is in them
	// may be spoken to without TLS.
	Allow []netip.Prefix
	// Own are the names under which this instance is reached: it sends nothing to
	// itself.
	Own []string
}

// CheckURL brings a URL to the form that is kept, and refuses one that could never
// be sent to; field is its JSON pointer. Where its name leads to is asked at each
// connection: see Permits.
func (p WebhookPolicy) CheckURL(field, text string) (string, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	switch {
	case len(text) > MaxWebhookURL:
		return "", invalid(field, "must be at most %d characters", MaxWebhookURL)
	case err != nil || u.Opaque != "" || u.Host == "" || strings.ContainsFunc(text, unprintable):
		return "", invalid(field, "must be a URL such as https://example.com/hooks")
	case u.User != nil:
		return "", invalid(field, "must hold no user and password; what is sent is signed instead")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return "", invalid(field, "must have no fragment (#…), which is never sent")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", invalid(field, "must begin with https://")
	case u.Scheme == "http" && len(p.Allow) == 0:
		return "", invalid(field, "must begin with https://; http is for networks that the operator allows (--webhook-allow)")
	}
	host, err := p.checkHost(field, u)
	if err != nil {
		return "", err
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return u.String(), nil
}

// Permits reports whether a connection to an address may be made for a URL of a
// scheme. It is asked for every address that a name led to, at every connection.
func (p WebhookPolicy) Permits(scheme string, addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false
	}
	plain := addr.Unmap()
	if slices.ContainsFunc(p.Allow, func(allowed netip.Prefix) bool { return allowed.Contains(plain) }) {
		return true
	}
	return scheme == "https" && addr == plain && public(plain)
}

// checkHost is CheckURL for the host.
func (p WebhookPolicy) checkHost(field string, u *url.URL) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if addr, err := netip.ParseAddr(name); err == nil {
		if !p.Permits(u.Scheme, addr) {
			return "", invalid(field, "leads to an address that events are not sent to: it is no public one, and none that the operator allows (--webhook-allow)")
		}
		if addr.Is6() {
			return "[" + name + "]", nil
		}
		return name, nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	switch {
	case err != nil || ascii == "":
		return "", invalid(field, "has a host that is no domain name")
	case last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x"):
		// 127.1, 2130706433 and 0x7f000001 are addresses to some and names to others.
		return "", invalid(field, "has a host that is no domain name; an address must be written in full")
	case slices.Contains(p.Own, ascii):
		return "", invalid(field, "is one of this instance itself")
	}
	return ascii, nil
}

// public reports whether an address is of the public internet. What is not, is on
// IANA's lists of special addresses. Of IPv6 what is handed out is public, but for
// what stands for something else: an IPv4 address in it could be any.
func public(addr netip.Addr) bool {
	if addr.Is6() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return false
	}
	for _, special := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	} {
		if netip.MustParsePrefix(special).Contains(addr) {
			return false
		}
	}
	return true
}

// webhookHost is what audit rows say of a webhook's URL: what follows the host may
// be meant for nobody else.
func webhookHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
