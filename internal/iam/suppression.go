package iam

import (
	"context"
	"time"
)

// Suppression says that a mailbox wants no more invitations: from an account,
// or with "" from anybody here. An invitation to it can be made, and answered
// by who comes by itself; nothing is mailed.
type Suppression struct {
	Mailbox   string
	AccountID ID
	CreatedOn time.Time
}

// SuppressRecipient is what the link of a mail asks for that says "never
// again": from the account of an invitation, or with anyone from anybody. Who
// holds the link has read the mailbox; holder says where from. The account hears
// nothing of it, so the audit row is the instance's.
func (s *Service) SuppressRecipient(ctx context.Context, holder Actor, membershipID ID, anyone bool) error {
	invitation, err := s.store.Invitation(ctx, membershipID)
	if err != nil {
		return missing(err, notFound("invitation"))
	}
	suppression := Suppression{Mailbox: Mailbox(invitation.Email), AccountID: invitation.AccountID}
	if anyone {
		suppression.AccountID = ""
	}
	entry := holder.Entry(s.newID(), Suppress, "", membershipID)
	entry.After = suppression.snapshot()
	_, err = write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		made := suppression
		made.CreatedOn = tx.Now()
		return struct{}{}, tx.Suppress(made, *entry)
	})
	return err
}

// LiftSuppression lets a mailbox be written to again, which belongs to the
// operator: whoever asked for silence asked the operator for its end.
func (s *Service) LiftSuppression(ctx context.Context, actor Actor, email string, accountID ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	suppression := Suppression{Mailbox: Mailbox(email), AccountID: accountID}
	entry := actor.Entry(s.newID(), Unsuppress, "", "")
	entry.Before = suppression.snapshot()
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		return struct{}{}, missing(tx.Unsuppress(suppression, *entry), notFound("suppression"))
	})
	return err
}

// Suppressions lists who wants no more invitations, which belongs to the
// operator.
func (s *Service) Suppressions(ctx context.Context, actor Actor, page PageRequest) ([]Suppression, error) {
	if err := mustOperate(actor); err != nil {
		return nil, err
	}
	return s.store.Suppressions(ctx, page)
}

// snapshot is a suppression as audit rows hold it.
func (s Suppression) snapshot() string {
	return encode(struct {
		Mailbox   string `json:"mailbox"`
		AccountID ID     `json:"account_id,omitempty"`
	}{s.Mailbox, s.AccountID})
}
