package iam

import (
	"fmt"
	"slices"
	"time"
)

// Messages to the inviting side. Whoever granted an invitation gets them, as long
// as it may see the account's members: what it can no longer look up it is not
// told by mail either.

// seesMembers reports whether the grantor is a user who may read the account's
// members now.
func (g GrantorFacts) seesMembers() bool {
	return g.Kind == ByUser && g.Active && g.Membership != nil && RightsOf(g.Membership.Roles).May(AreaMembers, Read)
}

// toMember is a message to a member of the account about another row of it. Its
// language is the recipient's own. A row ends once, so about is "" where it did.
func toMember(kind DeliveryKind, row, recipient Membership, about string, now time.Time) Delivery {
	return Delivery{
		ID:           fmt.Sprintf("%s-%s%s", row.ID, kind, about),
		Kind:         kind,
		AccountID:    row.AccountID,
		MembershipID: row.ID,
		UserID:       recipient.UserID,
		Recipient:    recipient.Email,
		State:        Queued,
		DueOn:        now,
		CreatedOn:    now,
	}
}

// MaxTold is how many rows a digest names; of more it says how many.
const MaxTold = 20

// digestStretch is for how long ends are gathered: who invited many people at once
// hears of all that stayed silent in one message, though no two of them end in the
// same moment.
const digestStretch = 5 * time.Minute

// tellEnded queues what inviters hear of rows that the clock ended: one message to
// each of them about all that ended in a stretch of time, when that is over.
func (m Mailing) tellEnded(tx Tx, ended []Member) error {
	if !m.Enabled {
		return nil
	}
	var digests []Delivery
	for _, row := range ended {
		if row.GrantorFacts.seesMembers() {
			digests = addEnded(digests, row, tx.Now())
		}
	}
	for _, digest := range digests {
		if err := gather(tx, digest); err != nil {
			return err
		}
	}
	return nil
}

// addEnded puts an ended row into the digest of who granted it.
func addEnded(digests []Delivery, row Member, now time.Time) []Delivery {
	recipient := *row.GrantorFacts.Membership
	at := slices.IndexFunc(digests, func(d Delivery) bool { return d.AccountID == row.AccountID && d.UserID == recipient.UserID })
	if at < 0 {
		digest := toMember(ExpiredMessage, row.Membership, recipient, "", now)
		stretch := now.Truncate(digestStretch)
		// Both ids in full would not fit into a Message-ID.
		both := hashed(string(row.AccountID) + " " + string(recipient.UserID))[:len(row.AccountID)]
		digest.ID = fmt.Sprintf("%s-%s-%d", both, ExpiredMessage, stretch.Unix())
		digest.DueOn = stretch.Add(digestStretch)
		digest.Told, digest.Detail = 1, string(row.ID)
		return append(digests, digest)
	}
	digest := &digests[at]
	if digest.Told < MaxTold {
		digest.Detail += " " + string(row.ID)
	}
	digest.Told++
	return digests
}

// gather adds a digest to what waits. Where that was sent already, since the
// operator hurried it or the clocks of two nodes differ, it is one of its own,
// named by its first row, which ends once.
func gather(tx Tx, digest Delivery) error {
	gathered, err := tx.Gather(digest)
	if err != nil || gathered {
		return err
	}
	digest.ID = fmt.Sprintf("%s-%s", digest.MembershipID, digest.Kind)
	return tx.Queue(digest)
}

// settle writes down what the clock ended, and tells of it.
func (m Mailing) settle(tx Tx, accountID ID, email string) error {
	ended, err := tx.Settle(accountID, email)
	if err != nil {
		return err
	}
	return m.tellEnded(tx, ended)
}

// tellAnswer queues what the inviter hears of an answer: that it was accepted. Who
// declined need not fear a letter.
func (m Mailing) tellAnswer(tx Tx, before, after Membership, grantor GrantorFacts) error {
	if before.Status != Pending || after.Status != Accepted || !grantor.seesMembers() || grantor.ID == after.UserID {
		return nil
	}
	return m.queue(tx, toMember(AcceptedMessage, after, *grantor.Membership, "", tx.Now()))
}

// tellAsked queues what the inviting side hears of somebody who wants a new link:
// once a day, the grantor where it can give one, else a Super Administrator.
func (m Mailing) tellAsked(tx Tx, f LinkFacts) error {
	recipient := f.SuperAdmin
	if f.Grantor.Kind == ByUser && f.Grantor.mayGrant(f.Invitation.Roles) {
		recipient = f.Grantor.Membership
	}
	if recipient == nil {
		return nil
	}
	return m.queue(tx, toMember(LinkAskedMessage, f.Invitation.Membership, *recipient, tx.Now().UTC().Format("-2006-01-02"), tx.Now()))
}
