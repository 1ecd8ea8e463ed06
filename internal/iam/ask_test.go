package iam_test

import (
	"slices"
	"testing"
	"time"

	"hither/internal/iam"
)

// asks has somebody ask for a link of a row, and lists what the account is shown
// then.
func (l life) asks(t *testing.T, holder iam.LinkHolder) []iam.ID {
	t.Helper()
	if err := l.AskForLink(t.Context(), holder); err != nil {
		t.Errorf("asking by %+v: %v, want the answer that everybody gets", holder, err)
	}
	_, page, err := l.AccountInvitations(t.Context(), l.manager, l.account,
		iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 50}, Asked: true})
	if err != nil {
		t.Fatal(err)
	}
	var ids []iam.ID
	for _, member := range page.Items {
		ids = append(ids, member.ID)
	}
	return ids
}

func wantIDs(t *testing.T, got []iam.ID, want ...iam.ID) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAskingForALink(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	wantIDs(t, l.asks(t, l.holder(row, 1))) // it is alive
	wantIDs(t, l.asks(t, l.holder(l.account, 1)))
	wantIDs(t, l.asks(t, l.holder(l.managerRow, 1)))
	wantMessages(t, l.messages(t, iam.LinkAskedMessage))
	l.pass(iam.DefaultLifetime)
	wantIDs(t, l.asks(t, l.holder(row, 2))) // there never was one
	wantIDs(t, l.asks(t, l.holder(row, 1)), row)
	wantIDs(t, l.asks(t, l.holder(row, 1)), row)
	wantMessages(t, l.messages(t, iam.LinkAskedMessage), "link_asked to manager@example.com")
	l.pass(24 * time.Hour)
	wantIDs(t, l.asks(t, l.holder(row, 1)), row)
	wantMessages(t, l.messages(t, iam.LinkAskedMessage), slices.Repeat([]string{"link_asked to manager@example.com"}, 2)...)

	// One call, and there is a new invitation; the old one stays what it is.
	renewed := must(l.RenewInvitation(t.Context(), l.manager, l.account, row, time.Time{}, iam.IdempotencyKey{}))(t).Result.Member
	old := l.page(t, row)
	if renewed.ID == row || renewed.Email != l.guest.Email || renewed.Roles[0].ID != l.managing || renewed.Status != iam.Pending || old.Status != iam.Expired {
		t.Errorf("renewed to %+v from %+v", renewed, old)
	}
	if page := l.page(t, renewed.ID); page.Link.Generation != 1 || page.Link.Locale != "de" || !old.Link.AskedOn.IsZero() {
		t.Errorf("the links are %+v and before %+v", page.Link, old.Link)
	}
	wantIDs(t, l.asks(t, l.holder(row, 1))) // invited anew: there is nothing to ask for
	wantMessages(t, l.messages(t, iam.InvitationMessage), slices.Repeat([]string{"invitation to guest@example.com"}, 2)...)

	// The holder of a link that was replaced gets one more of the same invitation.
	l.pass(time.Hour)
	must(l.resend(t, l.founder, renewed.ID))(t)
	l.pass(time.Hour)
	wantIDs(t, l.asks(t, l.holder(renewed.ID, 1)), renewed.ID)
	again := must(l.RenewInvitation(t.Context(), l.founder, l.account, renewed.ID, time.Time{}, iam.IdempotencyKey{}))(t).Result.Member
	if page := l.page(t, renewed.ID); again.ID != renewed.ID || page.Link.Generation != 3 || !page.Link.AskedOn.IsZero() {
		t.Errorf("sent again as %s with %+v", again.ID, page.Link)
	}
	// Withdrawn on purpose: nobody may nag.
	if err := l.CancelInvitation(t.Context(), l.founder, l.account, renewed.ID, false); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, l.asks(t, l.holder(renewed.ID, 1)))
	_, err := l.RenewInvitation(t.Context(), l.founder, l.account, renewed.ID, time.Time{}, iam.IdempotencyKey{})
	wantKind(t, err, iam.InviteCanceled)
}

