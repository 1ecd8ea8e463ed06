package iam

import "context"

// CancelInvitation withdraws a pending invitation. With notify the invited is told by
// mail, once; without, it finds out by the link. Withdrawing again changes nothing.
func (s *Service) CancelInvitation(ctx context.Context, actor Actor, accountID, id ID, notify bool) error {
	entry := actor.Entry(s.newID(), InviteCancel, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := s.memberFacts(tx, accountID, id, actor, "invitation", entry)
		if err != nil {
			return struct{}{}, err
		}
		after, err := DecideCancel(facts, actor, tx.Now())
		if err != nil || after.Status == facts.Target.Status {
			return struct{}{}, err
		}
		return struct{}{}, s.cancel(tx, facts, actor, after, notify, *entry)
	})
	return err
}

// cancel writes down that an invitation is withdrawn. Its mails that did not leave
// yet are of no use from then on, which is found out when their turn comes.
func (s *Service) cancel(tx Tx, facts MemberFacts, actor Actor, after Membership, notify bool, entry AuditEntry) error {
	entry.Before, entry.After = snapshot(facts.Target), cancelSnapshot(after, notify)
	if !notify {
		return tx.UpdateMembership(facts.Target, after, entry)
	}
	if !s.mailing.Enabled {
		return refuse(Invalid, "this instance sends no mail; leave notify out, and tell the invited by other means")
	}
	// It is a mail more, as an invitation is.
	if err := s.mailing.spend(tx, actor, InviteDecision{Row: after, Action: InviteCreate}); err != nil {
		return err
	}
	if err := tx.UpdateMembership(facts.Target, after, entry); err != nil {
		return err
	}
	return s.mailing.queue(tx, deliveryOf(WithdrawnMessage, after, facts.Link, after.Email, tx.Now()))
}

// cancelSnapshot is a withdrawn invitation as an audit row holds it, with whether the
// invited is told.
func cancelSnapshot(m Membership, notified bool) string {
	return encode(struct {
		memberSnapshot

		Notified bool `json:"notified,omitempty"`
	}{snapshotOf(m), notified})
}
