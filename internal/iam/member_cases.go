package iam

import (
	"context"
	"time"
)

// Members lists an account's members, by default the pending and accepted ones.
func (s *Service) Members(ctx context.Context, actor Actor, accountID ID, query MemberQuery) (Page[Member], error) {
	if _, err := s.reader(ctx, actor, accountID); err != nil {
		return Page[Member]{}, err
	}
	return s.store.Members(ctx, accountID, query, s.now())
}

// Member reads one member: pending, accepted, or one that rejected.
func (s *Service) Member(ctx context.Context, actor Actor, accountID, id ID) (Member, error) {
	if _, err := s.reader(ctx, actor, accountID); err != nil {
		return Member{}, err
	}
	member, err := s.store.Member(ctx, accountID, id)
	if err != nil {
		return Member{}, missing(err, notFound("member"))
	}
	switch member.StatusAt(s.now()) {
	case Pending, Accepted, Rejected:
		return member, nil
	case Expired, Canceled, Left, Removed:
	}
	return Member{}, notFound("member")
}

// AccountInvitations lists whom the account asked, newest first, with the
// account.
func (s *Service) AccountInvitations(ctx context.Context, actor Actor, accountID ID, query InvitationQuery) (Account, Page[Member], error) {
	account, err := s.reader(ctx, actor, accountID)
	if err != nil {
		return Account{}, Page[Member]{}, err
	}
	page, err := s.store.AccountInvitations(ctx, accountID, query, s.now())
	return account, page, err
}

// AccountInvitation reads one of the account's invitations, in any state but
// those that end a membership.
func (s *Service) AccountInvitation(ctx context.Context, actor Actor, accountID, id ID) (Account, Member, error) {
	account, err := s.reader(ctx, actor, accountID)
	if err != nil {
		return Account{}, Member{}, err
	}
	member, err := s.store.Member(ctx, accountID, id)
	if err != nil {
		return Account{}, Member{}, missing(err, notFound("invitation"))
	}
	if status := member.StatusAt(s.now()); !member.Invited || status == Left || status == Removed {
		return Account{}, Member{}, notFound("invitation")
	}
	return account, member, nil
}

// Invited is what inviting led to, as of At: a member that was pending then is
// told to be, though its time may be up when the answer is written. Message is
// "" or says why nothing was sent.
type Invited struct {
	Account Account
	Member  Member
	Message string
	At      time.Time
}

// Invite asks an address to join the account, or adds it directly.
func (s *Service) Invite(ctx context.Context, actor Actor, accountID ID, request InviteRequest) (Invited, error) {
	made, err := s.InviteOnce(ctx, actor, accountID, request, IdempotencyKey{})
	return made.Result, err
}

// InviteOnce does the same at most once for a key.
func (s *Service) InviteOnce(
	ctx context.Context, actor Actor, accountID ID, request InviteRequest, key IdempotencyKey,
) (Replayable[Invited], error) {
	entry := actor.Entry(s.newID(), InviteCreate, "", "")
	if request.Direct {
		entry.Action = MemberAdd
	}
	ids := FreshIDs{Membership: s.drawID(), User: s.drawID()}
	userEntry := actor.Entry(s.newID(), UserCreate, "", ids.User)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Invited], error) {
		facts, err := tx.InviteFacts(accountID, request.Email, actor)
		if err != nil {
			return Replayable[Invited]{}, missing(err, accountNotFound())
		}
		entry.AccountID = accountID
		// The decision asks that too, but a replay comes to no decision.
		if _, err := facts.mayInvite(actor, request); err != nil {
			return Replayable[Invited]{}, err
		}
		entry.RefusedDomain = domainOf(request.Email)
		return once(tx, actor, key, func() (Invited, error) {
			decision, err := DecideInvite(facts, actor, request, ids, tx.Now())
			if err != nil {
				return Invited{}, err
			}
			if decision.Changed {
				entry.Action, entry.TargetID = decision.Action, decision.Row.ID
				if err := s.mailing.spendInvite(tx, actor, facts.Seats, decision); err != nil {
					return Invited{}, err
				}
				if err := s.applyInvite(tx, facts, &decision, *entry, userEntry); err != nil {
					return Invited{}, err
				}
			}
			return facts.invited(actor, decision, tx.Now()), nil
		})
	})
}

