package iam

import (
	"fmt"
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

// tellEnded queues what inviters hear of rows that the clock ended.
func (m Mailing) tellEnded(tx Tx, ended []Member) error {
	for _, row := range ended {
		if !row.GrantorFacts.seesMembers() {
			continue
		}
		if err := m.queue(tx, toMember(ExpiredMessage, row.Membership, *row.GrantorFacts.Membership, "", tx.Now())); err != nil {
			return err
		}
	}
	return nil
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
