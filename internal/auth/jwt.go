package auth

import (
	"context"
	"strings"
	"time"

	"hither/internal/iam"
)

// Issuers verify JWTs of logins that the operator trusts. An error that is not
// iam.Unavailable refuses the token, and holds nothing of it.
type Issuers interface {
	Bearer(ctx context.Context, token string) (iam.Assertion, error)
}

// Identities say which user an assertion stands for; iam.Service does.
type Identities interface {
	Recognize(ctx context.Context, assertion iam.Assertion, visitor iam.Visitor) (iam.Recognized, error)
}

// WithIssuers is the same Authenticator, which takes JWTs of the issuers as
// Bearer tokens.
func (a *Authenticator) WithIssuers(issuers Issuers, identities Identities) *Authenticator {
	with := *a
	with.issuers, with.identities = issuers, identities
	return &with
}

// maxJWT is the longest that is looked at, in bytes. Some issuers put much into
// one; all headers together have 32 KiB.
const maxJWT = 16 << 10

// wellFormedJWT reports whether s could be a signed JWT: three parts in
// base64url, and a token of ours has no dot.
func wellFormedJWT(s string) bool {
	if len(s) > maxJWT {
		return false
	}
	const three = 3
	parts := 0
	for part := range strings.SplitSeq(s, ".") {
		parts++
		if part == "" || strings.Trim(part, base64url) != "" {
			return false
		}
	}
	return parts == three
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// verifyFor bounds how long a request waits for an issuer.
const verifyFor = 6 * time.Second

// jwt says who shows a JWT. Its user is looked up with every request: what the
// token says of itself gives no right.
func (a *Authenticator) jwt(ctx context.Context, token, remoteAddr string) (iam.Actor, error) {
	asking, cancel := context.WithTimeout(ctx, verifyFor)
	defer cancel()
	assertion, err := a.issuers.Bearer(asking, token)
	if err != nil {
		return iam.Actor{}, refusedJWT(err)
	}
	known, err := a.identities.Recognize(ctx, assertion, iam.Visitor{RemoteAddr: remoteAddr})
	if iam.KindOf(err) == iam.Forbidden {
		return iam.Actor{}, &Error{Fault: InvalidToken, Reason: "the user is suspended"}
	}
	if err != nil {
		return iam.Actor{}, err
	}
	return iam.Actor{
		Kind: iam.ByUser, User: known.User, CredentialID: known.IdentityID, Means: iam.MeansToken, Factor: assertion.Factor,
	}, nil
}

func refusedJWT(err error) error {
	if iam.KindOf(err) == iam.Unavailable {
		return err
	}
	return &Error{Fault: InvalidToken, Reason: err.Error()}
}
