package iam

import (
	"context"
	"errors"
)

// InvitationByLink reads what a link is about, whoever holds it: an invitation
// in any state that it still has a page for.
func (s *Service) InvitationByLink(ctx context.Context, link InvitationLink) (LinkedInvitation, error) {
	linked, err := s.store.LinkedInvitation(ctx, link.ID, s.now())
	if err != nil {
		return LinkedInvitation{}, missing(err, notFound("invitation"))
	}
	facts := LinkAnswerFacts{AnswerFacts: AnswerFacts{Invitation: linked.Invitation}, Generation: linked.Link.Generation}
	if err := facts.opens(link, s.now()); err != nil && KindOf(err) == NotFound {
		return LinkedInvitation{}, err
	}
	// What a shown link proves nothing of is not told to who holds it.
	linked.Known = linked.Known || link.Shown
	return linked, nil
}

// LinkAnswer is what an answer by link led to. SignedIn is zero unless a user
// was made. Waits says why the invitation is pending all the same; its Kind is
// TwoFactorRequired.
type LinkAnswer struct {
	Invitation Invitation
	SignedIn   SignedIn
	Waits      error
}

// AnswerByLink accepts or rejects an invitation by its link: as the actor, or
// for a visitor's actor as whoever reads the mailbox. For an address without a
// user accepting makes one, verified and signed in.
func (s *Service) AnswerByLink(ctx context.Context, actor Actor, visitor Visitor, link InvitationLink, answer Status) (LinkAnswer, error) {
	return s.answerByLink(ctx, actor, visitor, link, answer, "")
}

// DeclineByLink rejects an invitation by its link, with a word to the account; ""
// is none.
func (s *Service) DeclineByLink(ctx context.Context, actor Actor, visitor Visitor, link InvitationLink, reason string) (LinkAnswer, error) {
	reason, err := answerReason(reason)
	if err != nil {
		return LinkAnswer{}, err
	}
	return s.answerByLink(ctx, actor, visitor, link, Rejected, reason)
}

func (s *Service) answerByLink(
	ctx context.Context, actor Actor, visitor Visitor, link InvitationLink, answer Status, reason string,
) (LinkAnswer, error) {
	action, err := answerAction(answer)
	if err != nil {
		return LinkAnswer{}, err
	}
	if actor.Kind != ByVisitor {
		if err := mustBeUser(actor); err != nil {
			return LinkAnswer{}, err
		}
	}
	join := s.drawJoining(actor, visitor)
	entry := actor.Entry(s.newID(), action, "", link.ID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (LinkAnswer, error) {
		facts, err := tx.LinkAnswerFacts(link.ID, actor.User.ID)
		if err != nil {
			return LinkAnswer{}, missing(err, notFound("invitation"))
		}
		entry.AccountID = facts.Invitation.AccountID
		facts.Vouched = actor.vouched()
		decision, err := DecideLinkAnswer(facts, link, answer, join.userID, tx.Now())
		if err != nil {
			return LinkAnswer{}, err
		}
		done := LinkAnswer{Waits: decision.Waits}
		if decision.NewUser {
			if done.SignedIn, err = s.join(tx, join, facts.Invitation, visitor); err != nil {
				return LinkAnswer{}, err
			}
			entry.by(done.SignedIn.User, MeansLink)
		}
		if err := s.applyAnswer(tx, actor, &facts.AnswerFacts, decision.Row, reason, *entry); err != nil {
			return LinkAnswer{}, err
		}
		done.Invitation = facts.Invitation
		return done, nil
	})
}

// joining is what is drawn for somebody who becomes a user by a link.
type joining struct {
	userID                ID
	session               Session
	secret                string
	made, begun, replaced AuditEntry
}

func (s *Service) drawJoining(actor Actor, visitor Visitor) joining {
	j := joining{userID: s.drawID()}
	j.session, j.secret = s.drawSession()
	j.made = actor.Entry(s.newID(), UserCreate, "", j.userID)
	j.begun = actor.Entry(s.newID(), SessionStart, "", j.session.ID)
	j.replaced = actor.Entry(s.newID(), SessionEnd, "", visitor.Session)
	return j
}

// join makes the user of an invited address, and signs it in.
func (s *Service) join(tx Tx, j joining, invitation Invitation, visitor Visitor) (SignedIn, error) {
	user := User{ID: j.userID, Email: invitation.Email, Verified: true, CreatedOn: tx.Now(), Locale: visitor.Locale}
	j.made.by(user, MeansLink)
	j.made.After = userSnapshot(user)
	if err := tx.InsertUser(user, j.made); err != nil {
		return SignedIn{}, err
	}
	j.begun.by(user, MeansLink)
	session, err := s.begin(tx, j.session, user, visitor, j.begun, j.replaced)
	return SignedIn{Session: session, User: user, Secret: j.secret}, err
}

// answerAction is what an answer is recorded as.
func answerAction(answer Status) (Action, error) {
	switch answer {
	case Accepted:
		return InviteAccept, nil
	case Rejected:
		return InviteReject, nil
	case Pending, Expired, Canceled, Left, Removed:
	}
	return "", invalid("/status", "must be %q or %q", Accepted, Rejected)
}

// applyAnswer writes what was decided of an invitation, unless it stood already.
func (s *Service) applyAnswer(tx Tx, actor Actor, facts *AnswerFacts, after Membership, reason string, entry AuditEntry) error {
	before := facts.Invitation.Membership
	if after.Status == before.Status {
		return nil
	}
	if after.Status == Accepted {
		if err := actor.freshFor(after.Roles, tx.Now()); err != nil {
			return err
		}
	}
	entry.Before, entry.After = snapshot(before), answerSnapshot(after, reason)
	if err := appoint(tx, facts.Invitation.Account, after, !facts.User.Suspended, entry); err != nil {
		return err
	}
	err := tx.UpdateMembership(before, after, entry)
	if errors.Is(err, ErrDuplicate) {
		err = refuse(AlreadyMember, "you are a member of this account already, under another address")
	}
	if err != nil {
		return err
	}
	after.Revision++
	facts.Invitation.Membership = after
	return s.mailing.tellAnswer(tx, before, after, facts.Grantor)
}
