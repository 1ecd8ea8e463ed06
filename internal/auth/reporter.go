package auth

import (
	"crypto/subtle"
	"net/http"

	"hither/internal/iam"
)

// WithReporter is the same Authenticator, which knows whoever shows this secret as
// the one who reports what became of mail. "" is nobody.
func (a *Authenticator) WithReporter(secret string) *Authenticator {
	with := *a
	with.reporter = nil
	if secret != "" {
		hash := iam.HashSecret(secret)
		with.reporter = &hash
	}
	return &with
}

// Reporter says whether the request shows the secret of who reports what became of
// mail, as a Bearer token. No other credential is one, whatever its rights, and this
// one is no other.
func (a *Authenticator) Reporter(r *http.Request) (iam.Actor, error) {
	shown, err := a.read(r.Header)
	if err != nil {
		return iam.Actor{}, err
	}
	hash := iam.HashSecret(shown.token)
	if a.reporter == nil || shown.key != "" || subtle.ConstantTimeCompare(hash[:], a.reporter[:]) != 1 {
		return iam.Actor{}, &Error{Fault: InvalidToken, Reason: "not the token for reports about mail"}
	}
	return iam.Actor{Kind: iam.ByReporter, Means: iam.MeansToken, RemoteAddr: host(r.RemoteAddr)}, nil
}
