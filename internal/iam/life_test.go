package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store/storetest"
)

// life is a stage that sends messages, with an account, its founder and a manager
// of members. Every closure runs twice.
type life struct {
	stage
	account          iam.ID
	founder, manager iam.Actor
	managerRow       iam.ID
	managing         iam.ID // the manager's role
	guest            iam.User
}

func newLife(t *testing.T) life {
	t.Helper()
	l := life{stage: open(t)}
	now := func() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }
	l.store = storetest.Twice(l.store)
	l.Service = iam.NewService(l.store, id.NewSource(now).New, now).WithMailing(mailing)
	l.account = must(l.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	by := func(u iam.User) iam.Actor { return iam.Actor{Kind: iam.ByUser, User: u} }
	l.founder, l.manager = by(l.user(t, "founder@example.com")), by(l.user(t, "manager@example.com"))
	l.managing = must(l.AddRole(t.Context(), operator, iam.Role{
		AccountID: l.account, Name: "Managing", Permissions: iam.Permissions{iam.AreaMembers: iam.Read | iam.Write},
	}))(t).ID
	l.add(t, l.account, l.founder.User.Email, iam.SuperAdministrator)
	l.managerRow = l.add(t, l.account, l.manager.User.Email, l.managing)
	l.guest = l.user(t, "guest@example.com")
	return l
}

func (l life) pass(d time.Duration) { l.clock.Add(d.Microseconds()) }

func (l life) now() time.Time { return time.UnixMicro(l.clock.Load()).UTC() }

func (l life) invite(t *testing.T, by iam.Actor, email string) iam.Member {
	t.Helper()
	return must(l.Invite(t.Context(), by, l.account, iam.InviteRequest{Email: email, RoleIDs: []iam.ID{l.managing}, Locale: "de"}))(t).Member
}

func (l life) resend(t *testing.T, by iam.Actor, row iam.ID) (iam.Replayable[iam.Invited], error) {
	t.Helper()
	return l.Resend(t.Context(), by, l.account, row, time.Time{}, iam.IdempotencyKey{})
}

func (l life) sweep(t *testing.T) iam.Swept {
	t.Helper()
	swept := must(l.Sweep(t.Context()))(t)
	swept.Next = time.Time{}
	return swept
}

// messages are what waits to be sent, as "kind to recipient".
func (l life) messages(t *testing.T, kinds ...iam.DeliveryKind) []string {
	t.Helper()
	var list []string
	for _, d := range must(l.store.Deliveries(t.Context(), "", iam.PageRequest{Number: 1, Size: 1000}))(t) {
		if slices.Contains(kinds, d.Kind) {
			list = append(list, string(d.Kind)+" to "+d.Recipient)
		}
	}
	return list
}

func wantMessages(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("messages are %q, want %q", got, want)
	}
}

func (l life) holder(row iam.ID, generation int) iam.LinkHolder {
	return iam.LinkHolder{InvitationID: row, Generation: generation, RemoteAddr: "192.0.2.1", RequestID: "r"}
}

func (l life) page(t *testing.T, row iam.ID) iam.LinkedInvitation {
	t.Helper()
	return must(l.LinkInvitation(t.Context(), row))(t)
}

// actions are what the audit log has of a row, denials with their reason.
func (l life) actions(t *testing.T, row iam.ID) []string {
	t.Helper()
	var list []string
	for _, entry := range must(l.store.Audit(t.Context(), l.account, 0, 1000))(t) {
		if entry.TargetID == row {
			list = append(list, strings.TrimSuffix(string(entry.Action)+":"+entry.Denied, ":"))
		}
	}
	return list
}

