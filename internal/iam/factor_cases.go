package iam

import (
	"context"
	"errors"
	"time"
)

// ownSession refuses whoever does not sit at a browser, wholly signed in: what a
// program shows is no place to set up or lose a second factor.
func (s *Service) ownSession(actor Actor) error {
	if err := mustBeUser(actor); err != nil {
		return err
	}
	if !actor.bySession() {
		return refuse(SignInFirst, "second factors are set up and removed by who is signed in at the pages")
	}
	return s.takesFactors()
}

// takesFactors refuses where nobody can check a code.
func (s *Service) takesFactors() error {
	if s.signIn.Secrets == nil || s.signIn.Codes == nil {
		return refuse(Forbidden, "nobody signs in to this instance, so it has no second factors")
	}
	return nil
}

// Factor tells what second factor the actor has.
func (s *Service) Factor(ctx context.Context, actor Actor) (FactorState, error) {
	if err := mustBeUser(actor); err != nil {
		return FactorState{}, err
	}
	facts, err := s.store.Factors(ctx, actor.User.ID)
	if err != nil || facts.Factor == nil {
		return FactorState{}, missing(err, notFound("user"))
	}
	return FactorState{Since: facts.Factor.ConfirmedOn, CodesLeft: facts.CodesLeft}, nil
}

// BeginFactor draws the seed of a second factor that the actor's session sets up,
// in place of one that was begun before. It asks for nothing until it is
// confirmed.
func (s *Service) BeginFactor(ctx context.Context, actor Actor) error {
	if err := s.ownSession(actor); err != nil {
		return err
	}
	factor := Factor{ID: s.drawID(), UserID: actor.User.ID, Kind: ByTOTP, SessionID: actor.CredentialID}
	factor.Sealed = s.signIn.Secrets.SealSeed(factor.UserID, factor.ID, s.signIn.Codes.NewSeed())
	entry := actor.Entry(s.newID(), FactorBegin, "", factor.ID)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.FactorFacts(actor.User.ID)
		if err != nil {
			return struct{}{}, missing(err, notFound("user"))
		}
		if err := DecideSetUp(facts, actor, tx.Now()); err != nil {
			return struct{}{}, err
		}
		factor := factor
		factor.CreatedOn = tx.Now()
		return struct{}{}, tx.InsertFactor(factor, *entry)
	})
	return err
}

// FactorSeed is the seed of the factor that the actor's session is setting up.
func (s *Service) FactorSeed(ctx context.Context, actor Actor) ([]byte, error) {
	if err := s.ownSession(actor); err != nil {
		return nil, err
	}
	facts, err := s.store.Factors(ctx, actor.User.ID)
	if err != nil {
		return nil, missing(err, notFound("user"))
	}
	factor, err := facts.setUp(actor, s.now())
	if err != nil {
		return nil, err
	}
	return s.signIn.Secrets.OpenSeed(factor.UserID, factor.ID, factor.Sealed)
}

// ConfirmedFactor is what confirming a factor led to: a session with another
// secret, and the recovery codes, both told this once.
type ConfirmedFactor struct {
	SignedIn SignedIn
	Codes    []string
}

// ConfirmFactor has the factor that is being set up ask for its codes from now
// on, since its first one was right. Every other session of the user has to show
// one from then on too.
func (s *Service) ConfirmFactor(ctx context.Context, actor Actor, code string) (ConfirmedFactor, error) {
	if err := s.ownSession(actor); err != nil {
		return ConfirmedFactor{}, err
	}
	secret, codes := NewSessionSecret(), newRecoveryCodes()
	kept := s.signIn.blinded(actor.User.ID, codes)
	entry := actor.Entry(s.newID(), FactorAdd, "", actor.User.ID)
	renewed := actor.Entry(s.newID(), RecoveryRenew, "", actor.User.ID)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (settled[ConfirmedFactor], error) {
		none := settled[ConfirmedFactor]{}
		facts, err := tx.FactorFacts(actor.User.ID)
		if err != nil {
			return none, missing(err, notFound("user"))
		}
		if facts.Factor != nil {
			return none, refuse(Invalid, "there is a second factor already")
		}
		factor, err := facts.setUp(actor, tx.Now())
		if err = errors.Join(err, mustBeActive(facts.User)); err != nil {
			return none, err
		}
		entry.TargetID = factor.ID
		refusal, err := s.attempt(tx, facts.User, actor, *entry, func() (bool, error) { return s.useCode(tx, &factor, code) })
		if err != nil || refusal != nil {
			return settled[ConfirmedFactor]{refusal: refusal}, err
		}
		factor.ConfirmedOn = tx.Now()
		entry.After = factorSnapshot(factor)
		err = errors.Join(tx.ConfirmFactor(factor, *entry), tx.KeepRecoveryCodes(facts.User.ID, kept, renewed))
		if err != nil {
			return none, err
		}
		signed, err := s.raise(tx, facts.User, actor, ByTOTP, secret)
		if err != nil {
			return none, err
		}
		signed.User.OwnFactor = true
		notice := noticeOf(FactorAdded, facts.User, *entry, tx.Now())
		return settled[ConfirmedFactor]{result: ConfirmedFactor{signed, codes}}, s.mailing.queue(tx, notice)
	})
	if err == nil {
		err = done.refusal
	}
	return done.result, err
}

