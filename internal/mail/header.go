package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"hither/internal/iam"
)

// Address is one that is written in a header: a name, which may be empty, and
// the address itself.
type Address struct{ Name, Email string }

// ParseAddress reads "Name <name@domain>" or an address alone.
func ParseAddress(s string) (Address, error) {
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		return Address{}, errors.New(`must be of the form "Name <name@domain>" or name@domain`)
	}
	email, err := iam.CanonicalEmail(parsed.Address)
	if err != nil {
		return Address{}, fmt.Errorf("the address %q: %w", parsed.Address, err)
	}
	return Address{Name: tidy(parsed.Name, maxName), Email: email}, nil
}

// String is the address as a header has it.
func (a Address) String() string {
	if a.Name == "" {
		return a.Email
	}
	return phrase(a.Name) + " <" + a.Email + ">"
}

// domain is what stands behind the @.
func (a Address) domain() string { return a.Email[strings.LastIndexByte(a.Email, '@')+1:] }

// phrase is a display name: quoted where it is plain, else encoded.
func phrase(s string) string {
	if isPlain(s) && !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return encoded(s)
}

// unstructured is the value of a header that is text for people.
func unstructured(s string) string {
	if isPlain(s) {
		return s
	}
	return encoded(s)
}

// maxPlain is the longest text that stays on the line of its header's name.
const maxPlain = 60

// isPlain reports whether a text can stand in a header as it is. One that looks
// like an encoded word cannot: it would be decoded, to whatever it likes.
func isPlain(s string) bool {
	if len(s) > maxPlain || strings.Contains(s, "=?") || strings.TrimSpace(s) != s {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// encoded is a text as encoded words of RFC 2047, each on a line of its own.
// mime.WordEncoder would leave ASCII as it is, and with it what only looks
// encoded.
func encoded(s string) string {
	const most = 42 // bytes, so that a line stays within 76 characters
	var words []string
	for s != "" {
		end := 0
		for end < len(s) {
			_, size := utf8.DecodeRuneInString(s[end:])
			if end+size > most {
				break
			}
			end += size
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:end]))+"?=")
		s = s[end:]
	}
	return strings.Join(words, "\r\n ")
}
