package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
)

// logins take some JWTs, by their text.
type logins struct{ asked int }

const (
	goodJWT      = "eyJhbGciOiJSUzI1NiJ9.good.c2ln"
	otherJWT     = "eyJhbGciOiJSUzI1NiJ9.other.c2ln"
	unlinkedJWT  = "eyJhbGciOiJSUzI1NiJ9.unlinked.c2ln"
	suspendedJWT = "eyJhbGciOiJSUzI1NiJ9.suspended.c2ln"
	downJWT      = "eyJhbGciOiJSUzI1NiJ9.down.c2ln"
	badJWT       = "eyJhbGciOiJSUzI1NiJ9.bad.c2ln"
)

func (l *logins) Bearer(ctx context.Context, token string) (iam.Assertion, error) {
	l.asked++
	if _, bounded := ctx.Deadline(); !bounded {
		return iam.Assertion{}, errors.New("this may wait for ever")
	}
	subject := strings.Split(token, ".")[1]
	switch subject {
	case "bad":
		return iam.Assertion{}, errors.New("a JWT is refused")
	case "down":
		return iam.Assertion{}, &iam.Error{Kind: iam.Unavailable}
	}
	return iam.Assertion{Subject: subject, Factor: "amr:mfa"}, nil
}

func (*logins) Recognize(_ context.Context, a iam.Assertion, from iam.Visitor) (iam.Recognized, error) {
	users := map[string]iam.User{"good": {ID: "u1", Email: "user@example.com"}, "other": {ID: "u2", Email: "other@example.com"}}
	user, known := users[a.Subject]
	switch {
	case from.RemoteAddr != "2001:db8::1":
		return iam.Recognized{}, errors.New("nobody knows where this comes from")
	case a.Subject == "suspended":
		return iam.Recognized{}, &iam.Error{Kind: iam.Forbidden}
	case !known:
		return iam.Recognized{}, &iam.Error{Kind: iam.IdentityUnlinked}
	}
	return iam.Recognized{User: user, IdentityID: "i1"}, nil
}

// A JWT is whoever its identity stands for, with the factor that this token says.
func TestJWT(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		headers []string
		user    iam.ID
		fault   auth.Fault
		kind    iam.Kind // of an error that is none of auth's
	}{
		{name: "of a user", headers: []string{bearer + goodJWT}, user: "u1"},
		{name: "with the key of the same user", headers: []string{email, key, bearer + goodJWT}, user: "u1"},
		{name: "with the key of another", headers: []string{email, key, bearer + otherJWT}, fault: auth.Mixed},
		{name: "refused", headers: []string{bearer + badJWT}, fault: auth.InvalidToken},
		{name: "of a suspended user", headers: []string{bearer + suspendedJWT}, fault: auth.InvalidToken},
		{name: "of nobody", headers: []string{bearer + unlinkedJWT}, kind: iam.IdentityUnlinked},
		{name: "of an issuer that is down", headers: []string{bearer + downJWT}, kind: iam.Unavailable},
		{name: "two parts", headers: []string{bearer + "eyJhbGciOiJSUzI1NiJ9.good"}, fault: auth.Malformed},
		{name: "four parts", headers: []string{bearer + goodJWT + ".x"}, fault: auth.Malformed},
		{name: "an empty part", headers: []string{bearer + "eyJhbGciOiJub25lIn0.good."}, fault: auth.Malformed},
		{name: "a character that is none", headers: []string{bearer + goodJWT + "="}, fault: auth.Malformed},
		{name: "too long", headers: []string{bearer + goodJWT + strings.Repeat("A", 16<<10)}, fault: auth.Malformed},
		{name: "twice", headers: []string{bearer + goodJWT, bearer + goodJWT}, fault: auth.Malformed},
		{name: "a token of ours", headers: []string{bearer + userToken}, user: "u1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := &logins{}
			a := auth.New(newStore(), func() time.Time { return noon }).WithIssuers(l, l)
			actor, err := a.Authenticate(request(t, test.headers...))
			var shown *auth.Error
			switch {
			case test.user != "":
				if err != nil || actor.Kind != iam.ByUser || actor.User.ID != test.user || actor.RemoteAddr != "2001:db8::1" {
					t.Fatalf("got %+v, %v, want %s", actor, err, test.user)
				}
				if byJWT := l.asked == 1; byJWT != (actor.Factor == "amr:mfa") || byJWT != (actor.CredentialID == "i1") {
					t.Errorf("got %+v", actor)
				}
			case test.kind != iam.Internal:
				if iam.KindOf(err) != test.kind || errors.As(err, &shown) || actor.User.ID != "" {
					t.Errorf("got %+v, %v, want the kind %d", actor, err, test.kind)
				}
			case !errors.As(err, &shown) || shown.Fault != test.fault || actor.User.ID != "":
				t.Errorf("got %+v, %v, want the fault %d", actor, err, test.fault)
			}
			if err != nil && strings.Contains(err.Error(), "eyJ") {
				t.Errorf("the error has the token in it: %v", err)
			}
		})
	}
}

// Where no issuer is trusted a JWT is what it always was: no credential at all.
// And it never stands for a token that was made here.
func TestJWTOfNobody(t *testing.T) {
	t.Parallel()
	var shown *auth.Error
	plain := auth.New(newStore(), func() time.Time { return noon })
	if _, err := plain.Authenticate(request(t, bearer+goodJWT)); !errors.As(err, &shown) || shown.Fault != auth.Malformed {
		t.Errorf("without issuers: %v", err)
	}
	l := &logins{}
	if _, err := plain.WithIssuers(l, l).Token(request(t, bearer+goodJWT)); !errors.As(err, &shown) || shown.Fault != auth.InvalidToken || l.asked != 0 {
		t.Errorf("verified as a token: %v", err)
	}
}