func (s *Service) applyInvite(tx Tx, facts InviteFacts, decision *InviteDecision, entry, userEntry AuditEntry) error {
	if decision.NewUser != nil {
		if err := tx.InsertUser(*decision.NewUser, userEntry); err != nil {
			return err
		}
	}
	entry.After = snapshot(decision.Row)
	if decision.Row.Note != "" && decision.Before == nil {
		entry.After = editSnapshot(decision.Row, Link{Locale: decision.Locale}, decision.Row.Note, decision.Row.InvitedBy)
	}
	entry.After = inBulk(entry.After, decision.BulkID)
	active := facts.User == nil || !facts.User.Suspended
	if err := appoint(tx, facts.Account, decision.Row, active, entry); err != nil {
		return err
	}
	if decision.Before == nil {
		// Only now, so that who is refused never makes the writer do it: what
		// the clock ended still holds its address in the unique index.
		if err := s.settleFor(tx, decision); err != nil {
			return err
		}
		if err := s.settleOver(tx, facts); err != nil {
			return err
		}
		link := firstLink(decision.Row, s.mailing, decision.Locale, tx.Now())
		if err := tx.InsertMembership(decision.Row, link, entry); err != nil || decision.Row.Status != Pending {
			return err
		}
		return s.mailing.queue(tx, deliveryOf(InvitationMessage, decision.Row, link, decision.Row.Email, tx.Now()))
	}
	entry.Before = snapshot(*decision.Before)
	err := tx.UpdateMembership(*decision.Before, decision.Row, entry)
	decision.Row.Revision++
	return err
}

// settleOver ends a membership of the invited whose time is up. The last Super
// Administrator stays, and is found as what it is by who tries again.
func (s *Service) settleOver(tx Tx, facts InviteFacts) error {
	if facts.Over == "" {
		return nil
	}
	done, err := s.endTerms(tx, facts.Account.ID, []ID{facts.Over})
	if err == nil && done.Kept > 0 {
		err = refuse(AlreadyMember, "this address is the account's last Super Administrator, whose membership does not end")
	}
	return err
}

// settleFor writes down what the clock ended, unless it is known that nothing is due.
func (s *Service) settleFor(tx Tx, decision *InviteDecision) error {
	if decision.Settled {
		return nil
	}
	return s.mailing.settle(tx, decision.Row.AccountID, decision.Row.Email)
}

// invited is the answer that the caller sees.
func (f InviteFacts) invited(actor Actor, decision InviteDecision, now time.Time) Invited {
	member := Member{Membership: decision.Row, GrantorFacts: f.Grantor, Locale: decision.Locale}
	if decision.Row.Grantor == actor.Grantor() {
		member.GrantorFacts = actor.asGrantor(f.Own)
	}
	switch {
	case decision.Row.Status != Accepted:
	case decision.NewUser != nil:
		member.User = *decision.NewUser
	case f.User != nil:
		member.User = *f.User
	}
	return Invited{Account: f.Account, Member: member, Message: decision.Message, At: now}
}

// asGrantor are the facts of the actor as a grantor, now.
func (a Actor) asGrantor(own *Membership) GrantorFacts {
	return GrantorFacts{Grantor: a.Grantor(), Active: true, Membership: own}
}

// appoint takes the flag off an account that gets a Super Administrator again.
// active says that the row's user can act.
func appoint(tx Tx, account Account, row Membership, active bool, entry AuditEntry) error {
	if !account.NeedsSuperAdmin || !active || row.Status != Accepted || !row.governs() {
		return nil
	}
	account.NeedsSuperAdmin = false
	entry.OperationID += "-appoint"
	entry.Action, entry.TargetID, entry.Before, entry.After = AccountChange, account.ID, "", ""
	return tx.UpdateAccount(account, entry)
}

