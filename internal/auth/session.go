package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"hither/internal/iam"
)

// Session says who a browser's session belongs to, by the secret in its cookie;
// whoever serves pages reads that. The actor's RemoteAddr and RequestID are the
// caller's to set. From time to time it is noted that the session is in use:
// that costs a write, and where it fails the session holds all the same.
func (a *Authenticator) Session(ctx context.Context, secret string) (iam.Actor, iam.Session, error) {
	refused := func(reason string) (iam.Actor, iam.Session, error) {
		return iam.Actor{}, iam.Session{}, &Error{Fault: InvalidSession, Reason: reason}
	}
	if !iam.WellFormedSecret(secret) {
		return refused("this is no session's secret")
	}
	hash := iam.HashSecret(secret)
	principal, err := a.store.SessionPrincipal(ctx, hash)
	session, now := principal.Session, a.now()
	switch {
	case errors.Is(err, iam.ErrNoRow):
		return refused("no such session")
	case err != nil:
		return iam.Actor{}, iam.Session{}, fmt.Errorf("look up a session: %w", err)
	case subtle.ConstantTimeCompare(session.Hash[:], hash[:]) != 1:
		return refused("another session was found")
	case !session.HoldsAt(now):
		return refused("the session is over")
	case principal.User.Suspended:
		return refused("the user is suspended")
	}
	if !now.Before(session.SeenOn.Add(iam.SeenEvery)) {
		_ = a.store.Update(ctx, func(tx iam.Tx) error { return tx.SeeSession(session.ID) })
	}
	return session.Actor(principal.User), session, nil
}
