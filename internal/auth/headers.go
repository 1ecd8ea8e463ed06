package auth

import (
	"net/http"
	"strings"

	"hither/internal/iam"
)

// The headers that carry credentials.
const (
	EmailHeader = "X-Auth-Email"
	KeyHeader   = "X-Auth-Key"
	TokenHeader = "Authorization"
)

// credentials are what the headers hold, each well formed or "". email and key
// are both there or both ""; of token and jwt there is one at most.
type credentials struct {
	email, key, token, jwt string
}

func (c credentials) bearer() bool { return c.token != "" || c.jwt != "" }

// read takes the credentials from the headers. Half a pair counts as malformed
// in its other half, and a header that is there twice is malformed: which one
// counts is nobody's to guess. What has dots can only be a JWT, where any are taken.
func (a *Authenticator) read(header http.Header) (credentials, error) {
	emails, keys, tokens := header.Values(EmailHeader), header.Values(KeyHeader), header.Values(TokenHeader)
	if len(emails)+len(keys)+len(tokens) == 0 {
		return credentials{}, &Error{Fault: Missing}
	}
	var (
		shown     credentials
		malformed []string
		ok        bool
	)
	if len(emails)+len(keys) > 0 {
		if shown.email, ok = address(emails); !ok {
			malformed = append(malformed, EmailHeader)
		}
		if shown.key, ok = secret(keys); !ok {
			malformed = append(malformed, KeyHeader)
		}
	}
	if len(tokens) > 0 {
		text, named := scheme(tokens)
		switch {
		case named && iam.WellFormedSecret(text):
			shown.token = text
		case named && a.issuers != nil && wellFormedJWT(text):
			shown.jwt = text
		default:
			malformed = append(malformed, TokenHeader)
		}
	}
	if len(malformed) > 0 {
		return credentials{}, &Error{Fault: Malformed, Headers: malformed}
	}
	return shown, nil
}

func address(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	email, err := iam.CanonicalEmail(values[0])
	return email, err == nil
}

func secret(values []string) (string, bool) {
	if len(values) != 1 || !iam.WellFormedSecret(values[0]) {
		return "", false
	}
	return values[0], true
}

// scheme takes what follows the name of the scheme out of an Authorization
// header. That matches in any case (RFC 9110).
func scheme(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	name, token, _ := strings.Cut(values[0], " ")
	return strings.TrimLeft(token, " "), strings.EqualFold(name, "Bearer")
}
