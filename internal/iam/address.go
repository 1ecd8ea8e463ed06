package iam

import (
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// MaxEmail is the longest address, in bytes, that the wire carries.
const MaxEmail = 90

const (
	maxLocalPart = 64 // RFC 5321
	// An address outside ASCII takes more bytes before it is canonical.
	maxRawEmail = 4 * MaxEmail
)

// CanonicalEmail brings an address to the one form under which it is stored,
// compared and mailed: trimmed, ASCII lower case, the domain in IDNA ASCII
// form. It refuses a local part outside ASCII, since case mappings make
// different mailboxes look equal there; a plus-address stays an identity of its
// own.
func CanonicalEmail(s string) (string, error) {
	// Before anything looks at it: mapping a long name costs its length squared.
	if len(s) > maxRawEmail {
		return "", invalid("", "must be at most %d characters", MaxEmail)
	}
	s = strings.TrimSpace(s)
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return "", invalid("", "must be an address of the form name@domain")
	}
	local, domain := s[:at], s[at+1:]
	if !validLocalPart(local) {
		return "", invalid("", "the part before the @ must be 1 to %d ASCII letters, digits or %s", maxLocalPart, localSpecials)
	}
	ascii, err := domainProfile().ToASCII(domain)
	if err != nil || !validDomain(ascii) {
		return "", invalid("", "the part after the @ must be a domain name")
	}
	canonical := strings.ToLower(local) + "@" + strings.ToLower(ascii)
	if len(canonical) > MaxEmail {
		return "", invalid("", "must be at most %d characters", MaxEmail)
	}
	return canonical, nil
}

// domainProfile maps as browsers do when they look a name up, but verifies the
// lengths of DNS and refuses what STD 3 does. Every request with a key needs it.
//
//nolint:gochecknoglobals // made once, never changed
var domainProfile = sync.OnceValue(func() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
})

// What RFC 5322 calls atext beside letters and digits, and the dot.
const localSpecials = "!#$%&'*+-/=?^_`{|}~."

func validLocalPart(local string) bool {
	if len(local) > maxLocalPart || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := range len(local) {
		c := local[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(localSpecials, c) < 0 {
			return false
		}
	}
	return true
}

// validDomain asks for two labels at least, so that an address cannot name a
// host of the operator's own network.
func validDomain(ascii string) bool {
	return strings.Contains(ascii, ".") && !strings.HasSuffix(ascii, ".")
}
