package iam

import (
	"strings"
	"time"
)

// AccountFacts are an account, what the actor is in it, and its roles, as of
// the transaction.
type AccountFacts struct {
	Account Account
	Own     *Membership // the actor's accepted membership; nil: none
	Catalog *Catalog
}

// rights checks that the actor can see the account, and returns what it may do.
// Everything that is done in an account rests on it, so what the account
// enforces is enforced here, whatever was shown: key, token or session.
func (f AccountFacts) rights(actor Actor) (Rights, error) {
	if f.Own == nil && !actor.Operator() {
		return Rights{}, accountNotFound()
	}
	if err := actor.whole(); err != nil {
		return Rights{}, err
	}
	if f.Account.EnforceTwoFactor && !actor.HasFactor() {
		return Rights{}, needsFactor(f.Account)
	}
	return actor.rights(f.Own), nil
}

// manager checks that the actor may manage members of a working account.
func (f AccountFacts) manager(actor Actor) (Rights, error) {
	rights, err := f.rights(actor)
	if err != nil {
		return Rights{}, err
	}
	if !rights.May(AreaMembers, Write) {
		return Rights{}, refuse(Forbidden, "managing members needs write permission on the area %q", AreaMembers)
	}
	if f.Account.Suspended {
		return Rights{}, suspended()
	}
	return rights, nil
}

// grantable resolves role ids and holds them against the ceiling.
func (f AccountFacts) grantable(rights Rights, ids []ID) ([]Role, error) {
	roles, err := f.resolve(ids)
	if err != nil {
		return nil, err
	}
	if !rights.Cover(roles) {
		return nil, refuse(RoleCeiling, "these roles allow more than you may do yourself in this account; ask somebody who may")
	}
	return roles, nil
}

