package storetest

import "hither/internal/iam"

var userTests = map[string]func(f *fixture){
	"UserComesBackAsItWas": func(f *fixture) {
		want := f.user("a@example.com", func(u *iam.User) {
			u.FirstName, u.LastName, u.Telephone, u.Country, u.Zipcode = "Ada", "Øre", "+1 23", "NZ", "0600"
			u.TwoFactor, u.Suspended, u.Operator, u.Verified = true, true, true, true
		})
		f.user("plain@example.com", func(u *iam.User) { u.Verified = false })
		got, err := f.store.User(f.ctx(), want.ID)
		wantErr(f, "User", err, nil)
		equal(f, "User", got, want)
		got, err = f.store.UserByEmail(f.ctx(), want.Email)
		wantErr(f, "UserByEmail", err, nil)
		equal(f, "UserByEmail", got, want)
		_, err = f.store.User(f.ctx(), f.id())
		wantErr(f, "User of an unknown id", err, iam.ErrNoRow)
		_, err = f.store.UserByEmail(f.ctx(), "b@example.com")
		wantErr(f, "UserByEmail of an unknown address", err, iam.ErrNoRow)
	},

	// KF-38
	"UserIsUniqueByAddressAndID": func(f *fixture) {
		first := f.user("a@example.com")
		for what, u := range map[string]iam.User{
			"address": {ID: f.id(), Email: first.Email},
			"id":      {ID: first.ID, Email: "b@example.com"},
		} {
			entry := f.entry(iam.UserCreate, "", u.ID)
			err := f.update(func(tx iam.Tx) error { return tx.InsertUser(u, entry) })
			wantErr(f, "InsertUser with the same "+what, err, iam.ErrDuplicate)
		}
		page, err := f.store.Users(f.ctx(), iam.PageRequest{Number: 1, Size: 10})
		wantErr(f, "Users", err, nil)
		equal(f, "Users", page, iam.Page[iam.User]{Items: []iam.User{first}, Total: 1})
	},

	"UsersAreListedOldestFirst": func(f *fixture) {
		var want []iam.User
		for _, email := range []string{"c@example.com", "a@example.com", "b@example.com"} {
			want = append(want, f.user(email))
		}
		got := pagesOf(f, 2, func(page iam.PageRequest) (iam.Page[iam.User], error) { return f.store.Users(f.ctx(), page) })
		equal(f, "Users", got, want)
	},

	"UpdateUserChangesIt": func(f *fixture) {
		u := f.user("a@example.com")
		want := f.changeUser(u, func(u *iam.User) {
			u.FirstName, u.LastName, u.Telephone, u.Country, u.Zipcode = "B", "C", "1", "2", "3"
			u.Verified, u.TwoFactor, u.Suspended, u.Operator = false, true, true, true
		})
		got, err := f.store.User(f.ctx(), u.ID)
		wantErr(f, "User", err, nil)
		equal(f, "User", got, want)

		missing := iam.User{ID: f.id(), Email: "b@example.com"}
		entry := f.entry(iam.UserEdit, "", missing.ID)
		err = f.update(func(tx iam.Tx) error { return tx.UpdateUser(missing, entry) })
		wantErr(f, "UpdateUser of nobody", err, iam.ErrNoRow)
	},

	"UpdateUserSortsMembersByTheNewName": func(f *fixture) {
		a := f.account("A")
		x, y := f.user("x@example.com", named("X", "1")), f.user("y@example.com", named("Y", "2"))
		mx, my := f.member(a, x), f.member(a, y)
		for _, order := range []iam.MemberOrder{iam.ByFirstName, iam.ByLastName} {
			got := idsOf(f.members(a, iam.MemberQuery{Order: order}).Items, memberID)
			equal(f, "before, by "+string(order), got, []iam.ID{mx.ID, my.ID})
		}
		f.changeUser(x, named("Z", "3"))
		for _, order := range []iam.MemberOrder{iam.ByFirstName, iam.ByLastName} {
			got := idsOf(f.members(a, iam.MemberQuery{Order: order}).Items, memberID)
			equal(f, "after, by "+string(order), got, []iam.ID{my.ID, mx.ID})
		}
	},

	"UpdateUserMovesAcceptedRowsToTheNewAddress": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("old@example.com")
		accepted := f.member(a, u)
		pending := f.invite(b, u.Email)
		f.changeUser(u, func(u *iam.User) { u.Email = "new@example.com" })
		equal(f, "address of the accepted row", f.invitation(accepted.ID).Email, "new@example.com")
		equal(f, "address of the pending row", f.invitation(pending.ID).Email, "old@example.com")

		f.invite(a, "taken@example.com")
		u.Email = "taken@example.com"
		entry := f.entry(iam.UserEdit, "", u.ID)
		err := f.update(func(tx iam.Tx) error { return tx.UpdateUser(u, entry) })
		wantErr(f, "an address that is invited where the user is a member", err, iam.ErrDuplicate)
	},

	// KF-88
	"UserFactsNameAccountsThatWouldBeLeftUngoverned": func(f *fixture) {
		u, other := f.user("u@example.com"), f.user("other@example.com")
		alone, shared, plain, gone := f.account("alone"), f.account("shared"), f.account("plain"), f.account("gone")
		for _, a := range []iam.Account{alone, shared, gone} {
			f.member(a, u, withRoles(f.reader(), f.super()))
		}
		f.member(plain, u)
		f.member(shared, other, withRoles(f.super()))
		f.invite(alone, other.Email, withRoles(f.super()))
		f.deleteAccount(gone)
		lastAdminOf := func() []iam.ID {
			var facts iam.UserFacts
			f.must(func(tx iam.Tx) (err error) { facts, err = tx.UserFacts(u.ID); return err })
			equal(f, "User", facts.User.ID, u.ID)
			return idsOf(facts.LastAdminOf, accountID)
		}
		equal(f, "beside an active one", lastAdminOf(), []iam.ID{alone.ID})
		f.changeUser(other, func(u *iam.User) { u.Suspended = true })
		equal(f, "beside a suspended one", lastAdminOf(), []iam.ID{alone.ID, shared.ID})
		f.changeUser(u, func(u *iam.User) { u.Suspended = true })
		equal(f, "of a suspended one", lastAdminOf(), []iam.ID{alone.ID, shared.ID})

		err := f.update(func(tx iam.Tx) error { _, err := tx.UserFacts(f.id()); return err })
		wantErr(f, "UserFacts of nobody", err, iam.ErrNoRow)
	},
}

