package storetest

import (
	"fmt"
	"slices"
	"time"

	"hither/internal/iam"
)

// log reads a page of a log; a limit of 0 is 100.
func (f *fixture) log(query iam.AuditQuery) []iam.AuditEntry {
	f.Helper()
	if query.Limit == 0 {
		query.Limit = 100
	}
	entries, err := f.store.AuditLog(f.ctx(), query)
	if err != nil {
		f.Fatalf("AuditLog(%+v): %v", query, err)
	}
	return entries
}

// record writes one row.
func (f *fixture) record(entry iam.AuditEntry) {
	f.Helper()
	f.must(func(tx iam.Tx) error { return tx.Record(entry) })
}

func operationOf(e iam.AuditEntry) string { return e.OperationID }

func operationsOf(entries []iam.AuditEntry) []string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, operationOf(e))
	}
	return ids
}

var auditLogTests = map[string]func(f *fixture){
	// Pages by number and by place cut the same list, in both directions, also where
	// rows have the same time; the time bounds it at one end and not at the other.
	"AuditLogIsByTime": func(f *fixture) {
		a, b := f.id(), f.id()
		var all []string
		var times []time.Time
		for i := range 12 {
			entry := f.entry(iam.Import, a, f.id())
			f.record(entry)
			f.record(f.entry(iam.Import, b, f.id()))
			all, times = append(all, entry.OperationID), append(times, f.clock.Now())
			if i%3 == 2 {
				f.clock.advance(time.Minute)
			}
		}
		// The clock may be set back, and the log is still by time.
		f.clock.set(times[0].Add(-time.Hour))
		first := f.entry(iam.Import, a, f.id())
		f.record(first)
		all, times = append([]string{first.OperationID}, all...), append([]time.Time{f.clock.Now()}, times...)
		for _, descending := range []bool{false, true} {
			want := slices.Clone(all)
			if descending {
				slices.Reverse(want)
			}
			var byNumber, byPlace []string
			var last iam.AuditPlace
			for skip := 0; skip < len(want); skip += 5 {
				page := iam.AuditQuery{AccountID: a, Descending: descending, Skip: skip, Limit: 5}
				byNumber = append(byNumber, operationsOf(f.log(page))...)
				page.Skip, page.After = 0, last
				rows := f.log(page)
				byPlace = append(byPlace, operationsOf(rows)...)
				last = rows[len(rows)-1].Place()
			}
			equal(f, fmt.Sprintf("by number, descending %t", descending), byNumber, want)
			equal(f, fmt.Sprintf("by place, descending %t", descending), byPlace, want)
		}
		equal(f, "since and before", operationsOf(f.log(iam.AuditQuery{AccountID: a, Since: times[4], Before: times[8]})), all[4:7])
		equal(f, "past the end", len(f.log(iam.AuditQuery{AccountID: a, Skip: 99})), 0)
		equal(f, "of another account", len(f.log(iam.AuditQuery{AccountID: f.id()})), 0)
	},

	// A user's log has what it did and what was done to what is its own, each row
	// once; of whoever else did it only the kind.
	"AuditLogOfAUser": func(f *fixture) {
		a := f.account("A")
		u, admin := f.user("u@example.com"), f.user("admin@example.com")
		made := f.log(iam.AuditQuery{UserID: u.ID})
		equal(f, "what made it", len(made), 1)
		by := func(who iam.User, action iam.Action, target iam.ID) iam.AuditEntry {
			actor := iam.Actor{Kind: iam.ByUser, User: who, CredentialID: f.id(), Means: iam.MeansKey, RemoteAddr: "192.0.2.7", RequestID: "r"}
			return actor.Entry(f.ids.New(), action, a.ID, target)
		}
		joined := f.acceptedRow(a, u)
		add, edit, own := by(admin, iam.MemberAdd, joined.ID), by(admin, iam.MemberEdit, joined.ID), by(u, iam.UserEdit, u.ID)
		elsewhere := by(admin, iam.MemberEdit, f.id())
		f.must(func(tx iam.Tx) error { return tx.InsertMembership(joined, iam.Link{}, add) })
		f.clock.advance(time.Second)
		changed := joined
		changed.Roles = []iam.Role{f.admin()}
		f.must(func(tx iam.Tx) error { return tx.UpdateMembership(joined, changed, edit) })
		f.clock.advance(time.Second)
		f.must(func(tx iam.Tx) error { return tx.UpdateUser(u, own) })
		f.record(elsewhere)
		got := f.log(iam.AuditQuery{UserID: u.ID, Skip: 1})
		equal(f, "log", operationsOf(got), []string{add.OperationID, edit.OperationID, own.OperationID})
		for _, e := range got[:2] {
			if e.Actor != iam.ByUser || e.ActorID != "" || e.ActorEmail != "" || e.RemoteAddr != "" || e.Credential != "" || e.RequestID != "" || e.Means != "" {
				f.Errorf("what somebody else did tells who: %+v", e)
			}
		}
		equal(f, "what it did itself", [3]string{got[2].ActorEmail, got[2].RemoteAddr, string(got[2].Credential)}, [3]string{u.Email, "192.0.2.7", string(own.Credential)})
		f.clock.advance(time.Second)
		for i := range 3 { // what others do to it and what it does, in turn
			f.record(by(u, iam.UserEdit, f.id()))
			f.clock.advance(time.Second)
			suspended := u
			suspended.TwoFactor = i%2 == 0
			entry := by(admin, iam.UserEdit, u.ID)
			f.must(func(tx iam.Tx) error { return tx.UpdateUser(suspended, entry) })
			f.clock.advance(time.Second)
		}
		whole := f.log(iam.AuditQuery{UserID: u.ID, Descending: true})
		equal(f, "rows", len(whole), 10)
		var pages []string
		for skip := 0; skip < 10; skip += 3 {
			pages = append(pages, operationsOf(f.log(iam.AuditQuery{UserID: u.ID, Descending: true, Skip: skip, Limit: 3}))...)
		}
		equal(f, "in pages", pages, operationsOf(whole))
		equal(f, "an admin's address finds nothing", len(f.log(iam.AuditQuery{UserID: u.ID, Terms: []iam.AuditTerm{
			{Field: iam.AuditActorEmail, Values: []string{admin.Email}},
		}})), 0)
		deleted := f.entry(iam.AccountDelete, a.ID, a.ID)
		f.must(func(tx iam.Tx) error { return tx.DeleteAccount(a.ID, deleted) })
		last := f.log(iam.AuditQuery{UserID: u.ID, Descending: true, Limit: 1})[0]
		equal(f, "the end of its membership", [2]string{string(last.Action), string(last.TargetID)}, [2]string{string(iam.MemberRemove), string(joined.ID)})
	},

	// Who is no member is shown to an account by its address at most, and is found by
	// nothing that is not shown.
	"AuditLogHidesStrangers": func(f *fixture) {
		a := f.id()
		stranger := iam.User{ID: f.id(), Email: "s@example.com"}
		actor := iam.Actor{Kind: iam.ByUser, User: stranger, CredentialID: f.id(), Means: iam.MeansKey, RemoteAddr: "198.51.100.4", RequestID: "r"}
		rejects := actor.Entry(f.ids.New(), iam.InviteReject, a, f.id())
		tries := actor.Entry(f.ids.New(), iam.MemberRemove, a, f.id())
		tries.Denied = "account_not_found"
		works := actor.Entry(f.ids.New(), iam.MemberRemove, a, f.id())
		for _, e := range []iam.AuditEntry{rejects, tries, works} {
			f.record(e)
		}
		type seen struct {
			ID         iam.ID
			Email      string
			Addr       string
			Credential iam.ID
		}
		look := func(open bool) (list []seen) {
			for _, e := range f.log(iam.AuditQuery{AccountID: a, Open: open}) {
				list = append(list, seen{e.ActorID, e.ActorEmail, e.RemoteAddr, e.Credential})
			}
			return list
		}
		whole := seen{stranger.ID, stranger.Email, "198.51.100.4", actor.CredentialID}
		equal(f, "as a member sees it", look(false), []seen{{Email: stranger.Email}, {}, whole})
		equal(f, "as the operator sees it", look(true), []seen{whole, whole, whole})
		for field, test := range map[iam.AuditField]struct {
			value string
			want  []string
		}{
			iam.AuditActorID:    {string(stranger.ID), []string{works.OperationID}},
			iam.AuditRemoteAddr: {"198.51.100.4", []string{works.OperationID}},
			iam.AuditCredential: {string(actor.CredentialID), []string{works.OperationID}},
			iam.AuditRequest:    {"r", []string{works.OperationID}},
			iam.AuditActorEmail: {stranger.Email, []string{rejects.OperationID, works.OperationID}},
		} {
			terms := []iam.AuditTerm{{Field: field, Values: []string{test.value}}}
			equal(f, "by "+string(field), operationsOf(f.log(iam.AuditQuery{AccountID: a, Terms: terms})), test.want)
		}
	},

	"AuditLogFilters": func(f *fixture) {
		a := f.id()
		actor := iam.Actor{Kind: iam.ByUser, User: iam.User{ID: f.id(), Email: "u@example.com"}, Means: iam.MeansToken, CredentialID: f.id(), RemoteAddr: "192.0.2.1", RequestID: "r1"}
		program := iam.Actor{Kind: iam.ByOperator, CredentialID: f.id(), Means: iam.MeansToken}
		invited, dropped, imported := actor.Entry("op-1", iam.InviteCreate, a, f.id()), actor.Entry("op-2", iam.RoleDrop, a, f.id()), program.Entry("op-3", iam.Import, a, "")
		later := program.Entry("op-4", iam.InviteSnooze, a, f.id())
		dropped.Denied, dropped.RequestID = "forbidden", "r2"
		for _, e := range []iam.AuditEntry{invited, dropped, imported, later} {
			f.record(e)
		}
		for _, test := range []struct {
			field  iam.AuditField
			values []string
			want   []string
		}{
			{iam.AuditID, []string{"op-2", "op-9"}, []string{"op-2"}},
			{iam.AuditAction, []string{"invite.create", "import"}, []string{"op-1", "op-3"}},
			{iam.AuditNoun, []string{"invite"}, []string{"op-1", "op-4"}},
			{iam.AuditNoun, []string{"invit", "import"}, []string{"op-3"}},
			{iam.AuditVerb, []string{"create", "drop"}, []string{"op-1", "op-2"}},
			{iam.AuditVerb, []string{"import"}, []string{"op-3"}},
			{iam.AuditOutcome, []string{iam.AuditFailure}, []string{"op-2"}},
			{iam.AuditActorKind, []string{string(iam.ByOperator)}, []string{"op-3", "op-4"}},
			{iam.AuditActorID, []string{string(actor.User.ID)}, []string{"op-1", "op-2"}},
			{iam.AuditActorEmail, []string{"u@example.com"}, []string{"op-1", "op-2"}},
			{iam.AuditRemoteAddr, []string{"192.0.2.1"}, []string{"op-1", "op-2"}},
			{iam.AuditCredential, []string{string(actor.CredentialID)}, []string{"op-1", "op-2"}},
			{iam.AuditMeans, []string{string(iam.MeansToken)}, []string{"op-1", "op-2"}},
			{iam.AuditTarget, []string{string(dropped.TargetID)}, []string{"op-2"}},
			{iam.AuditRequest, []string{"r2"}, []string{"op-2"}},
			{iam.AuditAccount, []string{string(a)}, []string{"op-1", "op-2", "op-3", "op-4"}},
			{iam.AuditID, nil, nil},
			{"", []string{"x"}, nil},
		} {
			for _, not := range []bool{false, true} {
				want := test.want
				if not {
					want = nil
					for _, id := range []string{"op-1", "op-2", "op-3", "op-4"} {
						if !slices.Contains(test.want, id) {
							want = append(want, id)
						}
					}
				}
				got := operationsOf(f.log(iam.AuditQuery{AccountID: a, Terms: []iam.AuditTerm{{Field: test.field, Values: test.values, Not: not}}}))
				equal(f, fmt.Sprintf("by %s %v, not %t", test.field, test.values, not), got, want)
			}
		}
	},

	// Whose a credential is tells its row, whoever ends it.
	"EndedCredentialsAreInTheirUsersLog": func(f *fixture) {
		u := f.user("u@example.com")
		key := iam.Key{ID: f.id(), UserID: u.ID, Name: "k", CreatedOn: f.clock.Now()}
		token := iam.Token{ID: f.id(), UserID: u.ID, Name: "t", CreatedOn: f.clock.Now()}
		key.Hash, token.Hash = iam.HashSecret("k"), iam.HashSecret("t")
		made, issued := f.entry(iam.KeyCreate, "", key.ID), f.entry(iam.TokenCreate, "", token.ID)
		ended, revoked := f.entry(iam.KeyDisable, "", key.ID), f.entry(iam.TokenRevoke, "", token.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertKey(key, made) })
		f.must(func(tx iam.Tx) error { return tx.InsertToken(token, issued) })
		f.must(func(tx iam.Tx) error { return tx.DisableKey(key.ID, ended) })
		f.must(func(tx iam.Tx) error { return tx.RevokeToken(token.ID, revoked) })
		equal(f, "log", operationsOf(f.log(iam.AuditQuery{UserID: u.ID, Skip: 1})),
			[]string{made.OperationID, issued.OperationID, ended.OperationID, revoked.OperationID})
		equal(f, "of another user", len(f.log(iam.AuditQuery{UserID: f.id()})), 0)
	},
}
