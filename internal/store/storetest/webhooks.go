package storetest

import (
	"errors"
	"slices"
	"time"

	"hither/internal/iam"
)

// webhook is one of the command line's that is on from now.
func (f *fixture) webhook(a iam.Account, edits ...func(*iam.Webhook)) iam.Webhook {
	f.Helper()
	w := iam.Webhook{
		ID: f.id(), AccountID: a.ID, Name: "hook", URL: "https://example.com/hooks", Secret: []byte("sealed"),
		Grantor: iam.Grantor{Kind: iam.ByCommandLine}, CreatedOn: f.clock.Now(),
	}
	for _, edit := range edits {
		edit(&w)
	}
	f.place()
	entry := f.entry(iam.WebhookCreate, a.ID, w.ID)
	f.must(func(tx iam.Tx) error {
		var err error
		w.After, err = tx.StartWebhook()
		return errors.Join(err, tx.InsertWebhook(w, entry))
	})
	return w
}

// place gives positions to all that was committed.
func (f *fixture) place() {
	f.Helper()
	f.must(func(tx iam.Tx) error { _, err := tx.PlaceEvents(1000); return err })
}

// news are what webhooks have yet to be told.
func (f *fixture) news(window, limit int) iam.WebhookNews {
	f.Helper()
	f.place()
	news, err := f.store.WebhookNews(f.ctx(), window, limit)
	wantErr(f, "WebhookNews", err, nil)
	return news
}

// fan makes deliveries of all that came since, and returns them.
func (f *fixture) fan() []iam.WebhookDelivery {
	f.Helper()
	news := f.news(1000, 1000)
	now := f.clock.Now()
	for i := range news.Deliveries {
		d := &news.Deliveries[i]
		d.ID, d.State, d.DueOn, d.CreatedOn, d.Since = f.id(), iam.WebhookPending, now, now, now
	}
	f.must(func(tx iam.Tx) error {
		return errors.Join(tx.MoveWebhooks(news.From, news.To), tx.QueueWebhooks(news.Deliveries))
	})
	return news.Deliveries
}

// lane is what is due for the webhook whose turn it is.
func (f *fixture) lane(healthy bool) (lane iam.WebhookLane, err error) {
	err = f.update(func(tx iam.Tx) error { lane, err = tx.DueWebhook(healthy); return err })
	return lane, err
}

// keepWebhook is what a turn led to.
func (f *fixture) keepWebhook(before, after iam.Webhook, deliveries []iam.WebhookDelivery, attempts ...iam.WebhookOutcome) error {
	return f.update(func(tx iam.Tx) error { return tx.KeepWebhook(before, after, deliveries, attempts) })
}

func eventsOf(list []iam.WebhookDelivery) []string {
	var ids []string
	for _, d := range list {
		ids = append(ids, d.EventID)
	}
	return ids
}

