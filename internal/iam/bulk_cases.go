package iam

import (
	"context"
	"errors"
	"slices"
	"time"
)

// MaxRunningBulks is how many bulks of one account may run at once: each keeps as
// many rows as MaxBulkRows.
const MaxRunningBulks = 10

// StartBulk takes a bulk on, at most once for a key: from then on it is worked off
// whatever becomes of the client. Rows that cannot be an invitation are refused at
// once, and hold up none of the others.
func (s *Service) StartBulk(ctx context.Context, actor Actor, accountID ID, rows []BulkRow, key IdempotencyKey) (Replayable[Bulk], error) {
	taken, err := s.takeBulk(ctx, actor, accountID, rows, key)
	if err == nil && !taken.Replayed {
		select {
		case s.started <- struct{}{}:
		default:
		}
	}
	return taken, err
}

// BulkStarted says that a bulk was taken on by these use cases: one word for any
// number of them. Other processes find it by looking.
func (s *Service) BulkStarted() <-chan struct{} { return s.started }

func (s *Service) takeBulk(ctx context.Context, actor Actor, accountID ID, rows []BulkRow, key IdempotencyKey) (Replayable[Bulk], error) {
	bulk := Bulk{ID: s.drawID(), AccountID: accountID, Actor: actor, By: actor.Name(), State: BulkRunning}
	entry := actor.Entry(s.newID(), BulkCreate, "", bulk.ID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Bulk], error) {
		facts, err := tx.AccountFacts(accountID, actor)
		if err != nil {
			return Replayable[Bulk]{}, missing(err, accountNotFound())
		}
		entry.AccountID = accountID
		if _, err := facts.manager(actor); err != nil {
			return Replayable[Bulk]{}, err
		}
		if err := checkBulk(rows); err != nil {
			return Replayable[Bulk]{}, err
		}
		return once(tx, actor, key, func() (Bulk, error) {
			if running, err := tx.RunningBulks(accountID); err != nil || running >= MaxRunningBulks {
				return Bulk{}, errors.Join(err, tooManyBulks(running))
			}
			checked := facts.check(rows)
			begun := bulk
			begun.Rows, begun.Counts, begun.CreatedOn = len(checked), count(checked), tx.Now()
			if begun.Counts[BulkWaiting] == 0 {
				begun.State, begun.EndedOn = BulkFinished, tx.Now()
			}
			entry.After = bulkSnapshot(begun)
			return begun, tx.InsertBulk(begun, checked, *entry)
		})
	})
}

func tooManyBulks(running int) error {
	if running < MaxRunningBulks {
		return nil
	}
	return invalid("", "%d bulks of this account are being worked off; wait until one of them ended, or cancel one", running)
}

// check is a copy of rows in which everything is refused that needs no more than
// the account's roles to be.
func (f AccountFacts) check(rows []BulkRow) []BulkRow {
	checked := slices.Clone(rows)
	refuseRepeated(checked)
	resolveRoles(checked, newRoleNames(f.Catalog, f.Account.ID))
	return checked
}

// BulkPreview is what a bulk would do.
type BulkPreview struct {
	Rows   []BulkRow
	Counts BulkCounts
}

// PreviewBulk says what a bulk would do now, and does nothing.
func (s *Service) PreviewBulk(ctx context.Context, actor Actor, accountID ID, rows []BulkRow) (BulkPreview, error) {
	account, own, err := s.store.Access(ctx, accountID, actor.User.ID)
	if err != nil {
		return BulkPreview{}, missing(err, accountNotFound())
	}
	facts := BulkFacts{AccountFacts: AccountFacts{Account: account, Own: own}, Bulk: Bulk{Actor: actor}}
	if _, err := facts.manager(actor); err != nil {
		return BulkPreview{}, err
	}
	if err := checkBulk(rows); err != nil {
		return BulkPreview{}, err
	}
	if facts.Catalog, err = s.store.Catalog(ctx, accountID); err != nil {
		return BulkPreview{}, err
	}
	now := s.now()
	checked := facts.check(rows)
	if facts.Standing, facts.Seats, err = s.store.Standing(ctx, accountID, addressesOf(checked), now); err != nil {
		return BulkPreview{}, missing(err, accountNotFound())
	}
	left := budget{mailing: s.mailing}
	if s.mailing.Enabled {
		left.tallies = s.mailing.Budgets.inviting(actor, accountID, now)
		if left.used, err = s.store.Tallied(ctx, left.tallies); err != nil {
			return BulkPreview{}, err
		}
	}
	facts.preview(checked, &left, now)
	return BulkPreview{Rows: checked, Counts: count(checked)}, nil
}