// KF-10, KF-98: whoever sends it again makes every link before useless.
func TestResendingKillsOldLinks(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	l.pass(time.Hour)
	for generation := 1; generation <= 11; generation++ {
		if page := l.page(t, row); !page.Live(generation, l.now()) || page.Live(generation-1, l.now()) {
			t.Errorf("after %d messages the link is %+v", generation, page.Link)
		}
		_, err := l.RemindHolder(t.Context(), l.holder(row, generation), iam.Reminder{InDays: 1})
		wantKind(t, err, iam.Internal)
		_, err = l.RemindHolder(t.Context(), l.holder(row, generation-1), iam.Reminder{InDays: 1})
		wantKind(t, err, iam.NotFound)
		_, err = l.resend(t, l.founder, row)
		if generation == 11 {
			wantKind(t, err, iam.BudgetSpent) // KF-61
			break
		}
		wantKind(t, err, iam.Internal)
		_, err = l.resend(t, l.founder, row)
		wantKind(t, err, iam.BudgetSpent) // KF-61
		l.pass(5 * time.Minute)
	}
	all := must(l.store.Deliveries(t.Context(), "", iam.PageRequest{Number: 1, Size: 1000}))(t)
	generations := map[int]bool{}
	for _, d := range all {
		if d.Kind != iam.InvitationMessage || d.Recipient != l.guest.Email || d.Locale != "de" || d.MembershipID != row {
			t.Errorf("a message is %+v", d)
		}
		generations[d.Generation] = true
	}
	if len(all) != 11 || len(generations) != 11 {
		t.Errorf("%d messages of %d generations, want 11 of 11", len(all), len(generations))
	}
}

// KF-61: what is sent again counts against the budgets like what is sent first.
func TestResendingSpendsBudgets(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	bounded := mailing
	bounded.Budgets.AccountDay = 2
	l.Service = l.WithMailing(bounded)
	row := l.invite(t, l.manager, l.guest.Email).ID
	l.pass(time.Hour)
	must(l.resend(t, l.manager, row))(t)
	l.pass(time.Hour)
	_, err := l.resend(t, l.manager, row)
	wantKind(t, err, iam.BudgetSpent)
	if page := l.page(t, row); page.Link.Generation != 2 {
		t.Errorf("the link is of generation %d, want 2", page.Link.Generation)
	}
}

// KF-11: whoever sends it again or confirms it vouches for it; nobody else can
// bring it back to life.
func TestSomebodyVouchesAgain(t *testing.T) {
	t.Parallel()
	guest := func(l life) iam.Actor { return iam.Actor{Kind: iam.ByUser, User: l.guest} }
	for name, vouch := range map[string]func(t *testing.T, l life, row iam.ID, by iam.Actor) error{
		"by sending it again": func(t *testing.T, l life, row iam.ID, by iam.Actor) error {
			t.Helper()
			_, err := l.resend(t, by, row)
			return err
		},
		"by confirming it": func(t *testing.T, l life, row iam.ID, by iam.Actor) error {
			t.Helper()
			_, err := l.ConfirmInvitation(t.Context(), by, l.account, row, iam.IdempotencyKey{})
			if messages := l.messages(t, iam.InvitationMessage); len(messages) != 1 {
				t.Errorf("messages are %q, want no more than the first one", messages)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			row := l.invite(t, l.manager, l.guest.Email).ID
			l.pass(time.Hour)
			must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{role(t, "Minimal Account Access").ID}}))(t)
			if !l.page(t, row).NeedsConfirmation {
				t.Error("its page says nothing of a confirmation that it needs")
			}
			_, err := l.AnswerInvitation(t.Context(), guest(l), row, iam.Accepted)
			wantKind(t, err, iam.GrantorLost)
			wantKind(t, vouch(t, l, row, l.manager), iam.Forbidden)
			wantKind(t, vouch(t, l, row, guest(l)), iam.AccountNotFound)
			wantKind(t, vouch(t, l, row, l.founder), iam.Internal)
			must(l.AnswerInvitation(t.Context(), guest(l), row, iam.Accepted))(t)
			wantKind(t, vouch(t, l, row, l.founder), iam.AlreadyAnswered) // KF-9
		})
	}
}

