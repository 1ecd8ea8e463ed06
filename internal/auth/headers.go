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
// are both there or both "".
type credentials struct {
	email, key, token string
}

// read takes the credentials from the headers. Half a pair counts as malformed
// in its other half, and a header that is there twice is malformed: which one
// counts is nobody's to guess.
func read(header http.Header) (credentials, error) {
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
		if shown.token, ok = bearer(tokens); !ok {
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

// bearer takes the token out of an Authorization header. The name of the
// scheme matches in any case (RFC 9110).
func bearer(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return secret([]string{strings.TrimLeft(token, " ")})
}