// preview notes on rows what they would come to.
func (f BulkFacts) preview(rows []BulkRow, left *budget, now time.Time) {
	seats := f.Seats
	for i := range rows {
		row := &rows[i]
		if row.Outcome != BulkWaiting {
			continue
		}
		decision, err := DecideInvite(f.invite(*row, seats, now), f.Bulk.Actor, row.request(), FreshIDs{}, now)
		if err == nil && decision.Action == InviteCreate {
			err = left.spend(seats, now)
		}
		row.settle(decision, err)
		if row.Outcome == BulkInvited {
			row.Outcome = BulkWouldInvite
			seats.Open++
		}
	}
}

func addressesOf(rows []BulkRow) []string {
	addresses := make([]string, 0, len(rows))
	for _, row := range rows {
		if row.Outcome == BulkWaiting {
			addresses = append(addresses, row.Email)
		}
	}
	return addresses
}

// Bulks lists an account's bulks, the newest first, for who may invite there.
func (s *Service) Bulks(ctx context.Context, actor Actor, accountID ID, page PageRequest) (Page[Bulk], error) {
	if err := s.inviter(ctx, actor, accountID); err != nil {
		return Page[Bulk]{}, err
	}
	return s.store.Bulks(ctx, accountID, page)
}

// Bulk reads one of them.
func (s *Service) Bulk(ctx context.Context, actor Actor, accountID, id ID) (Bulk, error) {
	if err := s.inviter(ctx, actor, accountID); err != nil {
		return Bulk{}, err
	}
	bulk, err := s.store.Bulk(ctx, accountID, id)
	return bulk, missing(err, notFound("bulk"))
}

// BulkQuery goes through the rows of a bulk in the order of the file. Outcome ""
// filters nothing.
type BulkQuery struct {
	After   int // the number of a row
	Limit   int
	Outcome BulkOutcome
}

// BulkRows lists rows of a bulk with what became of them.
func (s *Service) BulkRows(ctx context.Context, actor Actor, accountID, id ID, query BulkQuery) ([]BulkRow, error) {
	if _, err := s.Bulk(ctx, actor, accountID, id); err != nil {
		return nil, err
	}
	return s.store.BulkRows(ctx, id, query)
}

// inviter checks that the actor may manage invitations; an account that is
// suspended can be read.
func (s *Service) inviter(ctx context.Context, actor Actor, accountID ID) error {
	_, rights, err := s.access(ctx, actor, accountID)
	if err == nil && !rights.May(AreaMembers, Write) {
		err = refuse(Forbidden, "managing members needs write permission on the area %q", AreaMembers)
	}
	return err
}

// CancelBulk ends a bulk before its time: rows that wait are left out, who is
// invited stays so. One that has ended stays as it is.
func (s *Service) CancelBulk(ctx context.Context, actor Actor, accountID, id ID) (Bulk, error) {
	entry := actor.Entry(s.newID(), BulkCancel, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Bulk, error) {
		facts, err := tx.AccountFacts(accountID, actor)
		if err != nil {
			return Bulk{}, missing(err, accountNotFound())
		}
		entry.AccountID = accountID
		if _, err := facts.manager(actor); err != nil {
			return Bulk{}, err
		}
		bulk, err := tx.Bulk(accountID, id)
		if err != nil || bulk.State != BulkRunning {
			return bulk, missing(err, notFound("bulk"))
		}
		entry.Before = bulkSnapshot(bulk)
		bulk, err = endBulk(tx, bulk, BulkCanceled, BulkRow{Outcome: BulkNotSent})
		if err != nil {
			return Bulk{}, err
		}
		entry.After = bulkSnapshot(bulk)
		return bulk, tx.Record(*entry)
	})
}

// endBulk ends a bulk with all rows that wait as last is.
func endBulk(tx Tx, bulk Bulk, state BulkState, last BulkRow) (Bulk, error) {
	n, err := tx.EndBulkRows(bulk.ID, last)
	if err != nil {
		return Bulk{}, err
	}
	after := bulk.with(BulkCounts{BulkWaiting: -n, last.Outcome: n})
	after.State, after.EndedOn, after.Worker, after.LeasedTo = state, tx.Now(), "", time.Time{}
	return after, tx.UpdateBulk(after, nil)
}