// What the inviter hears of the answer, and who hears nothing.
func TestWhoHearsOfAnAnswer(t *testing.T) {
	t.Parallel()
	const told = "accepted to manager@example.com"
	for name, test := range map[string]struct {
		by     func(t *testing.T, l life) iam.Actor
		before func(t *testing.T, l life)
		answer iam.Status
		want   []string
	}{
		"the inviter, that it was accepted": {nil, nil, iam.Accepted, []string{told}},
		"nobody, that it was rejected":      {nil, nil, iam.Rejected, nil},
		"not the operator":                  {func(*testing.T, life) iam.Actor { return operator }, nil, iam.Accepted, nil},
		"not who no longer sees the members": {nil, func(t *testing.T, l life) {
			t.Helper()
			writing := must(l.AddRole(t.Context(), operator, iam.Role{
				AccountID: l.account, Name: "Writing", Permissions: iam.Permissions{iam.AreaMembers: iam.Write, "dns": iam.Read},
			}))(t).ID
			must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{writing}}))(t)
		}, iam.Accepted, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			by := l.manager
			if test.by != nil {
				by = test.by(t, l)
			}
			request := iam.InviteRequest{Email: l.guest.Email, RoleIDs: []iam.ID{role(t, "Minimal Account Access").ID}}
			// What the writer of members gives is within what it has.
			request.RoleIDs[0] = must(l.AddRole(t.Context(), operator, iam.Role{
				AccountID: l.account, Name: "Writes", Permissions: iam.Permissions{iam.AreaMembers: iam.Write},
			}))(t).ID
			row := must(l.Invite(t.Context(), by, l.account, request))(t).Member.ID
			if test.before != nil {
				test.before(t, l)
			}
			guest := iam.Actor{Kind: iam.ByUser, User: l.guest}
			must(l.AnswerInvitation(t.Context(), guest, row, test.answer))(t)
			must(l.AnswerInvitation(t.Context(), guest, row, test.answer))(t)
			wantMessages(t, l.messages(t, iam.AcceptedMessage), test.want...)
			for _, d := range must(l.store.Deliveries(t.Context(), "", iam.PageRequest{Number: 1, Size: 9}))(t) {
				if d.Kind == iam.AcceptedMessage && (d.UserID != l.manager.User.ID || d.MembershipID != row || d.AccountID != l.account || d.Generation != 0) {
					t.Errorf("the message is %+v", d)
				}
			}
		})
	}
}

// TestManyEndsAreOneMessage: people who were invited in one go end one after the
// other, and whoever invited them hears of all in one message, after the last of
// them. Ends of another stretch, or of another inviter, are another one.
func TestManyEndsAreOneMessage(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	const many = 30
	for i := range many {
		l.invite(t, l.manager, fmt.Sprintf("%d@example.org", i))
		l.pass(time.Second)
	}
	l.invite(t, l.founder, "founders@example.org")
	l.pass(iam.DefaultLifetime - (many+1)*time.Second)
	for range many + 1 {
		l.pass(time.Second)
		l.sweep(t)
		if due, err := l.ClaimDelivery(t.Context(), time.Minute); err == nil && due.Kind == iam.ExpiredMessage {
			t.Fatalf("sent before the stretch is over: %+v", due.Delivery)
		}
	}
	// Two that were queued at one moment stand in the order of their ids, which says nothing.
	wantMessages(t, slices.Sorted(slices.Values(l.messages(t, iam.ExpiredMessage))),
		"expired to founder@example.com", "expired to manager@example.com")
	l.pass(5 * time.Minute)
	told := map[string]int{}
	for range 2 {
		due := must(l.ClaimDelivery(t.Context(), time.Minute))(t)
		told[due.Recipient] = due.Told
		if len(due.ID) > 64 {
			t.Errorf("the id %s is too long for a Message-ID", due.ID)
		}
		if due.Recipient == l.manager.User.Email && (len(due.Addresses) != iam.MaxTold || due.Addresses[0] != "0@example.org") {
			t.Errorf("addresses of %d: %q", due.Told, due.Addresses)
		}
	}
	if told[l.manager.User.Email] != many || told[l.founder.User.Email] != 1 {
		t.Errorf("told of %v, want %d and 1", told, many)
	}
}

