package iam

import (
	"context"
	"errors"
	"time"
)

// DecideAsk says whether the holder of a link of that generation may ask for a new
// one, and what becomes of the row's then. It may where the invitation ran out of
// time, or was sent again since; not where the account took it back or it was
// answered, which somebody decided. Once a day is enough, and who has another row
// in the account needs none.
func DecideAsk(f LinkFacts, generation int, now time.Time) (Link, bool) {
	row, link := f.Invitation.Membership, f.Link
	if !row.Invited || generation < 1 || generation > link.Generation || f.Invitation.Account.Suspended || f.LiveElsewhere {
		return link, false
	}
	status := row.StatusAt(now)
	if status != Expired && (status != Pending || generation == link.Generation) {
		return link, false
	}
	if !link.AskedOn.IsZero() && link.AskedOn.UTC().Truncate(day).Equal(now.UTC().Truncate(day)) {
		return link, false
	}
	link.AskedOn = now
	return link, true
}

// AskForLink notes that the holder of a dead link wants a new one, and tells the
// inviting side. Whatever becomes of it the answer is the same, so that nobody
// learns anything by asking.
func (s *Service) AskForLink(ctx context.Context, holder LinkHolder) error {
	entry := holder.entry(s.newID(), InviteAskLink)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.LinkFacts(holder.InvitationID)
		if errors.Is(err, ErrNoRow) {
			return struct{}{}, nil
		}
		if err != nil {
			return struct{}{}, err
		}
		link, asks := DecideAsk(facts, holder.Generation, tx.Now())
		if !asks {
			return struct{}{}, nil
		}
		row := facts.Invitation.Membership
		entry.AccountID = row.AccountID
		entry.Before, entry.After = linkSnapshot(row, facts.Link), linkSnapshot(row, link)
		if err := tx.UpdateInvitation(row, row, link, *entry); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.mailing.tellAsked(tx, facts)
	})
	return err
}

// RenewInvitation gives whoever asked for it a new link, or somebody who did not,
// at most once for a key. A pending invitation is sent again. For an expired one
// the same address is invited to the same roles anew, by all the rules of
// inviting; the row that ended stays what it is.
func (s *Service) RenewInvitation(
	ctx context.Context, actor Actor, accountID, id ID, expiresOn time.Time, key IdempotencyKey,
) (Replayable[Invited], error) {
	entry := actor.Entry(s.newID(), InviteResend, "", id)
	ids := FreshIDs{Membership: s.drawID()}
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Invited], error) {
		facts, err := s.touched(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[Invited]{}, err
		}
		return once(tx, actor, key, func() (Invited, error) {
			if facts.Target.Invited && facts.Target.StatusAt(tx.Now()) == Expired {
				return s.renew(tx, facts, actor, expiresOn, ids, *entry)
			}
			return s.resend(tx, facts, actor, expiresOn, *entry)
		})
	})
}

// renew invites anew whom an expired row had asked. Nobody waits for that row any
// longer, which is written down first: settling changes it too.
func (s *Service) renew(tx Tx, facts MemberFacts, actor Actor, expiresOn time.Time, ids FreshIDs, entry AuditEntry) (Invited, error) {
	old := facts.Target
	request := InviteRequest{Email: old.Email, RoleIDs: roleIDsOf(old), ExpiresOn: expiresOn, Locale: facts.Link.Locale, Note: old.Note}
	if old.EndsOn.After(tx.Now()) {
		request.EndsOn = old.EndsOn
	}
	inviting, err := tx.InviteFacts(old.AccountID, old.Email, actor)
	if err != nil {
		return Invited{}, err
	}
	if _, err := inviting.resolve(request.RoleIDs); err != nil {
		return Invited{}, refuse(Invalid, "a role of this invitation exists no longer; invite the address anew, to others")
	}
	decision, err := DecideInvite(inviting, actor, request, ids, tx.Now())
	if err != nil {
		return Invited{}, err
	}
	if link := facts.Link; !link.AskedOn.IsZero() {
		link.AskedOn = time.Time{}
		renewed := entry
		renewed.OperationID += "-renew"
		renewed.Action, renewed.TargetID = InviteRenew, old.ID
		renewed.Before, renewed.After = linkSnapshot(old, facts.Link), linkSnapshot(old, link)
		if err := tx.UpdateInvitation(old, old, link, renewed); err != nil {
			return Invited{}, err
		}
	}
	if decision.Changed {
		if err := s.mailing.spendInvite(tx, actor, inviting.Seats, decision); err != nil {
			return Invited{}, err
		}
		entry.Action, entry.TargetID = decision.Action, decision.Row.ID
		if err := s.applyInvite(tx, inviting, &decision, entry, AuditEntry{}); err != nil {
			return Invited{}, err
		}
	}
	return inviting.invited(actor, decision, tx.Now()), nil
}
