package iam

import (
	"slices"
	"time"
)

// Status is where a membership stands.
type Status string

// The states of a membership. Pending and Accepted hold a seat; every other
// one is an end, and an ended row never comes back.
const (
	Pending  Status = "pending"
	Accepted Status = "accepted"
	Rejected Status = "rejected"
	Expired  Status = "expired"
	Canceled Status = "canceled"
	Left     Status = "left"
	Removed  Status = "removed"
)

// Live reports whether a row in this state holds a seat and its address.
func (s Status) Live() bool { return s == Pending || s == Accepted }

// Membership joins an address, and once it answered a user, to an account with
// roles. The account sees it as a member, the user as a membership, and while
// and because somebody was asked, both as an invite: one row, one id.
type Membership struct {
	ID        ID
	AccountID ID
	Email     string // canonical
	UserID    ID     // "" until answered
	Status    Status // as stored: read it through StatusAt
	Roles     []Role // in the order given; never empty

	Invited   bool      // somebody was asked; false for a row added directly
	InvitedBy string    // who is shown to the invited
	InvitedOn time.Time // zero where Invited is false, as ExpiresOn
	ExpiresOn time.Time
	Grantor   Grantor // whose rights are computed at accept
	Note      string  `json:",omitempty"` // the inviter's word to the invited

	EndsOn  time.Time `json:",omitzero"` // when the membership ends, once it was accepted; zero: never
	EndWake time.Time `json:",omitzero"` // when the clock next has to do with that: to warn, else to end it

	CreatedOn  time.Time
	AnsweredOn time.Time // zero until answered
	Revision   int64     // rises by one with each change; the store's guard
}

// StatusAt is the state at now: from ExpiresOn on a pending row is expired, and from
// EndsOn on an accepted one removed, with no job needed.
func (m Membership) StatusAt(now time.Time) Status {
	if m.Status == Pending && !m.ExpiresOn.IsZero() && !now.Before(m.ExpiresOn) {
		return Expired
	}
	if m.over(now) {
		return Removed
	}
	return m.Status
}

// SuperAdmin reports whether the row carries the role that has everything.
func (m Membership) SuperAdmin() bool {
	return slices.ContainsFunc(m.Roles, Role.All)
}

// belongsTo reports whether who may see the row as its own: it answered it, or
// its verified address is the invited one. What the account took back and what
// the user gave up is gone.
func (m Membership) belongsTo(who Invitee) bool {
	if m.Status == Canceled || m.Status == Left || m.Status == Removed {
		return false
	}
	if m.UserID != "" {
		return m.UserID == who.UserID
	}
	return who.Email != "" && m.Email == who.Email
}

// Invitation is a membership together with its account, as its user sees it.
type Invitation struct {
	Membership
	Account Account
}

// Member is a membership as its account sees it. User is zero until the person
// accepted: before that the account knows an address and nothing else.
type Member struct {
	Membership
	User         User
	GrantorFacts GrantorFacts // of a pending row
	Locale       string       `json:",omitempty"` // of its messages, a BCP 47 tag; "" is the account's
	AskedOn      time.Time    // when the holder of a dead link asked for another one; zero: nobody waits
}

// NeedsConfirmation says that a pending invitation cannot be accepted since its
// grantor may no longer grant it; an actor whose ceiling covers it confirms it.
func (m Member) NeedsConfirmation(now time.Time) bool {
	return m.StatusAt(now) == Pending && !m.GrantorFacts.mayGrant(m.Roles)
}

// AnswerFacts are what an answer rests on, as of the transaction.
type AnswerFacts struct {
	Invitation Invitation
	User       User // who answers
	Grantor    GrantorFacts
	// OtherSuperAdmins counts the account's other active Super Administrators.
	OtherSuperAdmins int
	// Vouched says that who answers was asked for a second factor by a provider
	// that the operator trusts.
	Vouched bool
}

