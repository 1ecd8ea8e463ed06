package iam

import (
	"context"
	"fmt"
	"time"
)

// DecideResend says what sending a pending invitation again does at now: its link
// is made anew, the ones before die, and whoever sends it vouches for the roles
// from then on. It ends at asked; with none, when a new invitation would, and no
// earlier than it did: whoever is written to again needs the time to answer. What
// has ended is refused, since no ended row comes back.
func DecideResend(f MemberFacts, actor Actor, asked time.Time, mailing Mailing, now time.Time) (Membership, Link, error) {
	if err := f.stillPending(actor, now); err != nil {
		return Membership{}, Link{}, err
	}
	row, link, err := mailing.sendAgain(f.Account, f.Target, f.Link, asked, now)
	row.Grantor = actor.Grantor()
	return row, link, err
}

// sendAgain gives a pending row its next link, and the time to answer it.
func (m Mailing) sendAgain(account Account, row Membership, link Link, asked, now time.Time) (Membership, Link, error) {
	if err := m.mayResend(row, link, now); err != nil {
		return Membership{}, Link{}, err
	}
	end, err := expiry(account, asked, now)
	if err != nil {
		return Membership{}, Link{}, err
	}
	if !asked.IsZero() || (!row.ExpiresOn.IsZero() && end.After(row.ExpiresOn)) {
		row.ExpiresOn = end
	}
	if row, err = withinMembership(row, asked); err != nil {
		return Membership{}, Link{}, err
	}
	return row, link.next(row, m, now), nil
}

// stillPending checks that the actor may touch the target, that it waits for its
// answer, and that the account still asks its address.
func (f MemberFacts) stillPending(actor Actor, now time.Time) error {
	_, status, err := f.target(actor, "invitation", now)
	if err != nil {
		return err
	}
	switch {
	case !f.Target.Invited:
		return notFound("invitation")
	case status == Pending:
		return f.Account.mayAsk(f.Target.Email)
	case status == Expired:
		return refuse(InviteExpired, "this invitation expired on %s; renew it, or invite the address anew", f.Target.ExpiresOn.Format(time.RFC3339))
	case status == Accepted || status == Rejected:
		return refuse(AlreadyAnswered, "this invitation was %s already; there is nothing left to do to it", status)
	case status == Canceled:
		return canceledAlready()
	}
	return notFound("invitation")
}

// mayMakeLink holds the links that were made against their ceiling, which rests on
// the row: no restart forgets it.
func (m Mailing) mayMakeLink(row Membership, link Link, now time.Time) error {
	most := MaxGeneration - 1
	if m.MaxResends > 0 {
		most = min(most, m.MaxResends)
	}
	if link.Generation > most {
		return &Error{Kind: BudgetSpent, RetryAfter: max(row.ExpiresOn.Sub(now), 0), Message: fmt.Sprintf(
			"this invitation was sent again %d times, which is all it can be; withdraw it and invite the address anew", most)}
	}
	return nil
}

// mayResend holds what was sent against the pause and the ceiling.
func (m Mailing) mayResend(row Membership, link Link, now time.Time) error {
	if err := m.mayMakeLink(row, link, now); err != nil {
		return err
	}
	if wait := link.SentOn.Add(m.ResendPause).Sub(now); !link.SentOn.IsZero() && wait > 0 {
		return &Error{Kind: BudgetSpent, RetryAfter: wait, Message: fmt.Sprintf(
			"this invitation was sent less than %s ago; send it again in %s", m.ResendPause, wait.Round(time.Second))}
	}
	return nil
}

// mayTouch is what the actor needs to do anything to the target, whatever has
// become of that. A replay asks for no more.
func (f MemberFacts) mayTouch(actor Actor, now time.Time) error {
	rights, err := f.manager(actor)
	if err != nil {
		return err
	}
	status := f.Target.StatusAt(now)
	gone := status == Left || status == Removed // and stands above nobody
	if !gone && !rights.Cover(f.Target.Roles) {
		return refuse(RoleCeiling, "this member's roles allow more than you may do yourself in this account")
	}
	return nil
}

// Resend sends a pending invitation again, at most once for a key. expiresOn is
// zero for its usual end.
func (s *Service) Resend(
	ctx context.Context, actor Actor, accountID, id ID, expiresOn time.Time, key IdempotencyKey,
) (Replayable[Invited], error) {
	entry := actor.Entry(s.newID(), InviteResend, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Invited], error) {
		facts, err := s.touched(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[Invited]{}, err
		}
		return once(tx, actor, key, func() (Invited, error) { return s.resend(tx, facts, actor, expiresOn, *entry) })
	})
}

// touched reads the facts of an invitation that the actor may do something to.
func (s *Service) touched(tx Tx, accountID, id ID, actor Actor, entry *AuditEntry) (MemberFacts, error) {
	facts, err := s.memberFacts(tx, accountID, id, actor, "invitation", entry)
	if err != nil {
		return MemberFacts{}, err
	}
	if err := facts.mayTouch(actor, tx.Now()); err != nil {
		return MemberFacts{}, err
	}
	// Whoever finds a browser unattended must not vouch for anybody.
	return facts, actor.fresh(tx.Now())
}

func (s *Service) resend(tx Tx, facts MemberFacts, actor Actor, expiresOn time.Time, entry AuditEntry) (Invited, error) {
	row, link, err := DecideResend(facts, actor, expiresOn, s.mailing, tx.Now())
	if err != nil {
		return Invited{}, err
	}
	// It is a mail more, as an invitation is.
	if err := s.mailing.spend(tx, actor, InviteDecision{Row: row, Action: InviteCreate}); err != nil {
		return Invited{}, err
	}
	entry.Before, entry.After = linkSnapshot(facts.Target, facts.Link), linkSnapshot(row, link)
	if err := tx.UpdateInvitation(facts.Target, row, link, entry); err != nil {
		return Invited{}, err
	}
	row.Revision++
	member := Member{Membership: row, GrantorFacts: actor.asGrantor(facts.Own), Locale: link.Locale}
	invited := Invited{Account: facts.Account, Member: member, At: tx.Now()}
	return invited, s.mailing.queue(tx, deliveryOf(InvitationMessage, row, link, row.Email, tx.Now()))
}

// linkSnapshot is a membership with its link as an audit row holds it. The
// generation opens nothing.
func linkSnapshot(m Membership, link Link) string {
	return encode(struct {
		memberSnapshot

		Generation int        `json:"generation"`
		WakeOn     *time.Time `json:"wake_on,omitempty"`
		AskedOn    *time.Time `json:"asked_on,omitempty"`
	}{snapshotOf(m), link.Generation, optional(link.WakeOn), optional(link.AskedOn)})
}
