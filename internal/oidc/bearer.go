package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"hither/internal/iam"
)

// Bearer verifies a JWT that somebody shows as a Bearer token. An error of the
// kind Unavailable says that the issuer could not be asked; any other that the
// token is refused, and holds nothing of it.
func (all *Issuers) Bearer(ctx context.Context, token string) (iam.Assertion, error) {
	named := issuerOf(token)
	at := slices.IndexFunc(all.issuers, func(i *issuer) bool { return i.URL == named && len(i.Audiences) > 0 })
	if at < 0 {
		return iam.Assertion{}, errors.New("a JWT of no issuer whose tokens are taken")
	}
	assertion, err := all.issuers[at].bearer(ctx, token)
	if err != nil && iam.KindOf(err) != iam.Unavailable {
		err = errors.New("a JWT of " + all.issuers[at].Name + " is refused: " + err.Error())
	}
	return assertion, err
}

func (i *issuer) bearer(ctx context.Context, token string) (iam.Assertion, error) {
	c, err := i.verified(ctx, token)
	if err != nil {
		return iam.Assertion{}, err
	}
	if !slices.ContainsFunc(c.texts("aud"), func(one string) bool { return slices.Contains(i.Audiences, one) }) {
		return iam.Assertion{}, errors.New("it is for another audience")
	}
	if end, ok := c.moment("exp"); !ok || end.After(i.now().Add(maxLifetime+leeway)) {
		return iam.Assertion{}, errors.New("it holds for more than " + maxLifetime.String())
	}
	return i.assertion(c)
}

// issuerOf is whose a token says it is. Nothing of it is believed yet.
func issuerOf(token string) string {
	parts := strings.Split(token, ".")
	const three = 3
	if len(parts) != three {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var c claims
	if json.Unmarshal(text, &c) != nil {
		return ""
	}
	return c.text("iss")
}
