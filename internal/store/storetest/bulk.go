package storetest

import (
	"fmt"
	"strings"
	"time"

	"hither/internal/iam"
)

// bulkTests are of lists of people to invite.
var bulkTests = map[string]func(f *fixture){
	// Every row has its outcome, the address its invitation, and that its audit row,
	// once; the books agree with the rows.
	"EachRowOfABulkHasOneOutcome": func(f *fixture) {
		b := f.bulkFixture()
		f.member(b.account, f.user("member@example.com"))
		f.member(b.account, f.user("moved@example.com"), func(m *iam.Membership) { m.Email = "before@example.com" })
		standing := f.invite(b.account, "asked@example.com")
		f.invite(b.account, "other-roles@example.com", withRoles(f.admin()))
		f.invite(b.account, "due@example.com", func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Second) })
		f.clock.advance(time.Second)
		rows := b.rows(60)
		for i, email := range []string{"member@example.com", "moved@example.com", "asked@example.com", "other-roles@example.com", "due@example.com"} {
			rows[10+i].Email = email
		}
		rows[20].Email = rows[19].Email
		rows[21].Roles = []string{"minimal account access, Administrator"}
		rows[22].Roles = []string{"Nobody"}
		rows[23].ExpiresOn = f.clock.Now().Add(time.Minute)
		rows[24].Roles = nil
		ends := f.clock.Now().Add(40 * 24 * time.Hour)
		rows[25].EndsOn = ends
		rows[26].EndsOn = f.clock.Now().Add(time.Minute)
		rows[27].EndsOn, rows[27].ExpiresOn = ends, ends.Add(time.Second)
		bulk := b.start(rows)
		equal(f, "as it was taken on", bulk.Counts, iam.BulkCounts{iam.BulkWaiting: 58, iam.BulkRefused: 2})
		done := b.finish(bulk.ID)
		equal(f, "counts", done.Counts, iam.BulkCounts{
			iam.BulkInvited: 50, iam.BulkAlreadyInvited: 1, iam.BulkAlreadyMember: 2, iam.BulkRefused: 7, iam.BulkWaiting: 0,
		})
		equal(f, "state", done.State, iam.BulkFinished)
		results := b.results(bulk.ID)
		for i, want := range map[int][2]string{
			0: {"invited", ""}, 10: {"already_member", ""}, 11: {"already_member", ""}, 12: {"already_invited", ""}, 13: {"refused", ""},
			14: {"invited", ""}, 19: {"invited", ""}, 20: {"refused", "/email"}, 21: {"invited", ""}, 22: {"refused", "/roles/0"},
			23: {"refused", "/expires_on"}, 24: {"refused", "/roles"}, 25: {"invited", ""}, 26: {"refused", "/membership_expires_on"},
			27: {"refused", "/expires_on"}, 59: {"invited", ""},
		} {
			equal(f, fmt.Sprint("row ", i), [2]string{string(results[i].Outcome), results[i].Field}, want)
		}
		equal(f, "the invitation that stands", results[12].InviteID, standing.ID)
		equal(f, "roles by name", len(f.invitation(results[21].InviteID).Roles), 2)
		equal(f, "whose it is", f.invitation(results[0].InviteID).InvitedBy, b.inviter.Email)
		equal(f, "when its membership ends", f.invitation(results[25].InviteID).EndsOn, ends)
		created := map[iam.ID]int{}
		for _, entry := range f.audit(b.account.ID) {
			if entry.Action == iam.InviteCreate && strings.Contains(entry.After, `"bulk_id":"`+string(bulk.ID)+`"`) {
				created[entry.TargetID]++
			}
		}
		for _, row := range results {
			if row.Outcome == iam.BulkInvited && created[row.InviteID] != 1 {
				f.Errorf("row %d: %d audit rows of its invitation, want 1", row.Number, created[row.InviteID])
			}
		}
		equal(f, "audit rows", len(created), 50)
		equal(f, "pending", f.members(b.account, iam.MemberQuery{Status: iam.Pending}).Total, 50+2)
		filtered, err := f.store.BulkRows(f.ctx(), bulk.ID, iam.BulkQuery{After: 13, Limit: 2, Outcome: iam.BulkRefused})
		wantErr(f, "BulkRows", err, nil)
		equal(f, "refused ones after row 13", []int{filtered[0].Number, filtered[1].Number}, []int{14, 21})
	},

	// What a preview says is what then happens, and it leaves nothing behind.
	"APreviewOfABulkIsWhatHappens": func(f *fixture) {
		b := f.bulkFixture()
		f.member(b.account, f.user("member@example.com"))
		f.invite(b.account, "asked@example.com")
		a := b.account
		a.MemberLimit = 10
		f.must(func(tx iam.Tx) error { return tx.UpdateAccount(a, b.limited) })
		rows := b.rows(12)
		rows[2].Email, rows[3].Email, rows[5].Email = "member@example.com", "asked@example.com", rows[4].Email
		before := len(f.audit(b.account.ID))
		preview, err := f.service().PreviewBulk(f.ctx(), byUser(b.inviter), b.account.ID, rows)
		wantErr(f, "PreviewBulk", err, nil)
		equal(f, "audit rows after it", len(f.audit(b.account.ID)), before)
		equal(f, "counts", preview.Counts, iam.BulkCounts{
			iam.BulkWouldInvite: 7, iam.BulkAlreadyInvited: 1, iam.BulkAlreadyMember: 1, iam.BulkRefused: 3,
		})
		id := b.start(rows).ID
		b.finish(id)
		for i, row := range b.results(id) {
			said := preview.Rows[i]
			if said.Outcome == iam.BulkWouldInvite {
				said.Outcome = iam.BulkInvited
			}
			equal(f, fmt.Sprint("row ", row.Number), []string{string(row.Outcome), row.Message, row.Field}, []string{string(said.Outcome), said.Message, said.Field})
		}
		equal(f, "seats", f.members(b.account, iam.MemberQuery{}).Total, 10)
	},

	"RacingWorkersDoEachRowOnce": func(f *fixture) {
		b := f.bulkFixture()
		ids := []iam.ID{b.start(b.rows(130)).ID, b.start(b.rows(130)).ID}
		total := make([]int, 4)
		for _, err := range parallel(len(total), func(i int) error {
			for {
				running := 0
				for _, id := range ids {
					progress, err := f.service().WorkBulk(f.ctx(), iam.BulkStep{ID: id, Worker: "same", Limit: iam.BulkBatch})
					if err != nil {
						return err
					}
					total[i] += progress.Rows
					if progress.Bulk.State == iam.BulkRunning {
						running++
					}
				}
				if running == 0 {
					return nil
				}
			}
		}) {
			wantErr(f, "WorkBulk", err, nil)
		}
		equal(f, "rows by all together", total[0]+total[1]+total[2]+total[3], 260)
		equal(f, "pending", f.members(b.account, iam.MemberQuery{Status: iam.Pending}).Total, 130)
		invited, again := 0, 0
		for _, id := range ids {
			for _, row := range b.results(id) {
				switch row.Outcome {
				case iam.BulkInvited:
					invited++
				case iam.BulkAlreadyInvited:
					again++
				default:
					f.Errorf("row %d is %s", row.Number, row.Outcome)
				}
			}
		}
		equal(f, "invited, and found invited", [2]int{invited, again}, [2]int{130, 130})
	},

	// One worker keeps a bulk for a while after each batch; when it is gone another
	// goes on where it was.
	"ALeaseOfABulkRunsOut": func(f *fixture) {
		b := f.bulkFixture()
		id := b.start(b.rows(60)).ID
		running := func(worker string) int {
			ids, err := f.service().RunningBulks(f.ctx(), worker, 10)
			wantErr(f, "RunningBulks", err, nil)
			return len(ids)
		}
		equal(f, "by the first", b.work(id, "first").Rows, iam.BulkBatch)
		equal(f, "whose it is", [2]int{running("first"), running("second")}, [2]int{1, 0})
		equal(f, "by another meanwhile", b.work(id, "second").Rows, 0)
		f.clock.advance(iam.BulkLease)
		equal(f, "for another later", running("second"), 1)
		equal(f, "by another later", b.work(id, "second").Rows, iam.BulkBatch)
		equal(f, "by the first, late", b.work(id, "first").Rows, 0)
		equal(f, "the rest", b.work(id, "second").Bulk.State, iam.BulkFinished)
		equal(f, "for anybody then", [2]int{running("first"), running("second")}, [2]int{0, 0})
	},

	// Rights are those of the moment: what is lost in the middle refuses the rest.
	"ABulkEndsWithTheRightsOfWhoAsked": func(f *fixture) {
		for name, test := range map[string]struct {
			lose func(b *bulkFixture)
			kind iam.Kind
		}{
			"the role": {func(b *bulkFixture) {
				f.mustChange(b.own, func(m *iam.Membership) { m.Roles = []iam.Role{f.reader()} })
			}, iam.Forbidden},
			"the membership": {func(b *bulkFixture) { f.end(b.own, iam.Removed) }, iam.AccountNotFound},
			"the user": {func(b *bulkFixture) {
				f.changeUser(b.inviter, func(u *iam.User) { u.Suspended = true })
			}, iam.Forbidden},
			"the key": {func(b *bulkFixture) {
				entry := f.entry(iam.KeyDisable, "", b.key.ID)
				f.must(func(tx iam.Tx) error { return tx.DisableKey(b.key.ID, entry) })
			}, iam.Forbidden},
			"the account": {func(b *bulkFixture) { f.deleteAccount(b.account) }, iam.AccountNotFound},
			"its activity": {func(b *bulkFixture) {
				a, entry := b.account, f.entry(iam.AccountChange, b.account.ID, b.account.ID)
				a.Suspended = true
				f.must(func(tx iam.Tx) error { return tx.UpdateAccount(a, entry) })
			}, iam.AccountSuspended},
		} {
			b := f.bulkFixture()
			id := b.start(b.rows(60)).ID
			equal(f, name+": before", b.work(id, "w").Rows, iam.BulkBatch)
			test.lose(b)
			progress := b.work(id, "w")
			equal(f, name+": counts", progress.Bulk.Counts, iam.BulkCounts{iam.BulkInvited: 25, iam.BulkRefused: 35, iam.BulkWaiting: 0})
			equal(f, name+": state", progress.Bulk.State, iam.BulkFinished)
			last := b.results(id)[59]
			equal(f, name+": why", last.Reason, test.kind)
			if last.Message == "" || last.InviteID != "" {
				f.Errorf("%s: %+v, want a reason and no invitation", name, last)
			}
		}
	},

	"ACanceledBulkLeavesOutWhatWaits": func(f *fixture) {
		b := f.bulkFixture()
		id := b.start(b.rows(60)).ID
		b.work(id, "w")
		canceled, err := f.service().CancelBulk(f.ctx(), byUser(b.inviter), b.account.ID, id)
		wantErr(f, "CancelBulk", err, nil)
		equal(f, "counts", canceled.Counts, iam.BulkCounts{iam.BulkInvited: 25, iam.BulkNotSent: 35, iam.BulkWaiting: 0})
		equal(f, "after it", b.work(id, "w"), iam.BulkProgress{Bulk: b.read(id)})
		again, err := f.service().CancelBulk(f.ctx(), byUser(b.inviter), b.account.ID, id)
		wantErr(f, "CancelBulk again", err, nil)
		equal(f, "again", again, b.read(id))
		equal(f, "audit rows", b.ends(id), []iam.Action{iam.BulkCancel})
		equal(f, "pending", f.members(b.account, iam.MemberQuery{Status: iam.Pending}).Total, 25)
		equal(f, "kind of a bulk elsewhere", iam.KindOf(func() error {
			_, err := f.service().CancelBulk(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, f.account("B").ID, id)
			return err
		}()), iam.NotFound)
	},

	// Whoever comes first, a worker or who cancels: a row is invited or left out, and
	// the books say the same as the rows.
	"CancelingRacesWithWorkers": func(f *fixture) {
		b := f.bulkFixture()
		id := b.start(b.rows(130)).ID
		for _, err := range parallel(4, func(i int) error {
			for {
				progress, err := f.service().WorkBulk(f.ctx(), iam.BulkStep{ID: id, Worker: "w", Limit: iam.BulkBatch})
				if err == nil && i == 0 {
					_, err = f.service().CancelBulk(f.ctx(), byUser(b.inviter), b.account.ID, id)
				}
				if err != nil || progress.Bulk.State != iam.BulkRunning {
					return err
				}
			}
		}) {
			wantErr(f, "canceling and working", err, nil)
		}
		done, rows := b.read(id), iam.BulkCounts{}
		for _, row := range b.results(id) {
			rows[row.Outcome]++
		}
		equal(f, "counts", done.Counts, rows)
		equal(f, "all rows", rows[iam.BulkInvited]+rows[iam.BulkNotSent], 130)
		equal(f, "pending", f.members(b.account, iam.MemberQuery{Status: iam.Pending}).Total, rows[iam.BulkInvited])
		ends := map[iam.BulkState][]iam.Action{iam.BulkCanceled: {iam.BulkCancel}, iam.BulkFinished: {iam.BulkFinish}}
		equal(f, "audit rows of the end", b.ends(id), ends[done.State])
	},

	"BulksAreBoundedAndListed": func(f *fixture) {
		b := f.bulkFixture()
		var ids []iam.ID
		for range iam.MaxRunningBulks {
			f.clock.advance(time.Second)
			ids = append([]iam.ID{b.start(b.rows(1)).ID}, ids...)
		}
		_, err := f.service().StartBulk(f.ctx(), byUser(b.inviter), b.account.ID, b.rows(1), iam.IdempotencyKey{})
		equal(f, "one more", iam.KindOf(err), iam.Invalid)
		for _, n := range []int{0, iam.MaxBulkRows + 1} {
			_, err = f.service().StartBulk(f.ctx(), byUser(b.inviter), b.account.ID, b.rows(n), iam.IdempotencyKey{})
			equal(f, fmt.Sprint(n, " rows"), iam.KindOf(err), iam.Invalid)
		}
		listed := pagesOf(f, 4, func(page iam.PageRequest) (iam.Page[iam.Bulk], error) {
			return f.store.Bulks(f.ctx(), b.account.ID, page)
		})
		equal(f, "all of them", idsOf(listed, func(b iam.Bulk) iam.ID { return b.ID }), ids)
		equal(f, "who asked", listed[0].By, b.inviter.Email)
	},

	// Dropped are rows of what ended long ago, some at a time, and nothing else.
	"EndedBulksAreDroppedInTime": func(f *fixture) {
		b := f.bulkFixture()
		old, running := b.start(b.rows(620)).ID, b.start(b.rows(30)).ID
		b.finish(old)
		trim := func() iam.Trimmed {
			trimmed, err := f.service().Trim(f.ctx(), iam.Retention{Bulk: 24 * time.Hour})
			wantErr(f, "Trim", err, nil)
			return trimmed
		}
		f.clock.advance(24 * time.Hour)
		equal(f, "kept to the microsecond", trim(), iam.Trimmed{})
		f.clock.advance(time.Microsecond)
		equal(f, "some", trim(), iam.Trimmed{Bulk: 500, More: true})
		equal(f, "while it is dropped", b.read(old).ID, old)
		equal(f, "the rest", trim(), iam.Trimmed{Bulk: 121, More: true})
		equal(f, "nothing more", trim(), iam.Trimmed{})
		_, err := f.store.Bulk(f.ctx(), b.account.ID, old)
		wantErr(f, "Bulk", err, iam.ErrNoRow)
		equal(f, "what runs", len(b.results(running)), 30)
		equal(f, "invitations", f.members(b.account, iam.MemberQuery{Status: iam.Pending}).Total, 620)
	},

	// An erased person is in no row, is invited by none that waited, and the others go
	// on.
	"ErasureReachesRowsOfBulks": func(f *fixture) {
		b := f.bulkFixture()
		rows := b.rows(60)
		rows[3].Email, rows[50].Email = "ada@example.com", "ada@example.com"
		first, second := b.start(rows[:25]).ID, b.start(rows[25:]).ID
		b.finish(first)
		b.work(second, "w")
		u := f.user("ada@example.com")
		f.erase(u, false)
		b.finish(second)
		for name, row := range map[string]iam.BulkRow{"before": b.results(first)[3], "waiting": b.results(second)[25]} {
			equal(f, name, row.Email, "erased-"+string(u.ID)+"@erased.invalid")
		}
		equal(f, "what waited", b.results(second)[25].Outcome, iam.BulkRefused)
		equal(f, "counts", b.read(second).Counts, iam.BulkCounts{iam.BulkInvited: 34, iam.BulkRefused: 1})
		f.erase(b.inviter, true)
		equal(f, "who asked", b.read(second).By, "erased-"+string(b.inviter.ID)+"@erased.invalid")
		equal(f, "from where", b.read(second).Actor.RemoteAddr, "")
	},

	// What a key led to is found again however often it is asked for.
	"ABulkIsTakenOnOnceForAKey": func(f *fixture) {
		b := f.bulkFixture()
		key := iam.IdempotencyKey{Value: "k", Operation: "POST /", Request: [32]byte{1}}
		started := make([]iam.Replayable[iam.Bulk], 6)
		for i, err := range parallel(len(started), func(i int) (err error) {
			started[i], err = f.service().StartBulk(f.ctx(), byUser(b.inviter), b.account.ID, b.rows(200), key)
			return err
		}) {
			wantErr(f, fmt.Sprint("StartBulk ", i), err, nil)
			equal(f, "the bulk", started[i].Result.ID, started[0].Result.ID)
		}
		page, err := f.store.Bulks(f.ctx(), b.account.ID, iam.PageRequest{Number: 1, Size: 50})
		wantErr(f, "Bulks", err, nil)
		equal(f, "bulks", page.Total, 1)
		equal(f, "its rows", len(b.results(started[0].Result.ID)), 200)
	},
}