func (f AccountFacts) resolve(ids []ID) ([]Role, error) {
	if len(ids) == 0 {
		return nil, invalid("/roles", "must name at least one role of the account")
	}
	if len(ids) > MaxRolesPerMember {
		return nil, invalid("/roles", "must name at most %d roles", MaxRolesPerMember)
	}
	roles := make([]Role, 0, len(ids))
	seen := make(map[ID]bool, len(ids))
	for i, id := range ids {
		role, ok := f.Catalog.Find(f.Account.ID, id)
		if !ok {
			return nil, invalid(indexed("/roles", i), "role %q does not exist in this account", id)
		}
		if !seen[id] {
			seen[id] = true
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// InviteRequest asks to invite an address, or with Direct to add it without
// asking. ExpiresOn is zero for the account's default.
type InviteRequest struct {
	Email     string // canonical
	RoleIDs   []ID
	Direct    bool
	ExpiresOn time.Time
	Locale    string    // of its messages and pages, a BCP 47 tag; "" is the account's
	Note      string    // the inviter's word to the invited
	EndsOn    time.Time // of the membership; zero: never
}

// mayInvite checks what the actor needs to ask this at all, whatever becomes of
// it, and returns the roles that are asked for.
func (f AccountFacts) mayInvite(actor Actor, request InviteRequest) ([]Role, error) {
	rights, err := f.manager(actor)
	if err != nil {
		return nil, err
	}
	if request.Direct && !actor.Operator() {
		return nil, refuse(DirectAddForbidden, "Invalid request: automatic verification of new members is not allowed")
	}
	return f.grantable(rights, request.RoleIDs)
}

// InviteFacts are what inviting rests on. Existing is the live row of the
// address, nil where there is none.
type InviteFacts struct {
	AccountFacts
	Existing *Membership
	Grantor  GrantorFacts // of Existing, when it is pending
	Locale   string       // of Existing
	Over     ID           // a membership of the address, or its user, whose time is up; "": none
	User     *User        // of the address, if there is one
	Seats    Seats
}

// Seats are the places of an account that are taken.
type Seats struct {
	Open    int // by invitations without an answer
	Members int
}

// Taken is how many there are.
func (s Seats) Taken() int { return s.Open + s.Members }

// InviteDecision is what becomes of an invitation request.
type InviteDecision struct {
	Row     Membership
	Before  *Membership // the row that is changed; nil: Row is new
	Locale  string      // of its messages
	NewUser *User       // to be added first, for a direct add of an address without a user
	Changed bool        // false: everything stands already
	Action  Action
	BulkID  ID     // that it is of; "" none
	Settled bool   // nothing of the account is due
	Message string // for the client; "" says nothing
}

// FreshIDs are drawn before a transaction, for the rows that it may add.
type FreshIDs struct {
	Membership, User ID
}

// DecideInvite says what inviting, or adding directly, does at now.
func DecideInvite(f InviteFacts, actor Actor, request InviteRequest, ids FreshIDs, now time.Time) (InviteDecision, error) {
	roles, err := f.mayInvite(actor, request)
	if err != nil {
		return InviteDecision{}, err
	}
	if f.Existing != nil {
		return decideReinvite(f, actor, request, roles, ids.User, now)
	}
	if !request.Direct { // for whom the operator vouches
		if err := f.Account.mayAsk(request.Email); err != nil {
			return InviteDecision{}, err
		}
	}
	if f.Account.MemberLimit > 0 && f.Seats.Taken() >= f.Account.MemberLimit {
		return InviteDecision{}, refuse(NoSeat,
			"all %d seats of the account are taken; remove a member or an invitation, or have the limit raised", f.Account.MemberLimit)
	}
	note, err := inviteNote("/note", request.Note)
	if err != nil {
		return InviteDecision{}, err
	}
	locale, err := localeTag("/locale", strings.TrimSpace(request.Locale))
	if err != nil {
		return InviteDecision{}, err
	}
	row := Membership{
		ID: ids.Membership, AccountID: f.Account.ID, Email: request.Email, Roles: roles, CreatedOn: now, Grantor: actor.Grantor(),
	}
	if row.EndsOn, err = membershipEnd("/membership_expires_on", request.EndsOn, now); err != nil {
		return InviteDecision{}, err
	}
	if request.Direct {
		if note != "" {
			return InviteDecision{}, invalid("/note", "is for who is asked; a member who is added directly gets no message")
		}
		return decideDirectAdd(f, row, ids.User, now)
	}
	if row.ExpiresOn, err = expiry(f.Account, request.ExpiresOn, now); err != nil {
		return InviteDecision{}, err
	}
	if row, err = withinMembership(row, request.ExpiresOn); err != nil {
		return InviteDecision{}, err
	}
	row.Status, row.Invited, row.InvitedBy, row.InvitedOn, row.Note = Pending, true, actor.Name(), now, note
	return InviteDecision{Row: row, Locale: locale, Changed: true, Action: InviteCreate}, nil
}

// decideDirectAdd vouches for the address: where it has no user, one is made.
func decideDirectAdd(f InviteFacts, row Membership, userID ID, now time.Time) (InviteDecision, error) {
	decision := InviteDecision{Changed: true, Action: MemberAdd}
	switch {
	case f.User == nil:
		decision.NewUser = &User{ID: userID, Email: row.Email, Verified: true, CreatedOn: now}
		row.UserID = userID
	case f.User.Verified:
		row.UserID = f.User.ID
	default:
		return InviteDecision{}, invalid("/email", "the user with this address has not proven it; invite the address instead")
	}
	row.Status, row.AnsweredOn = Accepted, now
	row.EndWake = endWake(row, false, now)
	decision.Row = row
	return decision, nil
}

// decideReinvite meets an address that holds a live row already.
func decideReinvite(f InviteFacts, actor Actor, request InviteRequest, roles []Role, userID ID, now time.Time) (InviteDecision, error) {
	before := *f.Existing
	if before.Status == Accepted {
		return InviteDecision{}, refuse(AlreadyMember, "this address is a member of the account already; edit the member to change its roles")
	}
	if !sameRoles(before.Roles, roles) {
		return InviteDecision{}, refuse(AlreadyInvited, "this address is invited already, with other roles; edit the pending member instead")
	}
	row := before
	if request.Direct {
		decision, err := decideDirectAdd(f, row, userID, now)
		decision.Before = &before
		return decision, err
	}
	if err := f.Account.mayAsk(before.Email); err != nil {
		return InviteDecision{}, err
	}
	if !f.Grantor.mayGrant(before.Roles) {
		row.Grantor = actor.Grantor()
		return InviteDecision{
			Row: row, Before: &before, Locale: f.Locale, Changed: true, Action: InviteConfirm,
			Message: "invited already; the invitation is confirmed",
		}, nil
	}
	return InviteDecision{
		Row: row, Before: &before, Locale: f.Locale, Message: "invited already with the same roles; nothing was sent again",
	}, nil
}

func expiry(account Account, asked, now time.Time) (time.Time, error) {
	if asked.IsZero() {
		return now.Add(account.Lifetime()), nil
	}
	if asked.Before(now.Add(MinLifetime)) || asked.After(now.Add(MaxLifetime)) {
		return time.Time{}, invalid("/expires_on", "must lie 1 hour to 90 days ahead")
	}
	return asked, nil
}

// MemberFacts are what a change of a member rests on. OtherSuperAdmins counts
// the account's active Super Administrators beside the target; TargetActive
// says whether the target's user can act.
type MemberFacts struct {
	AccountFacts
	Target           Membership
	Link             Link         // of the target
	Grantor          GrantorFacts // of the target
	TargetUser       User         // zero before acceptance
	TargetActive     bool
	OtherSuperAdmins int
}

// target checks that the actor may touch the row at all: it manages members,
// and the row doesn't stand above it.
func (f MemberFacts) target(actor Actor, noun string, now time.Time) (Rights, Status, error) {
	rights, err := f.manager(actor)
	if err != nil {
		return Rights{}, "", err
	}
	status := f.Target.StatusAt(now)
	if f.Target.AccountID != f.Account.ID || status == Left || status == Removed {
		return Rights{}, "", notFound(noun)
	}
	if !rights.Cover(f.Target.Roles) {
		return Rights{}, "", refuse(RoleCeiling, "this member's roles allow more than you may do yourself in this account")
	}
	return rights, status, nil
}

// DecideRemove says what removing a member does: a pending one is canceled.
// force lets the operator take the last Super Administrator, on purpose.
func DecideRemove(f MemberFacts, actor Actor, force bool, now time.Time) (Membership, error) {
	_, status, err := f.target(actor, "member", now)
	if err != nil {
		return Membership{}, err
	}
	row := f.Target
	switch status {
	case Pending:
		row.Status = Canceled
	case Accepted:
		if !force || !actor.Operator() {
			if err := keepsSuperAdmin(row, f.TargetActive, f.OtherSuperAdmins); err != nil {
				return Membership{}, err
			}
		}
		row.Status = Removed
	case Rejected, Expired, Canceled, Left, Removed:
		return Membership{}, notFound("member")
	}
	return row, nil
}

// DecideCancel says what withdrawing an invitation does. A canceled one stays
// as it is.
func DecideCancel(f MemberFacts, actor Actor, now time.Time) (Membership, error) {
	_, status, err := f.target(actor, "invitation", now)
	if err != nil {
		return Membership{}, err
	}
	row := f.Target
	if !row.Invited {
		return Membership{}, notFound("invitation")
	}
	switch status {
	case Pending:
		row.Status = Canceled
	case Canceled:
	case Expired:
		return Membership{}, refuse(InviteExpired, "this invitation expired on %s already", row.ExpiresOn.Format(time.RFC3339))
	case Accepted:
		return Membership{}, refuse(AlreadyAnswered, "this invitation was accepted already; remove the member instead")
	case Rejected:
		return Membership{}, refuse(AlreadyAnswered, "this invitation was rejected already; there is nothing to withdraw")
	case Left, Removed:
		return Membership{}, notFound("invitation")
	}
	return row, nil
}
