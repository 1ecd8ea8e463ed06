package iam

import (
	"context"
	"time"
)

// MaxInvitations is how many invitations a user's list holds at most.
const MaxInvitations = 1000

// Invitations lists what the actor was invited to, newest first, pending ones
// before all others. Without statuses it lists every state that a user sees.
func (s *Service) Invitations(ctx context.Context, actor Actor, statuses []Status) ([]Invitation, error) {
	if err := mustBeUser(actor); err != nil {
		return nil, err
	}
	if len(statuses) == 0 {
		statuses = []Status{Pending, Accepted, Rejected, Expired}
	}
	return s.store.Invitations(ctx, actor.User.Invitee(), statuses, s.now(), MaxInvitations)
}

// Invitation reads one of the actor's invitations.
func (s *Service) Invitation(ctx context.Context, actor Actor, id ID) (Invitation, error) {
	invitation, err := s.own(ctx, actor, id)
	if err == nil && !invitation.Invited {
		err = notFound("invitation")
	}
	if KindOf(err) == NotFound {
		return Invitation{}, notFound("invitation")
	}
	return invitation, err
}

// Memberships lists the actor's memberships, by default the pending and
// accepted ones.
func (s *Service) Memberships(ctx context.Context, actor Actor, query MembershipQuery) (Page[Invitation], error) {
	if err := mustBeUser(actor); err != nil {
		return Page[Invitation]{}, err
	}
	if len(query.Statuses) == 0 {
		query.Statuses = []Status{Pending, Accepted}
	}
	return s.store.Memberships(ctx, actor.User.Invitee(), query, s.now())
}

// Membership reads one of the actor's memberships, an invitation that waits or
// was rejected among them. One that expired is an invitation only.
func (s *Service) Membership(ctx context.Context, actor Actor, id ID) (Invitation, error) {
	invitation, err := s.own(ctx, actor, id)
	if err == nil && invitation.StatusAt(s.now()) == Expired {
		return Invitation{}, notFound("membership")
	}
	return invitation, err
}

// own reads a row that the actor may see as its own.
func (s *Service) own(ctx context.Context, actor Actor, id ID) (Invitation, error) {
	if err := mustBeUser(actor); err != nil {
		return Invitation{}, err
	}
	invitation, err := s.store.Invitation(ctx, id)
	if err != nil {
		return Invitation{}, missing(err, notFound("membership"))
	}
	if !invitation.belongsTo(actor.User.Invitee()) || invitation.over(s.now()) {
		return Invitation{}, notFound("membership")
	}
	return invitation, nil
}

// MembershipIn reads the actor's pending or accepted membership in an account.
func (s *Service) MembershipIn(ctx context.Context, actor Actor, accountID ID) (Invitation, error) {
	if err := mustBeUser(actor); err != nil {
		return Invitation{}, err
	}
	invitation, err := s.store.LiveMembership(ctx, accountID, actor.User.Invitee(), s.now())
	return invitation, missing(err, accountNotFound())
}

// AnswerInvitation accepts or rejects one of the actor's invitations.
func (s *Service) AnswerInvitation(ctx context.Context, actor Actor, id ID, answer Status) (Invitation, error) {
	return s.answer(ctx, actor, id, answer, "", true)
}

// AnswerMembership does the same where the row need not have been an
// invitation: accepting what was added directly changes nothing.
func (s *Service) AnswerMembership(ctx context.Context, actor Actor, id ID, answer Status) (Invitation, error) {
	return s.answer(ctx, actor, id, answer, "", false)
}

// DeclineInvitation rejects one of the actor's invitations, with a word to the
// account; "" is none.
func (s *Service) DeclineInvitation(ctx context.Context, actor Actor, id ID, reason string) (Invitation, error) {
	reason, err := answerReason(reason)
	if err != nil {
		return Invitation{}, err
	}
	return s.answer(ctx, actor, id, Rejected, reason, true)
}

