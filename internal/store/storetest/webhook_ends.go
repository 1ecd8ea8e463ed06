package storetest

import (
	"time"

	"hither/internal/iam"
)

var webhookEndTests = map[string]func(f *fixture){
	// KF-86, KF-87: what waits for a webhook ends with it, and with its account: it is
	// due no more, whatever comes, and who has it in hand keeps nothing of it.
	"NothingIsDueOfWhatIsDeleted": func(f *fixture) {
		for name, end := range map[string]func(iam.Account, iam.Webhook){
			"a webhook": func(a iam.Account, w iam.Webhook) {
				entry := f.entry(iam.WebhookDelete, a.ID, w.ID)
				f.must(func(tx iam.Tx) error { return tx.DeleteWebhook(w, entry) })
			},
			"an account": func(a iam.Account, _ iam.Webhook) { f.deleteAccount(a) },
		} {
			a := f.account(name)
			hook := f.webhook(a, func(w *iam.Webhook) { w.Events = "member.*" })
			f.record(f.entry(iam.MemberAdd, a.ID, f.id()))
			made := f.fan()
			lane, err := f.lane(false)
			wantErr(f, name+": DueWebhook", err, nil)
			taken := lane.Webhook
			taken.Turn++
			taken.DueOn, taken.LeasedUntil = f.clock.Now().Add(time.Minute), f.clock.Now().Add(time.Minute)
			wantErr(f, name+": KeepWebhook, taken", f.keepWebhook(lane.Webhook, taken, nil), nil)
			end(a, hook)
			f.clock.advance(time.Hour)
			later := made[0]
			later.ID, later.DueOn = f.id(), f.clock.Now()
			f.must(func(tx iam.Tx) error { return tx.QueueWebhooks([]iam.WebhookDelivery{later}) })
			_, err = f.lane(false)
			wantErr(f, name+" deleted: DueWebhook", err, iam.ErrNoRow)
			_, err = f.store.Webhook(f.ctx(), a.ID, hook.ID)
			wantErr(f, name+" deleted: Webhook", err, iam.ErrNoRow)
			err = f.update(func(tx iam.Tx) error { _, err := tx.HeldWebhook(hook.ID, taken.Turn); return err })
			wantErr(f, name+" deleted: HeldWebhook", err, iam.ErrStale)
			wantErr(f, name+" deleted: KeepWebhook", f.keepWebhook(taken, taken, made), iam.ErrStale)
			backlog, err := f.store.WebhookBacklog(f.ctx())
			wantErr(f, name+" deleted: WebhookBacklog", err, nil)
			equal(f, name+" deleted: backlog", backlog, iam.WebhookBacklog{})
			f.record(f.entry(iam.MemberAdd, a.ID, f.id()))
			equal(f, name+" deleted: news", len(f.news(1000, 1000).Deliveries), 0)
			f.fan()
		}
	},

	// Who may manage an account's webhooks is found by all roles together, and what a
	// message says of a webhook is what holds when it leaves.
	"WhoHearsOfAWebhook": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		need := iam.Permissions{"x": iam.Write, "y": iam.Read}
		x := f.role(iam.Role{AccountID: a.ID, Permissions: iam.Permissions{"x": iam.Read | iam.Write}}, "o")
		y := f.role(iam.Role{Permissions: iam.Permissions{"y": iam.Read}}, "o")
		var want []iam.Membership
		add := func(in iam.Account, counts bool, edit func(*iam.Membership), roles ...iam.Role) iam.Membership {
			m := f.acceptedRow(in, f.user(string(f.id())+"@example.com"), withRoles(roles...), edit)
			wantErr(f, "insert", f.insert(m), nil)
			if counts {
				want = append(want, m)
			}
			return m
		}
		as := func(*iam.Membership) {}
		add(a, false, as, x)
		add(a, false, as, y)
		both := add(a, true, as, x, y)
		super := add(a, true, as, f.super())
		add(a, false, func(m *iam.Membership) { m.EndsOn = f.clock.Now() }, x, y)
		add(a, true, func(m *iam.Membership) { m.EndsOn = f.clock.Now().Add(time.Microsecond) }, y, x)
		add(b, false, as, f.super())
		gone := add(a, false, as, x, y)
		f.end(gone, iam.Removed)
		f.changeUser(iam.User{ID: add(a, false, as, x, y).UserID, Email: "away@example.com"}, func(u *iam.User) { u.Suspended = true })
		wantErr(f, "insert", f.insert(f.pendingRow(a, "asked@example.com", withRoles(f.super()))), nil)
		found := func(limit int) []iam.ID {
			var ids []iam.ID
			f.must(func(tx iam.Tx) error {
				members, err := tx.MembersWith(a.ID, need, limit)
				ids = nil
				for _, m := range members {
					ids = append(ids, m.ID)
				}
				return err
			})
			return ids
		}
		equal(f, "MembersWith", found(100), []iam.ID{want[0].ID, want[1].ID, want[2].ID})
		equal(f, "MembersWith, two at most", found(2), []iam.ID{both.ID, super.ID})
		need = iam.Permissions{"of no role": iam.Read}
		equal(f, "MembersWith an area that no role names", found(100), []iam.ID{super.ID})

		hook := f.webhook(a)
		message := f.queue(iam.Delivery{
			ID: "off", Kind: iam.WebhookOffMessage, AccountID: a.ID, UserID: both.UserID, Recipient: both.Email, Detail: string(hook.ID),
			State: iam.Queued, DueOn: f.clock.Now(), CreatedOn: f.clock.Now(),
		})
		due, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "the message", due.Delivery, message)
		bare := hook
		bare.Secret = nil
		equal(f, "its webhook", due.Webhook, bare)
		equal(f, "its reader's roles", len(due.Roles), 2)
		f.end(both, iam.Removed)
		due, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "the roles of who was removed", len(due.Roles), 0)
		entry := f.entry(iam.WebhookDelete, a.ID, hook.ID)
		f.must(func(tx iam.Tx) error { return tx.DeleteWebhook(hook, entry) })
		due, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "a webhook that is deleted", due.Webhook.ID, iam.ID(""))
	},
}
