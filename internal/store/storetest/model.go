package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
	"hither/internal/id"
)

// RunModel drives the use cases over a real store with random lives of an
// account, and holds every answer and every list against a model that is
// written apart from the rules: one slice of rows, searched from end to end.
// Between the steps the clock, the rights of who granted, the seats and the
// settings move.
func RunModel(t *testing.T, open Open) {
	t.Helper()
	var micros atomic.Int64
	micros.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	now := func() time.Time { return time.UnixMicro(micros.Load()).UTC() }
	store := open(t, now)
	service := iam.NewService(store, id.NewSource(now).New, now).WithMailing(modelMailing())

	var lives atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, service, store, now, lives.Add(1))
		m.advance = func(d time.Duration) { micros.Add(d.Microseconds()) }
		steps := m.steps()
		steps[""] = m.compare
		rt.Repeat(steps)
		m.compareAll(rt)
	})
}

// steps are what a life is made of; what leads to most stands there more than once.
func (m *model) steps() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"invite":            m.invite,
		"add directly":      m.addDirectly,
		"answer":            m.answer,
		"edit":              m.edit,
		"remove":            m.remove,
		"remove by force":   m.removeByForce,
		"cancel":            m.cancel,
		"leave":             m.leave,
		"time passes":       m.timePasses,
		"limit seats":       m.limitSeats,
		"change settings":   m.changeSettings,
		"suspend a user":    m.suspendUser,
		"second factor":     m.secondFactor,
		"account suspended": m.suspendAccount,
		"resend":            m.resend,
		"renew":             m.renew,
		"confirm":           m.confirm,
		"remind later":      m.remindLater,
		"ask for a link":    m.askForLink,
		"sweep":             m.sweep,
		"look at messages":  m.lookAtMessages,
		"begin a bulk":      m.beginBulk,
		"work off a bulk":   m.workBulk,
		"cancel a bulk":     m.cancelBulk,
		"invite more":       m.invite,
		"edit more":         m.edit,
		"edit most":         m.edit,
		"answer more":       m.answer,
		"time passes on":    m.timePasses,
		"work off more":     m.workBulk,
	}
}

// grade orders the roles that the model uses: what a member may do grows with
// it, and managing members begins at gradeManager.
type grade int

const (
	gradeLocked grade = iota - 1 // a member, kept out by what the account enforces
	gradeNone
	gradeReader
	gradeManager
	gradeSuper
)

type modelUser struct {
	iam.User
}

type modelRow struct {
	id        iam.ID
	email     string
	user      *modelUser // who answered
	status    iam.Status // as stored
	grade     grade
	invited   bool
	expires   time.Time
	ends      time.Time  // the membership; zero: never
	wake      time.Time  // when the clock next has to do with that, of who accepted
	note      string     // to the invited
	grantor   *modelUser // nil: the operator
	link      iam.Link
	revisions int // transitions so far: one audit row each
	notices   map[iam.DeliveryKind]int
}

type model struct {
	service *iam.Service
	store   iam.Store
	now     func() time.Time
	advance func(time.Duration)

	account iam.Account
	roles   map[grade]iam.ID
	users   []*modelUser
	rows    []*modelRow
	bulks   []*modelBulk

	compared int
}

var operator = iam.Actor{Kind: iam.ByCommandLine}

func newModel(t *rapid.T, service *iam.Service, store iam.Store, now func() time.Time, life int64) *model {
	m := &model{service: service, store: store, now: now}
	ctx := context.Background()
	account, err := service.CreateAccount(ctx, operator, iam.NewAccount{Name: "Model"})
	must(t, err)
	m.account = account
	manager, err := service.AddRole(ctx, operator, iam.Role{
		AccountID: account.ID, Name: "Manager",
		Permissions: iam.Permissions{iam.AreaMembers: iam.Read | iam.Write, "organization": iam.Read},
	})
	must(t, err)
	m.roles = map[grade]iam.ID{
		gradeReader:  "5c35d2bf3a545e6b7560b826c0d23c39", // Minimal Account Access: organization, read
		gradeManager: manager.ID,
		gradeSuper:   iam.SuperAdministrator,
	}
	for i := range 7 {
		user, err := service.CreateUser(ctx, operator, iam.User{Email: fmt.Sprintf("u%d-%d@example.com", life, i), Verified: true})
		must(t, err)
		m.users = append(m.users, &modelUser{user})
	}
	m.add(t, m.users[0], gradeSuper, time.Time{})
	if ends := m.pickTerm(t); !m.tooSoon(ends) {
		m.add(t, m.users[1], pickGrade(t), ends)
	}
	for _, user := range m.users[2:4] {
		m.ask(t, m.users[0], asked{email: user.Email, grade: pickGrade(t), ends: m.pickTerm(t)})
	}
	return m
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) add(t *rapid.T, user *modelUser, g grade, ends time.Time) {
	added, err := m.service.Invite(context.Background(), operator, m.account.ID,
		iam.InviteRequest{Email: user.Email, RoleIDs: []iam.ID{m.roles[g]}, Direct: true, EndsOn: ends})
	must(t, err)
	m.rows = append(m.rows, &modelRow{
		id: added.Member.ID, email: user.Email, user: user, status: iam.Accepted, grade: g, revisions: 1, ends: ends, wake: m.wakeOf(ends),
	})
}