// ShowFactor completes the sign-in of a session that has yet to show its user's
// second factor. Its secret is another one from then on. It must be a sign-in of
// the last minutes: who finds an older one begins anew.
func (s *Service) ShowFactor(ctx context.Context, actor Actor, shown ShownFactor) (SignedIn, error) {
	return s.showFactor(ctx, actor, shown, nil)
}

// ShowFactorAndLink does so, and links the identity that the same browser showed
// when it proved the mailbox: see SignedIn.LinkWaits.
func (s *Service) ShowFactorAndLink(ctx context.Context, actor Actor, shown ShownFactor, assertion Assertion) (SignedIn, error) {
	return s.showFactor(ctx, actor, shown, &assertion)
}

func (s *Service) showFactor(ctx context.Context, actor Actor, shown ShownFactor, waiting *Assertion) (SignedIn, error) {
	if err := errors.Join(mustBePerson(actor), s.takesFactors()); err != nil {
		return SignedIn{}, err
	}
	if !actor.bySession() || actor.Factor != "" {
		return SignedIn{}, refuse(SignInFirst, "sign in first; a second factor completes that")
	}
	secret := NewSessionSecret()
	entry := actor.Entry(s.newID(), FactorShow, "", actor.CredentialID)
	linking := s.drawLinking(actor, MeansIdentity)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (settled[SignedIn], error) {
		linking := linking
		if err := linking.look(tx, waiting); err != nil { // first, since it locks whom it is about
			return settled[SignedIn]{}, err
		}
		facts, err := tx.FactorFacts(actor.User.ID)
		if err != nil {
			return settled[SignedIn]{}, missing(err, notFound("user"))
		}
		if err := errors.Join(mustBeActive(facts.User), actor.fresh(tx.Now())); err != nil {
			return settled[SignedIn]{}, err
		}
		by, refusal, err := s.prove(tx, facts, actor, shown, *entry)
		if err != nil || refusal != nil {
			return settled[SignedIn]{refusal: refusal}, err
		}
		signed, err := s.raise(tx, facts.User, actor, by, secret)
		if err != nil {
			return settled[SignedIn]{}, err
		}
		if waiting != nil && signed.Session.Method == ByMailbox && waiting.Email == facts.User.Email {
			if err := s.linkProved(tx, linking, *waiting, facts.User); err != nil {
				return settled[SignedIn]{}, err
			}
		}
		entry.After = encode(map[string]string{"factor": by})
		return settled[SignedIn]{result: signed}, tx.Record(*entry)
	})
	if err == nil {
		err = done.refusal
	}
	return done.result, err
}

// RemoveFactor takes the actor's second factor away, with its recovery codes. It
// asks for a fresh sign-in and for one more code.
func (s *Service) RemoveFactor(ctx context.Context, actor Actor, shown ShownFactor) error {
	if err := s.ownSession(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), FactorRemove, "", actor.User.ID)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (settled[struct{}], error) {
		facts, err := tx.FactorFacts(actor.User.ID)
		if err != nil {
			return settled[struct{}]{}, missing(err, notFound("user"))
		}
		if err := errors.Join(mustBeActive(facts.User), actor.fresh(tx.Now())); err != nil {
			return settled[struct{}]{}, err
		}
		_, refusal, err := s.prove(tx, facts, actor, shown, *entry)
		if err != nil || refusal != nil {
			return settled[struct{}]{refusal: refusal}, err
		}
		return settled[struct{}]{}, s.dropFactor(tx, facts, *entry)
	})
	if err == nil {
		err = done.refusal
	}
	return err
}

// ResetFactor takes a user's second factor away that it lost, and ends its
// sessions, which belongs to the operator. The user is told.
func (s *Service) ResetFactor(ctx context.Context, actor Actor, userID ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), FactorReset, "", userID)
	ended := actor.Entry(s.newID(), SessionEnd, "", userID)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.FactorFacts(userID)
		if err != nil {
			return struct{}{}, missing(err, notFound("user"))
		}
		if facts.Factor == nil {
			return struct{}{}, refuse(NotFound, "this user has no second factor here")
		}
		if err := tx.EndSessions(userID, "", ended); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.dropFactor(tx, facts, *entry)
	})
	return err
}