// DecideAnswer says what becomes of an invitation that its user accepts or
// rejects at now. The returned row is unchanged where the same answer stands
// already.
func DecideAnswer(f AnswerFacts, answer Status, now time.Time) (Membership, error) {
	row := f.Invitation.Membership
	if !row.belongsTo(f.User.Invitee()) {
		return Membership{}, notFound("invitation")
	}
	if err := mustBeActive(f.User); err != nil {
		return Membership{}, err
	}
	return f.decide(answer, now)
}

// decide is DecideAnswer for a user whose invitation it is.
func (f AnswerFacts) decide(answer Status, now time.Time) (Membership, error) {
	row := f.Invitation.Membership
	switch current := row.StatusAt(now); {
	case current == answer:
		return row, nil
	case current == Expired:
		return Membership{}, refuse(InviteExpired,
			"this invitation expired on %s; ask an administrator of %q for a new one",
			row.ExpiresOn.Format(time.RFC3339), f.Invitation.Account.Name)
	case current == Removed: // by the clock
		return Membership{}, notFound("invitation")
	case current != Pending:
		return Membership{}, refuse(AlreadyAnswered,
			"this invitation was %s already; to change that, %s", current, wayBack(current))
	}
	if answer == Accepted {
		if err := mayAccept(f); err != nil {
			return Membership{}, err
		}
	}
	row.Status = answer
	row.UserID = f.User.ID
	row.AnsweredOn = now
	if answer == Accepted {
		row.EndWake = endWake(row, false, now)
	}
	return row, nil
}

func wayBack(current Status) string {
	if current == Accepted {
		return "leave the account"
	}
	return "ask an administrator for a new invitation"
}

// mayAccept is what accepting asks beyond a pending row and its own address.
func mayAccept(f AnswerFacts) error {
	account := f.Invitation.Account
	if err := f.Invitation.stands(f.Grantor); err != nil {
		return err
	}
	if account.EnforceTwoFactor && !f.User.HasFactor() && !f.Vouched {
		return refuse(TwoFactorRequired, "%q enforces two-factor authentication; set up a second factor, then accept", account.Name)
	}
	return nil
}

// stands is what accepting asks of the inviting side.
func (i Invitation) stands(grantor GrantorFacts) error {
	if !grantor.mayGrant(i.Roles) {
		return refuse(GrantorLost, "whoever granted these roles may no longer do so; an administrator of %q must confirm the invitation", i.Account.Name)
	}
	if i.Account.Suspended {
		return suspended()
	}
	return i.Account.mayAsk(i.Email)
}

func suspended() error {
	return refuse(AccountSuspended, "the account is suspended and can only be read; the operator can lift that")
}

// DecideLeave says what becomes of a row that its user gives up: an accepted
// one is left, a pending one rejected.
func DecideLeave(f AnswerFacts, now time.Time) (Membership, error) {
	row := f.Invitation.Membership
	if !row.belongsTo(f.User.Invitee()) {
		return Membership{}, notFound("membership")
	}
	switch row.StatusAt(now) {
	case Accepted:
		if f.Invitation.Account.Suspended {
			return Membership{}, suspended()
		}
		if err := keepsSuperAdmin(row, true, f.OtherSuperAdmins); err != nil {
			return Membership{}, err
		}
		row.Status = Left
	case Pending: // as rejecting, which asks for nothing more
		row.Status, row.UserID, row.AnsweredOn = Rejected, f.User.ID, now
	case Rejected, Expired, Canceled, Left, Removed:
		return Membership{}, notFound("membership")
	}
	return row, nil
}

// keepsSuperAdmin refuses to take away an account's last active Super
// Administrator. active says whether the row's user is one who can act.
func keepsSuperAdmin(row Membership, active bool, others int) error {
	if row.SuperAdmin() && active && others == 0 {
		return refuse(LastSuperAdmin, "this is the account's last active Super Administrator; appoint another one first")
	}
	return nil
}

// sameRoles compares two role lists as sets.
func sameRoles(a, b []Role) bool {
	has := func(list []Role, id ID) bool {
		return slices.ContainsFunc(list, func(r Role) bool { return r.ID == id })
	}
	for _, role := range a {
		if !has(b, role.ID) {
			return false
		}
	}
	for _, role := range b {
		if !has(a, role.ID) {
			return false
		}
	}
	return true
}
