package iam

import "context"

// eraseBound is how many audit rows one step of an erasure looks at.
const eraseBound = 1000

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
// meant.
//
// First the user is closed, in one transaction. Then the audit log is gone through,
// bit by bit, and last the user's own rows, by which it would be found again: an
// erasure that was interrupted goes on when it is asked for once more.
func (s *Service) EraseUser(ctx context.Context, actor Actor, id ID, force bool) (Erased, error) {
	if err := mustOperate(actor); err != nil {
		return Erased{}, err
	}
	entry := actor.Entry(s.newID(), UserErase, "", id)
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Erased, error) {
		facts, err := tx.EraseFacts(id)
		if err != nil {
			return Erased{}, missing(err, notFound("user"))
		}
		if len(facts.LastAdminOf) > 0 && !force {
			return Erased{}, refuse(LastSuperAdmin, "this user is the last active Super Administrator of %d account(s), %q among them; appoint another one first, or force it on purpose",
				len(facts.LastAdminOf), facts.LastAdminOf[0].Name)
		}
		for _, account := range facts.LastAdminOf {
			if err := flagAccount(tx, account, *entry); err != nil {
				return Erased{}, err
			}
		}
		ended, err := tx.CloseUser(facts.User, *entry)
		return Erased{User: facts.User, Ended: ended}, err
	})
	if err != nil || done.User.Erased() {
		return done, err
	}
	erasure, err := s.erasureOf(ctx, done.User)
	if err != nil {
		return done, err
	}
	last, err := s.cleanAudit(ctx, erasure, 0, &done)
	if err != nil {
		return done, err
	}
	err = s.store.Update(ctx, func(tx Tx) error { return tx.EraseUser(erasure) })
	if err == nil {
		_, err = s.cleanAudit(ctx, erasure, last, &done) // what came meanwhile
	}
	if err == nil {
		done.User, err = s.store.User(ctx, id)
	}
	return done, err
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

// cleanAudit takes the person out of the audit rows behind a number, and returns
// the last one.
func (s *Service) cleanAudit(ctx context.Context, erasure Erasure, after int64, done *Erased) (int64, error) {
	for {
		entries, err := s.store.AuditRows(ctx, after, eraseBound)
		if err != nil || len(entries) == 0 {
			return after, err
		}
		after = entries[len(entries)-1].Seq
		var changed []AuditEntry
		for _, entry := range entries {
			if erasure.clean(&entry) {
				changed = append(changed, entry)
			}
		}
		if len(changed) == 0 {
			continue
		}
		err = s.store.Update(ctx, func(tx Tx) error { return tx.RewriteAudit(changed) })
		if err != nil {
			return after, err
		}
		done.AuditRows += len(changed)
	}
}
