package storetest

import (
	"strings"
	"time"

	"hither/internal/iam"
)

var eraseTests = map[string]func(f *fixture){
	// The rows of an erased user end and stay, its counts agree with them, and the log
	// says what happened without saying to whom.
	"ErasureEndsRowsAndKeepsTheirNumbers": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("ada@example.com", named("Ada", "Lovelace"))
		other := f.user("o@example.com")
		for _, email := range []string{"former@example.com", "ada@example.com"} { // as a change of address is recorded
			entry := f.entry(iam.AddressChange, "", u.ID)
			entry.Before, entry.After = `{"email":"`+u.Email+`","first_name":"Ada","last_name":"Lovelace"}`, `{"email":"`+email+`"}`
			u.Email = email
			changed := u
			f.must(func(tx iam.Tx) error { return tx.UpdateUser(changed, entry) })
		}
		old := f.end(f.invite(a, "former@example.com"), iam.Canceled)
		in, left := f.member(a, u), f.end(f.member(b, u), iam.Left)
		asked := f.invite(b, u.Email)
		named := f.invite(a, "x@example.com", func(m *iam.Membership) { m.InvitedBy = u.Email }, grantedBy(u))
		f.member(a, other, withRoles(f.super()))
		f.clock.advance(time.Minute)
		erased, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		wantErr(f, "EraseUser", err, nil)
		equal(f, "rows that ended", erased.Ended, 2)
		equal(f, "what is left of the user", erased.User, iam.User{
			ID: u.ID, Email: "erased-" + string(u.ID) + "@erased.invalid", Suspended: true, CreatedOn: u.CreatedOn,
		})
		for _, test := range []struct {
			row    iam.Membership
			status iam.Status
		}{{in, iam.Removed}, {left, iam.Left}, {asked, iam.Canceled}, {old, iam.Canceled}} {
			got := f.invitation(test.row.ID)
			equal(f, "row of "+test.row.Email, [2]string{string(got.Status), got.Email}, [2]string{string(test.status), erased.User.Email})
		}
		equal(f, "whom it invited", f.invitation(named.ID).InvitedBy, erased.User.Email)
		equal(f, "members of A", f.members(a, iam.MemberQuery{}).Total, 2)
		equal(f, "members of B", f.members(b, iam.MemberQuery{}).Total, 0)
		for _, entry := range f.everything() {
			text := entry.ActorEmail + entry.Before + entry.After
			for _, personal := range []string{"ada@", "former@", "Lovelace"} {
				if strings.Contains(text, personal) {
					f.Errorf("row %s of the log has %q: %s", entry.Action, personal, text)
				}
			}
		}
		// Once more nothing happens, and the address is free.
		again, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		wantErr(f, "EraseUser again", err, nil)
		equal(f, "ended again", again.Ended, 0)
		f.user("ada@example.com")
	},

	"ErasureIsRefusedToTheLastSuperAdministrator": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.member(a, u, withRoles(f.super()))
		_, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		equal(f, "kind of refusal", iam.KindOf(err), iam.LastSuperAdmin)
		equal(f, "its row", f.invitation(m.ID).Status, iam.Accepted)
		_, err = f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, true)
		wantErr(f, "forced", err, nil)
		account, _, err := f.store.Access(f.ctx(), a.ID, u.ID)
		wantErr(f, "Access", err, nil)
		equal(f, "flagged", account.NeedsSuperAdmin, true)
	},
}

// everything is the whole audit log.
func (f *fixture) everything() []iam.AuditEntry {
	f.Helper()
	entries, err := f.store.AuditRows(f.ctx(), 0, 10_000)
	if err != nil {
		f.Fatalf("AuditRows: %v", err)
	}
	return entries
}
