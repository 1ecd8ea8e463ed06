package storetest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// The steps of the model: each predicts the answer, asks the service, and where
// it said yes does the same to the model's rows.

// asked is what somebody is invited to.
type asked struct {
	email         string
	grade         grade
	expires, ends time.Time // zero: as always, never
	note          string
}

// inviting predicts what inviting comes to: the refusal, and the live row of the
// address, nil where there is none.
func (m *model) inviting(g grade, to asked) (iam.Kind, *modelRow) {
	if want := m.manages(g); want != iam.Internal {
		return want, nil
	}
	if to.grade > g {
		return iam.RoleCeiling, nil
	}
	for _, r := range m.rows {
		if r.email != to.email || !m.live(r) {
			continue
		}
		switch {
		case r.status == iam.Accepted:
			return iam.AlreadyMember, r
		case r.grade != to.grade:
			return iam.AlreadyInvited, r
		}
		return iam.Internal, r
	}
	switch {
	case m.account.MemberLimit > 0 && m.seats() >= m.account.MemberLimit:
		return iam.NoSeat, nil
	case m.tooSoon(to.ends), !to.ends.IsZero() && to.expires.After(to.ends):
		return iam.Invalid, nil
	case m.over(to.email) != nil && m.last(m.over(to.email)):
		return iam.AlreadyMember, nil
	}
	return iam.Internal, nil
}

// invited does to the model's rows what inviting did.
func (m *model) invited(user *modelUser, to asked, existing *modelRow, id iam.ID) {
	if existing != nil {
		if !m.grantorAble(existing) {
			existing.grantor = user
			existing.revisions++
		}
		return
	}
	if over := m.over(to.email); over != nil {
		over.end()
	}
	if to.expires.IsZero() {
		to.expires = within(m.now().Add(iam.DefaultLifetime), to.ends)
	}
	m.rows = append(m.rows, &modelRow{
		id: id, email: to.email, status: iam.Pending, grade: to.grade, invited: true, expires: to.expires, ends: to.ends, note: to.note,
		grantor: user, link: m.nextLink(iam.Link{}, to.expires), revisions: 1, notices: map[iam.DeliveryKind]int{iam.InvitationMessage: 1},
	})
}

func (m *model) invite(t *rapid.T) {
	user, _ := m.actor(t)
	to := asked{
		email: rapid.SampledFrom(m.users).Draw(t, "invited").Email, grade: pickGrade(t), ends: m.pickTerm(t),
		note: rapid.SampledFrom([]string{"", "Welcome"}).Draw(t, "note"),
	}
	if life := rapid.SampledFrom([]time.Duration{0, time.Hour, 48 * time.Hour}).Draw(t, "life"); life > 0 {
		to.expires = m.now().Add(life)
	}
	m.ask(t, user, to)
}

// ask has a user invite somebody.
func (m *model) ask(t *rapid.T, user *modelUser, to asked) {
	want, existing := m.inviting(m.acts(user), to)
	got, err := m.service.Invite(context.Background(), iam.Actor{Kind: iam.ByUser, User: user.User}, m.account.ID, iam.InviteRequest{
		Email: to.email, RoleIDs: []iam.ID{m.roles[to.grade]}, ExpiresOn: to.expires, EndsOn: to.ends, Note: to.note,
	})
	expect(t, "invite", err, want)
	if err != nil {
		return
	}
	m.invited(user, to, existing, got.Member.ID)
	if existing != nil && got.Member.ID != existing.id {
		t.Fatalf("inviting again made row %s beside %s", got.Member.ID, existing.id)
	}
}

func (m *model) addDirectly(t *rapid.T) {
	user := rapid.SampledFrom(m.users).Draw(t, "added")
	asked, ends := pickGrade(t), m.pickTerm(t)
	for _, r := range m.rows {
		if r.email == user.Email && m.live(r) {
			t.Skip("has a live row")
		}
	}
	if m.account.Suspended || (m.account.MemberLimit > 0 && m.seats() >= m.account.MemberLimit) {
		t.Skip("no room")
	}
	over := m.over(user.Email)
	if m.tooSoon(ends) || over != nil && m.last(over) {
		t.Skip("is refused, as to who invites")
	}
	if over != nil {
		over.end()
	}
	m.add(t, user, asked, ends)
}

