package iam

import (
	"context"
)

// eraseBound is how many audit rows one step of an erasure looks at.
const eraseBound = 1000

// erasePasses is how often an erasure goes through the audit log: once for what was
// there, and once more for what was written, or became visible, behind the first.
const erasePasses = 2

// Erased is what an erasure ended and changed.
type Erased struct {
	User      User // as it is now
	Ended     int  // memberships and invitations
	AuditRows int  // which said something of the person
}

// EraseUser takes a person out of the database, and leaves that there was one: its
// memberships end, its credentials, sessions and links die, its addresses and names
// go from every row, and the numbers of rows stay. Where that leaves an account
// without an active Super Administrator it is refused, unless force says that it is
// meant. What is another user's stays, also where that one has an address by now
// that the person had before.
//
// First the user is closed, and taken out of all tables but its own and the audit
// log, in one transaction that has nobody beside it: what the user did itself is
// visible after it. Then the audit log is gone through bit by bit. Last, in one
// transaction again, comes what tells its addresses: its own log, and its row. Thus
// an erasure that was interrupted finds all that it needs when it is asked for once
// more.
func (s *Service) EraseUser(ctx context.Context, actor Actor, id ID, force bool) (Erased, error) {
	if err := mustOperate(actor); err != nil {
		return Erased{}, err
	}
	user, err := s.store.User(ctx, id)
	if err != nil {
		return Erased{}, missing(err, notFound("user"))
	}
	if user.Erased() {
		return Erased{User: user}, nil
	}
	learnt, err := s.erasureOf(ctx, user)
	if err != nil {
		return Erased{}, err
	}
	erasure, ended, err := s.closeUser(ctx, actor, learnt, force)
	if err != nil {
		return Erased{}, err
	}
	done := Erased{User: user, Ended: ended}
	for range erasePasses {
		if err := s.cleanAudit(ctx, erasure, &done); err != nil {
			return done, err
		}
	}
	last, err := Update(ctx, s.store, func(tx Tx) (int, error) {
		if err := tx.EraseUser(erasure); err != nil {
			return 0, err
		}
		total := 0
		for part := (AuditPart{UserID: id, Limit: eraseBound}); ; {
			rewritten, err := tx.RewriteAudit(part, erasure.clean)
			total += rewritten.Changed
			if err != nil || rewritten.Last == part.After {
				return total, err
			}
			part.After = rewritten.Last
		}
	})
	done.AuditRows += last
	if err == nil {
		done.User, err = s.store.User(ctx, id)
	}
	return done, err
}

// closeUser ends all that the user has, and tells how many rows that were.
func (s *Service) closeUser(ctx context.Context, actor Actor, learnt Erasure, force bool) (Erasure, int, error) {
	type closed struct {
		erasure Erasure
		ended   int
	}
	entry := actor.Entry(s.newID(), UserErase, "", learnt.UserID)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (closed, error) {
		facts, err := tx.EraseFacts(learnt.UserID, learnt.addresses())
		if err != nil {
			return closed{}, missing(err, notFound("user"))
		}
		if len(facts.LastAdminOf) > 0 && !force {
			return closed{}, refuse(LastSuperAdmin, "this user is the last active Super Administrator of %d account(s), %q among them; appoint another one first, or force it on purpose",
				len(facts.LastAdminOf), facts.LastAdminOf[0].Name)
		}
		for _, account := range facts.LastAdminOf {
			if err := flagAccount(tx, account, *entry); err != nil {
				return closed{}, err
			}
		}
		erasure := learnt.among(facts)
		ended, err := tx.CloseUser(erasure, *entry)
		return closed{erasure, ended}, err
	})
	return done.erasure, done.ended, err
}

// erasureOf finds the addresses that the user had.
func (s *Service) erasureOf(ctx context.Context, user User) (Erasure, error) {
	erasure := newErasure(user)
	query := AuditQuery{UserID: user.ID, Limit: eraseBound}
	for {
		entries, err := s.store.AuditLog(ctx, query)
		if err != nil {
			return Erasure{}, err
		}
		for _, entry := range entries {
			erasure.learn(entry)
		}
		if len(entries) < query.Limit {
			return erasure, nil
		}
		query.After = entries[len(entries)-1].Place()
	}
}

// cleanAudit takes the person out of all audit rows but those from which its
// addresses are known.
func (s *Service) cleanAudit(ctx context.Context, erasure Erasure, done *Erased) error {
	clean := func(entry *AuditEntry) bool { return len(erasure.tells(*entry)) == 0 && erasure.clean(entry) }
	for part := (AuditPart{Limit: eraseBound}); ; {
		rewritten, err := Update(ctx, s.store, func(tx Tx) (AuditRewrite, error) { return tx.RewriteAudit(part, clean) })
		if err != nil || rewritten.Last == part.After {
			return err
		}
		part.After = rewritten.Last
		done.AuditRows += rewritten.Changed
	}
}
