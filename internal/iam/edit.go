package iam

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxNote is how long the inviter's word to the invited may be, in characters.
const MaxNote = 500

// MemberChange is a change of a member, or of a pending invitation; what is nil or
// zero stays as it is. All but the roles and the end of the membership are a pending
// invitation's. Of a member that accepted ExpiresOn is that end, too: both names mean
// the same then.
type MemberChange struct {
	RoleIDs   []ID
	ExpiresOn *time.Time // zero: of a member never, of an invitation as it was
	EndsOn    *time.Time // of the membership, zero: never
	Locale    *string    // a BCP 47 tag; "" is the account's
	Note      *string    // "" takes it away
	Resend    bool       // by a new link, as DecideResend does
}

// ofInvitation reports whether the edit asks for what only a pending invitation has.
func (e MemberChange) ofInvitation() bool { return e.Locale != nil || e.Note != nil || e.Resend }

// invitationEnd is the end that is asked for a pending row, zero where none is.
func (e MemberChange) invitationEnd() time.Time {
	if e.ExpiresOn == nil {
		return time.Time{}
	}
	return *e.ExpiresOn
}

// memberEnd is the end that is asked for a member, and under which name; nil where
// none is. The end that its invitation had is not one: that is what somebody sends
// back who read the row before it was accepted.
func (e MemberChange) memberEnd(row Membership) (asked *time.Time, pointer string, err error) {
	const own, longer = "/expires_on", "/membership_expires_on"
	asked, pointer = e.ExpiresOn, own
	if asked != nil && !asked.IsZero() && asked.Equal(row.ExpiresOn) {
		asked = nil
	}
	switch {
	case e.EndsOn == nil:
	case asked != nil && !asked.Equal(*e.EndsOn):
		return nil, "", invalid(longer, "and expires_on are the same end of this member and must not differ")
	default:
		asked, pointer = e.EndsOn, longer
	}
	return asked, pointer, nil
}

// EditDecision is what an edit leads to. Sends says that the invited gets a mail
// with the link; Changed is false where everything stands already.
type EditDecision struct {
	Row     Membership
	Link    Link
	Changed bool
	Sends   bool
	Action  Action
}

// DecideEdit says what changing a member, or a pending invitation, does. On a
// pending row the actor becomes the grantor; with nothing else to change that is
// how it is confirmed.
func DecideEdit(f MemberFacts, actor Actor, edit MemberChange, mailing Mailing, now time.Time) (EditDecision, error) {
	rights, status, err := f.target(actor, "member", now)
	if err != nil {
		return EditDecision{}, err
	}
	switch status {
	case Pending, Accepted:
	case Expired:
		return EditDecision{}, refuse(InviteExpired, "this invitation expired on %s; invite the address anew", f.Target.ExpiresOn.Format(time.RFC3339))
	case Rejected, Canceled, Left, Removed:
		return EditDecision{}, notFound("member")
	}
	ids := edit.RoleIDs
	if ids == nil {
		ids = roleIDsOf(f.Target)
	}
	roles, err := f.grantable(rights, ids)
	if err != nil {
		return EditDecision{}, err
	}
	if status == Pending {
		return f.editPending(actor, edit, roles, mailing, now)
	}
	return f.editAccepted(actor, edit, roles, now)
}

// editAccepted changes a member. Who sets its end is who hears of it before.
func (f MemberFacts) editAccepted(actor Actor, edit MemberChange, roles []Role, now time.Time) (EditDecision, error) {
	if edit.ofInvitation() {
		return EditDecision{}, refuse(AlreadyAnswered,
			"this invitation was accepted already; of a member only the roles and the end of the membership can be edited")
	}
	asked, pointer, err := edit.memberEnd(f.Target)
	if err != nil {
		return EditDecision{}, err
	}
	row := f.Target
	if asked != nil && !asked.Equal(row.EndsOn) {
		if row.EndsOn, err = membershipEnd(pointer, *asked, now); err != nil {
			return EditDecision{}, err
		}
		row.EndWake, row.Grantor = endWake(row, true, now), actor.Grantor()
	}
	if !sameRoles(row.Roles, roles) {
		row.Roles = roles
	}
	if !row.SuperAdmin() || f.Target.governs() && !row.governs() {
		if err := keepsSuperAdmin(f.Target, f.TargetActive, f.OtherSuperAdmins); err != nil {
			return EditDecision{}, err
		}
	}
	changed := !sameRoles(f.Target.Roles, row.Roles) || !row.EndsOn.Equal(f.Target.EndsOn)
	return EditDecision{Row: row, Link: f.Link, Changed: changed, Action: MemberEdit}, nil
}

