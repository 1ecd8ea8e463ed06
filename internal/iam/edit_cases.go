package iam

import "context"

// EditMember changes a member or a pending invitation. With nothing to change on a
// pending row the actor confirms it.
func (s *Service) EditMember(ctx context.Context, actor Actor, accountID, id ID, edit MemberChange) (Invited, error) {
	return s.edit(ctx, actor, accountID, id, edit, "member")
}

// EditInvitation does the same for a row that is still an invitation.
func (s *Service) EditInvitation(ctx context.Context, actor Actor, accountID, id ID, edit MemberChange) (Invited, error) {
	return s.edit(ctx, actor, accountID, id, edit, "invitation")
}

func (s *Service) edit(ctx context.Context, actor Actor, accountID, id ID, edit MemberChange, noun string) (Invited, error) {
	entry := actor.Entry(s.newID(), MemberEdit, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Invited, error) {
		facts, err := s.memberFacts(tx, accountID, id, actor, noun, entry)
		if err != nil {
			return Invited{}, err
		}
		if noun == "invitation" {
			// Whoever may not manage members doesn't learn how it was answered.
			if err := facts.mayTouch(actor, tx.Now()); err != nil {
				return Invited{}, err
			}
			if err := stillInvitation(facts.Target, tx); err != nil {
				return Invited{}, err
			}
		}
		return s.applyEdit(tx, facts, actor, edit, entry)
	})
}

func (s *Service) applyEdit(tx Tx, facts MemberFacts, actor Actor, edit MemberChange, entry *AuditEntry) (Invited, error) {
	decision, err := DecideEdit(facts, actor, edit, s.mailing, tx.Now())
	if err != nil {
		return Invited{}, err
	}
	entry.Action = decision.Action
	if decision.Sends { // it is a mail more, as an invitation is
		if err := s.mailing.spend(tx, actor, InviteDecision{Row: decision.Row, Action: InviteCreate}); err != nil {
			return Invited{}, err
		}
	}
	if decision.Changed {
		if err := s.keepEdit(tx, facts, actor, decision, *entry); err != nil {
			return Invited{}, err
		}
		decision.Row.Revision++
	}
	member := Member{Membership: decision.Row, User: facts.TargetUser, GrantorFacts: facts.Grantor, Locale: decision.Link.Locale}
	if member.Status == Pending {
		member.GrantorFacts, member.AskedOn = actor.asGrantor(facts.Own), decision.Link.AskedOn
	}
	return Invited{Account: facts.Account, Member: member, At: tx.Now()}, nil
}

// keepEdit writes an edit down. One that also sends the invitation again is two
// transitions, each with its audit row.
func (s *Service) keepEdit(tx Tx, facts MemberFacts, actor Actor, decision EditDecision, entry AuditEntry) error {
	before, after := facts.Target, decision.Row
	entry.Before, entry.After = snapshot(before), snapshot(after)
	if after.Status != Pending {
		if err := appoint(tx, facts.Account, after, facts.TargetActive, entry); err != nil {
			return err
		}
		return tx.UpdateMembership(before, after, entry)
	}
	note, by := "", ""
	if after.Note != before.Note && after.Note != "" {
		note, by = after.Note, actor.Name()
	}
	entry.Before, entry.After = editSnapshot(before, facts.Link, "", ""), editSnapshot(after, decision.Link, note, by)
	if err := tx.UpdateInvitation(before, after, decision.Link, entry); err != nil || !decision.Sends {
		return err
	}
	if decision.Action != InviteResend {
		again := entry
		again.OperationID += "-resend"
		again.Action, again.Before, again.After = InviteResend, linkSnapshot(before, facts.Link), linkSnapshot(after, decision.Link)
		if err := tx.Record(again); err != nil {
			return err
		}
	}
	return s.mailing.queue(tx, deliveryOf(InvitationMessage, after, decision.Link, after.Email, tx.Now()))
}

// stillInvitation refuses to edit, as an invitation, what was answered or withdrawn.
func stillInvitation(row Membership, tx Tx) error {
	if !row.Invited {
		return notFound("invitation")
	}
	switch row.StatusAt(tx.Now()) {
	case Accepted:
		return refuse(AlreadyAnswered, "this invitation was accepted already; edit the member instead")
	case Rejected:
		return refuse(AlreadyAnswered, "this invitation was rejected already; invite the address anew")
	case Canceled:
		return canceledAlready()
	case Left, Removed:
		return notFound("invitation")
	case Pending, Expired:
	}
	return nil
}

// canceledAlready tells who may manage an invitation, and finds it among the account's,
// what became of it.
func canceledAlready() error {
	return refuse(InviteCanceled, "this invitation was withdrawn already; invite the address anew")
}
