package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"hither/internal/iam"
)

// What the clocks of two machines may differ by, and how long a Bearer token may
// hold: it cannot be taken back, so it must not outlive a working day by much.
const (
	leeway      = time.Minute
	maxLifetime = 24 * time.Hour
)

// claims are those of a verified token, by their exact names.
type claims map[string]json.RawMessage

// known are the names that something rests on.
func known() []string {
	return []string{"iss", "sub", "aud", "exp", "nbf", "iat", "nonce", "azp", "email", "email_verified", "amr", "acr"}
}

// verified checks a token but for its audience: signed by the issuer, with an
// algorithm that it signs with, in its time.
func (i *issuer) verified(ctx context.Context, token string) (claims, error) {
	keys := &witness{keySet: i.keys}
	verifier := oidc.NewVerifier(i.URL, keys, &oidc.Config{
		SupportedSigningAlgs: i.Algorithms, SkipClientIDCheck: true, Now: i.now,
	})
	checked, err := verifier.Verify(ctx, token)
	switch {
	case keys.err != nil:
		return nil, keys.err
	case err != nil:
		// The library's words may repeat what the token says.
		if _, over := errors.AsType[*oidc.TokenExpiredError](err); over {
			return nil, errors.New("it is past its time, or has no end")
		}
		return nil, errors.New("it is no token of the issuer: its form, its algorithm, its issuer or its time is wrong")
	}
	var all claims
	if err := checked.Claims(&all); err != nil {
		return nil, errors.New("its claims are no JSON object")
	}
	return all, all.check(checked, i.now())
}

// witness is a key set that remembers why it refused: the library keeps only the
// words.
type witness struct {
	*keySet
	err error
}

func (w *witness) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := w.keySet.VerifySignature(ctx, token)
	w.err = err
	return payload, err
}

// check holds what the library leaves open. It reads names in any case, as Go
// does: a claim that somebody may choose for itself must not pass for another.
func (c claims) check(checked *oidc.IDToken, now time.Time) error {
	for name := range c {
		if lower := strings.ToLower(name); lower != name && slices.Contains(known(), lower) {
			return errors.New("it has a claim that differs from one of ours by case")
		}
	}
	if c.text("sub") != checked.Subject || !subject(checked.Subject) {
		return errors.New("its subject is missing, too long, or no ASCII text")
	}
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := c.moment(name); !ok || at.After(now.Add(leeway)) {
			return errors.New("it is not valid yet: its " + name + " lies ahead or is no time")
		}
	}
	return nil
}

func subject(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= iam.MaxSubject
}

// text is a claim that is a string, "" where it is none.
func (c claims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// texts is a claim that is a string or a list of them.
func (c claims) texts(name string) []string {
	var list []string
	if json.Unmarshal(c[name], &list) == nil {
		return list
	}
	if s := c.text(name); s != "" {
		return []string{s}
	}
	return nil
}

// moment is a claim that is a time, the zero time where it is missing.
func (c claims) moment(name string) (time.Time, bool) {
	raw, there := c[name]
	if !there {
		return time.Time{}, true
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > math.MaxInt32*64 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// assertion is what verified claims say of a person. An address counts where the
// issuer says, by the boolean true and by nothing like it, that it proved it.
func (i *issuer) assertion(c claims) (iam.Assertion, error) {
	var proved any
	if json.Unmarshal(c["email_verified"], &proved) != nil || proved != true {
		return iam.Assertion{}, errors.New("its email_verified is not the boolean true")
	}
	email, err := iam.CanonicalEmail(c.text("email"))
	if err != nil {
		return iam.Assertion{}, errors.New("its email is no address that is taken here")
	}
	return iam.Assertion{
		Issuer: i.URL, Subject: c.text("sub"), Provider: i.Name, Email: email,
		Authoritative: i.speaksFor(email), Factor: i.factor(c),
	}, nil
}

// speaksFor reports whether the operator declared the issuer authoritative for
// an address: for its whole domain, and no domain below.
func (i *issuer) speaksFor(email string) bool {
	domain := email[strings.LastIndexByte(email, '@')+1:]
	return slices.Contains(i.Domains, "*") || slices.Contains(i.Domains, domain)
}

// factor is the first trusted word for a second factor.
func (i *issuer) factor(c claims) string {
	for _, method := range c.texts("amr") {
		if slices.Contains(i.TrustedAMR, method) {
			return "amr:" + method
		}
	}
	if class := c.text("acr"); class != "" && slices.Contains(i.TrustedACR, class) {
		return "acr:" + class
	}
	return ""
}
