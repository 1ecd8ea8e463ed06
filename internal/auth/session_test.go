package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
)

func (s *store) SessionPrincipal(_ context.Context, hash [32]byte) (iam.SessionPrincipal, error) {
	s.reads++
	principal, ok := s.sessions[hash]
	if !ok && s.err == nil {
		return principal, iam.ErrNoRow
	}
	return principal, s.err
}

func (s *store) Update(context.Context, func(tx iam.Tx) error) error {
	s.writes++
	return errors.New("the disk is full")
}

const sessionSecret = "session-session-session-session-session-ses"

// KF-82, KF-83, and ASVS 7.3: what ends a session, or who has it, holds at the
// very next request.
func TestSession(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		edit    func(p *iam.SessionPrincipal)
		refused bool
	}{
		{"holds", func(*iam.SessionPrincipal) {}, false},
		{"of a suspended user", func(p *iam.SessionPrincipal) { p.User.Suspended = true }, true},
		{"ended", func(p *iam.SessionPrincipal) { p.Session.EndedOn = noon }, true},
		{"at its last moment", func(p *iam.SessionPrincipal) { p.Session.ExpiresOn = noon.Add(time.Microsecond) }, false},
		{"past its time", func(p *iam.SessionPrincipal) { p.Session.ExpiresOn = noon }, true},
		{"unused for nearly too long", func(p *iam.SessionPrincipal) { p.Session.SeenOn = noon.Add(-time.Hour + time.Microsecond) }, false},
		{"unused for too long", func(p *iam.SessionPrincipal) { p.Session.SeenOn = noon.Add(-time.Hour) }, true},
		{"of another secret", func(p *iam.SessionPrincipal) { p.Session.Hash[0]++ }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			hash := iam.HashSecret(sessionSecret)
			principal := iam.SessionPrincipal{User: iam.User{ID: "u1"}, Session: iam.Session{
				ID: "s1", UserID: "u1", Hash: hash, ProvedOn: noon.Add(-time.Minute), SeenOn: noon.Add(-time.Minute),
				Idle: time.Hour, ExpiresOn: noon.Add(time.Hour), Factor: "totp",
			}}
			test.edit(&principal)
			s.sessions = map[[32]byte]iam.SessionPrincipal{hash: principal}
			actor, session, err := auth.New(s, func() time.Time { return noon }).Session(t.Context(), sessionSecret)
			if refusal, ok := errors.AsType[*auth.Error](err); test.refused && (!ok || refusal.Fault != auth.InvalidSession) {
				t.Fatalf("got error %v, want an invalid session", err)
			}
			if test.refused {
				return
			}
			want := iam.Actor{Kind: iam.ByUser, User: principal.User, CredentialID: "s1", Means: iam.MeansSession, SessionProved: principal.Session.ProvedOn, Factor: "totp"}
			if err != nil || actor != want || session != principal.Session {
				t.Errorf("got %+v, %+v, %v; want %+v", actor, session, err, want)
			}
		})
	}
}

func TestSessionOfNobody(t *testing.T) {
	t.Parallel()
	s := newStore()
	a := auth.New(s, func() time.Time { return noon })
	for _, secret := range []string{"", "short", sessionSecret} {
		_, _, err := a.Session(t.Context(), secret)
		if refusal, ok := errors.AsType[*auth.Error](err); !ok || refusal.Fault != auth.InvalidSession {
			t.Errorf("%q: got error %v, want an invalid session", secret, err)
		}
	}
	if s.reads != 1 {
		t.Errorf("%d reads, want one: what cannot be a secret costs none", s.reads)
	}
	s.err = errors.New("broken")
	_, _, err := a.Session(t.Context(), sessionSecret)
	if _, ok := errors.AsType[*auth.Error](err); ok || !errors.Is(err, s.err) {
		t.Errorf("got error %v, want the store's", err)
	}
}

// A request costs no write, but one in a few minutes; and a disk that is full
// ends no session.
func TestSessionIsSeenFromTimeToTime(t *testing.T) {
	t.Parallel()
	for ago, want := range map[time.Duration]int{0: 0, iam.SeenEvery - 1: 0, iam.SeenEvery: 1, time.Hour: 1} {
		s := newStore()
		hash := iam.HashSecret(sessionSecret)
		s.sessions = map[[32]byte]iam.SessionPrincipal{hash: {Session: iam.Session{
			Hash: hash, SeenOn: noon.Add(-ago), Idle: 2 * time.Hour, ExpiresOn: noon.Add(time.Hour),
		}}}
		_, _, err := auth.New(s, func() time.Time { return noon }).Session(t.Context(), sessionSecret)
		if err != nil || s.writes != want {
			t.Errorf("seen %s ago: %d writes and error %v, want %d and none", ago, s.writes, err, want)
		}
	}
}

// The API takes no cookie for a credential: a page elsewhere cannot make a
// browser use it.
func TestAuthenticateReadsNoCookie(t *testing.T) {
	t.Parallel()
	s := newStore()
	hash := iam.HashSecret(sessionSecret)
	s.sessions = map[[32]byte]iam.SessionPrincipal{hash: {Session: iam.Session{Hash: hash, SeenOn: noon, Idle: 1, ExpiresOn: noon.Add(1)}}}
	for _, name := range []string{"session", "__Host-session", "hither", "X-Auth-Key", "Authorization"} {
		r := request(t, "Cookie: "+name+"="+sessionSecret)
		_, err := auth.New(s, func() time.Time { return noon }).Authenticate(r)
		if refusal, ok := errors.AsType[*auth.Error](err); !ok || refusal.Fault != auth.Missing || s.reads != 0 {
			t.Errorf("cookie %s: got error %v after %d reads, want none shown and none", name, err, s.reads)
		}
	}
}
