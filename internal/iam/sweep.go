package iam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxWaking is how many rows one transaction of the clock reminds of at most.
const MaxWaking = 32

// sweepBound is how many rows one sweep looks up.
const sweepBound = 512

// Waking is a row that the clock has to do with.
type Waking struct {
	ID, AccountID ID
	Due           bool // it ends; else it is to be reminded of
	Member        bool // it is a membership that has an end; else a pending invitation
}

// Swept is what one sweep did. Skipped are reminders of what could not be accepted
// at the time. Next is when there is something to do again as far
// as is known, zero for never; More says that there is now.
type Swept struct {
	Expired, Reminded, Skipped int
	Ended, Warned, Kept        int // memberships: by their end, before it, and the last Super Administrator
	Purged                     int // messages that ended long ago
	Next                       time.Time
	More                       bool
}

// Sweep does what the clock has to do with pending invitations by now: it ends
// what is due and reminds of what is not, a transaction an account; and it drops
// some of the messages that ended long ago. Any number may
// sweep at once: each row has one end and each reminder is one, by the guards of
// the store. Where there is nothing to do nothing is written.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	now := s.now()
	waking, err := s.store.Waking(ctx, now, sweepBound)
	if err != nil {
		return Swept{}, err
	}
	swept := Swept{More: len(waking) >= sweepBound}
	var errs []error
	for _, group := range s.groups(waking) {
		done, err := s.wake(ctx, group)
		if err != nil {
			errs = append(errs, fmt.Errorf("account %s: %w", group[0].AccountID, err))
			continue
		}
		swept.Expired += done.Expired
		swept.Reminded += done.Reminded
		swept.Skipped += done.Skipped
		swept.Ended += done.Ended
		swept.Warned += done.Warned
		swept.Kept += done.Kept
		if done == (Swept{}) {
			// Somebody else was here meanwhile, and is at the next ones already.
			swept.More = true
			break
		}
	}
	if swept.Purged, err = s.purgeDeliveries(ctx, now); err != nil {
		errs = append(errs, err)
	}
	swept.More = swept.More || swept.Purged == purgeBound
	if swept.Next, err = s.store.NextWake(ctx); err != nil {
		errs = append(errs, err)
	}
	return swept, errors.Join(errs...)
}

// purgeBound is how many old messages one sweep drops: few enough for nobody to
// wait for.
const purgeBound = 500

// purgeDeliveries drops messages that ended longer ago than they are kept.
func (s *Service) purgeDeliveries(ctx context.Context, now time.Time) (int, error) {
	keep := s.mailing.DeliveryRetention
	if keep <= 0 {
		return 0, nil
	}
	first, err := s.store.FirstEnded(ctx)
	if errors.Is(err, ErrNoRow) || err == nil && !first.Before(now.Add(-keep)) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return Update(ctx, s.store, func(tx Tx) (int, error) { return tx.PurgeDeliveries(tx.Now().Add(-keep), purgeBound) })
}

// groups puts rows together that one transaction takes, account by account. Each
// sweep begins with another account: those that woke at the same moment would else
// go side by side from the first account to the last.
func (s *Service) groups(waking []Waking) [][]Waking {
	slices.SortStableFunc(waking, func(a, b Waking) int {
		switch {
		case a.AccountID < b.AccountID:
			return -1
		case a.AccountID > b.AccountID:
			return 1
		}
		return 0
	})
	var groups [][]Waking
	reminders := 0
	for i, row := range waking {
		if i == 0 || row.AccountID != waking[i-1].AccountID || reminders == MaxWaking {
			groups, reminders = append(groups, nil), 0
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], row)
		if !row.Due || row.Member {
			reminders++
		}
	}
	if len(groups) == 0 {
		return nil
	}
	first := 0
	for _, c := range []byte(s.newID()) { // the tail of an id is random
		first = (first*31 + int(c)) % len(groups)
	}
	return append(groups[first:], groups[:first]...)
}

// wake does what the clock has to do with rows of one account.
func (s *Service) wake(ctx context.Context, rows []Waking) (Swept, error) {
	accountID := rows[0].AccountID
	var ids, members []ID
	for _, row := range rows {
		switch {
		case row.Member:
			members = append(members, row.ID)
		case !row.Due:
			ids = append(ids, row.ID)
		}
	}
	return write(ctx, s, AuditEntry{}, func(tx Tx, _ *AuditEntry) (Swept, error) {
		ended, err := tx.Settle(accountID, "")
		if errors.Is(err, ErrNoRow) { // the account was deleted, and its rows have ended
			return Swept{}, nil
		}
		if err == nil {
			err = s.mailing.tellEnded(tx, ended)
		}
		done := Swept{}
		if err == nil && len(members) > 0 {
			done, err = s.endTerms(tx, accountID, members)
		}
		done.Expired = len(ended)
		if err != nil || len(ids) == 0 {
			return done, err
		}
		waking, err := tx.WakeFacts(accountID, ids)
		if err != nil {
			return Swept{}, err
		}
		for _, facts := range waking {
			reminded, err := s.remind(tx, facts)
			switch {
			case err != nil:
				return Swept{}, err
			case reminded:
				done.Reminded++
			default:
				done.Skipped++
			}
		}
		return done, nil
	})
}

// remind queues the reminder of a row, and has the clock end it next. What cannot
// be accepted at the time is not reminded of, and its audit row says so.
func (s *Service) remind(tx Tx, facts LinkFacts) (bool, error) {
	row, link := facts.Invitation.Membership, facts.Link
	link.WakeOn = row.ExpiresOn
	// One moment, one reminder: its operation has no other name.
	moment := facts.Link.WakeOn.UnixMicro()
	entry := AuditEntry{
		OperationID: fmt.Sprintf("remind-%s-%d", row.ID, moment), Action: InviteRemind,
		AccountID: row.AccountID, TargetID: row.ID, Denied: facts.notReminded(),
		Before: linkSnapshot(row, facts.Link), After: linkSnapshot(row, link),
	}
	if err := tx.UpdateInvitation(row, row, link, entry); err != nil || entry.Denied != "" {
		return false, err
	}
	message := deliveryOf(ReminderMessage, row, link, row.Email, tx.Now())
	message.ID = fmt.Sprintf("%s-%s-%d", row.ID, message.Kind, moment)
	return true, s.mailing.queue(tx, message)
}

// notReminded says why a reminder would be of no use, "" where it is of some.
func (f LinkFacts) notReminded() string {
	if f.Bounced {
		return "mail_bounced"
	}
	return denied(f.Invitation.stands(f.Grantor))
}

// LinkInvitation reads what the page of an invitation's link shows. Whether the
// link is one of ours, and of which generation, its caller found out before.
func (s *Service) LinkInvitation(ctx context.Context, id ID) (LinkedInvitation, error) {
	linked, err := s.store.LinkedInvitation(ctx, id, s.now())
	if err == nil && !linked.Invited {
		err = ErrNoRow
	}
	if err != nil {
		return LinkedInvitation{}, missing(err, notFound("invitation"))
	}
	return linked, nil
}