// What the model knows of a row.

func (m *model) status(r *modelRow) iam.Status {
	if r.status == iam.Pending && !m.now().Before(r.expires) {
		return iam.Expired
	}
	if r.status == iam.Accepted && m.past(r.ends) {
		return iam.Removed
	}
	return r.status
}

func (m *model) live(r *modelRow) bool {
	s := m.status(r)
	return s == iam.Pending || s == iam.Accepted
}

// gradeOf is what a user may do in the account now.
func (m *model) gradeOf(user *modelUser) grade {
	for _, r := range m.rows {
		if m.status(r) == iam.Accepted && r.user == user {
			return r.grade
		}
	}
	return gradeNone
}

// acts is gradeOf for who does something there: without a second factor nobody
// does where the account enforces one.
func (m *model) acts(user *modelUser) grade {
	g := m.gradeOf(user)
	if g != gradeNone && m.account.EnforceTwoFactor && !user.TwoFactor {
		return gradeLocked
	}
	return g
}

func (m *model) seats() int {
	seats := 0
	for _, r := range m.rows {
		if m.live(r) {
			seats++
		}
	}
	return seats
}

// governs: an account is not left to who is a Super Administrator for a time.
func (r *modelRow) governs() bool {
	return r.status == iam.Accepted && r.grade == gradeSuper && !r.user.Suspended && r.ends.IsZero()
}

// last reports whether a row is of the last active Super Administrator.
func (m *model) last(row *modelRow) bool {
	for _, r := range m.rows {
		if r != row && r.governs() {
			return false
		}
	}
	return row.status == iam.Accepted && row.grade == gradeSuper && !row.user.Suspended
}

func (m *model) grantorAble(r *modelRow) bool {
	if r.grantor == nil {
		return true
	}
	g := m.gradeOf(r.grantor)
	return !r.grantor.Suspended && g >= gradeManager && g >= r.grade
}

// manages predicts the refusal of who may not manage members at all.
func (m *model) manages(g grade) iam.Kind {
	switch {
	case g == gradeLocked:
		return iam.TwoFactorRequired
	case g == gradeNone:
		return iam.AccountNotFound
	case g < gradeManager:
		return iam.Forbidden
	case m.account.Suspended:
		return iam.AccountSuspended
	}
	return iam.Internal
}

// touches predicts the refusal of who may not touch a row.
func (m *model) touches(g grade, r *modelRow) iam.Kind {
	if kind := m.manages(g); kind != iam.Internal {
		return kind
	}
	if s := m.status(r); s == iam.Left || s == iam.Removed {
		return iam.NotFound
	}
	if r.grade > g {
		return iam.RoleCeiling
	}
	return iam.Internal
}

// actor is somebody, and mostly somebody who may do a thing.
func (m *model) actor(t *rapid.T) (*modelUser, iam.Actor) {
	return pickUser(t, m.users, func(u *modelUser) bool { return m.acts(u) >= gradeManager && !u.Suspended })
}

// invitee is somebody, and mostly whose row it is.
func (m *model) invitee(t *rapid.T, row *modelRow) (*modelUser, iam.Actor) {
	return pickUser(t, m.users, func(u *modelUser) bool { return u.Email == row.email })
}

func pickUser(t *rapid.T, users []*modelUser, able func(*modelUser) bool) (*modelUser, iam.Actor) {
	var some []*modelUser
	for _, u := range users {
		if able(u) {
			some = append(some, u)
		}
	}
	if len(some) > 0 && rapid.IntRange(0, 3).Draw(t, "able") > 0 {
		users = some
	}
	user := rapid.SampledFrom(users).Draw(t, "actor")
	return user, iam.Actor{Kind: iam.ByUser, User: user.User}
}

// pickRow is any row, and every other time one that has not ended.
func (m *model) pickRow(t *rapid.T) *modelRow {
	rows := m.rows
	if rapid.Bool().Draw(t, "live") {
		rows = nil
		for _, r := range m.rows {
			if r.status == iam.Pending || r.status == iam.Accepted {
				rows = append(rows, r)
			}
		}
	}
	if len(rows) == 0 {
		rows = m.rows
	}
	return rapid.SampledFrom(rows).Draw(t, "row")
}

func pickGrade(t *rapid.T) grade {
	return rapid.SampledFrom([]grade{gradeReader, gradeManager, gradeSuper}).Draw(t, "grade")
}

// expect holds an answer against the prediction: Internal stands for success.
func expect(t *rapid.T, what string, err error, want iam.Kind) {
	t.Helper()
	got := iam.KindOf(err)
	if (want == iam.Internal && err != nil) || got != want {
		t.Fatalf("%s: got kind %d (%v), want %d", what, got, err, want)
	}
}
