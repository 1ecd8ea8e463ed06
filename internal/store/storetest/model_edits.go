package storetest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// change is what an edit asks for, as the model sees it; what is nil stays.
type change struct {
	grade         *grade
	expires, ends *time.Time // zero: never
	note, locale  *string
	resend        bool
	invitation    bool // by the route of invitations
}

func (m *model) pickChange(t *rapid.T, row *modelRow) change {
	c := change{invitation: rapid.IntRange(0, 3).Draw(t, "invitation") == 0, resend: rapid.IntRange(0, 7).Draw(t, "resend") == 0}
	moment := func(what string, stands time.Time) *time.Time {
		switch kind := rapid.IntRange(0, 9).Draw(t, what); kind {
		case 0:
			return new(stands) // as it is
		case 1:
			return new(time.Time)
		case 2:
			return new(m.now().Add(time.Hour - time.Microsecond))
		case 3, 4, 5:
			return new(m.now().Add([]time.Duration{time.Hour, 72 * time.Hour, 8 * 24 * time.Hour}[kind-3]))
		}
		return nil
	}
	if rapid.Bool().Draw(t, "roles") {
		c.grade = new(pickGrade(t))
	}
	c.expires, c.ends = moment("expires", row.expires), moment("ends", row.ends)
	if rapid.IntRange(0, 3).Draw(t, "words") == 0 {
		c.note = new(rapid.SampledFrom([]string{"", "Welcome", "See you"}).Draw(t, "note"))
		c.locale = new(rapid.SampledFrom([]string{"", "de"}).Draw(t, "locale"))
	}
	return c
}

func (c change) request(m *model) iam.MemberChange {
	request := iam.MemberChange{ExpiresOn: c.expires, EndsOn: c.ends, Locale: c.locale, Note: c.note, Resend: c.resend}
	if c.grade != nil {
		request.RoleIDs = []iam.ID{m.roles[*c.grade]}
	}
	return request
}

func (m *model) edit(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	c := m.pickChange(t, row)
	g := m.acts(user)
	want := m.touches(g, row)
	switch status := m.status(row); {
	case want != iam.Internal:
	case c.invitation && !row.invited:
		want = iam.NotFound
	case c.invitation && status == iam.Canceled:
		want = iam.InviteCanceled
	case c.invitation && (status == iam.Accepted || status == iam.Rejected):
		want = iam.AlreadyAnswered
	case status == iam.Expired:
		want = iam.InviteExpired
	case status != iam.Pending && status != iam.Accepted:
		want = iam.NotFound
	case c.grade != nil && *c.grade > g:
		want = iam.RoleCeiling
	}
	after, pending := *row, row.status == iam.Pending
	if want == iam.Internal && pending {
		want = m.editPending(&after, c, user)
	} else if want == iam.Internal {
		want = m.editAccepted(&after, c, user, m.last(row))
	}
	edit := m.service.EditMember
	if c.invitation {
		edit = m.service.EditInvitation
	}
	_, err := edit(context.Background(), actor, m.account.ID, row.id, c.request(m))
	expect(t, "edit", err, want)
	if err != nil {
		return
	}
	if pending && c.resend {
		after.notices[iam.InvitationMessage]++ // which is row's, too
	}
	*row = after
}

// editPending changes a row as an edit does, or says why not.
func (m *model) editPending(r *modelRow, c change, user *modelUser) iam.Kind {
	before := *r
	asked := time.Time{}
	if c.grade != nil {
		r.grade = *c.grade
	}
	if c.note != nil {
		r.note = *c.note
	}
	if c.locale != nil {
		r.link.Locale = *c.locale
	}
	if c.expires != nil {
		asked = *c.expires
	}
	if !asked.IsZero() && !asked.Equal(r.expires) {
		if m.tooSoon(asked) {
			return iam.Invalid
		}
		r.expires = asked
	}
	if c.ends != nil && !c.ends.Equal(r.ends) {
		if m.tooSoon(*c.ends) {
			return iam.Invalid
		}
		r.ends = *c.ends
	}
	if !r.ends.IsZero() && asked.Equal(r.expires) && asked.After(r.ends) {
		return iam.Invalid
	}
	if r.expires = within(r.expires, r.ends); !r.expires.Equal(before.expires) {
		r.link.WakeOn = m.moved(&before, r)
	}
	edited := r.grade != before.grade || r.note != before.note || r.link.Locale != before.link.Locale ||
		!r.expires.Equal(before.expires) || !r.ends.Equal(before.ends)
	r.grantor = user
	if edited || !c.resend && before.grantor != user {
		r.revisions++
	}
	if !c.resend {
		return iam.Internal
	}
	if want := m.sendsAgain(gradeSuper, r, asked); want != iam.Internal {
		return want
	}
	notices := r.notices
	r.notices = map[iam.DeliveryKind]int{} // it isn't known yet whether it comes to that
	m.sentAgain(r, user, asked)
	r.notices = notices
	return iam.Internal
}

// moved is when the clock next has to do with a row whose end was moved: as with a new
// one, but there is one reminder for a link, and one whose moment the invited chose
// comes then.
func (m *model) moved(before, after *modelRow) time.Time {
	wake, planned := before.link.WakeOn, remindOn(before.expires, before.link.SentOn)
	switch {
	case wake.Equal(before.expires) && planned.Before(before.expires):
		return after.expires
	case wake.After(m.now()) && wake.Before(before.expires) && !wake.Equal(planned) && wake.Before(after.expires):
		return wake
	}
	return remindOn(after.expires, m.now())
}

// editAccepted does the same to a member: of its two ends it has one.
func (m *model) editAccepted(r *modelRow, c change, user *modelUser, last bool) iam.Kind {
	if c.note != nil || c.locale != nil || c.resend {
		return iam.AlreadyAnswered
	}
	before := *r
	asked := c.expires
	if asked != nil && !asked.IsZero() && asked.Equal(r.expires) {
		asked = nil // what its invitation had
	}
	switch {
	case c.ends == nil:
	case asked != nil && !asked.Equal(*c.ends):
		return iam.Invalid
	default:
		asked = c.ends
	}
	if asked != nil && !asked.Equal(r.ends) {
		if m.tooSoon(*asked) {
			return iam.Invalid
		}
		// Whoever sets an end hears of it: at once, where it is less than a week away.
		r.ends, r.grantor, r.wake = *asked, user, m.wakeOf(*asked)
		if r.wake.Equal(r.ends) && !r.ends.IsZero() {
			r.wake = m.now()
		}
	}
	if c.grade != nil {
		r.grade = *c.grade
	}
	if last && (r.grade != gradeSuper || before.ends.IsZero() && !r.ends.IsZero()) {
		return iam.LastSuperAdmin
	}
	if r.grade != before.grade || !r.ends.Equal(before.ends) {
		r.revisions++
	}
	return iam.Internal
}
