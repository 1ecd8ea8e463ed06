package iam

import (
	"context"
	"time"
)

// ClaimDelivery takes the message that has been due for longest, or one by which
// somebody signs in before that, for as long as lease. On the way it ends those that are not sent any more, and puts off
// those whose recipient got enough. ErrNoRow: none is due.
func (s *Service) ClaimDelivery(ctx context.Context, lease time.Duration) (DueDelivery, error) {
	for {
		claimed, err := Update(ctx, s.store, func(tx Tx) (claim, error) { return s.claim(tx, lease) })
		if err != nil || claimed.send {
			return claimed.DueDelivery, err
		}
	}
}

type claim struct {
	DueDelivery
	send bool
}

func (s *Service) claim(tx Tx, lease time.Duration) (claim, error) {
	due, err := tx.DueDelivery()
	if err != nil {
		return claim{}, err
	}
	before := due.Delivery
	after, send := DecideDelivery(due, lease, tx.Now())
	// What was tried before has been counted.
	if send && due.Kind.invites() && before.Attempts == 0 {
		refused, err := tx.Spend(s.mailing.Budgets.sending(due.Recipient, tx.Now()))
		if err != nil {
			return claim{}, err
		}
		if refused != nil {
			after, send = before.delay(refused.EndsOn), false
		}
	}
	due.Delivery = after
	return claim{DueDelivery: due, send: send}, tx.UpdateDelivery(before, after)
}

// FinishDelivery keeps what an attempt led to, and returns it. ErrStale: the
// message was claimed again meanwhile, since the lease was over, or the operator
// dropped it.
func (s *Service) FinishDelivery(ctx context.Context, claimed Delivery, verdict Verdict) (Delivery, error) {
	entry := Actor{}.Entry(s.newID(), DeliveryBounce, "", "")
	return Update(ctx, s.store, func(tx Tx) (Delivery, error) {
		after := DecideFinish(claimed, verdict, tx.Now())
		if err := tx.UpdateDelivery(claimed, after, after.step(verdict, tx.Now())); err != nil {
			return after, err
		}
		if after.State == Sent && after.Kind.invites() {
			return after, tx.MarkDelivered(after.MembershipID, tx.Now())
		}
		if after.State != Bounced {
			return after, nil
		}
		return after, tx.Record(entry.ofDelivery(claimed, after))
	})
}

// NextDelivery is when the next message is due; ErrNoRow where none waits.
func (s *Service) NextDelivery(ctx context.Context) (time.Time, error) {
	return s.store.NextDelivery(ctx)
}

// Outbox says how much waits.
func (s *Service) Outbox(ctx context.Context) (Outbox, error) { return s.store.Outbox(ctx) }

// Deliveries lists messages for the operator: of a state, or with "" those that
// may still be sent. What waits is in the order of its turn, what ended the
// newest first.
func (s *Service) Deliveries(ctx context.Context, actor Actor, state DeliveryState, page PageRequest) ([]Delivery, error) {
	if err := mustOperate(actor); err != nil {
		return nil, err
	}
	return s.store.Deliveries(ctx, state, page)
}

// DeliveryRecord is a message with its history, for the operator.
func (s *Service) DeliveryRecord(ctx context.Context, actor Actor, id string) (DeliveryRecord, error) {
	if err := mustOperate(actor); err != nil {
		return DeliveryRecord{}, err
	}
	record, err := s.store.DeliveryRecord(ctx, id)
	return record, missing(err, notFound("message"))
}

// InvitationDeliveries lists the mails to the invited of one of the account's
// invitations, the newest first, with what became of each.
func (s *Service) InvitationDeliveries(ctx context.Context, actor Actor, accountID, id ID, page PageRequest) (Page[DeliveryRecord], error) {
	if _, _, err := s.AccountInvitation(ctx, actor, accountID, id); err != nil {
		return Page[DeliveryRecord]{}, err
	}
	list, err := s.store.InvitationDeliveries(ctx, accountID, id, page)
	for i := range list.Items {
		list.Items[i] = list.Items[i].told()
	}
	return list, err
}

// RetryDelivery makes a message due now; see DecideRetry.
func (s *Service) RetryDelivery(ctx context.Context, actor Actor, id string) (Delivery, error) {
	return s.changeDelivery(ctx, actor, id, DeliveryRetry, DecideRetry)
}

// DropDelivery gives a message up.
func (s *Service) DropDelivery(ctx context.Context, actor Actor, id string) (Delivery, error) {
	return s.changeDelivery(ctx, actor, id, DeliveryDrop, func(d DueDelivery, now time.Time) (Delivery, error) {
		if !d.EndedOn.IsZero() {
			return d.Delivery, invalid("", "this message is %s already", d.State)
		}
		return d.end(Dropped, "the operator dropped it", now), nil
	})
}

func (s *Service) changeDelivery(
	ctx context.Context, actor Actor, id string, action Action, change func(d DueDelivery, now time.Time) (Delivery, error),
) (Delivery, error) {
	if err := mustOperate(actor); err != nil {
		return Delivery{}, err
	}
	entry := actor.Entry(s.newID(), action, "", "")
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Delivery, error) {
		facts, err := tx.Delivery(id)
		if err != nil {
			return Delivery{}, missing(err, notFound("message"))
		}
		before := facts.Delivery
		after, err := change(facts, tx.Now())
		if err != nil {
			return Delivery{}, err
		}
		entry.AccountID, entry.TargetID = before.AccountID, before.MembershipID
		entry.Before, entry.After = deliverySnapshot(before), deliverySnapshot(after)
		if err := tx.UpdateDelivery(before, after); err != nil {
			return Delivery{}, err
		}
		return after, tx.Record(*entry)
	})
}

// ofDelivery is the entry of what became of a message. The account of an invitation
// hears of the mails to whom it invited, and of no others.
func (e *AuditEntry) ofDelivery(before, after Delivery) AuditEntry {
	made := *e
	if before.Kind.invites() {
		made.AccountID = before.AccountID
	}
	made.TargetID = before.MembershipID
	made.Before, made.After = deliverySnapshot(before), deliverySnapshot(after)
	return made
}

// deliverySnapshot is a message as audit rows hold it.
func deliverySnapshot(d Delivery) string {
	return encode(struct {
		ID    string        `json:"id"`
		State DeliveryState `json:"state"`
	}{d.ID, d.State})
}
