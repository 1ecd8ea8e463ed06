package iam

import "time"

// Link is what an invitation's mailed link and its messages rest on. The link's
// secret is derived from the row's id, Generation and the instance's key; it is
// kept nowhere.
type Link struct {
	Locale     string    // a BCP 47 tag; "" is the account's
	Generation int       // of the newest link; earlier ones are dead. 0: none was made
	SentOn     time.Time // when the newest one that was to be mailed was made
	WakeOn     time.Time // when the clock next has to do with a pending row: to remind of it, else to end it
	AskedOn    time.Time // when the holder of a dead link asked for another one; zero: nobody waits
}

// firstLink is the link of a row that was just made: of a pending one, since
// somebody is asked by it.
func firstLink(row Membership, mailing Mailing, locale string, now time.Time) Link {
	link := Link{Locale: locale}
	if row.Status != Pending {
		return link
	}
	return link.next(row, mailing, now)
}

// next is the link that takes the place of l, which is dead from then on. Whoever
// waited for it waits no longer.
func (l Link) next(row Membership, mailing Mailing, now time.Time) Link {
	return Link{Locale: l.Locale, Generation: l.Generation + 1, SentOn: now, WakeOn: mailing.wake(row, now)}
}

// LinkHolder is somebody who holds an invitation's link and is nobody else here.
// That the link is one of ours was found out before.
type LinkHolder struct {
	InvitationID ID
	Generation   int // of the link that it holds
	RemoteAddr   string
	RequestID    string
}

// byVisitor is the actor of audit rows of a LinkHolder. No Actor is of that kind: a
// link gives no rights.
const byVisitor = "visitor"

func (h LinkHolder) entry(operationID string, action Action) AuditEntry {
	return AuditEntry{
		OperationID: operationID, Actor: byVisitor, Action: action, TargetID: h.InvitationID,
		RemoteAddr: h.RemoteAddr, RequestID: h.RequestID,
	}
}

// LinkFacts are what the holder of a link may do with its invitation, and what
// the clock has to do with it, as of the transaction.
type LinkFacts struct {
	Invitation Invitation
	Link       Link
	Grantor    GrantorFacts
	// SuperAdmin is the account's first Super Administrator who can act, nil where
	// it has none: who is told where the grantor cannot be.
	SuperAdmin *Membership
	// LiveElsewhere says that the address has another pending or accepted row in
	// the account.
	LiveElsewhere bool
	// Bounced says that a mail with the newest link came back for good. Only
	// WakeFacts look for that.
	Bounced bool
}

// LinkedInvitation is what the page of a link shows, and what it has to know.
type LinkedInvitation struct {
	Invitation

	Link Link
	Look Look // the account's
	// NeedsConfirmation says that whoever granted it may no longer do so.
	NeedsConfirmation bool
	// Known says that there is a user with the invited address, who has to sign in.
	Known bool
}

// Live reports whether a link of that generation still acts for the invitation.
func (l LinkedInvitation) Live(generation int, now time.Time) bool {
	return generation > 0 && generation == l.Link.Generation && l.StatusAt(now) == Pending
}