func (s *Service) answer(ctx context.Context, actor Actor, id ID, answer Status, reason string, invitesOnly bool) (Invitation, error) {
	if err := mustBeUser(actor); err != nil {
		return Invitation{}, err
	}
	action, err := answerAction(answer)
	if err != nil {
		return Invitation{}, err
	}
	noun := "membership"
	if invitesOnly {
		noun = "invitation"
	}
	entry := actor.Entry(s.newID(), action, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Invitation, error) {
		facts, err := tx.AnswerFacts(id, actor.User.ID)
		if err != nil {
			return Invitation{}, missing(err, notFound(noun))
		}
		facts.Vouched = actor.vouched()
		before := facts.Invitation.Membership
		if invitesOnly && !before.Invited {
			return Invitation{}, notFound(noun)
		}
		entry.AccountID = before.AccountID
		after, err := DecideAnswer(facts, answer, tx.Now())
		if KindOf(err) == NotFound {
			return Invitation{}, notFound(noun)
		}
		if err != nil {
			return Invitation{}, err
		}
		err = s.applyAnswer(tx, actor, &facts, after, reason, *entry)
		return facts.Invitation, err
	})
}

// Leave gives up one of the actor's memberships; a pending one is rejected.
func (s *Service) Leave(ctx context.Context, actor Actor, id ID) error {
	if err := mustBeUser(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), MemberLeave, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.AnswerFacts(id, actor.User.ID)
		if err != nil {
			return struct{}{}, missing(err, notFound("membership"))
		}
		before := facts.Invitation.Membership
		entry.AccountID = before.AccountID
		after, err := DecideLeave(facts, tx.Now())
		if err != nil {
			return struct{}{}, err
		}
		if after.Status == Rejected {
			entry.Action = InviteReject
		}
		entry.Before, entry.After = snapshot(before), snapshot(after)
		return struct{}{}, tx.UpdateMembership(before, after, *entry)
	})
	return err
}

// LeaveAccount gives up the actor's membership in an account.
func (s *Service) LeaveAccount(ctx context.Context, actor Actor, accountID ID) error {
	invitation, err := s.MembershipIn(ctx, actor, accountID)
	if err != nil {
		return err
	}
	err = s.Leave(ctx, actor, invitation.ID)
	if KindOf(err) == NotFound { // it ended meanwhile
		return accountNotFound()
	}
	return err
}

// mustBeUser refuses whoever is no user, wholly signed in.
func mustBeUser(actor Actor) error {
	if err := mustBePerson(actor); err != nil {
		return err
	}
	return actor.whole()
}

// mustBePerson refuses the operator's own credentials where a person is meant.
func mustBePerson(actor Actor) error {
	switch actor.Kind {
	case ByUser:
		return nil
	case ByVisitor:
		return refuse(SignInFirst, "sign in first")
	case ByOperator, ByCommandLine, ByReporter:
	}
	return refuse(Forbidden, "this credential belongs to the operator, not to a user")
}

// memberSnapshot is a membership as an audit row holds it.
type memberSnapshot struct {
	Status    Status     `json:"status"`
	Email     string     `json:"email"`
	UserID    ID         `json:"user_id,omitempty"`
	Roles     []ID       `json:"roles"`
	Granted   ActorKind  `json:"grantor_kind"`
	Grantor   ID         `json:"grantor_id,omitempty"`
	ExpiresOn *time.Time `json:"expires_on,omitempty"`
	EndsOn    *time.Time `json:"membership_expires_on,omitempty"`
}

func snapshotOf(m Membership) memberSnapshot {
	return memberSnapshot{m.Status, m.Email, m.UserID, roleIDsOf(m), m.Grantor.Kind, m.Grantor.ID, optional(m.ExpiresOn), optional(m.EndsOn)}
}

func snapshot(m Membership) string { return encode(snapshotOf(m)) }