func (f MemberFacts) editPending(actor Actor, edit MemberChange, roles []Role, mailing Mailing, now time.Time) (EditDecision, error) {
	if err := f.Account.mayAsk(f.Target.Email); err != nil {
		return EditDecision{}, err
	}
	row, link := f.Target, f.Link
	if !sameRoles(row.Roles, roles) {
		row.Roles = roles
	}
	var err error
	if edit.Locale != nil {
		if link.Locale, err = localeTag("/locale", strings.TrimSpace(*edit.Locale)); err != nil {
			return EditDecision{}, err
		}
	}
	if edit.Note != nil {
		if row.Note, err = inviteNote("/note", *edit.Note); err != nil {
			return EditDecision{}, err
		}
	}
	if row, err = f.editEnds(row, edit, now); err != nil {
		return EditDecision{}, err
	}
	if !row.ExpiresOn.Equal(f.Target.ExpiresOn) {
		link.WakeOn = mailing.moved(f.Target, row, link, now)
	}
	edited := !sameRoles(row.Roles, f.Target.Roles) || row.Note != f.Target.Note || link.Locale != f.Link.Locale ||
		!row.ExpiresOn.Equal(f.Target.ExpiresOn) || !row.EndsOn.Equal(f.Target.EndsOn)
	if edit.Resend {
		if row, link, err = mailing.sendAgain(f.Account, row, link, edit.invitationEnd(), now); err != nil {
			return EditDecision{}, err
		}
	}
	row.Grantor = actor.Grantor()
	decision := EditDecision{Row: row, Link: link, Sends: edit.Resend, Action: InviteEdit}
	switch {
	case edited:
	case edit.Resend:
		decision.Action = InviteResend
	default:
		decision.Action = InviteConfirm
	}
	decision.Changed = edited || edit.Resend || row.Grantor != f.Target.Grantor
	return decision, nil
}

// editEnds changes when a pending row ends, and when the membership will that it
// offers.
func (f MemberFacts) editEnds(row Membership, edit MemberChange, now time.Time) (Membership, error) {
	var err error
	asked := edit.invitationEnd()
	if !asked.IsZero() && !asked.Equal(row.ExpiresOn) {
		if row.ExpiresOn, err = expiry(f.Account, asked, now); err != nil {
			return Membership{}, err
		}
	}
	if edit.EndsOn != nil && !edit.EndsOn.Equal(row.EndsOn) {
		if row.EndsOn, err = membershipEnd("/membership_expires_on", *edit.EndsOn, now); err != nil {
			return Membership{}, err
		}
	}
	return withinMembership(row, asked)
}

// moved is when the clock next has to do with a pending row whose end was moved. A
// reminder moves along, unless the invited chose its moment, which still comes, or
// has had it: there is one for a link.
func (m Mailing) moved(before, after Membership, link Link, now time.Time) time.Time {
	planned := m.wake(before, link.SentOn)
	switch {
	case link.WakeOn.Equal(before.ExpiresOn) && planned.Before(before.ExpiresOn): // it was sent
		return after.ExpiresOn
	case link.WakeOn.After(now) && link.WakeOn.Before(before.ExpiresOn) && !link.WakeOn.Equal(planned) && link.WakeOn.Before(after.ExpiresOn):
		return link.WakeOn
	}
	return m.wake(after, now)
}

// inviteNote checks the inviter's word to the invited. It may have several lines;
// a stranger reads it, so it must not turn the text around it either.
func inviteNote(pointer, s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unprintable(r) && r != '\n' }) {
		return "", invalid(pointer, "must be text without control characters or direction marks")
	}
	if utf8.RuneCountInString(s) > MaxNote {
		return "", invalid(pointer, "must be at most %d characters", MaxNote)
	}
	return s, nil
}

// editSnapshot is a membership with what an edit may change, as an audit row holds
// it: the state before, or with by the one after. The word to the invited, and whose
// it is, stand where it was written and nowhere else, so that an erasure finds both.
func editSnapshot(m Membership, link Link, note, by string) string {
	return encode(struct {
		memberSnapshot

		Locale     string `json:"locale,omitempty"`
		Generation int    `json:"generation,omitempty"`
		Note       string `json:"note,omitempty"`
		NotedBy    string `json:"noted_by,omitempty"`
	}{snapshotOf(m), link.Locale, link.Generation, note, by})
}
