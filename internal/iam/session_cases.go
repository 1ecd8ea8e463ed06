package iam

import (
	"context"
	"errors"
)

// AskSignIn mails a link and a code to an address, either of which signs its
// user in. What is answered, and written, is the same whether or not there is
// one.
func (s *Service) AskSignIn(ctx context.Context, visitor Visitor, email string) (Asked, error) {
	if err := s.mails(); err != nil {
		return Asked{}, err
	}
	email, err := CanonicalEmail(email)
	if err != nil {
		return Asked{}, at("/email", err)
	}
	asked, challenge := s.drawChallenge(ForSignIn, email)
	entry := visitor.Actor().Entry(s.newID(), SignInAsk, "", challenge.ID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Asked, error) {
		user, err := tx.UserOfAddress(email)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return Asked{}, err
		}
		challenge := challenge
		if err == nil && mayBeMailed(user) {
			challenge.UserID = user.ID
		}
		return s.ask(tx, asked, challenge, SignInMessage, visitor, *entry)
	})
}

// ProofAddress is the mailbox that a challenge proves, for who holds its link: that
// it is one of ours its caller found out before.
func (s *Service) ProofAddress(ctx context.Context, id ID) (string, error) {
	challenge, err := s.store.Challenge(ctx, id)
	return challenge.Email, missing(err, proofRefused())
}

// mails refuses where nobody can prove a mailbox.
func (s *Service) mails() error {
	if s.signIn.Secrets == nil || !s.mailing.Enabled {
		return refuse(Forbidden, "this instance sends no mail, so nobody signs in by one")
	}
	return nil
}

func (s *Service) drawChallenge(purpose ChallengePurpose, email string) (Asked, Challenge) {
	asked := Asked{ID: s.drawID(), Browser: NewSessionSecret()}
	return asked, Challenge{ID: asked.ID, Purpose: purpose, Email: email, Browser: HashSecret(asked.Browser)}
}

// ask adds a challenge and its message. One that nobody can settle has the same
// rows, and a message that is never sent.
func (s *Service) ask(tx Tx, asked Asked, challenge Challenge, kind DeliveryKind, visitor Visitor, entry AuditEntry) (Asked, error) {
	now := tx.Now()
	if full, err := tx.Spend(s.signIn.asking(challenge, visitor, now)); err != nil {
		return Asked{}, err
	} else if full != nil {
		return Asked{}, tooMany(*full, now)
	}
	challenge.CreatedOn, challenge.ExpiresOn = now, now.Add(ChallengeLife)
	asked.ExpiresOn = challenge.ExpiresOn
	if err := tx.InsertChallenge(challenge, entry); err != nil {
		return Asked{}, err
	}
	message := Delivery{
		ID: string(challenge.ID) + "-" + string(kind), Kind: kind, UserID: challenge.UserID, Recipient: challenge.Email,
		Detail: string(challenge.ID), State: Queued, DueOn: now, CreatedOn: now,
	}
	if challenge.UserID == "" {
		message.State, message.Words, message.EndedOn = Dropped, "nobody can use it", now
	}
	return asked, s.mailing.queue(tx, message)
}

// settled is what a proof led to. A refusal is a result: what was counted stays.
type settled[T any] struct {
	result  T
	refusal error
}

// settle proves a mailbox. A failure is counted and recorded in the transaction
// that finds it, which must be committed therefore: refusal is no error.
func (s *Service) settle(
	tx Tx, purpose ChallengePurpose, proof Proof, visitor Visitor, entry *AuditEntry,
) (facts ChallengeFacts, refusal, err error) {
	facts, err = tx.ChallengeFacts(proof.ID)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return ChallengeFacts{}, nil, err
	}
	proved := DecideProof(facts, purpose, proof, s.signIn.Secrets, tx.Now())
	failing := s.signIn.failing(facts.Challenge, proof, visitor, tx.Now())
	if full, err := tx.Spent(failing); err != nil {
		return ChallengeFacts{}, nil, err
	} else if full != nil && (!proved || !proof.ByLink) {
		// A link that holds is let through: it was not guessed, and behind a proxy
		// a client may be everybody.
		return ChallengeFacts{}, nil, tooMany(*full, tx.Now())
	}
	if proved {
		entry.by(facts.User, MeansLink)
		return facts, nil, tx.UseChallenge(proof.ID)
	}
	if !proof.ByLink && facts.Challenge.ID != "" {
		if err := tx.FailChallenge(proof.ID); err != nil {
			return ChallengeFacts{}, nil, err
		}
	}
	if _, err := tx.Spend(failing); err != nil {
		return ChallengeFacts{}, nil, err
	}
	entry.TargetID, entry.Denied = proof.ID, "proof_refused"
	return ChallengeFacts{}, proofRefused(), tx.Record(*entry)
}

// SignIn begins a session of the user whose mailbox is proved. An address that was
// unproven is proven by it.
func (s *Service) SignIn(ctx context.Context, visitor Visitor, proof Proof) (SignedIn, error) {
	return s.signInByMail(ctx, visitor, proof, nil)
}

