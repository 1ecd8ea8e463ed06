package storetest

import (
	"context"
	"maps"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// The steps of the model that have to do with links and the clock.

// modelMailing is what the model's instance sends, and how it bounds it.
func modelMailing() iam.Mailing {
	return iam.Mailing{Enabled: true, ReminderLead: 48 * time.Hour, ResendPause: 5 * time.Minute, MaxResends: 2}
}

// nextLink is the link that comes after another one, of a row that expires then.
func (m *model) nextLink(before iam.Link, expires time.Time) iam.Link {
	return iam.Link{Generation: before.Generation + 1, SentOn: m.now(), WakeOn: remindOn(expires, m.now()), Locale: before.Locale}
}

// remindOn is when the clock has to do with a row next that is looked at then: two
// days before its end, or where that is past at its end.
func remindOn(expires, at time.Time) time.Time {
	if wake := expires.Add(-48 * time.Hour); wake.After(at) {
		return wake
	}
	return expires
}

// waits predicts the refusal of who does something to a row that has to be an
// invitation that waits for its answer.
func (m *model) waits(g grade, r *modelRow) iam.Kind {
	want := m.touches(g, r)
	status := m.status(r)
	switch {
	case want != iam.Internal:
		return want
	case !r.invited:
		return iam.NotFound
	case status == iam.Canceled:
		return iam.InviteCanceled
	case status == iam.Expired:
		return iam.InviteExpired
	case status != iam.Pending:
		return iam.AlreadyAnswered
	}
	return iam.Internal
}

// sendsAgain predicts the refusal of who sends a row again, until asked.
func (m *model) sendsAgain(g grade, r *modelRow, asked time.Time) iam.Kind {
	want := m.waits(g, r)
	switch {
	case want != iam.Internal:
	case r.link.Generation > 2 || m.now().Before(r.link.SentOn.Add(5*time.Minute)):
		return iam.BudgetSpent
	case !r.ends.IsZero() && asked.After(r.ends):
		return iam.Invalid
	}
	return want
}

func (m *model) sentAgain(r *modelRow, user *modelUser, asked time.Time) {
	end := asked
	if end.IsZero() {
		if end = m.now().Add(iam.DefaultLifetime); end.Before(r.expires) {
			end = r.expires
		}
		end = within(end, r.ends)
	}
	r.expires, r.grantor = end, user
	r.link = m.nextLink(r.link, end)
	r.revisions++
	r.notices[iam.InvitationMessage]++
}

func (m *model) pickEnd(t *rapid.T) time.Time {
	if life := rapid.SampledFrom([]time.Duration{0, time.Hour, 72 * time.Hour}).Draw(t, "life"); life > 0 {
		return m.now().Add(life)
	}
	return time.Time{}
}

func (m *model) resend(t *rapid.T) {
	row, end := m.pickRow(t), m.pickEnd(t)
	user, actor := m.actor(t)
	_, err := m.service.Resend(context.Background(), actor, m.account.ID, row.id, end, iam.IdempotencyKey{})
	expect(t, "resend", err, m.sendsAgain(m.acts(user), row, end))
	if err == nil {
		m.sentAgain(row, user, end)
	}
}

func (m *model) renew(t *rapid.T) {
	row, end := m.pickRow(t), m.pickEnd(t)
	user, actor := m.actor(t)
	anew := row.invited && m.status(row) == iam.Expired
	want := m.sendsAgain(m.acts(user), row, end)
	to := asked{email: row.email, grade: row.grade, expires: end, note: row.note}
	if !m.past(row.ends) {
		to.ends = row.ends
	}
	var existing *modelRow
	if anew && want == iam.InviteExpired {
		want, existing = m.inviting(m.acts(user), to)
	}
	got, err := m.service.RenewInvitation(context.Background(), actor, m.account.ID, row.id, end, iam.IdempotencyKey{})
	expect(t, "renew", err, want)
	switch {
	case err != nil:
		return
	case !anew:
		m.sentAgain(row, user, end)
		return
	}
	m.invited(user, to, existing, got.Result.Member.ID)
	if existing == nil {
		m.rows[len(m.rows)-1].link.Locale = row.link.Locale
	}
	if !row.link.AskedOn.IsZero() {
		row.link.AskedOn = time.Time{}
		row.revisions++
	}
}

func (m *model) confirm(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	_, err := m.service.ConfirmInvitation(context.Background(), actor, m.account.ID, row.id, iam.IdempotencyKey{})
	expect(t, "confirm", err, m.waits(m.acts(user), row))
	if err == nil && row.grantor != user {
		row.grantor = user
		row.revisions++
	}
}

func (m *model) remindLater(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.invitee(t, row)
	days := rapid.SampledFrom(iam.ReminderDays()).Draw(t, "days")
	at := m.now().AddDate(0, 0, days)
	want, status := iam.Internal, m.status(row)
	mine := row.email == user.Email && (row.user == nil || row.user == user)
	switch {
	case !mine || !row.invited || status == iam.Canceled || status == iam.Left || status == iam.Removed:
		want = iam.NotFound
	case status == iam.Expired:
		want = iam.InviteExpired
	case status != iam.Pending:
		want = iam.AlreadyAnswered
	case m.account.Suspended:
		want = iam.AccountSuspended
	case !at.Before(row.expires):
		want = iam.Invalid
	}
	_, err := m.service.RemindLater(context.Background(), actor, row.id, iam.Reminder{InDays: days}, iam.IdempotencyKey{})
	expect(t, "remind later", err, want)
	if err == nil {
		row.link.WakeOn = at
		row.revisions++
	}
}

// askForLink asks with any link that there was, or that there will be.
func (m *model) askForLink(t *rapid.T) {
	row := m.pickRow(t)
	generation := rapid.IntRange(0, row.link.Generation+1).Draw(t, "generation")
	must(t, m.service.AskForLink(context.Background(), iam.LinkHolder{InvitationID: row.id, Generation: generation}))
	status := m.status(row)
	dead := status == iam.Expired || (status == iam.Pending && generation < row.link.Generation)
	genuine := row.invited && generation > 0 && generation <= row.link.Generation
	live := false
	for _, r := range m.rows {
		live = live || (r != row && r.email == row.email && m.live(r))
	}
	sameDay := row.link.AskedOn.Format(time.DateOnly) == m.now().Format(time.DateOnly)
	if dead && genuine && !live && !sameDay && !m.account.Suspended {
		row.link.AskedOn = m.now()
		row.revisions++
	}
}

// sweep does the clock's work, for every life that the store has seen.
func (m *model) sweep(t *rapid.T) {
	for more := true; more; {
		swept, err := m.service.Sweep(context.Background())
		must(t, err)
		more = swept.More
	}
	m.sweepTerms(t)
	for _, r := range m.rows {
		if m.status(r) != iam.Pending || r.link.WakeOn.IsZero() || r.link.WakeOn.After(m.now()) {
			continue
		}
		r.link.WakeOn = r.expires
		if m.grantorAble(r) && !m.account.Suspended { // else it is a denial
			r.revisions++
			r.notices[iam.ReminderMessage]++
		}
	}
}

// compareLinks holds the links, and who waits for one.
func (m *model) compareLinks(t *rapid.T) {
	ctx := context.Background()
	for _, r := range m.rows {
		page, err := m.store.LinkedInvitation(ctx, r.id, m.now())
		must(t, err)
		if page.Link != r.link {
			t.Fatalf("row %s (%s): its link is %+v, want %+v", r.id, m.status(r), page.Link, r.link)
		}
		if !page.ExpiresOn.Equal(r.expires) {
			t.Fatalf("row %s (%s): expires on %s, want %s", r.id, m.status(r), page.ExpiresOn, r.expires)
		}
		if !page.EndsOn.Equal(r.ends) || !page.EndWake.Equal(r.wake) || page.Note != r.note {
			t.Fatalf("row %s (%s): ends on %s, wakes on %s, with note %q, want %s, %s and %q",
				r.id, m.status(r), page.EndsOn, page.EndWake, page.Note, r.ends, r.wake, r.note)
		}
	}
	got, err := m.store.AccountInvitations(ctx, m.account.ID,
		iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 1000}, Asked: true}, m.now())
	must(t, err)
	m.sameRows(t, "asked", got, func(r *modelRow) bool {
		for _, other := range m.rows {
			if other != r && other.email == r.email && m.live(other) {
				return false
			}
		}
		s := m.status(r)
		return !r.link.AskedOn.IsZero() && (s == iam.Pending || s == iam.Expired)
	})
}

// lookAtMessages holds what was queued about a row to what there was to tell.
func (m *model) lookAtMessages(t *rapid.T) {
	row := m.pickRow(t)
	page, err := m.store.InvitationDeliveries(context.Background(), m.account.ID, row.id, iam.PageRequest{Number: 1, Size: 100})
	must(t, err)
	got := map[iam.DeliveryKind]int{}
	for _, message := range page.Items {
		got[message.Kind]++
	}
	if !maps.Equal(got, row.notices) {
		t.Fatalf("row %s (%s) has messages %v, want %v", row.id, m.status(row), got, row.notices)
	}
}
