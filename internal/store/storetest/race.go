package storetest

import (
	"errors"
	"fmt"
	"sync"

	"hither/internal/iam"
)

// parallel calls fn n times at once and returns the errors.
func parallel(n int, fn func(i int) error) []error {
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		errs  = make([]error, n)
	)
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// countErrs tells how many there are of each of two kinds, and reports others.
func (f *fixture) countErrs(errs []error, refusal error) (won, refused int) {
	f.Helper()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case errors.Is(err, refusal):
			refused++
		default:
			f.Errorf("got error %v, want none or %v", err, refusal)
		}
	}
	return won, refused
}

var raceTests = map[string]func(f *fixture){
	// KF-13, KF-14
	"OfRacingInvitationsOneIsMade": func(f *fixture) {
		const racers = 32
		a := f.account("A")
		rows := make([]iam.Membership, racers)
		entries := make([]iam.AuditEntry, racers)
		for i := range rows {
			rows[i] = f.pendingRow(a, "u@example.com")
			entries[i] = f.entry(iam.InviteCreate, a.ID, rows[i].ID)
		}
		won, refused := f.countErrs(parallel(racers, func(i int) error {
			return f.update(func(tx iam.Tx) error { return tx.InsertMembership(rows[i], iam.Link{}, entries[i]) })
		}), iam.ErrDuplicate)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, racers - 1})
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 1)
		equal(f, "audit rows", len(f.audit(a.ID)), 2)
	},

	// KF-13, KF-15
	"OfRacingAnswersOneWins": func(f *fixture) {
		const racers = 64
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.invite(a, u.Email)
		entries := make([]iam.AuditEntry, racers)
		for i := range entries {
			entries[i] = f.entry(iam.InviteAccept, a.ID, m.ID)
		}
		won, refused := f.countErrs(parallel(racers, func(i int) error {
			after := m
			switch i % 3 {
			case 0:
				after.Status, after.UserID = iam.Accepted, u.ID
			case 1:
				after.Status, after.UserID = iam.Rejected, u.ID
			case 2:
				after.Status = iam.Canceled
			}
			return f.update(func(tx iam.Tx) error { return tx.UpdateMembership(m, after, entries[i]) })
		}), iam.ErrStale)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, racers - 1})
		equal(f, "audit rows", len(f.audit(a.ID)), 3)
		equal(f, "revision", f.invitation(m.ID).Revision, 1)
	},

	// KF-16
	"RacingInvitationsNeverOverfill": func(f *fixture) {
		const racers, limit = 32, 5
		a := f.account("A", func(a *iam.Account) { a.MemberLimit = limit })
		full := errors.New("full")
		rows := make([]iam.Membership, racers)
		entries := make([]iam.AuditEntry, racers)
		for i := range rows {
			rows[i] = f.pendingRow(a, fmt.Sprintf("%d@example.com", i))
			entries[i] = f.entry(iam.InviteCreate, a.ID, rows[i].ID)
		}
		won, refused := f.countErrs(parallel(racers, func(i int) error {
			return f.update(func(tx iam.Tx) error {
				facts, err := tx.InviteFacts(a.ID, rows[i].Email, operator)
				if err != nil {
					return err
				}
				if facts.Seats.Taken() >= facts.Account.MemberLimit {
					return full
				}
				return tx.InsertMembership(rows[i], iam.Link{}, entries[i])
			})
		}), full)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{limit, racers - limit})
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, limit)
	},

	// KF-88: everybody leaves, looking only at what the transaction tells.
	"RacingLeaversLeaveOneSuperAdmin": func(f *fixture) {
		const racers = 16
		a := f.account("A")
		last := errors.New("last")
		rows := make([]iam.Membership, racers)
		entries := make([]iam.AuditEntry, racers)
		for i := range rows {
			rows[i] = f.member(a, f.user(fmt.Sprintf("%d@example.com", i)), withRoles(f.super()))
			entries[i] = f.entry(iam.MemberLeave, a.ID, rows[i].ID)
		}
		won, refused := f.countErrs(parallel(racers, func(i int) error {
			return f.update(func(tx iam.Tx) error {
				facts, err := tx.MemberFacts(a.ID, rows[i].ID, operator)
				if err != nil {
					return err
				}
				if facts.OtherSuperAdmins == 0 {
					return last
				}
				after := facts.Target
				after.Status = iam.Left
				return tx.UpdateMembership(facts.Target, after, entries[i])
			})
		}), last)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{racers - 1, 1})
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 1)
	},

	// KF-81, KF-95: readers beside writers get rows that were, each whole.
	"ReadersSeeWholeRowsWhileRolesChange": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		narrow := f.role(iam.Role{Name: "R", Permissions: iam.Permissions{"dns": iam.Read}}, iam.OriginFile)
		wide := narrow
		wide.Permissions = iam.Permissions{"dns": iam.Read | iam.Write, "docs": iam.Write}
		own := f.role(iam.Role{AccountID: a.ID}, iam.OriginImport)
		f.member(a, u, withRoles(narrow, own))
		const rounds = 30
		entries := make([]iam.AuditEntry, rounds)
		for i := range entries {
			entries[i] = f.entry(iam.RoleDefine, "", narrow.ID)
		}
		for _, err := range parallel(4, func(worker int) error {
			for i := range rounds {
				if worker == 0 {
					role := []iam.Role{wide, narrow}[i%2]
					if err := f.update(func(tx iam.Tx) error { return tx.InsertRole(role, iam.OriginFile, entries[i]) }); err != nil {
						return err
					}
					continue
				}
				_, m, err := f.store.Access(f.ctx(), a.ID, u.ID)
				if err != nil {
					return err
				}
				if got := m.Roles[0].Permissions; len(got) != 1 && len(got) != 2 {
					return fmt.Errorf("permissions are %v", got)
				}
			}
			return nil
		}) {
			wantErr(f, "worker", err, nil)
		}
	},
}
