package iam

import (
	"context"
	"time"
)

// MaxGeneration is the newest link that an invitation can have: a link has no
// room for a greater one.
const MaxGeneration = 1<<16 - 1

// DecideShowLink says what showing a pending invitation's link to its account
// does at now. As when it is sent again the links before die, and whoever asks
// vouches for the roles from then on. Nobody is written to: it ends when it did,
// and the pause between two messages is not asked for.
func DecideShowLink(f MemberFacts, actor Actor, mailing Mailing, now time.Time) (Membership, Link, error) {
	if err := f.stillPending(actor, now); err != nil {
		return Membership{}, Link{}, err
	}
	if err := mailing.mayMakeLink(f.Target, f.Link, now); err != nil {
		return Membership{}, Link{}, err
	}
	row, link := f.Target, f.Link
	row.Grantor = actor.Grantor()
	link.Generation++
	link.AskedOn = time.Time{}
	return row, link, nil
}

// ShowLink makes the link of a pending invitation anew and shows it to who asks,
// this once: for who passes it on by other means than mail. It proves nothing of
// who opens it. linkTo makes a link's text; nil where there are no pages for it to
// lead to. The text is "" where the key's request was answered before.
func (s *Service) ShowLink(
	ctx context.Context, actor Actor, accountID, id ID, key IdempotencyKey, linkTo func(InvitationLink) string,
) (Replayable[Invited], string, error) {
	made, err := s.showLink(ctx, actor, accountID, id, key, linkTo != nil)
	if err != nil || made.Replayed {
		return Replayable[Invited]{Result: made.Result.Invited, Replayed: made.Replayed}, "", err
	}
	text := linkTo(InvitationLink{ID: id, Generation: made.Result.Generation, Shown: true})
	return Replayable[Invited]{Result: made.Result.Invited}, text, nil
}

// shownLink is an invitation and the generation of the link that is shown, which
// opens nothing without the instance's key.
type shownLink struct {
	Invited    Invited
	Generation int
}

func (s *Service) showLink(
	ctx context.Context, actor Actor, accountID, id ID, key IdempotencyKey, leads bool,
) (Replayable[shownLink], error) {
	entry := actor.Entry(s.newID(), InviteShowLink, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[shownLink], error) {
		facts, err := s.touched(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[shownLink]{}, err
		}
		return once(tx, actor, key, func() (shownLink, error) {
			row, link, err := DecideShowLink(facts, actor, s.mailing, tx.Now())
			if err != nil {
				return shownLink{}, err
			}
			if !leads { // told to who may have a link, not before
				return shownLink{}, invalid("", "this instance has no pages for a link to lead to; its operator gives it --base-url")
			}
			entry := *entry
			entry.Before, entry.After = linkSnapshot(facts.Target, facts.Link), linkSnapshot(row, link)
			if err := tx.UpdateInvitation(facts.Target, row, link, entry); err != nil {
				return shownLink{}, err
			}
			row.Revision++
			member := Member{Membership: row, GrantorFacts: actor.asGrantor(facts.Own), Locale: link.Locale}
			return shownLink{Invited{Account: facts.Account, Member: member, At: tx.Now()}, link.Generation}, nil
		})
	})
}

// MailLink sends an invitation's mailed link to the invited address, for the
// holder of a link that proves nothing: whoever reads that mailbox can answer.
// Where the link is dead, or there is nothing left to answer, nothing is sent;
// what is answered is the same.
func (s *Service) MailLink(ctx context.Context, holder LinkHolder) error {
	if err := s.mails(); err != nil {
		return err
	}
	entry := holder.entry(s.newID(), InviteMailLink)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.LinkFacts(holder.InvitationID)
		if err != nil {
			return struct{}{}, missing(err, notFound("invitation"))
		}
		row, now := facts.Invitation.Membership, tx.Now()
		if !facts.mayMail(holder.Generation, now) {
			return struct{}{}, nil
		}
		if full, err := tx.Spend(s.signIn.askingForLink(row.Email, holder, now)); err != nil {
			return struct{}{}, err
		} else if full != nil {
			return struct{}{}, tooMany(*full, now)
		}
		entry.AccountID = row.AccountID
		if err := tx.Record(*entry); err != nil {
			return struct{}{}, err
		}
		message := deliveryOf(InvitationMessage, row, facts.Link, row.Email, now)
		message.ID = entry.OperationID + "-" + string(message.Kind) // one for each that is asked for
		return struct{}{}, s.mailing.queue(tx, message)
	})
	return err
}

// mayMail reports whether the link of a generation still leads to something that
// the invited could answer.
func (f LinkFacts) mayMail(generation int, now time.Time) bool {
	row := f.Invitation.Membership
	return row.Invited && row.StatusAt(now) == Pending && generation == f.Link.Generation && !f.Invitation.Account.Suspended
}

// MailsProofs reports whether this instance can mail what proves a mailbox.
func (s *Service) MailsProofs() bool { return s.mails() == nil }