// Where whoever granted it can give no link, a Super Administrator hears of it.
func TestWhoHearsThatALinkIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by     func(l life) iam.Actor
		before func(t *testing.T, l life)
		want   []string
	}{
		"who granted it": {func(l life) iam.Actor { return l.manager }, nil, []string{"link_asked to manager@example.com"}},
		"not one who was removed": {func(l life) iam.Actor { return l.manager }, func(t *testing.T, l life) {
			t.Helper()
			if err := l.RemoveMember(t.Context(), l.founder, l.account, l.managerRow, false, false); err != nil {
				t.Fatal(err)
			}
		}, []string{"link_asked to founder@example.com"}},
		"not the operator": {func(life) iam.Actor { return operator }, nil, []string{"link_asked to founder@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			row := l.invite(t, test.by(l), l.guest.Email).ID
			l.pass(iam.DefaultLifetime)
			if test.before != nil {
				test.before(t, l)
			}
			if err := l.AskForLink(t.Context(), l.holder(row, 1)); err != nil {
				t.Fatal(err)
			}
			wantMessages(t, l.messages(t, iam.LinkAskedMessage), test.want...)
			entries := must(l.store.Audit(t.Context(), l.account, 0, 1000))(t)
			last := entries[len(entries)-1]
			if last.Action != iam.InviteAskLink || last.Actor != "visitor" || last.ActorEmail != "" || last.RemoteAddr != "192.0.2.1" || last.RequestID != "r" {
				t.Errorf("the audit row is %+v", last)
			}
		})
	}
}

// Renewing what expired is inviting, by all its rules (KF-12, KF-16, KF-18).
func TestRenewingIsInviting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(t *testing.T, l life)
		by     func(l life) iam.Actor
		want   iam.Kind
	}{
		"nothing against it": {nil, nil, iam.Internal},
		"no seat left": {func(t *testing.T, l life) {
			t.Helper()
			two := 2
			must(l.EditAccount(t.Context(), operator, l.account, iam.AccountEdit{MemberLimit: &two}))(t)
		}, nil, iam.NoSeat},
		"a member meanwhile":       {func(t *testing.T, l life) { t.Helper(); l.add(t, l.account, l.guest.Email, l.managing) }, nil, iam.AlreadyMember},
		"invited anew to the same": {func(t *testing.T, l life) { t.Helper(); l.invite(t, l.founder, l.guest.Email) }, nil, iam.Internal},
		"invited anew to something else": {func(t *testing.T, l life) {
			t.Helper()
			must(l.Invite(t.Context(), l.founder, l.account, iam.InviteRequest{Email: l.guest.Email, RoleIDs: []iam.ID{iam.SuperAdministrator}}))(t)
		}, nil, iam.AlreadyInvited},
		"above the ceiling of who does it": {func(t *testing.T, l life) {
			t.Helper()
			narrow := must(l.AddRole(t.Context(), operator, iam.Role{
				AccountID: l.account, Name: "Narrow", Permissions: iam.Permissions{iam.AreaMembers: iam.Write},
			}))(t).ID
			must(l.EditMember(t.Context(), l.founder, l.account, l.managerRow, iam.MemberChange{RoleIDs: []iam.ID{narrow}}))(t)
		}, func(l life) iam.Actor { return l.manager }, iam.RoleCeiling},
		"by somebody else's user": {nil, func(l life) iam.Actor { return iam.Actor{Kind: iam.ByUser, User: l.guest} }, iam.AccountNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			row := l.invite(t, l.manager, l.guest.Email).ID
			l.pass(iam.DefaultLifetime)
			if err := l.AskForLink(t.Context(), l.holder(row, 1)); err != nil {
				t.Fatal(err)
			}
			if test.before != nil {
				test.before(t, l)
			}
			by := l.founder
			if test.by != nil {
				by = test.by(l)
			}
			_, err := l.RenewInvitation(t.Context(), by, l.account, row, time.Time{}, iam.IdempotencyKey{})
			wantKind(t, err, test.want)
			if waits := !l.page(t, row).Link.AskedOn.IsZero(); waits != (err != nil) {
				t.Errorf("somebody waits: %v, after %v", waits, err)
			}
		})
	}
}