func (s *Service) dropFactor(tx Tx, facts FactorFacts, entry AuditEntry) error {
	entry.TargetID, entry.Before = facts.Factor.ID, factorSnapshot(*facts.Factor)
	if err := tx.DropFactors(facts.User.ID, entry); err != nil {
		return err
	}
	return s.mailing.queue(tx, noticeOf(FactorRemoved, facts.User, entry, tx.Now()))
}

// raise notes that the actor's session showed a second factor, and gives it
// another secret.
func (s *Service) raise(tx Tx, user User, actor Actor, factor, secret string) (SignedIn, error) {
	session, err := tx.RaiseSession(actor.CredentialID, actor.Factor, factor, HashSecret(secret))
	if errors.Is(err, ErrStale) {
		err = refuse(SignInFirst, "this session ended meanwhile; sign in again")
	}
	return SignedIn{Session: session, User: user, Secret: secret}, err
}

// prove checks what somebody shows of the user's factor, and uses it up. by says
// what it was.
func (s *Service) prove(tx Tx, facts FactorFacts, actor Actor, shown ShownFactor, entry AuditEntry) (by string, refusal, err error) {
	if facts.Factor == nil {
		return "", nil, refuse(NotFound, "there is no second factor")
	}
	if !shown.Recovery {
		factor := *facts.Factor
		refusal, err = s.attempt(tx, facts.User, actor, entry, func() (bool, error) { return s.useCode(tx, &factor, shown.Code) })
		return ByTOTP, refusal, err
	}
	hashes := s.signIn.Secrets.Blinds(recoveryText(facts.User.ID, shown.Code))
	refusal, err = s.attempt(tx, facts.User, actor, entry, func() (bool, error) {
		return used(tx.UseRecoveryCode(facts.User.ID, hashes))
	})
	if err != nil || refusal != nil {
		return "", refusal, err
	}
	entry.OperationID += "-recovery"
	entry.Action, entry.TargetID = RecoveryUse, facts.User.ID
	if err := tx.Record(entry); err != nil {
		return "", nil, err
	}
	return ByRecoveryCode, nil, s.mailing.queue(tx, noticeOf(RecoveryCodeUsed, facts.User, entry, tx.Now()))
}

// useCode reports whether a code is right and was not used before, nor one after
// it. From then on it is used; what it was checked with is sealed anew, so that
// it does not depend on a key of yesterday.
func (s *Service) useCode(tx Tx, factor *Factor, code string) (bool, error) {
	seed, err := s.signIn.Secrets.OpenSeed(factor.UserID, factor.ID, factor.Sealed)
	if err != nil {
		return false, err
	}
	step, ok := s.signIn.Codes.Step(seed, PlainCode(code), tx.Now())
	if !ok {
		return false, nil
	}
	factor.LastStep, factor.Sealed = step, s.signIn.Secrets.SealSeed(factor.UserID, factor.ID, seed)
	return used(tx.UseStep(*factor))
}

// used turns the guard of what works once into an answer.
func used(err error) (bool, error) {
	if errors.Is(err, ErrStale) {
		return false, nil
	}
	return err == nil, err
}

// attempt has somebody try a code. A failure is counted and recorded in the
// transaction that finds it, which must be committed therefore: refusal is no
// error.
func (s *Service) attempt(tx Tx, user User, actor Actor, entry AuditEntry, try func() (bool, error)) (refusal, err error) {
	guesses := s.signIn.guessing(user, actor, tx.Now())
	if full, err := tx.Spent(guesses); err != nil {
		return nil, err
	} else if full != nil {
		return nil, tooMany(*full, tx.Now())
	}
	right, err := try()
	if err != nil || right {
		return nil, err
	}
	if _, err := tx.Spend(guesses); err != nil {
		return nil, err
	}
	entry.Denied = "code_refused"
	return codeRefused(), tx.Record(entry)
}

// codeRefused is the one answer to whatever is wrong with a code.
func codeRefused() error {
	return refuse(ProofRefused, "this code does not work: it may be mistyped, too old, or used already; "+
		"wait for the next one, and check the clock of the device that makes it")
}

func factorSnapshot(f Factor) string {
	return encode(struct {
		UserID      ID         `json:"user_id"`
		Kind        string     `json:"kind"`
		CreatedOn   time.Time  `json:"created_on"`
		ConfirmedOn *time.Time `json:"confirmed_on,omitempty"`
	}{f.UserID, f.Kind, f.CreatedOn, optional(f.ConfirmedOn)})
}
