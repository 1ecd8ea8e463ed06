package iam

import (
	"context"
	"slices"
	"time"
)

// Reminder is when the invited wants to hear of the invitation again: in so many
// days, or at a moment. It gives one of the two.
type Reminder struct {
	InDays int // one of ReminderDays; 0: On says it
	On     time.Time
}

// ReminderDays are the waits to choose from; minReminder is the least that On may
// lie ahead, so that nobody is sent one message after the other by their link.
func ReminderDays() []int { return []int{1, 3} }

const minReminder = time.Hour

// at is the moment that the reminder names, within the invitation's life.
func (r Reminder) at(row Membership, now time.Time) (time.Time, error) {
	field, at := "/remind_on", r.On
	switch {
	case (r.InDays == 0) == r.On.IsZero():
		return time.Time{}, invalid("/in_days", "give either in_days or remind_on")
	case r.InDays != 0 && !slices.Contains(ReminderDays(), r.InDays):
		return time.Time{}, invalid("/in_days", "must be one of %v; for another moment give remind_on", ReminderDays())
	case r.InDays != 0:
		field, at = "/in_days", now.AddDate(0, 0, r.InDays)
	case at.Before(now.Add(minReminder)):
		return time.Time{}, invalid(field, "must lie an hour ahead at least")
	}
	if !row.ExpiresOn.IsZero() && !at.Before(row.ExpiresOn) {
		return time.Time{}, invalid(field, "must lie before the invitation's end, %s", row.ExpiresOn.Format(time.RFC3339))
	}
	return at, nil
}

// DecideReminder says when the clock next has to do with an invitation of which
// the invited wants to be reminded. There is one such moment, so the reminder that
// was to come, chosen or not, gives way.
func DecideReminder(f LinkFacts, reminder Reminder, now time.Time) (Link, error) {
	row := f.Invitation.Membership
	if !row.Invited {
		return Link{}, notFound("invitation")
	}
	switch current := row.StatusAt(now); current {
	case Pending:
	case Expired:
		return Link{}, refuse(InviteExpired, "this invitation expired on %s; ask an administrator of %q for a new one",
			row.ExpiresOn.Format(time.RFC3339), f.Invitation.Account.Name)
	case Accepted, Rejected:
		return Link{}, refuse(AlreadyAnswered, "this invitation was %s already; there is nothing to be reminded of", current)
	case Canceled, Left, Removed:
		return Link{}, notFound("invitation")
	}
	if f.Invitation.Account.Suspended {
		return Link{}, suspended()
	}
	at, err := reminder.at(row, now)
	link := f.Link
	link.WakeOn = at
	return link, err
}

// RemindLater has one of the actor's invitations come up again, at most once for a
// key. An instance that sends no messages records the moment all the same: who
// reads its events tells the invited by other means.
func (s *Service) RemindLater(
	ctx context.Context, actor Actor, id ID, reminder Reminder, key IdempotencyKey,
) (Replayable[Invitation], error) {
	if err := mustBeUser(actor); err != nil {
		return Replayable[Invitation]{}, err
	}
	entry := actor.Entry(s.newID(), InviteSnooze, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Invitation], error) {
		facts, err := tx.LinkFacts(id)
		if err != nil {
			return Replayable[Invitation]{}, missing(err, notFound("invitation"))
		}
		entry.AccountID = facts.Invitation.AccountID
		if !facts.Invitation.Invited || !facts.Invitation.belongsTo(actor.User.Invitee()) {
			return Replayable[Invitation]{}, notFound("invitation")
		}
		return once(tx, actor, key, func() (Invitation, error) { return snooze(tx, facts, reminder, *entry) })
	})
}

// RemindHolder does the same for who holds the invitation's link. One that is dead
// finds no invitation.
func (s *Service) RemindHolder(ctx context.Context, holder LinkHolder, reminder Reminder) (Invitation, error) {
	entry := holder.entry(s.newID(), InviteSnooze)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Invitation, error) {
		facts, err := tx.LinkFacts(holder.InvitationID)
		if err == nil && facts.Link.Generation != holder.Generation {
			err = ErrNoRow
		}
		if err != nil {
			return Invitation{}, missing(err, notFound("invitation"))
		}
		entry.AccountID = facts.Invitation.AccountID
		return snooze(tx, facts, reminder, *entry)
	})
}

func snooze(tx Tx, facts LinkFacts, reminder Reminder, entry AuditEntry) (Invitation, error) {
	link, err := DecideReminder(facts, reminder, tx.Now())
	if err != nil {
		return Invitation{}, err
	}
	row := facts.Invitation.Membership
	entry.Before, entry.After = linkSnapshot(row, facts.Link), linkSnapshot(row, link)
	if err := tx.UpdateInvitation(row, row, link, entry); err != nil {
		return Invitation{}, err
	}
	facts.Invitation.Revision++
	return facts.Invitation, nil
}
