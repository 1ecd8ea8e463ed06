package iam

import (
	"fmt"
	"time"
)

// DeliveryKind says what a message tells.
type DeliveryKind string

// The kinds of messages. The first two carry an invitation's link and go to the
// invited, as the third does, which carries none; the next three go to the inviting side and carry none.
const (
	InvitationMessage DeliveryKind = "invitation"
	ReminderMessage   DeliveryKind = "reminder"
	WithdrawnMessage  DeliveryKind = "withdrawn"
	ExpiredMessage    DeliveryKind = "expired"
	AcceptedMessage   DeliveryKind = "accepted"
	LinkAskedMessage  DeliveryKind = "link_asked"

	MembershipEndsMessage DeliveryKind = "membership_ends" // to the member, a while before
	MemberEndsMessage     DeliveryKind = "member_ends"     // to whoever set that end

	WebhookOffMessage DeliveryKind = "webhook_off" // to who manages webhooks: the one in Detail was turned off by itself

	SignInMessage  DeliveryKind = "sign_in" // a link and a code that prove a mailbox
	AddressMessage DeliveryKind = "address" // the same, for a new address of a user
	NoticeMessage  DeliveryKind = "notice"  // something about the user's security changed; Detail says what
)

// DeliveryState is where a message stands.
type DeliveryState string

// The states of a message; from Sent on they are ends.
const (
	Queued     DeliveryState = "queued"
	Deferred   DeliveryState = "deferred"   // the server or a budget said later; it is tried again
	Sent       DeliveryState = "sent"       // the server took it
	Bounced    DeliveryState = "bounced"    // the server refused it for good, or it was tried for too long
	Complained DeliveryState = "complained" // it arrived, and its reader called it spam
	Suppressed DeliveryState = "suppressed" // the recipient wants none
	Dropped    DeliveryState = "dropped"    // what it would tell no longer holds, or the operator dropped it
)

// Delivery is one message to one recipient. It is queued in the transaction of
// what it tells of, and made when it is sent, from what holds then: a link that
// it carries stands in no row.
type Delivery struct {
	ID           string // names what it tells of, so that nothing is told twice
	Kind         DeliveryKind
	AccountID    ID // "": of no account
	MembershipID ID // "": of no membership
	UserID       ID // "": of no user
	Recipient    string
	Locale       string // "": the account's, else the instance's
	Generation   int    // of the link that it carries
	Detail       string // what else the kind needs; never a secret
	Told         int    // of how many rows a digest tells, the first of them in Detail; 0: it is none
	State        DeliveryState
	DueOn        time.Time // when it is tried next
	Attempts     int       // how often it was handed to a worker; only the last one may say what became of it
	Words        string    // what the server last said, bounded and cleaned
	CreatedOn    time.Time
	TriedOn      time.Time // when it was tried first, zero while it waits for that
	EndedOn      time.Time // zero while it may still be sent
}

// DeliverySource says from whom it is known what became of a message.
type DeliverySource string

// The sources.
const (
	ByServer DeliverySource = "server" // the mail server that it was handed to, or the way there
	ByReport DeliverySource = "report" // who carried it on, later
)

// DeliveryStep is one thing that became of a message. A message keeps the last
// MaxDeliverySteps of them.
type DeliveryStep struct {
	On     time.Time
	Source DeliverySource
	State  DeliveryState // Sent, Deferred, Bounced or Complained
	Code   int           // the server's reply, 0 where there was none
	Words  string        // its text, bounded and cleaned
	NextOn time.Time     // when it is tried next, zero where it is not
	Report string        // which report told it, so that it is noted once; "" none
}

// MaxDeliverySteps is how many steps of a message are kept: twice as many as five
// days of attempts lead to.
const MaxDeliverySteps = 80

// DeliveryRecord is a message with what became of it, the first step first.
type DeliveryRecord struct {
	Delivery

	Steps []DeliveryStep
}

// told is a message as the account of its invitation sees it. That one waits since
// its mailbox got enough from others is not for it to know: it has not left yet.
func (d DeliveryRecord) told() DeliveryRecord {
	switch {
	case d.State == Deferred && d.Attempts == 0:
		d.State = Queued
		fallthrough
	case d.State == Queued, !d.EndedOn.IsZero():
		d.DueOn = time.Time{}
	}
	return d
}

// Outbox is how much may still be sent, and since when the longest of it is due;
// zero where nothing is.
type Outbox struct {
	Waiting  int
	DueSince time.Time
}

// deliveryOf is a message about a membership, due at once.
func deliveryOf(kind DeliveryKind, row Membership, link Link, recipient string, now time.Time) Delivery {
	return Delivery{
		ID:           fmt.Sprintf("%s-%s-%d", row.ID, kind, link.Generation),
		Kind:         kind,
		AccountID:    row.AccountID,
		MembershipID: row.ID,
		Recipient:    recipient,
		Locale:       link.Locale,
		Generation:   link.Generation,
		State:        Queued,
		DueOn:        now,
		CreatedOn:    now,
	}
}
