package iam

import (
	"context"
	"errors"
)

// Recognized is a user by an identity of its own.
type Recognized struct {
	User       User
	IdentityID ID
}

// Recognize says which user an assertion stands for, and links it where it may
// be, making the user of an invited address. Of an identity that is known, or
// that stands for nobody, it only reads.
func (s *Service) Recognize(ctx context.Context, assertion Assertion, visitor Visitor) (Recognized, error) {
	facts, err := s.store.IdentityFacts(ctx, assertion, s.now())
	if err != nil {
		return Recognized{}, err
	}
	decision, err := DecideIdentity(facts, assertion)
	if err != nil {
		return Recognized{}, err
	}
	if !decision.Link {
		return Recognized{User: decision.User, IdentityID: facts.Identity.ID}, nil
	}
	drawn := s.drawLinking(visitor.Actor(), MeansToken)
	return write(ctx, s, drawn.linked, func(tx Tx, _ *AuditEntry) (Recognized, error) {
		return s.recognize(tx, drawn, assertion)
	})
}

// SignInByIdentity begins a session of the user that an assertion stands for.
// It is IdentityUnlinked where the mailbox has to be proved first: see
// SignInAndLink.
func (s *Service) SignInByIdentity(ctx context.Context, visitor Visitor, assertion Assertion) (SignedIn, error) {
	drawn := s.drawLinking(visitor.Actor(), MeansIdentity)
	session, secret := s.drawSession()
	session.Method, session.Factor = ByIdentity, assertion.Factor
	entry := visitor.Actor().Entry(s.newID(), SessionStart, "", session.ID)
	replaced := visitor.Actor().Entry(s.newID(), SessionEnd, "", visitor.Session)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (SignedIn, error) {
		known, err := s.recognize(tx, drawn, assertion)
		if err != nil {
			return SignedIn{}, err
		}
		entry.by(known.User, MeansIdentity)
		begun, err := s.begin(tx, session, known.User, visitor, *entry, replaced)
		return SignedIn{Session: begun, User: known.User, Secret: secret}, err
	})
}

// SignInAndLink begins a session of the user whose mailbox is proved, and links
// the identity that the same browser showed: see ChallengeFacts.linksBy. A user with
// a second factor shows that first: see SignedIn.LinkWaits.
func (s *Service) SignInAndLink(ctx context.Context, visitor Visitor, proof Proof, assertion Assertion) (SignedIn, error) {
	return s.signInByMail(ctx, visitor, proof, &assertion)
}

// Identities lists those of a user, oldest first.
func (s *Service) Identities(ctx context.Context, actor Actor, userID ID) ([]Identity, error) {
	if err := mustOperate(actor); err != nil {
		return nil, err
	}
	return s.store.Identities(ctx, userID)
}

// Unlink takes an identity from its user, with the user's sessions: any of them
// may rest on it.
func (s *Service) Unlink(ctx context.Context, actor Actor, userID, id ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), IdentityUnlink, "", id)
	ended := actor.Entry(s.newID(), SessionEnd, "", userID)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		if err := tx.DeleteIdentity(userID, id, *entry); err != nil {
			return struct{}{}, missing(err, notFound("identity"))
		}
		return struct{}{}, tx.EndSessions(userID, "", ended)
	})
	return err
}

// linking is what is drawn to link an identity, maybe of a user that is made
// for it, and what is found of it.
type linking struct {
	userID, identityID ID
	means              Means // by what the user is known
	made, linked       AuditEntry
	facts              IdentityFacts
}

func (s *Service) drawLinking(actor Actor, means Means) linking {
	l := linking{means: means, userID: s.drawID(), identityID: s.drawID()}
	l.made = actor.Entry(s.newID(), UserCreate, "", l.userID)
	l.linked = actor.Entry(s.newID(), IdentityLink, "", l.identityID)
	return l
}

// look reads the facts of an assertion, nil: of none.
func (l *linking) look(tx Tx, a *Assertion) (err error) {
	if a != nil {
		l.facts, err = tx.IdentityFacts(*a)
	}
	return err
}

// recognize is Recognize within a transaction.
func (s *Service) recognize(tx Tx, l linking, a Assertion) (Recognized, error) {
	if err := l.look(tx, &a); err != nil {
		return Recognized{}, err
	}
	decision, err := DecideIdentity(l.facts, a)
	if err != nil {
		return Recognized{}, err
	}
	if !decision.Link {
		return Recognized{User: decision.User, IdentityID: l.facts.Identity.ID}, nil
	}
	user := decision.User
	if decision.New {
		user = User{ID: l.userID, Email: a.Email, Verified: true, CreatedOn: tx.Now()}
		l.made.by(user, l.means)
		l.made.After = userSnapshot(user)
		if err := tx.InsertUser(user, l.made); err != nil {
			return Recognized{}, overtaken(err)
		}
	}
	if err := s.link(tx, l, a, user, decision.Why); err != nil {
		return Recognized{}, err
	}
	return Recognized{User: user, IdentityID: l.identityID}, nil
}

// linkProved links an identity with the user who proved the asserted mailbox. One
// that became somebody else's meanwhile stays theirs.
func (s *Service) linkProved(tx Tx, l linking, a Assertion, user User) error {
	if l.facts.Identity != nil {
		if l.facts.Identity.UserID == user.ID {
			return nil
		}
		return identityUnlinked()
	}
	return s.link(tx, l, a, user, LinkedByMailbox)
}

// link adds an identity, and tells a user who was there before.
func (s *Service) link(tx Tx, l linking, a Assertion, user User, why LinkReason) error {
	identity := Identity{ID: l.identityID, Issuer: a.Issuer, Subject: a.Subject, UserID: user.ID, Reason: why, CreatedOn: tx.Now()}
	l.linked.by(user, l.means)
	l.linked.After = identity.snapshot()
	if err := tx.InsertIdentity(identity, l.linked); err != nil {
		return overtaken(err)
	}
	if why == LinkedAtCreation {
		return nil
	}
	return s.mailing.queue(tx, noticeOf(SignInLinked, user, l.linked, tx.Now()))
}

// overtaken has a transaction that another one was quicker than begin anew: it
// then finds the other's user and identity.
func overtaken(err error) error {
	if errors.Is(err, ErrDuplicate) {
		return ErrStale
	}
	return err
}

// snapshot is an identity as audit rows hold it: without its subject, by which a
// person who was erased would still be known.
func (i Identity) snapshot() string {
	return encode(struct {
		Issuer string     `json:"issuer"`
		UserID ID         `json:"user_id"`
		Reason LinkReason `json:"reason"`
	}{i.Issuer, i.UserID, i.Reason})
}
