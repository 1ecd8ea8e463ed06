package storetest

import (
	"time"

	"hither/internal/iam"
)

// identity is one that is in the store.
func (f *fixture) identity(u iam.User, subject string, edits ...func(*iam.Identity)) iam.Identity {
	f.Helper()
	y := iam.Identity{
		ID: f.id(), Issuer: "https://login.example.com", Subject: subject, UserID: u.ID, Reason: iam.LinkedByMailbox, CreatedOn: f.clock.Now(),
	}
	for _, edit := range edits {
		edit(&y)
	}
	entry := f.entry(iam.IdentityLink, "", y.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertIdentity(y, entry) })
	return y
}

// identityFacts reads them both ways, which must agree.
func (f *fixture) identityFacts(a iam.Assertion) (facts iam.IdentityFacts) {
	f.Helper()
	f.must(func(tx iam.Tx) (err error) {
		facts, err = tx.IdentityFacts(a)
		return err
	})
	read, err := f.store.IdentityFacts(f.ctx(), a, f.clock.Now())
	wantErr(f, "IdentityFacts", err, nil)
	equal(f, "IdentityFacts outside of a transaction", read, facts)
	return facts
}

var identityTests = map[string]func(f *fixture){
	// KF-73
	"IdentityIsIssuerAndSubject": func(f *fixture) {
		u, other := f.user("a@example.com"), f.user("b@example.com")
		y := f.identity(u, "s")
		elsewhere := f.identity(other, "s", func(y *iam.Identity) { y.Issuer = "https://other.example.com" })
		a := iam.Assertion{Issuer: y.Issuer, Subject: "s", Email: "b@example.com"}
		equal(f, "facts", f.identityFacts(a), iam.IdentityFacts{Identity: &y, User: u})
		equal(f, "Identities", f.identities(other), []iam.Identity{elsewhere})
		for what, again := range map[string]iam.Identity{
			"the same identity": {ID: f.id(), Issuer: y.Issuer, Subject: y.Subject, UserID: other.ID},
			"the same id":       {ID: y.ID, Issuer: y.Issuer, Subject: "t", UserID: u.ID},
		} {
			entry := f.entry(iam.IdentityLink, "", again.ID)
			err := f.update(func(tx iam.Tx) error { return tx.InsertIdentity(again, entry) })
			wantErr(f, what, err, iam.ErrDuplicate)
		}
		for _, subject := range []string{"S", "s ", "t"} {
			a.Subject = subject
			equal(f, "facts of another", f.identityFacts(a).Identity, nil)
		}
	},

	"AssertionFindsWhoHasItsAddress": func(f *fixture) {
		u := f.user("a@example.com")
		a := iam.Assertion{Issuer: "https://login.example.com", Subject: "s", Email: "a@example.com"}
		equal(f, "facts", f.identityFacts(a), iam.IdentityFacts{Holder: &u})
		f.identity(u, "elsewhere", func(y *iam.Identity) { y.Issuer = "https://other.example.com" })
		equal(f, "facts with one of another issuer", f.identityFacts(a), iam.IdentityFacts{Holder: &u})
		f.identity(u, "another")
		f.identity(u, "and another")
		equal(f, "facts with others", f.identityFacts(a), iam.IdentityFacts{Holder: &u, HolderKnown: true})
	},

	"AssertionFindsInvitationsThatWait": func(f *fixture) {
		account := f.account("A")
		a := iam.Assertion{Issuer: "https://login.example.com", Subject: "s", Email: "a@example.com"}
		invited := func(what string, want bool) {
			f.Helper()
			equal(f, what, f.identityFacts(a), iam.IdentityFacts{Invited: want})
		}
		invited("nobody", false)
		f.invite(account, "a@example.com")
		invited("pending", true)
		f.clock.advance(weekLater - time.Microsecond)
		invited("at the last moment", true)
		f.clock.advance(time.Microsecond)
		invited("expired by the clock", false)
		f.invite(f.account("B"), "a@example.com")
		invited("another account", true)
		gone := f.account("C")
		f.invite(gone, "c@example.com")
		f.deleteAccount(gone)
		a.Email = "c@example.com"
		invited("of an account that is gone", false)
	},

	"IdentityEnds": func(f *fixture) {
		u, other := f.user("a@example.com"), f.user("b@example.com")
		y := f.identity(u, "s")
		drop := func(user iam.User) error {
			entry := f.entry(iam.IdentityUnlink, "", y.ID)
			return f.update(func(tx iam.Tx) error { return tx.DeleteIdentity(user.ID, y.ID, entry) })
		}
		wantErr(f, "another's", drop(other), iam.ErrNoRow)
		wantErr(f, "its own", drop(u), nil)
		wantErr(f, "again", drop(u), iam.ErrNoRow)
		equal(f, "Identities", f.identities(u), nil)
		f.identity(u, "s")
		if _, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false); err != nil {
			f.Fatalf("erase: %v", err)
		}
		equal(f, "Identities of who was erased", f.identities(u), nil)
	},
}

func (f *fixture) identities(u iam.User) []iam.Identity {
	f.Helper()
	list, err := f.store.Identities(f.ctx(), u.ID)
	wantErr(f, "Identities", err, nil)
	return list
}
