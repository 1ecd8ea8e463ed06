package storetest

import (
	"context"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// The steps of the model: each predicts the answer, asks the service, and where
// it said yes does the same to the model's rows.

func (m *model) invite(t *rapid.T) {
	user, actor := m.actor(t)
	invited := rapid.SampledFrom(m.users).Draw(t, "invited")
	asked := pickGrade(t)
	life := rapid.SampledFrom([]time.Duration{0, time.Hour, 48 * time.Hour}).Draw(t, "life")
	request := iam.InviteRequest{Email: invited.Email, RoleIDs: []iam.ID{m.roles[asked]}}
	expires := m.now().Add(iam.DefaultLifetime)
	if life > 0 {
		expires = m.now().Add(life)
		request.ExpiresOn = expires
	}

	var existing *modelRow
	for _, r := range m.rows {
		if r.email == invited.Email && m.live(r) {
			existing = r
		}
	}
	want, g := m.manages(m.acts(user)), m.acts(user)
	confirms := false
	switch {
	case want != iam.Internal:
	case asked > g:
		want = iam.RoleCeiling
	case existing != nil && existing.status == iam.Accepted:
		want = iam.AlreadyMember
	case existing != nil && existing.grade != asked:
		want = iam.AlreadyInvited
	case existing != nil:
		confirms = !m.grantorAble(existing)
	case m.account.MemberLimit > 0 && m.seats() >= m.account.MemberLimit:
		want = iam.NoSeat
	}

	got, err := m.service.Invite(context.Background(), actor, m.account.ID, request)
	expect(t, "invite", err, want)
	switch {
	case err != nil:
	case confirms:
		existing.grantor = user
		existing.revisions++
	case existing == nil:
		m.rows = append(m.rows, &modelRow{
			id: got.Member.ID, email: invited.Email, status: iam.Pending, grade: asked, invited: true,
			expires: expires, grantor: user, link: m.nextLink(iam.Link{}, expires), revisions: 1,
		})
	}
	if err == nil && existing != nil && got.Member.ID != existing.id {
		t.Fatalf("inviting again made row %s beside %s", got.Member.ID, existing.id)
	}
}

func (m *model) addDirectly(t *rapid.T) {
	user := rapid.SampledFrom(m.users).Draw(t, "added")
	asked := pickGrade(t)
	for _, r := range m.rows {
		if r.email == user.Email && m.live(r) {
			t.Skip("has a live row")
		}
	}
	if m.account.Suspended || (m.account.MemberLimit > 0 && m.seats() >= m.account.MemberLimit) {
		t.Skip("no room")
	}
	m.add(t, user, asked)
}

func (m *model) answer(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	answer := rapid.SampledFrom([]iam.Status{iam.Accepted, iam.Rejected}).Draw(t, "answer")

	want, status := iam.Internal, m.status(row)
	mine := row.email == user.Email && (row.user == nil || row.user == user)
	switch {
	case !mine || status == iam.Canceled || status == iam.Left || status == iam.Removed:
		want = iam.NotFound
	case user.Suspended:
		want = iam.Forbidden
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
	}
}

func (m *model) edit(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	asked := pickGrade(t)
	g := m.acts(user)

	want := m.touches(g, row)
	switch status := m.status(row); {
	case want != iam.Internal:
	case status == iam.Expired:
		want = iam.InviteExpired
	case status != iam.Pending && status != iam.Accepted:
		want = iam.NotFound
	case asked > g:
		want = iam.RoleCeiling
	case status == iam.Accepted && row.grade == gradeSuper && asked != gradeSuper && !row.user.Suspended && m.otherSupers(row) == 0:
		want = iam.LastSuperAdmin
	}

	_, err := m.service.EditMember(context.Background(), actor, m.account.ID, row.id, iam.MemberChange{RoleIDs: []iam.ID{m.roles[asked]}})
	expect(t, "edit", err, want)
	if err != nil {
		return
	}
	if row.status == iam.Pending && (row.grade != asked || row.grantor != user) {
		row.grantor = user
		row.grade = asked
		row.revisions++
	} else if row.grade != asked {
		row.grade = asked
		row.revisions++
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
	case status == iam.Accepted && row.grade == gradeSuper && !row.user.Suspended && m.otherSupers(row) == 0:
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
	err := m.service.CancelInvitation(context.Background(), actor, m.account.ID, row.id, false)
	expect(t, "cancel", err, want)
	if err == nil && row.status == iam.Pending {
		row.status = iam.Canceled
		row.revisions++
	}
}

func (m *model) leave(t *rapid.T) {
	row := m.pickRow(t)
	user, actor := m.actor(t)
	want := iam.Internal
	status := m.status(row)
	mine := row.email == user.Email && (row.user == nil || row.user == user)
	switch {
	case !mine || (status != iam.Accepted && status != iam.Pending):
		want = iam.NotFound
	case status == iam.Accepted && m.account.Suspended:
		want = iam.AccountSuspended
	case status == iam.Accepted && row.grade == gradeSuper && m.otherSupers(row) == 0:
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
	m.advance(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Hour - time.Microsecond, time.Hour, 48 * time.Hour}).Draw(t, "passes"))
}

func (m *model) limitSeats(t *rapid.T) {
	limit := rapid.IntRange(0, len(m.users)).Draw(t, "limit")
	m.editAccount(t, iam.AccountEdit{MemberLimit: &limit})
}

func (m *model) changeSettings(t *rapid.T) {
	enforce := rapid.Bool().Draw(t, "enforce")
	m.editAccount(t, iam.AccountEdit{EnforceTwoFactor: &enforce})
}

func (m *model) suspendAccount(t *rapid.T) {
	suspended := !m.account.Suspended
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
		if r.status == iam.Accepted && r.user == user && r.grade == gradeSuper && m.otherSupers(r) == 0 {
			want = iam.LastSuperAdmin
		}
	}
	err := m.service.SuspendUser(context.Background(), operator, user.ID, false)
	expect(t, "suspend", err, want)
	if err == nil {
		user.Suspended = true
	}
}

// compare holds every list, count and audit trail against the model's rows.
func (m *model) compare(t *rapid.T) {
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
	m.compareAudit(t)
	m.compareLinks(t)
	for _, r := range m.rows {
		if r.status == iam.Accepted && r.grade == gradeSuper && !r.user.Suspended {
			return
		}
	}
	t.Fatal("the account was left without an active Super Administrator")
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
		if (member.User.ID != "") != (r.status == iam.Accepted) {
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
