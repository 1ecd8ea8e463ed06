package console

import (
	"time"

	"hither/internal/iam"
	"hither/internal/seal"
)

// standing is how an invitation stands to who looks at it. Each has its page,
// whose words begin with it.
type standing string

const (
	open        standing = "open"      // it can be answered, here or after signing in
	joined      standing = "joined"    // accepted, by who looks
	answered    standing = "answered"  // accepted by the invited, or over since
	declined    standing = "declined"  // rejected
	expired     standing = "expired"   // by the clock
	withdrawn   standing = "withdrawn" // by the account
	replaced    standing = "replaced"  // a newer link was sent
	wrong       standing = "wrong"     // signed in as somebody else
	paused      standing = "suspended" // the account is
	unconfirmed standing = "confirm"   // whoever granted it may no longer do so
	barred      standing = "barred"    // the account's domains leave the address out
	factor      standing = "factor"    // the account asks for a second one
	seat        standing = "seat"      // no seat is free
	member      standing = "member"    // a member already, under another address

	// What somebody did with its link.
	asked      standing = "asked"       // for another one
	mailedLink standing = "link-mailed" // for a mail to the invited address
	reported   standing = "reported"    // that it came to the wrong mailbox
)

// standingOf says how an invitation stands to an actor. Whose it is counts more
// than what the link is worth: its user answers it without one.
func standingOf(v visit, actor iam.Actor, now time.Time) standing {
	own := v.owned(actor)
	switch status := v.StatusAt(now); {
	case status == iam.Canceled:
		return withdrawn
	case status == iam.Accepted && own:
		return joined
	case status == iam.Accepted, status == iam.Left, status == iam.Removed:
		return answered
	case status == iam.Rejected:
		return declined
	case status == iam.Expired:
		return expired
	case !own && v.link != nil && v.link.Generation != v.Link.Generation:
		return replaced
	case v.Account.Suspended:
		return paused
	case !own && actor.Kind == iam.ByUser:
		return wrong
	case v.NeedsConfirmation:
		return unconfirmed
	case !v.Account.InviteDomains.Allow(v.Email):
		return barred
	case own && v.Account.EnforceTwoFactor && !actor.HasFactor():
		return factor
	}
	return open
}

// standingBy is the standing that a refusal of an answer found, where it is one.
func standingBy(kind iam.Kind) (standing, bool) {
	found, ok := map[iam.Kind]standing{
		iam.InviteExpired:     expired,
		iam.InviteWithdrawn:   withdrawn,
		iam.LinkReplaced:      replaced,
		iam.WrongAddress:      wrong,
		iam.AccountSuspended:  paused,
		iam.GrantorLost:       unconfirmed,
		iam.DomainRefused:     barred,
		iam.TwoFactorRequired: factor,
		iam.NoSeat:            seat,
		iam.AlreadyMember:     member,
	}[kind]
	return found, ok
}

// owned reports whether the invitation is the actor's own: it answered it, or
// its proven address is the invited one.
func (v visit) owned(actor iam.Actor) bool {
	if actor.Kind != iam.ByUser {
		return false
	}
	who := actor.User.Invitee()
	if v.UserID != "" {
		return v.UserID == who.UserID
	}
	return who.Email != "" && v.Email == who.Email
}

// mailed reports whether the visitor holds the link that was sent to the invited
// mailbox, and so has read it.
func (v visit) mailed() bool { return v.link != nil && v.link.Purpose == seal.MailedInvitation }

// mayAnswer reports whether an open invitation can be answered at once: by its
// user, or by the mailed link where there is no user yet.
func (v visit) mayAnswer(actor iam.Actor) bool {
	return v.owned(actor) || (actor.Kind != iam.ByUser && v.mailed() && !v.Known)
}

// address is the invited address as the actor may see it: whole for its user
// and, while nobody else is signed in, for who read it in the mail.
func (v visit) address(actor iam.Actor) string {
	if v.owned(actor) || (actor.Kind != iam.ByUser && v.mailed()) {
		return v.Email
	}
	return masked(v.Email)
}

// reminder is when "later" is, false where too little time is left for any.
func (v visit) reminder(now time.Time) (iam.Reminder, bool) {
	const day, soon, usual = 24 * time.Hour, 1, 3
	switch left := v.ExpiresOn.Sub(now); {
	case v.ExpiresOn.IsZero(), left > (usual+1)*day:
		return iam.Reminder{InDays: usual}, true
	case left > soon*day+time.Hour:
		return iam.Reminder{InDays: soon}, true
	}
	return iam.Reminder{}, false
}
