package iam

import (
	"context"
	"errors"
)

// AskAddress mails a link and a code to the address that the actor wants to have
// from now on. Whether it is somebody else's is not told: then nothing is sent.
func (s *Service) AskAddress(ctx context.Context, actor Actor, visitor Visitor, email string) (Asked, error) {
	if err := errors.Join(mustBeUser(actor), s.mails()); err != nil {
		return Asked{}, err
	}
	email, err := CanonicalEmail(email)
	if err != nil {
		return Asked{}, at("/email", err)
	}
	asked, challenge := s.drawChallenge(ForAddress, email)
	entry := actor.Entry(s.newID(), AddressAsk, "", challenge.ID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Asked, error) {
		if err := actor.fresh(tx.Now()); err != nil {
			return Asked{}, err
		}
		user, err := actingUser(tx, actor)
		if err != nil {
			return Asked{}, err
		}
		challenge := challenge
		switch _, err := tx.UserOfAddress(email); {
		case errors.Is(err, ErrNoRow):
			challenge.UserID = user.ID
		case err != nil:
			return Asked{}, err
		}
		return s.ask(tx, asked, challenge, AddressMessage, visitor, *entry)
	})
}

// ProveAddress gives the actor the address that it proves. A session of its own
// has to be shown: else whoever can be made to follow a link would hand its
// mailbox to somebody else's user. Every session ends and a new one begins, for
// the browser that is at it.
func (s *Service) ProveAddress(ctx context.Context, actor Actor, visitor Visitor, proof Proof) (SignedIn, error) {
	if err := errors.Join(mustBeUser(actor), s.mails()); err != nil {
		return SignedIn{}, err
	}
	if !actor.bySession() {
		return SignedIn{}, refuse(SignInFirst, "sign in as the user whose address is to change, then open the link again")
	}
	drawn, secret := s.drawSession()
	drawn.Factor = actor.Factor
	entry := actor.Entry(s.newID(), AddressChange, "", actor.User.ID)
	ended := actor.Entry(s.newID(), SessionEnd, "", actor.User.ID)
	shown := actor.Entry(s.newID(), SessionEnd, "", actor.CredentialID)
	begun := actor.Entry(s.newID(), SessionStart, "", drawn.ID)
	visitor.Session = "" // it ends with all others
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (settled[SignedIn], error) {
		// First, since it locks what the change touches.
		before, err := tx.UserFacts(actor.User.ID)
		if err != nil {
			return settled[SignedIn]{}, missing(err, notFound("user"))
		}
		facts, refusal, err := s.settle(tx, ForAddress, proof, visitor, entry)
		if err != nil || refusal != nil {
			return settled[SignedIn]{refusal: refusal}, err
		}
		if facts.User.ID != actor.User.ID {
			return settled[SignedIn]{}, refuse(SignInFirst, "another user asked for this; sign in as that one, then open the link again")
		}
		// The session that was shown may have been ended meanwhile: then nothing begins.
		if err := tx.EndSession(actor.CredentialID, shown); err != nil {
			return settled[SignedIn]{}, missing(err, refuse(SignInFirst, "this session ended meanwhile; sign in again, then open the link again"))
		}
		after := before.User
		after.Email, after.Verified = facts.Challenge.Email, true
		if err := s.moveAddress(tx, before.User, after, *entry, ended); err != nil {
			return settled[SignedIn]{}, err
		}
		begun := begun
		begun.by(after, MeansLink)
		session, err := s.begin(tx, drawn, after, visitor, begun, AuditEntry{})
		return settled[SignedIn]{result: SignedIn{Session: session, User: after, Secret: secret}}, err
	})
	if err == nil {
		err = done.refusal
	}
	return done.result, err
}

// moveAddress changes a user's address, with all that the old one opened.
func (s *Service) moveAddress(tx Tx, before, after User, entry, ended AuditEntry) error {
	switch holder, err := tx.UserOfAddress(after.Email); {
	case err == nil && holder.ID != before.ID:
		return invalid("/email", "another user has this address already; sign in as that one, or choose another address")
	case err != nil && !errors.Is(err, ErrNoRow):
		return err
	}
	entry.Before, entry.After = userSnapshot(before), userSnapshot(after)
	err := tx.UpdateUser(after, entry)
	if errors.Is(err, ErrDuplicate) {
		return &Error{Kind: AlreadyInvited, Err: err, Message: "an account that you are a member of has invited this address as well; " +
			"decline that invitation by its link, or have it withdrawn, then try again"}
	}
	if err != nil {
		return err
	}
	if err := tx.EndChallenges(before.ID); err != nil {
		return err
	}
	if err := tx.EndSessions(before.ID, "", ended); err != nil {
		return err
	}
	return s.mailing.queue(tx, noticeOf(AddressChanged, before, entry, tx.Now()))
}

// actingUser is the actor's user as of the transaction. One that was suspended
// since its credential was looked at does nothing any more.
func actingUser(tx Tx, actor Actor) (User, error) {
	user, err := tx.ActingUser(actor.User.ID)
	if err != nil {
		return User{}, missing(err, notFound("user"))
	}
	return user, mustBeActive(user)
}

func mustBeActive(user User) error {
	if user.Suspended {
		return refuse(Forbidden, "this user is suspended; the operator can lift that")
	}
	return nil
}
