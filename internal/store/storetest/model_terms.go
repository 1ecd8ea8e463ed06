package storetest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// The steps of the model that have to do with memberships that have an end.

func (m *model) past(moment time.Time) bool { return !moment.IsZero() && !m.now().Before(moment) }

func (m *model) tooSoon(end time.Time) bool {
	return !end.IsZero() && end.Before(m.now().Add(time.Hour))
}

// within is a time that gives way to another one; zero is never.
func within(moment, other time.Time) time.Time {
	if !other.IsZero() && moment.After(other) {
		return other
	}
	return moment
}

// wakeOf is when the clock has to do with who becomes a member now until then: a week
// before, or where that is past at the end.
func (m *model) wakeOf(ends time.Time) time.Time {
	if warn := ends.Add(-7 * 24 * time.Hour); !ends.IsZero() && warn.After(m.now()) {
		return warn
	}
	return ends
}

// over is the membership of an address whose time is up and of which nobody wrote
// that down.
func (m *model) over(email string) *modelRow {
	for _, r := range m.rows {
		if r.email == email && r.status == iam.Accepted && m.past(r.ends) {
			return r
		}
	}
	return nil
}

// end is the clock's.
func (r *modelRow) end() {
	r.status, r.wake = iam.Removed, time.Time{}
	r.revisions++
}

// stay is the clock's, too: of the last Super Administrator.
func (r *modelRow) stay() {
	r.ends, r.wake = time.Time{}, time.Time{}
	r.revisions++
}

func (m *model) pickTerm(t *rapid.T) time.Time {
	terms := []time.Duration{0, 0, 0, time.Hour - time.Microsecond, time.Hour, 3 * 24 * time.Hour, 8 * 24 * time.Hour}
	if term := rapid.SampledFrom(terms).Draw(t, "term"); term > 0 {
		return m.now().Add(term)
	}
	return time.Time{}
}

// removeByForce is the operator's: it takes the last Super Administrator, too, and
// leaves the account to somebody whose time is bounded.
func (m *model) removeByForce(t *rapid.T) {
	row := m.pickRow(t)
	if !m.last(row) || m.status(row) != iam.Accepted || m.account.Suspended {
		t.Skip("is not the last one")
	}
	bounded := false
	for _, r := range m.rows {
		bounded = bounded || r != row && m.status(r) == iam.Accepted && r.grade == gradeSuper && !r.ends.IsZero() && !r.user.Suspended
	}
	if user := rapid.SampledFrom(m.users).Draw(t, "left to"); !bounded {
		for _, r := range m.rows {
			if r.email == user.Email && (m.live(r) || r.status == iam.Accepted) || user.Suspended {
				t.Skip("has a live row")
			}
		}
		limit := 0
		m.editAccount(t, iam.AccountEdit{MemberLimit: &limit})
		m.add(t, user, gradeSuper, m.now().Add(time.Hour))
	}
	must(t, m.service.RemoveMember(context.Background(), operator, m.account.ID, row.id, true, false))
	row.status = iam.Removed
	row.revisions++
}

// sweepTerms does to the rows what the clock has done. Where the last Super
// Administrators are several whose time is up, one of them stays, whichever.
func (m *model) sweepTerms(t *rapid.T) {
	var lasts []*modelRow
	for _, r := range m.rows {
		switch {
		case r.status != iam.Accepted || r.ends.IsZero() || r.wake.After(m.now()):
		case !m.past(r.ends):
			r.wake = r.ends
			r.revisions++
		case m.last(r):
			lasts = append(lasts, r)
		default:
			r.end()
		}
	}
	stayed := 0
	for _, r := range lasts {
		page, err := m.store.LinkedInvitation(context.Background(), r.id, m.now())
		must(t, err)
		if page.Status == iam.Accepted {
			r.stay()
			stayed++
			continue
		}
		r.end()
	}
	if len(lasts) > 0 && stayed != 1 {
		t.Fatalf("of %d last Super Administrators whose time is up %d stayed, want 1", len(lasts), stayed)
	}
}

// compareGovernors: somebody governs the account for good, or it says that nobody does.
func (m *model) compareGovernors(t *rapid.T) {
	for _, r := range m.rows {
		if r.governs() {
			return
		}
	}
	account, _, err := m.store.Access(context.Background(), m.account.ID, m.users[0].ID)
	must(t, err)
	if !account.NeedsSuperAdmin {
		t.Fatal("the account was left without an active Super Administrator, and doesn't say so")
	}
}