// ConfirmInvitation vouches for a pending invitation as it is, at most once for a
// key: whoever does becomes its grantor. The invited hears nothing of it.
func (s *Service) ConfirmInvitation(ctx context.Context, actor Actor, accountID, id ID, key IdempotencyKey) (Replayable[Invited], error) {
	entry := actor.Entry(s.newID(), InviteConfirm, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Invited], error) {
		facts, err := s.touched(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[Invited]{}, err
		}
		return once(tx, actor, key, func() (Invited, error) {
			if err := facts.stillPending(actor, tx.Now()); err != nil {
				return Invited{}, err
			}
			return s.applyEdit(tx, facts, actor, MemberChange{}, entry)
		})
	})
}

func roleIDsOf(m Membership) []ID {
	ids := make([]ID, len(m.Roles))
	for i, role := range m.Roles {
		ids[i] = role.ID
	}
	return ids
}

// RemoveMember ends a membership; a pending one is canceled, which with notify is
// mailed to the invited. force is the operator's way past the rule of the last Super
// Administrator.
func (s *Service) RemoveMember(ctx context.Context, actor Actor, accountID, id ID, force, notify bool) error {
	entry := actor.Entry(s.newID(), MemberRemove, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := s.memberFacts(tx, accountID, id, actor, "member", entry)
		if err != nil {
			return struct{}{}, err
		}
		after, err := DecideRemove(facts, actor, force, tx.Now())
		if err != nil {
			return struct{}{}, err
		}
		if after.Status == Canceled {
			entry.Action = InviteCancel
			return struct{}{}, s.cancel(tx, facts, actor, after, notify, *entry)
		}
		if notify {
			return struct{}{}, refuse(Invalid, "this member accepted already, and hears nothing of its end by mail; leave notify out")
		}
		if keepsSuperAdmin(facts.Target, facts.TargetActive, facts.OtherSuperAdmins) != nil {
			if err := flagAccount(tx, facts.Account, *entry); err != nil {
				return struct{}{}, err
			}
		}
		entry.Before, entry.After = snapshot(facts.Target), snapshot(after)
		return struct{}{}, tx.UpdateMembership(facts.Target, after, *entry)
	})
	return err
}

// flagAccount marks an account whose last Super Administrator the operator
// took away on purpose.
func flagAccount(tx Tx, account Account, entry AuditEntry) error {
	account.NeedsSuperAdmin = true
	entry.OperationID += "-flag-" + string(account.ID)
	entry.Action, entry.AccountID, entry.TargetID, entry.Before, entry.After = AccountChange, account.ID, account.ID, "", ""
	return tx.UpdateAccount(account, entry)
}

// memberFacts reads the facts of a change of a member. Whoever cannot see the
// account doesn't learn whether the row exists.
func (s *Service) memberFacts(tx Tx, accountID, id ID, actor Actor, noun string, entry *AuditEntry) (MemberFacts, error) {
	facts, err := tx.MemberFacts(accountID, id, actor)
	if err != nil {
		account, accountErr := tx.AccountFacts(accountID, actor)
		if accountErr != nil {
			return MemberFacts{}, missing(accountErr, accountNotFound())
		}
		entry.AccountID = accountID
		if _, managerErr := account.manager(actor); managerErr != nil {
			return MemberFacts{}, managerErr
		}
		entry.AccountID = ""
		return MemberFacts{}, missing(err, notFound(noun))
	}
	entry.AccountID = accountID
	return facts, nil
}

// reader checks that the actor may see who the account's members are.
func (s *Service) reader(ctx context.Context, actor Actor, accountID ID) (Account, error) {
	account, rights, err := s.access(ctx, actor, accountID)
	if err != nil {
		return Account{}, err
	}
	if !actor.Operator() && !rights.May(AreaMembers, Read) {
		return Account{}, refuse(Forbidden, "this needs read permission on the area %q", AreaMembers)
	}
	return account, nil
}

// access reads an account that the actor can see: as a member or the operator.
func (s *Service) access(ctx context.Context, actor Actor, accountID ID) (Account, Rights, error) {
	account, own, err := s.store.Access(ctx, accountID, actor.User.ID)
	if err != nil {
		return Account{}, Rights{}, missing(err, accountNotFound())
	}
	rights, err := AccountFacts{Account: account, Own: own}.rights(actor)
	return account, rights, err
}
