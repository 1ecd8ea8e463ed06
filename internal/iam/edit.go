package iam

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxNote is how long the inviter's word to the invited may be, in characters.
const MaxNote = 500

// MemberChange is a change of a member, or of a pending invitation; what is nil or
// zero stays as it is. All but the roles are a pending invitation's.
type MemberChange struct {
	RoleIDs   []ID
	ExpiresOn time.Time
	Locale    *string // a BCP 47 tag; "" is the account's
	Note      *string // "" takes it away
	Resend    bool    // by a new link, as DecideResend does
}

// ofInvitation reports whether the edit asks for what only a pending invitation has.
func (e MemberChange) ofInvitation() bool {
	return !e.ExpiresOn.IsZero() || e.Locale != nil || e.Note != nil || e.Resend
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
	return f.editAccepted(edit, roles)
}

func (f MemberFacts) editAccepted(edit MemberChange, roles []Role) (EditDecision, error) {
	if edit.ofInvitation() {
		return EditDecision{}, refuse(AlreadyAnswered, "this invitation was accepted already; of a member only the roles can be edited")
	}
	decision := EditDecision{Row: f.Target, Link: f.Link, Action: MemberEdit}
	if sameRoles(f.Target.Roles, roles) {
		return decision, nil
	}
	decision.Row.Roles, decision.Changed = roles, true
	if !decision.Row.SuperAdmin() {
		if err := keepsSuperAdmin(f.Target, f.TargetActive, f.OtherSuperAdmins); err != nil {
			return EditDecision{}, err
		}
	}
	return decision, nil
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
	if !edit.ExpiresOn.IsZero() && !edit.ExpiresOn.Equal(row.ExpiresOn) {
		if row.ExpiresOn, err = expiry(f.Account, edit.ExpiresOn, now); err != nil {
			return EditDecision{}, err
		}
		link.WakeOn = mailing.moved(f.Target, row, link, now)
	}
	edited := !sameRoles(row.Roles, f.Target.Roles) || row.Note != f.Target.Note || !row.ExpiresOn.Equal(f.Target.ExpiresOn) ||
		link.Locale != f.Link.Locale
	if edit.Resend {
		if row, link, err = mailing.sendAgain(f.Account, row, link, edit.ExpiresOn, now); err != nil {
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
