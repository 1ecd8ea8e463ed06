package iam

import (
	"fmt"
	"time"
)

// A membership may have an end. From then on it reads as removed, with no job needed,
// and gives no right any more; the clock writes that down, and warns before.

// EndWarning is how long before the end of a membership its member, and whoever set
// the end, are told.
const EndWarning = 7 * 24 * time.Hour

// over reports whether the row is a membership whose time is up.
func (m Membership) over(now time.Time) bool {
	return m.Status == Accepted && !m.EndsOn.IsZero() && !now.Before(m.EndsOn)
}

// governs reports whether the row keeps an account governed: its end is nobody's
// concern as long as another one governs.
func (m Membership) governs() bool { return m.SuperAdmin() && m.EndsOn.IsZero() }

// membershipEnd checks when a membership is to end; zero is never.
func membershipEnd(pointer string, asked, now time.Time) (time.Time, error) {
	if !asked.IsZero() && asked.Before(now.Add(MinLifetime)) {
		return time.Time{}, invalid(pointer, "must lie 1 hour ahead at least; to end the membership now, remove the member")
	}
	return asked, nil
}

// withinMembership keeps the end of an invitation from lying behind that of the
// membership that it offers: one that was asked for is refused, any other gives way.
func withinMembership(row Membership, asked time.Time) (Membership, error) {
	if row.EndsOn.IsZero() || !row.ExpiresOn.IsZero() && !row.ExpiresOn.After(row.EndsOn) {
		return row, nil
	}
	if !asked.IsZero() && asked.Equal(row.ExpiresOn) {
		return row, invalid("/expires_on", "must not lie behind the end of the membership, %s", row.EndsOn.Format(time.RFC3339))
	}
	row.ExpiresOn = row.EndsOn
	return row, nil
}

// endWake is when the clock next has to do with a member that has an end: to warn,
// where that lies ahead, else to end it. late says to warn of a nearer end at once.
func endWake(row Membership, late bool, now time.Time) time.Time {
	if row.EndsOn.IsZero() {
		return time.Time{}
	}
	switch warn := row.EndsOn.Add(-EndWarning); {
	case warn.After(now):
		return warn
	case late:
		return now
	}
	return row.EndsOn
}

// TermFacts are what the clock has to do with a member whose time is bounded.
type TermFacts struct {
	Invitation       Invitation
	Grantor          GrantorFacts // who set the end
	Active           bool         // its user can act
	OtherSuperAdmins int          // as in MemberFacts
}

// TermDecision is what the clock does with a member.
type TermDecision struct {
	Row    Membership
	Action Action // "" where there is nothing to do
}

// DecideTerm says what the clock does at now with a member whose time is bounded. The
// account's last active Super Administrator never ends: one who has become that since
// its end was set stays, for good, until somebody sets an end anew.
func DecideTerm(f TermFacts, now time.Time) TermDecision {
	row := f.Invitation.Membership
	switch {
	case row.Status != Accepted || row.EndsOn.IsZero() || row.EndWake.After(now):
		return TermDecision{Row: row}
	case !row.over(now):
		row.EndWake = row.EndsOn
		return TermDecision{row, MemberWarn}
	case row.SuperAdmin() && f.Active && f.OtherSuperAdmins == 0:
		row.EndsOn, row.EndWake = time.Time{}, time.Time{}
		return TermDecision{row, MemberKeep}
	}
	row.Status, row.EndWake = Removed, time.Time{}
	return TermDecision{row, MemberExpire}
}

// endTerms does with rows of one account what the clock has to. What it did is
// written down by guarded updates, so that each happens once however many nodes try.
func (s *Service) endTerms(tx Tx, accountID ID, ids []ID) (done Swept, err error) {
	rows, err := tx.TermFacts(accountID, ids)
	if err != nil {
		return Swept{}, err
	}
	kept := 0
	for _, facts := range rows {
		facts.OtherSuperAdmins += kept // of this very transaction
		before := facts.Invitation.Membership
		decision := DecideTerm(facts, tx.Now())
		moment := before.EndsOn
		switch decision.Action {
		case MemberWarn:
			moment = before.EndWake
			done.Warned++
		case MemberKeep:
			kept++
			done.Kept++
		case MemberExpire:
			done.Ended++
		default:
			continue
		}
		entry := AuditEntry{
			OperationID: fmt.Sprintf("%s-%s-%d", decision.Action.Verb(), before.ID, moment.UnixMicro()), Action: decision.Action,
			AccountID: accountID, TargetID: before.ID, Before: snapshot(before), After: snapshot(decision.Row),
		}
		if err := appoint(tx, facts.Invitation.Account, decision.Row, facts.Active, entry); err != nil {
			return Swept{}, err
		}
		if err := tx.UpdateMembership(before, decision.Row, entry); err != nil {
			return Swept{}, err
		}
		if decision.Action == MemberWarn {
			if err := s.mailing.warn(tx, facts, moment); err != nil {
				return Swept{}, err
			}
		}
	}
	return done, nil
}

// warn queues what the member hears of its end, and whoever set it, if that may still
// see the account's members.
func (m Mailing) warn(tx Tx, f TermFacts, moment time.Time) error {
	row := f.Invitation.Membership
	if f.Invitation.Account.Suspended {
		return nil
	}
	toIt := toMember(MembershipEndsMessage, row, row, "", tx.Now())
	toIt.ID = fmt.Sprintf("%s-ends-%d", row.ID, moment.UnixMicro())
	messages := []Delivery{toIt}
	if f.Grantor.seesMembers() && f.Grantor.ID != row.UserID {
		news := toMember(MemberEndsMessage, row, *f.Grantor.Membership, "", tx.Now())
		news.ID = fmt.Sprintf("%s-ends-of-%d", row.ID, moment.UnixMicro())
		messages = append(messages, news)
	}
	return m.queue(tx, messages...)
}
