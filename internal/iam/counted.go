package iam

import (
	"context"
	"sync/atomic"
)

// InvitationEvent is something that became of an invitation, as counters have it.
type InvitationEvent string

// The events.
const (
	InvitationCreated   InvitationEvent = "created"
	InvitationOpened    InvitationEvent = "opened"
	InvitationAccepted  InvitationEvent = "accepted"
	InvitationDeclined  InvitationEvent = "declined"
	InvitationExpired   InvitationEvent = "expired"
	InvitationWithdrawn InvitationEvent = "withdrawn"
	InvitationRefused   InvitationEvent = "refused" // somebody was not allowed to do something with one
)

// InvitationEvents are all of them.
func InvitationEvents() []InvitationEvent {
	return []InvitationEvent{
		InvitationCreated, InvitationOpened, InvitationAccepted, InvitationDeclined, InvitationExpired, InvitationWithdrawn, InvitationRefused,
	}
}

// InvitationCounters count what this process did to invitations. They are safe for
// concurrent use.
type InvitationCounters struct {
	counts map[InvitationEvent]*atomic.Int64
}

// NewInvitationCounters counted nothing yet.
func NewInvitationCounters() *InvitationCounters {
	c := &InvitationCounters{counts: map[InvitationEvent]*atomic.Int64{}}
	for _, event := range InvitationEvents() {
		c.counts[event] = &atomic.Int64{}
	}
	return c
}

// Count is how often an event happened.
func (c *InvitationCounters) Count(event InvitationEvent) int64 { return c.counts[event].Load() }

// Counted is the store, which counts what is done to invitations through it, once
// that is durable. What ends with an account or a user is not counted.
func Counted(store Store, counters *InvitationCounters) Store {
	return &countedStore{Store: store, counters: counters}
}

type countedStore struct {
	Store

	counters *InvitationCounters
}

// Update implements Store. What an earlier run of fn did is forgotten, as it was undone.
func (c *countedStore) Update(ctx context.Context, fn func(tx Tx) error) error {
	var last *countedTx
	err := c.Store.Update(ctx, func(tx Tx) error {
		last = &countedTx{Tx: tx}
		return fn(last)
	})
	if err == nil && last != nil {
		for _, event := range last.events {
			c.counters.counts[event].Add(1)
		}
	}
	return err
}

// countedTx remembers what its closure did.
type countedTx struct {
	Tx

	events []InvitationEvent
}

// InsertMembership implements Tx.
func (t *countedTx) InsertMembership(row Membership, link Link, entry AuditEntry) error {
	event := InvitationEvent("")
	if row.Invited && row.Status == Pending && entry.Action != Import {
		event = InvitationCreated
	}
	return t.note(event, t.Tx.InsertMembership(row, link, entry))
}

// UpdateMembership implements Tx.
func (t *countedTx) UpdateMembership(before, after Membership, entry AuditEntry) error {
	event := InvitationEvent("")
	if before.Status == Pending {
		event = map[Status]InvitationEvent{
			Accepted: InvitationAccepted, Rejected: InvitationDeclined, Canceled: InvitationWithdrawn,
		}[after.Status]
	}
	return t.note(event, t.Tx.UpdateMembership(before, after, entry))
}

// Settle implements Tx.
func (t *countedTx) Settle(accountID ID, email string) ([]Member, error) {
	ended, err := t.Tx.Settle(accountID, email)
	for range ended {
		err = t.note(InvitationExpired, err)
	}
	return ended, err
}

// MarkOpened implements Tx.
func (t *countedTx) MarkOpened(id ID, generation int) (bool, error) {
	opened, err := t.Tx.MarkOpened(id, generation)
	if opened {
		err = t.note(InvitationOpened, err)
	}
	return opened, err
}

// Record implements Tx.
func (t *countedTx) Record(entry AuditEntry) error {
	event := InvitationEvent("")
	if entry.Denied != "" && entry.Action.Noun() == "invite" {
		event = InvitationRefused
	}
	return t.note(event, t.Tx.Record(entry))
}

// note remembers what was done without an error.
func (t *countedTx) note(event InvitationEvent, err error) error {
	if err == nil && event != "" {
		t.events = append(t.events, event)
	}
	return err
}