func (m *model) answer(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.invitee(t, row)
	answer := rapid.SampledFrom([]iam.Status{iam.Accepted, iam.Rejected}).Draw(t, "answer")

	want, status := iam.Internal, m.status(row)
	mine := row.email == user.Email && (row.user == nil || row.user == user)
	switch {
	case !mine || status == iam.Canceled || status == iam.Left || row.status == iam.Removed:
		want = iam.NotFound
	case user.Suspended:
		want = iam.Forbidden
	case status == iam.Removed:
		want = iam.NotFound
	case status == answer:
	case status == iam.Expired:
		want = iam.InviteExpired
	case status != iam.Pending:
		want = iam.AlreadyAnswered
	case answer == iam.Rejected:
	case !m.grantorAble(row):
		want = iam.GrantorLost
	case m.account.Suspended:
		want = iam.AccountSuspended
	case m.account.EnforceTwoFactor && !user.TwoFactor:
		want = iam.TwoFactorRequired
	}

	_, err := m.service.AnswerMembership(context.Background(), actor, row.id, answer)
	expect(t, "answer", err, want)
	if err == nil && row.status == iam.Pending {
		row.status, row.user = answer, user
		row.revisions++
		if answer == iam.Accepted {
			row.wake = m.wakeOf(row.ends)
		}
	}
}

func (m *model) remove(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	want := m.touches(m.acts(user), row)
	status := m.status(row)
	switch {
	case want != iam.Internal:
	case status != iam.Pending && status != iam.Accepted:
		want = iam.NotFound
	case m.last(row):
		want = iam.LastSuperAdmin
	}
	err := m.service.RemoveMember(context.Background(), actor, m.account.ID, row.id, false, false)
	expect(t, "remove", err, want)
	if err == nil {
		row.revisions++
		if row.status = iam.Removed; status == iam.Pending {
			row.status = iam.Canceled
		}
	}
}

func (m *model) cancel(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	want := m.touches(m.acts(user), row)
	status := m.status(row)
	switch {
	case want != iam.Internal:
	case !row.invited:
		want = iam.NotFound
	case status == iam.Expired:
		want = iam.InviteExpired
	case status == iam.Accepted || status == iam.Rejected:
		want = iam.AlreadyAnswered
	}
	notify := rapid.Bool().Draw(t, "notify")
	err := m.service.CancelInvitation(context.Background(), actor, m.account.ID, row.id, notify)
	expect(t, "cancel", err, want)
	if err == nil && row.status == iam.Pending {
		row.status = iam.Canceled
		row.revisions++
		if notify {
			row.notices[iam.WithdrawnMessage]++
		}
	}
}

func (m *model) leave(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.invitee(t, row)
	want := iam.Internal
	status := m.status(row)
	mine := row.email == user.Email && (row.user == nil || row.user == user)
	switch {
	case !mine || (status != iam.Accepted && status != iam.Pending):
		want = iam.NotFound
	case status == iam.Accepted && m.account.Suspended:
		want = iam.AccountSuspended
	case m.last(row):
		want = iam.LastSuperAdmin
	}
	if user.Suspended {
		t.Skip("a suspended user makes no requests")
	}
	err := m.service.Leave(context.Background(), actor, row.id)
	expect(t, "leave", err, want)
	if err == nil {
		row.revisions++
		if status == iam.Pending {
			row.status, row.user = iam.Rejected, user
		} else {
			row.status = iam.Left
		}
	}
}

func (m *model) timePasses(t *rapid.T) {
	m.advance(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Hour - time.Microsecond, time.Hour, 48 * time.Hour, 6 * 24 * time.Hour}).Draw(t, "passes"))
	if rapid.IntRange(0, 2).Draw(t, "sweep") == 0 {
		m.sweep(t)
	}
}

func (m *model) limitSeats(t *rapid.T) {
	limit := rapid.SampledFrom([]int{0, 0, 2, 3, 4}).Draw(t, "limit")
	m.editAccount(t, iam.AccountEdit{MemberLimit: &limit})
}

func (m *model) changeSettings(t *rapid.T) {
	enforce := rapid.IntRange(0, 3).Draw(t, "enforce") == 0
	m.editAccount(t, iam.AccountEdit{EnforceTwoFactor: &enforce})
}

func (m *model) suspendAccount(t *rapid.T) {
	suspended := !m.account.Suspended && rapid.IntRange(0, 2).Draw(t, "suspended") == 0
	m.editAccount(t, iam.AccountEdit{Suspended: &suspended})
}

func (m *model) editAccount(t *rapid.T, edit iam.AccountEdit) {
	account, err := m.service.EditAccount(context.Background(), operator, m.account.ID, edit)
	must(t, err)
	m.account = account
}

func (m *model) secondFactor(t *rapid.T) {
	user, _ := m.actor(t)
	has := !user.TwoFactor
	_, err := m.service.SetUserFlags(context.Background(), operator, user.ID, iam.UserFlags{TwoFactor: &has})
	must(t, err)
	user.TwoFactor = has
}