// signInByMail does so, and links what the asking browser showed of a provider.
func (s *Service) signInByMail(ctx context.Context, visitor Visitor, proof Proof, shown *Assertion) (SignedIn, error) {
	if err := s.mails(); err != nil {
		return SignedIn{}, err
	}
	drawn, secret := s.drawSession()
	entry := visitor.Actor().Entry(s.newID(), SessionStart, "", drawn.ID)
	replaced := visitor.Actor().Entry(s.newID(), SessionEnd, "", visitor.Session)
	linking := s.drawLinking(visitor.Actor(), MeansIdentity)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (settled[SignedIn], error) {
		linking, drawn := linking, drawn
		if err := linking.look(tx, shown); err != nil { // first, since it locks whom it is about
			return settled[SignedIn]{}, err
		}
		facts, refusal, err := s.settle(tx, ForSignIn, proof, visitor, entry)
		if err != nil || refusal != nil {
			return settled[SignedIn]{refusal: refusal}, err
		}
		if err := tx.EndChallenges(facts.User.ID); err != nil {
			return settled[SignedIn]{}, err
		}
		user, err := s.proveUser(tx, facts.User, *entry)
		if err != nil {
			return settled[SignedIn]{}, err
		}
		links := shown != nil && facts.linksBy(*shown, proof)
		// Who reads the mailbox is not the user yet where that has a second factor:
		// an identity would open the user to it for good. See ShowFactorAndLink.
		waits := links && user.OwnFactor
		if links && !waits {
			if err := s.linkProved(tx, linking, *shown, user); err != nil {
				return settled[SignedIn]{}, err
			}
			drawn.Method, drawn.Factor = ByIdentity, shown.Factor
		}
		session, err := s.begin(tx, drawn, user, visitor, *entry, replaced)
		return settled[SignedIn]{result: SignedIn{session, user, secret, waits}}, err
	})
	if err == nil {
		err = done.refusal
	}
	return done.result, err
}

// drawSession draws what of a session has to be drawn before a transaction.
func (s *Service) drawSession() (Session, string) {
	secret := NewSessionSecret()
	return Session{ID: s.drawID(), Hash: HashSecret(secret)}, secret
}

// begin adds a session, and ends the one that the browser had before.
func (s *Service) begin(tx Tx, drawn Session, user User, visitor Visitor, entry, replaced AuditEntry) (Session, error) {
	if visitor.Session != "" {
		if err := tx.EndSession(visitor.Session, replaced); err != nil && !errors.Is(err, ErrNoRow) {
			return Session{}, err
		}
	}
	session := s.signIn.start(drawn, user, ByMailbox, visitor, tx.Now())
	entry.After = sessionSnapshot(session)
	return session, tx.InsertSession(session, entry)
}

// Sessions lists those of the actor's user that hold, oldest first.
func (s *Service) Sessions(ctx context.Context, actor Actor) ([]Session, error) {
	if err := mustBeUser(actor); err != nil {
		return nil, err
	}
	all, err := s.store.Sessions(ctx, actor.User.ID)
	if err != nil {
		return nil, err
	}
	holding := all[:0]
	for _, session := range all {
		if session.HoldsAt(s.now()) {
			holding = append(holding, session)
		}
	}
	return holding, nil
}

// EndSession ends one of the actor's sessions, its own too: that is signing out,
// which needs no second factor.
func (s *Service) EndSession(ctx context.Context, actor Actor, id ID) error {
	check := mustBeUser
	if id == actor.CredentialID {
		check = mustBePerson
	}
	if err := check(actor); err != nil {
		return err
	}
	all, err := s.store.Sessions(ctx, actor.User.ID)
	if err != nil {
		return err
	}
	for _, session := range all {
		if session.ID != id {
			continue
		}
		entry := actor.Entry(s.newID(), SessionEnd, "", id)
		_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
			return struct{}{}, missing(tx.EndSession(id, *entry), notFound("session"))
		})
		return err
	}
	return notFound("session")
}

// EndOtherSessions ends all of the actor's sessions but the one that it shows.
func (s *Service) EndOtherSessions(ctx context.Context, actor Actor) error {
	if err := mustBeUser(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), SessionEnd, "", actor.User.ID)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		return struct{}{}, tx.EndSessions(actor.User.ID, actor.CredentialID, *entry)
	})
	return err
}

// by says that the user did it, who was unknown when the entry was begun, and by
// what it was known then.
func (e *AuditEntry) by(user User, means Means) {
	e.Actor, e.ActorID, e.ActorEmail, e.Means = ByUser, user.ID, user.Email, means
}

func sessionSnapshot(session Session) string {
	return encode(struct {
		UserID ID           `json:"user_id"`
		Method SignInMethod `json:"method"`
		Agent  string       `json:"agent"`
	}{session.UserID, session.Method, session.Agent})
}
