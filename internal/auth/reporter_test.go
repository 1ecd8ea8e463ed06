package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
)

// The token for reports is that and nothing else, and nothing else is it.
func TestReporter(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("r", 32)
	plain := auth.New(newStore(), func() time.Time { return noon })
	a := plain.WithReporter(secret)
	for name, test := range map[string]struct {
		a     *auth.Authenticator
		shown []string
		fault auth.Fault
	}{
		"nothing":                 {a, nil, auth.Missing},
		"another token":           {a, []string{"Authorization: Bearer " + strings.Repeat("q", 32)}, auth.InvalidToken},
		"a token of ours":         {a, []string{bearer + userToken}, auth.InvalidToken},
		"it and a key":            {a, []string{"Authorization: Bearer " + secret, email, key}, auth.InvalidToken},
		"it, where nobody can":    {plain, []string{"Authorization: Bearer " + secret}, auth.InvalidToken},
		"it, where it is no more": {a.WithReporter(""), []string{"Authorization: Bearer " + secret}, auth.InvalidToken},
		"half of it":              {a, []string{"Authorization: Bearer " + secret[1:]}, auth.Malformed},
		"the operator's token":    {a, []string{bearer + operatorToken}, auth.InvalidToken},
	} {
		var fault *auth.Error
		if actor, err := test.a.Reporter(request(t, test.shown...)); !errors.As(err, &fault) || fault.Fault != test.fault || actor.Kind != "" {
			t.Errorf("%s: got %+v, %v, want fault %v", name, actor, err, test.fault)
		}
	}
	actor, err := a.Reporter(request(t, "Authorization: Bearer "+secret))
	if err != nil || actor.Kind != iam.ByReporter || actor.Operator() {
		t.Errorf("the token itself: got %+v, %v, want the reporter, with no other right", actor, err)
	}
	if _, err := a.Authenticate(request(t, "Authorization: Bearer "+secret)); err == nil {
		t.Error("the token for reports is a credential of the API")
	}
}
