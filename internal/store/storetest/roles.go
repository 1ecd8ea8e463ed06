package storetest

import (
	"errors"
	"time"

	"hither/internal/iam"
)

var roleTests = map[string]func(f *fixture){
	"CatalogHasBuiltInRolesAndTheAccountsOwn": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		every := f.role(iam.Role{Name: "Every", Description: "d", Permissions: iam.Permissions{"dns": iam.Read, "docs": iam.Read | iam.Write}}, iam.OriginFile)
		own := f.role(iam.Role{AccountID: a.ID, Name: "Own"}, iam.OriginImport)
		find := func(accountID, id iam.ID) (iam.Role, bool) {
			catalog, err := f.store.Catalog(f.ctx(), accountID)
			wantErr(f, "Catalog", err, nil)
			return catalog.Find(accountID, id)
		}
		for _, accountID := range []iam.ID{a.ID, b.ID, ""} {
			got, ok := find(accountID, every.ID)
			equal(f, "a role of every account", got, every)
			equal(f, "found", ok, true)
			_, ok = find(accountID, readerID)
			equal(f, "a built-in role", ok, true)
			got, ok = find(accountID, own.ID)
			equal(f, "a role of A, in "+string(accountID), ok, accountID == a.ID)
			if ok {
				equal(f, "a role of A", got, own)
			}
		}
		_, err := f.store.Catalog(f.ctx(), f.id())
		wantErr(f, "Catalog of no account", err, iam.ErrNoRow)
	},

	"InsertRoleReplacesInItsPlaceOnly": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		role := f.role(iam.Role{AccountID: a.ID, Name: "One"}, iam.OriginImport)
		role.Name, role.Permissions = "Two", iam.Permissions{"docs": iam.Write}
		f.role(role, iam.OriginImport)
		insert := func(r iam.Role, origin string) error {
			entry := f.entry(iam.RoleDefine, r.AccountID, r.ID)
			return f.update(func(tx iam.Tx) error { return tx.InsertRole(r, origin, entry) })
		}
		moved := role
		moved.AccountID = b.ID
		wantErr(f, "for another account", insert(moved, iam.OriginImport), iam.ErrDuplicate)
		moved.AccountID = ""
		wantErr(f, "for every account", insert(moved, iam.OriginImport), iam.ErrDuplicate)
		wantErr(f, "from another origin", insert(role, iam.OriginFile), iam.ErrDuplicate)
		f.dropRole(role)
		wantErr(f, "for another account, after it was dropped (KF-38)", insert(moved, iam.OriginImport), iam.ErrDuplicate)
		wantErr(f, "where it was, after it was dropped", insert(role, iam.OriginImport), nil)
		catalog, err := f.store.Catalog(f.ctx(), a.ID)
		wantErr(f, "Catalog", err, nil)
		got, _ := catalog.Find(a.ID, role.ID)
		equal(f, "role", got, role)
		unknown := iam.Role{ID: f.id(), AccountID: f.id(), Name: "x", Permissions: iam.Permissions{"dns": iam.Read}}
		wantErr(f, "for no account (KF-36)", insert(unknown, iam.OriginImport), iam.ErrNoRow)
	},

	"DefinedRolesAreThoseOfTheirOrigin": func(f *fixture) {
		a := f.account("A")
		one := f.role(iam.Role{}, iam.OriginFile)
		two := f.role(iam.Role{AccountID: a.ID}, iam.OriginFile)
		f.role(iam.Role{}, iam.OriginImport)
		f.dropRole(f.role(iam.Role{}, iam.OriginFile))
		var got []iam.Role
		f.must(func(tx iam.Tx) (err error) { got, err = tx.DefinedRoles(iam.OriginFile); return err })
		equal(f, "DefinedRoles", got, []iam.Role{one, two})
	},

	"DropRoleKeepsItForRowsThatEnded": func(f *fixture) {
		a := f.account("A")
		every, own := f.role(iam.Role{}, iam.OriginFile), f.role(iam.Role{AccountID: a.ID}, iam.OriginImport)
		m := f.end(f.invite(a, "a@example.com", withRoles(own, f.reader(), every)), iam.Canceled)
		f.dropRole(every)
		f.dropRole(own)
		catalog, err := f.store.Catalog(f.ctx(), a.ID)
		wantErr(f, "Catalog", err, nil)
		for _, role := range []iam.Role{every, own} {
			_, ok := catalog.Find(a.ID, role.ID)
			equal(f, "in the catalog", ok, false)
		}
		equal(f, "roles of the row", f.invitation(m.ID).Roles, []iam.Role{own, f.reader(), every})
		entry := f.entry(iam.RoleDrop, "", every.ID)
		err = f.update(func(tx iam.Tx) error { return tx.DropRole(every.ID, entry) })
		wantErr(f, "DropRole again", err, iam.ErrNoRow)
	},

	"RoleHoldersCountsLiveRows": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		role := f.role(iam.Role{}, iam.OriginFile)
		holders := func() (n int) {
			f.must(func(tx iam.Tx) (err error) { n, err = tx.RoleHolders(role.ID); return err })
			return n
		}
		equal(f, "of none", holders(), 0)
		f.member(a, f.user("a@example.com"), withRoles(f.reader(), role))
		f.invite(b, "b@example.com", withRoles(role), func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) })
		f.invite(b, "c@example.com", withRoles(f.reader()))
		f.end(f.invite(b, "d@example.com", withRoles(role)), iam.Canceled)
		equal(f, "of two", holders(), 2)
		f.clock.advance(time.Hour)
		equal(f, "when one is due", holders(), 1)
	},

	// KF-81, KF-84
	"WhatHappensToARoleHoldsAtTheNextRead": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		every := f.role(iam.Role{Permissions: iam.Permissions{"dns": iam.Read | iam.Write}}, iam.OriginFile)
		own := f.role(iam.Role{AccountID: a.ID, Permissions: iam.Permissions{"docs": iam.Read | iam.Write}}, iam.OriginImport)
		f.member(a, u, withRoles(every, own))
		rights := func() iam.Rights {
			_, m, err := f.store.Access(f.ctx(), a.ID, u.ID)
			wantErr(f, "Access", err, nil)
			return iam.RightsOf(m.Roles)
		}
		equal(f, "before", rights().Permissions, iam.Permissions{"dns": iam.Read | iam.Write, "docs": iam.Read | iam.Write})
		every.Permissions = iam.Permissions{"dns": iam.Read}
		f.role(every, iam.OriginFile)
		equal(f, "after one changed", rights().Permissions, iam.Permissions{"dns": iam.Read, "docs": iam.Read | iam.Write})
		own.Permissions = iam.Permissions{"docs": iam.Read}
		f.role(own, iam.OriginImport)
		equal(f, "after both changed", rights().Permissions, iam.Permissions{"dns": iam.Read, "docs": iam.Read})
	},

	// What a transaction saw and nobody committed is nowhere afterwards, not
	// in what readers keep either.
	"RolesThatWereRolledBackNeverWere": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		role := f.role(iam.Role{Permissions: iam.Permissions{"dns": iam.Read}}, iam.OriginFile)
		f.member(a, u, withRoles(role))
		wide := role
		wide.Permissions = iam.Permissions{"dns": iam.Read | iam.Write}
		stop := errors.New("stop")
		inside := func(fn func(tx iam.Tx) error) iam.Permissions {
			var got iam.Permissions
			err := f.update(func(tx iam.Tx) error {
				if err := fn(tx); err != nil {
					return err
				}
				facts, err := tx.AccountFacts(a.ID, iam.Actor{Kind: iam.ByUser, User: u})
				if err != nil {
					return err
				}
				found, _ := facts.Catalog.Find(a.ID, role.ID)
				equal(f, "catalog and row agree", found, facts.Own.Roles[0])
				got = found.Permissions
				return stop
			})
			wantErr(f, "update", err, stop)
			return got
		}
		entry := f.entry(iam.RoleDefine, "", role.ID)
		equal(f, "inside the transaction", inside(func(tx iam.Tx) error { return tx.InsertRole(wide, iam.OriginFile, entry) }), wide.Permissions)
		equal(f, "inside the next one", inside(func(iam.Tx) error { return nil }), role.Permissions)
		other := f.role(iam.Role{}, iam.OriginFile) // the version that was rolled back is taken by another change
		_, m, err := f.store.Access(f.ctx(), a.ID, u.ID)
		wantErr(f, "Access", err, nil)
		equal(f, "roles outside", m.Roles, []iam.Role{role})
		catalog, err := f.store.Catalog(f.ctx(), "")
		wantErr(f, "Catalog", err, nil)
		_, ok := catalog.Find("", other.ID)
		equal(f, "the other change is seen", ok, true)
	},

	"RowWithARoleThatDoesNotExistIsAnError": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		for what, role := range map[string]iam.Role{
			"unknown":            {ID: f.id()},
			"of another account": f.role(iam.Role{AccountID: b.ID}, iam.OriginImport),
		} {
			m := f.invite(a, what[:2]+"@example.com", withRoles(f.reader(), role))
			if got, err := f.store.Invitation(f.ctx(), m.ID); err == nil {
				f.Errorf("%s role: got %+v, want an error", what, got.Roles)
			}
		}
	},
}
