package storetest

import (
	"fmt"
	"time"

	"hither/internal/iam"
)

// funnel counts what an account invited in the last hour.
func (f *fixture) funnel(accountID iam.ID, by iam.FunnelBy) iam.Funnel {
	f.Helper()
	now := f.clock.Now()
	got, err := f.store.Funnel(f.ctx(), iam.FunnelQuery{AccountID: accountID, Since: now.Add(-time.Hour), Until: now.Add(time.Second), By: by}, now)
	wantErr(f, "Funnel", err, nil)
	return got
}

var funnelTests = map[string]func(f *fixture){
	"InvitationsAreCountedByHowFarTheyCame": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u, v := f.user("u@example.com"), f.user("v@example.org")
		f.invite(a, "old@example.com")
		f.clock.advance(2 * time.Hour)
		accepted, declined := f.invite(a, u.Email), f.invite(a, v.Email)
		f.invite(a, "w@example.org", func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(5 * time.Minute) })
		f.end(f.invite(a, "x@example.org"), iam.Canceled)
		f.member(a, f.user("direct@example.org"))
		f.invite(b, u.Email)
		f.must(func(tx iam.Tx) error { return tx.MarkDelivered(accepted.ID, tx.Now()) })
		f.clock.advance(10 * time.Minute)
		f.answer(accepted, u, iam.Accepted)
		f.answer(declined, v, iam.Rejected)

		got := f.funnel(a.ID, iam.ByDomain)
		equal(f, "counts", got.FunnelCounts, iam.FunnelCounts{
			Created: 4, Delivered: 1, Accepted: 1, Declined: 1, Expired: 1, Withdrawn: 1, MedianAnswer: 10 * time.Minute,
		})
		equal(f, "groups", len(got.Groups), 2)
		equal(f, "the largest", got.Groups[0].Name, "example.org")
		equal(f, "its size", got.Groups[0].Created, 3)
		equal(f, "of another account", f.funnel(b.ID, "").Created, 1)
		equal(f, "of all", f.funnel("", "").Created, 5)
	},

	"HowFarAnInvitationCameIsNotedOnce": func(f *fixture) {
		a := f.account("A")
		m := f.pendingRow(a, "u@example.com")
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertMembership(m, iam.Link{Generation: 2, SentOn: tx.Now()}, entry) })
		counts := func() [2]int {
			got := f.funnel(a.ID, "")
			return [2]int{got.Delivered, got.Opened}
		}
		opened := func(generation int) {
			f.must(func(tx iam.Tx) error { _, err := tx.MarkOpened(m.ID, generation); return err })
		}
		delivered := func(on time.Time) { f.must(func(tx iam.Tx) error { return tx.MarkDelivered(m.ID, on) }) }
		before := f.invitation(m.ID)
		opened(1)
		equal(f, "by an older link", counts(), [2]int{0, 0})
		opened(2)
		delivered(f.clock.Now())
		equal(f, "by the newest", counts(), [2]int{1, 1})
		delivered(time.Time{})
		equal(f, "once its mail came back", counts(), [2]int{0, 1})
		equal(f, "the row, for who reads it", f.invitation(m.ID), before)
		other := f.end(f.invite(a, "v@example.com"), iam.Canceled)
		f.must(func(tx iam.Tx) error { _, err := tx.MarkOpened(other.ID, 0); return err })
		equal(f, "of one that has ended", counts(), [2]int{0, 1})
	},

	"RefusalsAreCountedByReason": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		refused := func(of iam.Account, action iam.Action, why string) {
			entry := f.entry(action, of.ID, f.id())
			entry.Denied = why
			f.must(func(tx iam.Tx) error { return tx.Record(entry) })
		}
		refused(a, iam.InviteAccept, "long_ago")
		f.clock.advance(2 * time.Hour)
		refused(a, iam.InviteAccept, "grantor_lost")
		refused(a, iam.InviteAccept, "grantor_lost")
		refused(a, iam.InviteCreate, "budget_spent")
		refused(a, iam.MemberRemove, "forbidden")
		refused(b, iam.InviteAccept, "mismatch")
		entry := f.entry(iam.InviteCreate, a.ID, f.id())
		f.must(func(tx iam.Tx) error { return tx.Record(entry) })
		equal(f, "of the account", f.funnel(a.ID, "").Refusals, []iam.Refusal{
			{Action: iam.InviteAccept, Reason: "grantor_lost", Count: 2}, {Action: iam.InviteCreate, Reason: "budget_spent", Count: 1},
		})
	},

	// Of an invitation that was never made the audit row says who and for which domain.
	"RefusalsAreToldApart": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		m, elsewhere := f.invite(a, "u@x.example"), f.invite(b, "u@z.example")
		refused := func(action iam.Action, target iam.ID, actor iam.ActorKind, after string) {
			entry := f.entry(action, a.ID, target)
			entry.Denied, entry.Actor, entry.ActorEmail, entry.After = "domain_refused", actor, "", after
			if actor == iam.ByUser {
				entry.ActorEmail = "bob@b.example"
			}
			f.must(func(tx iam.Tx) error { return tx.Record(entry) })
		}
		refused(iam.InviteAccept, m.ID, iam.ByUser, "")
		refused(iam.InviteCreate, "", iam.ByUser, `{"domain":"y.example","bulk_id":"1"}`)
		refused(iam.InviteCreate, "", iam.ByUser, `{"domain":"y.example","bulk_id":"2"}`)
		refused(iam.InviteCreate, "", iam.ByOperator, `{"domain":"x.example"}`)
		refused(iam.InviteCreate, "", iam.ByOperator, "")
		refused(iam.InviteAccept, elsewhere.ID, iam.ByUser, "")
		told := func(by iam.FunnelBy) []string {
			var list []string
			for _, group := range f.funnel(a.ID, by).Groups {
				list = append(list, fmt.Sprint(group.Name, " ", group.Created, " ", group.Refusals))
			}
			return list
		}
		equal(f, "by inviter", told(iam.ByInviter), []string{
			m.InvitedBy + " 1 [{invite.accept domain_refused 1}]",
			"bob@b.example 0 [{invite.create domain_refused 2}]", "operator 0 [{invite.create domain_refused 2}]",
		})
		equal(f, "by domain", told(iam.ByDomain), []string{
			"x.example 1 [{invite.accept domain_refused 1} {invite.create domain_refused 1}]",
			"y.example 0 [{invite.create domain_refused 2}]",
		})
		equal(f, "of all", f.funnel(a.ID, iam.ByDomain).Refusals, []iam.Refusal{
			{Action: iam.InviteAccept, Reason: "domain_refused", Count: 2}, {Action: iam.InviteCreate, Reason: "domain_refused", Count: 4},
		})
	},
}
