package iam

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// BulkStep is what one call of WorkBulk is to do.
type BulkStep struct {
	ID     ID
	Worker string // who works
	Limit  int    // rows at most, up to BulkBatch
	// GiveUp refuses the next row instead of trying it: something breaks whenever it
	// is tried, and the others wait behind it.
	GiveUp bool
}

// BulkProgress is what a step did. Bulk is as it is after that.
type BulkProgress struct {
	Bulk Bulk
	Rows int // that got their outcome
}

// RunningBulks lists bulks that worker may work at, those that wait longest first.
func (s *Service) RunningBulks(ctx context.Context, worker string, limit int) ([]ID, error) {
	return s.store.RunningBulks(ctx, worker, s.now(), limit)
}

// WorkBulk gives the next rows of a bulk their outcome: each as a single invitation
// of who asked for the bulk would be decided now, together with the invitation
// itself in one transaction. Whoever is interrupted has done nothing, and whoever
// comes next goes on where the last transaction ended. Where who asked may invite
// no more, all rows that are left are refused.
func (s *Service) WorkBulk(ctx context.Context, step BulkStep) (BulkProgress, error) {
	operation := s.newID()
	ids := make([]ID, min(step.Limit, BulkBatch))
	for i := range ids {
		ids[i] = s.drawID()
	}
	return Update(ctx, s.store, func(tx Tx) (BulkProgress, error) {
		facts, err := tx.BulkFacts(step.ID, len(ids))
		if errors.Is(err, ErrNoRow) { // it was dropped
			return BulkProgress{}, nil
		}
		if err != nil {
			return BulkProgress{}, err
		}
		before := facts.Bulk
		if before.State != BulkRunning || before.Worker != "" && before.Worker != step.Worker && tx.Now().Before(before.LeasedTo) {
			return BulkProgress{Bulk: before}, nil
		}
		if err := facts.mayGoOn(); err != nil {
			return s.stopBulk(tx, before, err, operation)
		}
		rows := facts.Rows
		if step.GiveUp {
			rows = rows[:min(1, len(rows))]
			for i := range rows {
				rows[i].Refuse(errors.New("it broke each time"))
			}
		} else if err := s.inviteEach(tx, facts, rows, ids, operation); err != nil {
			return BulkProgress{}, err
		}
		change := count(rows)
		change[BulkWaiting] = -len(rows)
		after := before.with(change)
		after.Worker, after.LeasedTo = step.Worker, tx.Now().Add(BulkLease)
		if after.Counts[BulkWaiting] == 0 {
			after.State, after.EndedOn, after.Worker = BulkFinished, tx.Now(), ""
			if err := tx.Record(finished(before, after, operation)); err != nil {
				return BulkProgress{}, err
			}
		}
		return BulkProgress{Bulk: after, Rows: len(rows)}, tx.UpdateBulk(after, rows)
	})
}

// inviteEach invites by rows, one after the other, as far as each may be.
func (s *Service) inviteEach(tx Tx, facts BulkFacts, rows []BulkRow, ids []ID, operation string) error {
	seats := facts.Seats
	for i := range rows {
		row, entry := &rows[i], facts.Bulk.entryOf(operation, rows[i])
		decision, err := s.inviteOne(tx, facts.invite(*row, seats, tx.Now()), facts.Bulk, !facts.AnyDue, row, ids[i], entry)
		if err != nil && !refusesRow(err) {
			return fmt.Errorf("line %d: %w", row.Line, err)
		}
		row.settle(decision, err)
		if row.Outcome == BulkInvited {
			seats.Open++
		}
		if denial := denied(err); denial != "" {
			entry.Denied, entry.After = denial, refusalSnapshot(domainOf(row.Email), facts.Bulk.ID)
			if err := tx.Record(entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// inviteOne is what InviteOnce does, of a row.
func (s *Service) inviteOne(
	tx Tx, facts InviteFacts, bulk Bulk, settled bool, row *BulkRow, id ID, entry AuditEntry,
) (InviteDecision, error) {
	decision, err := DecideInvite(facts, bulk.Actor, row.request(), FreshIDs{Membership: id}, tx.Now())
	if err != nil || !decision.Changed {
		return decision, err
	}
	if err := s.mailing.spendInvite(tx, bulk.Actor, facts.Seats, decision); err != nil {
		return InviteDecision{}, err
	}
	entry.Action, entry.TargetID = decision.Action, decision.Row.ID
	decision.BulkID, decision.Settled = bulk.ID, settled
	return decision, s.applyInvite(tx, facts, &decision, entry, AuditEntry{})
}

// refusesRow tells a refusal of a row from what broke.
func refusesRow(err error) bool {
	kind := KindOf(err)
	return kind != Internal && ReasonName(kind) != ""
}

// stopBulk refuses all rows that are left.
func (s *Service) stopBulk(tx Tx, before Bulk, refusal error, operation string) (BulkProgress, error) {
	last := BulkRow{}
	last.Refuse(refusal)
	after, err := endBulk(tx, before, BulkFinished, last)
	if err != nil {
		return BulkProgress{}, err
	}
	if denial := denied(refusal); denial != "" {
		entry := before.Actor.Entry(operation+"-stop", InviteCreate, before.AccountID, before.ID)
		entry.Denied, entry.After = denial, refusalSnapshot("", before.ID)
		if err := tx.Record(entry); err != nil {
			return BulkProgress{}, err
		}
	}
	return BulkProgress{Bulk: after, Rows: before.Counts[BulkWaiting]}, tx.Record(finished(before, after, operation))
}

// finished is the audit row of the end of a bulk.
func finished(before, after Bulk, operation string) AuditEntry {
	entry := after.Actor.Entry(operation+"-"+strconv.Itoa(after.Rows)+"-end", BulkFinish, after.AccountID, after.ID)
	entry.Before, entry.After = bulkSnapshot(before), bulkSnapshot(after)
	return entry
}
