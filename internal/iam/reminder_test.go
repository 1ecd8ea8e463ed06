package iam_test

import (
	"slices"
	"testing"
	"time"

	"hither/internal/iam"
)

func TestReminders(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	guest := iam.Actor{Kind: iam.ByUser, User: l.guest}
	reminders := func(n int) {
		t.Helper()
		wantMessages(t, l.messages(t, iam.ReminderMessage), slices.Repeat([]string{"reminder to guest@example.com"}, n)...)
	}
	l.pass(iam.DefaultLifetime - 48*time.Hour - time.Microsecond)
	l.sweep(t)
	reminders(0)
	l.pass(time.Microsecond)
	if swept := l.sweep(t); swept != (iam.Swept{Reminded: 1}) {
		t.Errorf("swept %+v, want one reminder", swept)
	}
	if swept := l.sweep(t); swept != (iam.Swept{}) {
		t.Errorf("again: swept %+v, want nothing", swept)
	}
	reminders(1)
	// The invited chooses another moment, then another one: one is pending.
	must(l.RemindLater(t.Context(), guest, row, iam.Reminder{On: l.now().Add(2 * time.Hour)}, iam.IdempotencyKey{}))(t)
	must(l.RemindLater(t.Context(), guest, row, iam.Reminder{InDays: 1}, iam.IdempotencyKey{}))(t)
	l.pass(2 * time.Hour)
	l.sweep(t)
	reminders(1)
	l.pass(22 * time.Hour)
	l.sweep(t)
	reminders(2)
	_, err := l.RemindLater(t.Context(), guest, row, iam.Reminder{InDays: 1}, iam.IdempotencyKey{})
	wantKind(t, err, iam.Invalid) // it would come with the end
	// What cannot be accepted is not reminded of, and ends when it does.
	must(l.RemindLater(t.Context(), guest, row, iam.Reminder{On: l.now().Add(time.Hour)}, iam.IdempotencyKey{}))(t)
	if err := l.SuspendUser(t.Context(), operator, l.manager.User.ID, false); err != nil {
		t.Fatal(err)
	}
	l.pass(time.Hour)
	if swept := l.sweep(t); swept != (iam.Swept{Skipped: 1}) {
		t.Errorf("swept %+v, want one that is not reminded of", swept)
	}
	reminders(2)
	l.pass(23 * time.Hour)
	if swept := l.sweep(t); swept != (iam.Swept{Expired: 1}) {
		t.Errorf("swept %+v, want one that ended", swept)
	}
	want := []string{
		"invite.create", "invite.remind", "invite.remind_later", "invite.remind_later", "invite.remind", "invite.remind_later",
		"invite.remind:grantor_lost", "invite.expire",
	}
	if got := l.actions(t, row); !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
}

// KF-4, KF-5: only whose verified address it is puts a reminder off, or who holds
// its link.
func TestWhoPutsAReminderOff(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	unproven := must(l.CreateUser(t.Context(), operator, iam.User{Email: "unproven@example.com"}))(t)
	other := l.invite(t, l.manager, unproven.Email).ID
	remind := func(by iam.Actor, row iam.ID) error {
		_, err := l.RemindLater(t.Context(), by, row, iam.Reminder{InDays: 1}, iam.IdempotencyKey{})
		return err
	}
	wantKind(t, remind(l.manager, row), iam.NotFound)
	wantKind(t, remind(iam.Actor{Kind: iam.ByUser, User: unproven}, other), iam.NotFound)
	wantKind(t, remind(operator, row), iam.Forbidden)
	wantKind(t, remind(iam.Actor{Kind: iam.ByUser, User: l.guest}, row), iam.Internal)
	wantKind(t, remind(iam.Actor{Kind: iam.ByUser, User: l.guest}, l.managerRow), iam.NotFound)
}

// A mail that came back is followed by no reminder, until the invitation is sent
// again: that may be to a mailbox that was made meanwhile.
func TestNoReminderAfterABounce(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	send := func(verdict iam.Verdict) {
		t.Helper()
		due := must(l.ClaimDelivery(t.Context(), time.Minute))(t)
		must(l.FinishDelivery(t.Context(), due.Delivery, verdict))(t)
	}
	awake := func(want iam.Swept) {
		t.Helper()
		l.pass(iam.DefaultLifetime - 48*time.Hour)
		if swept := l.sweep(t); swept != want {
			t.Errorf("swept %+v, want %+v", swept, want)
		}
	}
	send(iam.Verdict{State: iam.Bounced, Code: 550, Words: "no such user"})
	awake(iam.Swept{Skipped: 1})
	wantMessages(t, l.messages(t, iam.ReminderMessage))
	must(l.resend(t, l.manager, row))(t)
	send(iam.Verdict{State: iam.Sent})
	awake(iam.Swept{Reminded: 1})
	want := []string{"invite.create", "delivery.bounce", "invite.remind:mail_bounced", "invite.resend", "invite.remind"}
	if got := l.actions(t, row); !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
}