var webhookTests = map[string]func(f *fixture){
	"AWebhookIsKeptAsItIs": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u, token := f.user("u@example.com"), f.operatorToken()
		first := f.webhook(a)
		second := f.webhook(a, func(w *iam.Webhook) {
			w.Events, w.Grantor = "invite.* member.add", iam.Grantor{Kind: iam.ByUser, ID: u.ID}
		})
		f.webhook(b)
		got, err := f.store.Webhooks(f.ctx(), a.ID)
		wantErr(f, "Webhooks", err, nil)
		equal(f, "Webhooks", got, []iam.Webhook{first, second})
		_, err = f.store.Webhook(f.ctx(), b.ID, first.ID)
		wantErr(f, "Webhook, of another account", err, iam.ErrNoRow)

		changed := second
		changed.Name, changed.URL, changed.Events = "other", "https://example.org/", ""
		changed.Secret, changed.OldSecret, changed.OldUntil = []byte("new"), second.Secret, f.clock.Now().Add(time.Hour)
		changed.Grantor = iam.Grantor{Kind: iam.ByOperator, ID: token.ID}
		changed.Disabled, changed.DisabledOn, changed.After = iam.WebhookAsked, f.clock.Now(), 7
		entry := f.entry(iam.WebhookChange, a.ID, second.ID)
		f.must(func(tx iam.Tx) error { return tx.UpdateWebhook(second, changed, entry) })
		changed.Revision++
		one, err := f.store.Webhook(f.ctx(), a.ID, second.ID)
		wantErr(f, "Webhook", err, nil)
		equal(f, "Webhook, changed", one, changed)
		again := f.entry(iam.WebhookChange, a.ID, second.ID)
		wantErr(f, "UpdateWebhook, as before", f.update(func(tx iam.Tx) error { return tx.UpdateWebhook(second, second, again) }), iam.ErrStale)

		gone := f.entry(iam.WebhookDelete, a.ID, second.ID)
		f.must(func(tx iam.Tx) error { return tx.DeleteWebhook(changed, gone) })
		_, err = f.store.Webhook(f.ctx(), a.ID, second.ID)
		wantErr(f, "Webhook, deleted", err, iam.ErrNoRow)
		f.deleteAccount(a) // KF-86: with its webhooks
		got, err = f.store.Webhooks(f.ctx(), a.ID)
		wantErr(f, "Webhooks", err, nil)
		equal(f, "Webhooks of a deleted account", len(got), 0)
	},

	// Each event since a webhook is on becomes one delivery to it, in the order of the
	// stream, whatever limits there are; refusals and other accounts' events are none.
	"EventsBecomeDeliveriesOnce": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		f.record(f.entry(iam.AccountChange, a.ID, a.ID))
		all := f.webhook(a)
		some := f.webhook(a, func(w *iam.Webhook) { w.Events = "invite.*" })
		refused := f.entry(iam.InviteCreate, a.ID, f.id())
		refused.Denied = "forbidden"
		f.record(refused)
		f.record(f.entry(iam.InviteCreate, b.ID, f.id()))
		f.record(f.entry(iam.WebhookPing, a.ID, all.ID))
		row := f.pendingRow(a, "p@example.com")
		invited, edited := f.entry(iam.InviteCreate, a.ID, row.ID), f.entry(iam.InviteEdit, a.ID, row.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertMembership(row, iam.Link{}, invited) })
		f.must(func(tx iam.Tx) error { return tx.UpdateMembership(row, row, edited) })
		want := []string{invited.OperationID, edited.OperationID}

		news := f.news(1000, 2) // an event is taken whole or not
		equal(f, "More, with a small limit", news.More, true)
		news = f.news(2, 1000)
		equal(f, "More, with a small window", news.More, true)
		made := f.fan()
		for _, hook := range []iam.Webhook{all, some} {
			mine := slices.DeleteFunc(slices.Clone(made), func(d iam.WebhookDelivery) bool { return d.WebhookID != hook.ID || d.TargetID != row.ID })
			equal(f, "events for "+string(hook.Events), eventsOf(mine), want)
			equal(f, "their sequence", []int64{mine[0].Sequence, mine[1].Sequence}, []int64{1, 2})
		}
		equal(f, "deliveries to the one of some events", len(slices.DeleteFunc(slices.Clone(made), func(d iam.WebhookDelivery) bool { return d.WebhookID != some.ID })), 2)
		equal(f, "news, once more", len(f.news(1000, 1000).Deliveries), 0)
		wantErr(f, "MoveWebhooks, from where others went on", f.update(func(tx iam.Tx) error { return tx.MoveWebhooks(news.From, news.To) }), iam.ErrStale)
		f.clock.advance(time.Minute)
		f.record(f.entry(iam.MemberAdd, a.ID, f.id()))
		equal(f, "news, one later", len(f.news(1000, 1000).Deliveries), 1)
	},

	// What happened while none was on is nobody's.
	"AWebhookBeginsWhereItIsTurnedOn": func(f *fixture) {
		a := f.account("A")
		duty, err := f.store.WebhookDuty(f.ctx())
		wantErr(f, "WebhookDuty", err, nil)
		equal(f, "duty, without webhooks", duty, iam.WebhookDuty{})
		hook := f.webhook(a)
		f.fan()
		off := hook
		off.Disabled, off.DisabledOn = iam.WebhookAsked, f.clock.Now()
		entry, back := f.entry(iam.WebhookChange, a.ID, hook.ID), f.entry(iam.WebhookChange, a.ID, hook.ID)
		f.must(func(tx iam.Tx) error { return tx.UpdateWebhook(hook, off, entry) })
		off.Revision++
		f.record(f.entry(iam.MemberAdd, a.ID, f.id()))
		equal(f, "news, while it is off", len(f.news(1000, 1000).Deliveries), 0)
		on := off
		f.must(func(tx iam.Tx) error {
			on.Disabled, on.DisabledOn = "", time.Time{}
			var err error
			on.After, err = tx.StartWebhook()
			return errors.Join(err, tx.UpdateWebhook(off, on, back))
		})
		later := f.entry(iam.MemberAdd, a.ID, f.id())
		f.record(later)
		got := eventsOf(f.news(1000, 1000).Deliveries)
		equal(f, "news, once it is on", got[len(got)-1], later.OperationID)
		equal(f, "none from before", len(got), 2) // that it was turned on is the other
	},

	// A turn takes what is due, one webhook at a time; who comes late with what it
	// led to changes nothing.
	"ATurnIsTakenAndKeptOnce": func(f *fixture) {
		a := f.account("A")
		admin := f.user("admin@example.com")
		row := f.acceptedRow(a, admin)
		row.Roles = []iam.Role{f.admin()}
		wantErr(f, "insert", f.insert(row), nil)
		hook := f.webhook(a, func(w *iam.Webhook) { w.Events, w.Grantor = "member.*", iam.Grantor{Kind: iam.ByUser, ID: admin.ID} })
		_, err := f.lane(false)
		wantErr(f, "DueWebhook, without any", err, iam.ErrNoRow)
		event := f.entry(iam.MemberAdd, a.ID, f.id())
		event.After = `{"x":1}`
		f.record(event)
		made := f.fan()
		lane, err := f.lane(true)
		wantErr(f, "DueWebhook", err, nil)
		equal(f, "whose turn it is", lane.ID, hook.ID)
		equal(f, "its account", lane.Account, a)
		equal(f, "its grantor", lane.Grantor.Active && lane.Grantor.Membership != nil && lane.Grantor.Membership.ID == row.ID, true)
		equal(f, "what is due", len(lane.Due), 1)
		equal(f, "the delivery", lane.Due[0].WebhookDelivery, made[0])
		equal(f, "its event", [2]string{lane.Due[0].Event.OperationID, lane.Due[0].Event.After}, [2]string{event.OperationID, event.After})

		taken, sent := lane.Webhook, lane.Due[0].WebhookDelivery
		taken.Turn++
		taken.DueOn, taken.LeasedUntil = f.clock.Now().Add(time.Minute), f.clock.Now().Add(time.Minute)
		sent.Attempts, sent.DueOn = 1, taken.DueOn
		wantErr(f, "KeepWebhook, taken", f.keepWebhook(lane.Webhook, taken, []iam.WebhookDelivery{sent}), nil)
		_, err = f.lane(false)
		wantErr(f, "DueWebhook, in hand", err, iam.ErrNoRow)
		f.record(f.entry(iam.MemberRemove, a.ID, f.id()))
		f.fan()
		_, err = f.lane(false)
		wantErr(f, "DueWebhook, in hand, with more to send", err, iam.ErrNoRow)

		var held iam.Webhook
		f.must(func(tx iam.Tx) error { held, err = tx.HeldWebhook(hook.ID, taken.Turn); return err })
		equal(f, "held", held, taken)
		wantErr(f, "HeldWebhook, of the turn before", f.update(func(tx iam.Tx) error { _, err := tx.HeldWebhook(hook.ID, taken.Turn-1); return err }), iam.ErrStale)
		done, failed := held, sent
		done.Failures, done.FailingSince, done.LeasedUntil = 1, f.clock.Now(), time.Time{}
		done.DueOn = f.clock.Now().Add(5 * time.Second)
		failed.Code, failed.Words, failed.DueOn = 500, "no", f.clock.Now().Add(time.Hour)
		attempt := iam.WebhookOutcome{WebhookDelivery: failed, At: f.clock.Now(), Took: 1500 * time.Microsecond, Code: 500, Words: "no"}
		wantErr(f, "KeepWebhook, of the turn before", f.keepWebhook(lane.Webhook, done, nil), iam.ErrStale)
		wantErr(f, "KeepWebhook", f.keepWebhook(held, done, []iam.WebhookDelivery{failed}, attempt), nil)
		got, attempts, err := f.store.WebhookDelivery(f.ctx(), hook.ID, failed.ID, 10)
		wantErr(f, "WebhookDelivery", err, nil)
		equal(f, "the delivery, tried", got, failed)
		equal(f, "attempts", attempts, []iam.WebhookAttempt{{Number: 1, At: f.clock.Now(), Took: 1500 * time.Microsecond, Code: 500, Words: "no"}})
		duty, err := f.store.WebhookDuty(f.ctx())
		wantErr(f, "WebhookDuty", err, nil)
		equal(f, "when its turn comes: the other event is due, and it is held", duty, iam.WebhookDuty{On: true, Due: done.DueOn})

		f.clock.advance(6 * time.Second)
		_, err = f.lane(true)
		wantErr(f, "DueWebhook, of those that did not fail", err, iam.ErrNoRow)
		lane, err = f.lane(false)
		wantErr(f, "DueWebhook, that failed", err, nil)
		equal(f, "what is due then", lane.Due[0].Action, iam.MemberRemove)
		over := lane.Due[0].WebhookDelivery
		over.State, over.EndedOn, over.Attempts, over.DueOn = iam.WebhookDelivered, f.clock.Now(), 1, time.Time{}
		idle := lane.Webhook
		idle.Failures, idle.FailingSince, idle.DueOn = 0, time.Time{}, f.clock.Now()
		wantErr(f, "KeepWebhook, with one left", f.keepWebhook(lane.Webhook, idle, []iam.WebhookDelivery{over}), nil)
		duty, err = f.store.WebhookDuty(f.ctx())
		wantErr(f, "WebhookDuty", err, nil)
		equal(f, "when the one that is left comes", duty.Due, failed.DueOn)

		again := over
		again.State, again.DueOn, again.Earlier, again.Since, again.EndedOn = iam.WebhookPending, f.clock.Now(), 1, f.clock.Now(), time.Time{}
		f.must(func(tx iam.Tx) error { return tx.ReplayWebhook(over, again) })
		wantErr(f, "ReplayWebhook, twice", f.update(func(tx iam.Tx) error { return tx.ReplayWebhook(over, again) }), iam.ErrStale)
		lane, err = f.lane(true)
		wantErr(f, "DueWebhook, replayed", err, nil)
		equal(f, "what is due then", lane.Due[0].WebhookDelivery, again)
		backlog, err := f.store.WebhookBacklog(f.ctx())
		wantErr(f, "WebhookBacklog", err, nil)
		equal(f, "backlog", backlog, iam.WebhookBacklog{On: 1, Waiting: 2, DueSince: f.clock.Now()})
	},

	"DeliveriesAreListedAndDropped": func(f *fixture) {
		a := f.account("A")
		hook := f.webhook(a, func(w *iam.Webhook) { w.Events = "member.*" })
		for range 3 {
			f.record(f.entry(iam.MemberAdd, a.ID, f.id()))
			f.fan()
			f.clock.advance(time.Hour)
		}
		list := func(query iam.WebhookQuery) []iam.WebhookDelivery {
			query.WebhookID = hook.ID
			got, err := f.store.WebhookDeliveries(f.ctx(), query)
			wantErr(f, "WebhookDeliveries", err, nil)
			return got
		}
		all := list(iam.WebhookQuery{Limit: 10})
		equal(f, "all", len(all), 3)
		equal(f, "newest first", all[0].CreatedOn.After(all[2].CreatedOn), true)
		equal(f, "behind the first", list(iam.WebhookQuery{After: all[0].ID, Limit: 1}), all[1:2])
		equal(f, "of a state", len(list(iam.WebhookQuery{State: iam.WebhookDelivered, Limit: 10})), 0)
		var message iam.WebhookMessage
		f.must(func(tx iam.Tx) (err error) { message, err = tx.WebhookMessage(a.ID, hook.ID, all[1].ID); return err })
		equal(f, "with its event", message.Event.OperationID, all[1].EventID)
		before := f.clock.Now().Add(-90 * time.Minute)
		f.must(func(tx iam.Tx) error {
			n, err := tx.DropAudit(a.ID, before, 100)
			equal(f, "dropped events", n > 0, true)
			return err
		})
		f.must(func(tx iam.Tx) (err error) { message, err = tx.WebhookMessage(a.ID, hook.ID, all[2].ID); return err })
		equal(f, "whose event is gone", message.Event.OperationID, "")
		n := 0
		f.must(func(tx iam.Tx) (err error) { n, err = tx.DropWebhookDeliveries(before, 100); return err })
		equal(f, "dropped", n, 2)
		equal(f, "what is left", list(iam.WebhookQuery{Limit: 10}), all[:1])
	},
}