var credentialTests = map[string]func(f *fixture){
	"KeyFindsItsUser": func(f *fixture) {
		u := f.user("a@example.com")
		key := iam.Key{ID: f.id(), UserID: u.ID, Name: "laptop", Hash: iam.HashSecret("one"), CreatedOn: f.clock.Now()}
		entry := f.entry(iam.KeyCreate, "", key.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertKey(key, entry) })
		got, err := f.store.KeyPrincipal(f.ctx(), key.Hash)
		wantErr(f, "KeyPrincipal", err, nil)
		equal(f, "KeyPrincipal", got, iam.KeyPrincipal{Key: key, User: u})
		_, err = f.store.KeyPrincipal(f.ctx(), iam.HashSecret("two"))
		wantErr(f, "KeyPrincipal of an unknown key", err, iam.ErrNoRow)
		_, err = f.store.TokenPrincipal(f.ctx(), key.Hash)
		wantErr(f, "a key shown as a token", err, iam.ErrNoRow)
	},

	// KF-81, KF-83: nothing is remembered of a key from one request to the next.
	"WhatHappensToAKeyHoldsAtTheNextRead": func(f *fixture) {
		u := f.user("a@example.com")
		key := iam.Key{ID: f.id(), UserID: u.ID, Hash: iam.HashSecret("one"), CreatedOn: f.clock.Now()}
		entry, ended := f.entry(iam.KeyCreate, "", key.ID), f.entry(iam.KeyDisable, "", key.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertKey(key, entry) })
		principal := func() iam.KeyPrincipal {
			p, err := f.store.KeyPrincipal(f.ctx(), key.Hash)
			wantErr(f, "KeyPrincipal", err, nil)
			return p
		}
		equal(f, "disabled, before", principal().Key.Disabled, false)
		f.must(func(tx iam.Tx) error { return tx.DisableKey(key.ID, ended) })
		equal(f, "disabled, after", principal().Key.Disabled, true)
		f.changeUser(u, func(u *iam.User) { u.Suspended = true })
		equal(f, "suspended, after", principal().User.Suspended, true)
		missing := f.entry(iam.KeyDisable, "", "")
		err := f.update(func(tx iam.Tx) error { return tx.DisableKey(f.id(), missing) })
		wantErr(f, "DisableKey of none", err, iam.ErrNoRow)
	},

	"KeyIsUniqueAndHasAUser": func(f *fixture) {
		u := f.user("a@example.com")
		key := iam.Key{ID: f.id(), UserID: u.ID, Hash: iam.HashSecret("one")}
		insert := func(key iam.Key) error {
			entry := f.entry(iam.KeyCreate, "", key.ID)
			return f.update(func(tx iam.Tx) error { return tx.InsertKey(key, entry) })
		}
		wantErr(f, "InsertKey", insert(key), nil)
		wantErr(f, "the same hash", insert(iam.Key{ID: f.id(), UserID: u.ID, Hash: key.Hash}), iam.ErrDuplicate)
		wantErr(f, "the same id", insert(iam.Key{ID: key.ID, UserID: u.ID, Hash: iam.HashSecret("two")}), iam.ErrDuplicate)
		wantErr(f, "no such user", insert(iam.Key{ID: f.id(), UserID: f.id(), Hash: iam.HashSecret("two")}), iam.ErrNoRow)
		second := iam.Key{ID: f.id(), UserID: u.ID, Hash: iam.HashSecret("two")}
		wantErr(f, "a second key", insert(second), nil)
		got, err := f.store.Keys(f.ctx(), u.ID)
		wantErr(f, "Keys", err, nil)
		equal(f, "Keys", got, []iam.Key{key, second})
	},

	"TokenFindsItsUserOrTheOperator": func(f *fixture) {
		u := f.user("a@example.com")
		own := f.operatorToken(func(t *iam.Token) { t.UserID, t.ExpiresOn = u.ID, f.clock.Now().Add(weekLater) })
		operators := f.operatorToken()
		for _, want := range []iam.TokenPrincipal{{Token: own, User: u}, {Token: operators}} {
			got, err := f.store.TokenPrincipal(f.ctx(), want.Token.Hash)
			wantErr(f, "TokenPrincipal", err, nil)
			equal(f, "TokenPrincipal", got, want)
		}
		for userID, want := range map[iam.ID]iam.Token{u.ID: own, "": operators} {
			got, err := f.store.Tokens(f.ctx(), userID)
			wantErr(f, "Tokens", err, nil)
			equal(f, "Tokens of "+string(userID), got, []iam.Token{want})
		}
		_, err := f.store.TokenPrincipal(f.ctx(), iam.HashSecret("other"))
		wantErr(f, "TokenPrincipal of an unknown token", err, iam.ErrNoRow)
	},

	"RevokedTokenSaysSo": func(f *fixture) {
		token := f.operatorToken()
		entry, missing := f.entry(iam.TokenRevoke, "", token.ID), f.entry(iam.TokenRevoke, "", "")
		f.must(func(tx iam.Tx) error { return tx.RevokeToken(token.ID, entry) })
		got, err := f.store.TokenPrincipal(f.ctx(), token.Hash)
		wantErr(f, "TokenPrincipal", err, nil)
		equal(f, "disabled", got.Token.Disabled, true)
		err = f.update(func(tx iam.Tx) error { return tx.RevokeToken(f.id(), missing) })
		wantErr(f, "RevokeToken of none", err, iam.ErrNoRow)
		for what, again := range map[string]iam.Token{
			"hash": {ID: f.id(), Hash: token.Hash},
			"id":   {ID: token.ID, Hash: iam.HashSecret("other")},
		} {
			entry := f.entry(iam.TokenCreate, "", again.ID)
			err := f.update(func(tx iam.Tx) error { return tx.InsertToken(again, entry) })
			wantErr(f, "InsertToken with the same "+what, err, iam.ErrDuplicate)
		}
	},
}