// TestADigestThatLeftEarlyHidesNobody: an end that comes after the operator hurried
// the message about others is told by one of its own.
func TestADigestThatLeftEarlyHidesNobody(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.invite(t, l.manager, "first@example.org")
	l.pass(time.Second)
	second := l.invite(t, l.manager, "second@example.org").ID
	l.pass(iam.DefaultLifetime - time.Second)
	l.sweep(t)
	digest := must(l.Deliveries(t.Context(), operator, "", iam.PageRequest{Number: 1, Size: 9}))(t)
	for _, d := range digest {
		if d.Kind == iam.ExpiredMessage {
			must(l.RetryDelivery(t.Context(), operator, d.ID))(t)
		}
	}
	first := must(l.ClaimDelivery(t.Context(), time.Hour))(t)
	for first.Kind != iam.ExpiredMessage {
		first = must(l.ClaimDelivery(t.Context(), time.Hour))(t)
	}
	l.pass(time.Second)
	l.sweep(t)
	l.pass(5 * time.Minute)
	if own := must(l.ClaimDelivery(t.Context(), time.Hour))(t); own.MembershipID != second || own.Told != 1 || own.ID == first.ID {
		t.Errorf("got %+v, want the other end", own.Delivery)
	}
}

// TestOldMessagesAreSwept: what ended longer ago than messages are kept goes, a
// bounded part a sweep; what waits stays, however old.
func TestOldMessagesAreSwept(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		s.Service = s.WithMailing(iam.Mailing{Enabled: true, DeliveryRetention: 24 * time.Hour})
		const many = 1100
		drawn := id.NewSource(s.now)
		err := s.store.Update(t.Context(), func(tx iam.Tx) error {
			for i := range many + 2 {
				d := iam.Delivery{
					ID: drawn.New(), Kind: iam.NoticeMessage, Recipient: "u@example.com", State: iam.Sent, DueOn: s.now(), CreatedOn: s.now(), EndedOn: s.now(),
				}
				switch i {
				case 0:
					d.State, d.EndedOn = iam.Deferred, time.Time{}
				case 1:
					d.EndedOn = s.now().Add(time.Microsecond)
				}
				if err := tx.Queue(d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sweep := func(want int, more bool) {
			t.Helper()
			swept := must(s.Sweep(t.Context()))(t)
			if swept.Purged != want || swept.More != more {
				t.Errorf("swept %+v, want %d messages dropped, and more %v", swept, want, more)
			}
		}
		s.advance(24 * time.Hour)
		sweep(0, false)
		s.advance(time.Microsecond)
		sweep(500, true)
		sweep(500, true)
		sweep(100, false)
		sweep(0, false)
		left := func(state iam.DeliveryState) int {
			return len(must(s.Deliveries(t.Context(), operator, state, iam.PageRequest{Number: 1, Size: 9}))(t))
		}
		if left("") != 1 || left(iam.Sent) != 1 {
			t.Errorf("%d wait and %d were sent, want 1 and 1", left(""), left(iam.Sent))
		}
		s.Service = s.WithMailing(iam.Mailing{Enabled: true})
		s.advance(1000 * 24 * time.Hour)
		sweep(0, false)
	})
}

// An end is told once, whoever writes it down: a sweep, or a transaction that
// meets it on its way.
func TestAnEndIsToldOnce(t *testing.T) {
	t.Parallel()
	const told = "expired to manager@example.com"
	sweep := func(t *testing.T, l life) { t.Helper(); l.sweep(t) }
	again := func(t *testing.T, l life) { t.Helper(); l.invite(t, l.founder, l.guest.Email) }
	importing := func(t *testing.T, l life) {
		t.Helper()
		rows := []iam.ImportMembership{{AccountID: l.account, Email: "x@example.com", Status: iam.Pending, RoleIDs: []iam.ID{l.managing}}}
		if err := l.Import(t.Context(), operator, iam.Dataset{Memberships: rows}, nil); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(t *testing.T, l life) {
		t.Helper()
		if err := l.RemoveMember(t.Context(), l.founder, l.account, l.managerRow, false, false); err != nil {
			t.Fatal(err)
		}
	}
	deleted := func(t *testing.T, l life) {
		t.Helper()
		if err := l.DeleteAccount(t.Context(), l.founder, l.account); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		steps []func(t *testing.T, l life)
		want  []string
	}{
		"by a sweep":                        {[]func(*testing.T, life){sweep, sweep, again}, []string{told}},
		"by who invites the address anew":   {[]func(*testing.T, life){again, sweep}, []string{told}},
		"by an import":                      {[]func(*testing.T, life){importing, sweep}, []string{told}},
		"not to who was removed meanwhile":  {[]func(*testing.T, life){gone, sweep, again}, nil},
		"not of an account that is deleted": {[]func(*testing.T, life){deleted, sweep}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			row := l.invite(t, l.manager, l.guest.Email).ID
			l.pass(iam.DefaultLifetime - time.Microsecond)
			if swept := l.sweep(t); swept.Expired != 0 {
				t.Errorf("a microsecond early: swept %+v (KF-8)", swept)
			}
			l.pass(time.Microsecond)
			for _, step := range test.steps {
				step(t, l)
			}
			wantMessages(t, l.messages(t, iam.ExpiredMessage), test.want...)
			if ends := slices.DeleteFunc(l.actions(t, row), func(a string) bool { return a != "invite.expire" }); len(ends) != 1 {
				t.Errorf("%d audit rows of its end, want 1", len(ends))
			}
		})
	}
}

// KF-8: that nothing sweeps lets nobody in.
func TestNobodyHasToSweep(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	guest := iam.Actor{Kind: iam.ByUser, User: l.guest}
	row := l.invite(t, l.manager, l.guest.Email).ID
	l.pass(iam.DefaultLifetime)
	_, err := l.AnswerInvitation(t.Context(), guest, row, iam.Accepted)
	wantKind(t, err, iam.InviteExpired)
	_, err = l.resend(t, l.founder, row)
	wantKind(t, err, iam.InviteExpired)
	if page := l.page(t, row); page.Live(1, l.now()) {
		t.Error("its link is alive")
	}
}

// What is made under a key is made once, and shown again to who still may make it.
func TestLifeUnderAKey(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	l.pass(time.Hour)
	guest := iam.Actor{Kind: iam.ByUser, User: l.guest}
	for range 2 {
		must(l.Resend(t.Context(), l.founder, l.account, row, time.Time{}, keyOf("k", "r")))(t)
		must(l.ConfirmInvitation(t.Context(), l.manager, l.account, row, keyOf("c", "r")))(t)
		must(l.RemindLater(t.Context(), guest, row, iam.Reminder{InDays: 1}, keyOf("m", "r")))(t)
	}
	want := []string{"invite.create", "invite.resend", "invite.confirm", "invite.remind_later"}
	if got := l.actions(t, row); !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
	// KF-82: whoever lost the right is not shown what it did with it.
	narrow := must(l.AddRole(t.Context(), operator, iam.Role{
		AccountID: l.account, Name: "Narrow", Permissions: iam.Permissions{iam.AreaMembers: iam.Write},
	}))(t).ID
	must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{narrow}}))(t)
	_, err := l.ConfirmInvitation(t.Context(), l.manager, l.account, row, keyOf("c", "r"))
	wantKind(t, err, iam.RoleCeiling)
	must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{role(t, "Minimal Account Access").ID}}))(t)
	_, err = l.ConfirmInvitation(t.Context(), l.manager, l.account, row, keyOf("c", "r"))
	wantKind(t, err, iam.Forbidden)
	must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{l.managing}}))(t)
	l.pass(iam.DefaultLifetime)
	first := must(l.RenewInvitation(t.Context(), l.founder, l.account, row, time.Time{}, keyOf("n", "r")))(t)
	second := must(l.RenewInvitation(t.Context(), l.founder, l.account, row, time.Time{}, keyOf("n", "r")))(t)
	if first.Replayed || !second.Replayed || first.Result.Member.ID != second.Result.Member.ID {
		t.Errorf("got %v and %v, want one and its replay", first, second)
	}
	must(l.AnswerInvitation(t.Context(), guest, first.Result.Member.ID, iam.Accepted))(t)
	if again := must(l.RenewInvitation(t.Context(), l.founder, l.account, row, time.Time{}, keyOf("n", "r")))(t); !again.Replayed {
		t.Error("what became of it since makes another one of the same request")
	}
}