func (m *model) suspendUser(t *rapid.T) {
	user, _ := m.actor(t)
	if user.Suspended {
		must(t, m.service.ReactivateUser(context.Background(), operator, user.ID))
		user.Suspended = false
		return
	}
	want := iam.Internal
	for _, r := range m.rows {
		if r.user == user && m.last(r) {
			want = iam.LastSuperAdmin
		}
	}
	err := m.service.SuspendUser(context.Background(), operator, user.ID, false)
	expect(t, "suspend", err, want)
	if err == nil {
		user.Suspended = true
	}
}

// compare holds every list and count against the model's rows; every third time, as
// compareAll, what rows are made of and their audit trail, which takes the longest.
func (m *model) compare(t *rapid.T) {
	if m.compared++; m.compared%3 == 0 {
		m.compareAll(t)
		return
	}
	m.compareLists(t)
}

func (m *model) compareAll(t *rapid.T) {
	m.compareLists(t)
	m.compareAudit(t)
	m.compareLinks(t)
	m.compareBulks(t)
}

func (m *model) compareLists(t *rapid.T) {
	ctx := context.Background()
	page := iam.PageRequest{Number: 1, Size: 1000}
	for _, status := range []iam.Status{"", iam.Pending, iam.Accepted, iam.Rejected} {
		got, err := m.store.Members(ctx, m.account.ID, iam.MemberQuery{PageRequest: page, Status: status}, m.now())
		must(t, err)
		m.sameRows(t, "members "+string(status), got, func(r *modelRow) bool {
			s := m.status(r)
			return s == status || (status == "" && (s == iam.Pending || s == iam.Accepted))
		})
	}
	for _, status := range []iam.Status{"", iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled} {
		got, err := m.store.AccountInvitations(ctx, m.account.ID, iam.InvitationQuery{PageRequest: page, Status: status}, m.now())
		must(t, err)
		m.sameRows(t, "invitations "+string(status), got, func(r *modelRow) bool {
			s := m.status(r)
			return r.invited && s != iam.Left && s != iam.Removed && (s == status || status == "")
		})
	}
	m.compareGovernors(t)
}

func (m *model) sameRows(t *rapid.T, list string, got iam.Page[iam.Member], belongs func(*modelRow) bool) {
	want := map[iam.ID]*modelRow{}
	for _, r := range m.rows {
		if belongs(r) {
			want[r.id] = r
		}
	}
	if got.Total != len(want) || len(got.Items) != len(want) {
		t.Fatalf("%s: got %d rows and total %d, want %d", list, len(got.Items), got.Total, len(want))
	}
	for _, member := range got.Items {
		r := want[member.ID]
		if r == nil {
			t.Fatalf("%s: row %s does not belong there", list, member.ID)
		}
		if member.StatusAt(m.now()) != m.status(r) || member.Email != r.email || member.Roles[0].ID != m.roles[r.grade] {
			t.Fatalf("%s: got %+v, want %s %s with grade %d", list, member.Membership, r.email, m.status(r), r.grade)
		}
		if m.status(r) == iam.Pending && member.NeedsConfirmation(m.now()) == m.grantorAble(r) {
			t.Fatalf("%s: needs confirmation is %v while its grantor's ability is %v", list, member.NeedsConfirmation(m.now()), m.grantorAble(r))
		}
		if (member.User.ID != "") != (m.status(r) == iam.Accepted) {
			t.Fatalf("%s: a %s row shows user %q", list, r.status, member.User.ID)
		}
	}
}

// compareAudit finds one audit row for each transition, and none twice.
func (m *model) compareAudit(t *rapid.T) {
	rows := map[iam.ID]int{}
	operations := map[string]bool{}
	after := int64(0)
	for {
		entries, err := m.store.Audit(context.Background(), m.account.ID, after, 500)
		must(t, err)
		for _, entry := range entries {
			after = entry.Seq
			if operations[entry.OperationID] {
				t.Fatalf("operation %s stands twice in the audit log", entry.OperationID)
			}
			operations[entry.OperationID] = true
			if entry.Denied == "" && entry.Action != iam.InviteExpire {
				rows[entry.TargetID]++
			}
		}
		if len(entries) < 500 {
			break
		}
	}
	for _, r := range m.rows {
		if rows[r.id] != r.revisions {
			t.Fatalf("row %s (%s) has %d audit rows, want %d", r.id, r.status, rows[r.id], r.revisions)
		}
	}
}
