package iam

import (
	"context"
	"errors"
)

// placeBound is how many events one transaction places at most.
const placeBound = 1000

// EventQuery asks for an account's events behind a position, as the account may see
// them, or with Open whole.
type EventQuery struct {
	AccountID ID
	Open      bool
	After     int64
	Limit     int
}

// Events reads an account's events behind a position, in the order in which they
// became visible: a reader that goes on from the last position it saw misses none,
// however late a transaction commits. An event is an audit row, its position in Seq.
func (s *Service) Events(ctx context.Context, actor Actor, accountID ID, after int64, limit int) ([]AuditEntry, error) {
	if _, err := s.auditor(ctx, actor, accountID); err != nil {
		return nil, err
	}
	if err := s.placeEvents(ctx); err != nil {
		return nil, err
	}
	query := EventQuery{AccountID: accountID, Open: actor.Operator(), After: after, Limit: limit}
	entries, err := s.store.Events(ctx, query)
	for i := range entries {
		AuditQuery{AccountID: accountID, Open: query.Open}.hide(&entries[i])
	}
	return entries, err
}

// EventPlace is where in an account's events somebody reads. Positions are counted
// over all accounts, and tell how much happens in others: a reader is given the id of
// the event instead, "" before the first.
type EventPlace struct {
	ID       string
	Position int64
}

// EventPlace is where the event of an id stands, or before all events where none of
// the account has it: those that retention dropped are older than all that are left.
func (s *Service) EventPlace(ctx context.Context, actor Actor, accountID ID, id string) (EventPlace, error) {
	if _, err := s.auditor(ctx, actor, accountID); err != nil || id == "" {
		return EventPlace{}, err
	}
	position, err := s.store.EventPosition(ctx, accountID, id)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return EventPlace{}, err
	}
	return EventPlace{id, position}, nil
}

// LastEvent is from where on an account has only what is to come.
func (s *Service) LastEvent(ctx context.Context, actor Actor, accountID ID) (EventPlace, error) {
	if _, err := s.auditor(ctx, actor, accountID); err != nil {
		return EventPlace{}, err
	}
	if err := s.placeEvents(ctx); err != nil {
		return EventPlace{}, err
	}
	place, err := s.store.LastEvent(ctx, accountID)
	if errors.Is(err, ErrNoRow) {
		return EventPlace{}, nil
	}
	return place, err
}

// placeEvents gives positions to what has none yet. Who reads does it, on whatever
// node, so that nobody writes more where nobody reads. In one process one does at a
// time: whoever waited for it finds nothing left to place.
func (s *Service) placeEvents(ctx context.Context) error {
	waits, err := s.store.Unplaced(ctx)
	if err != nil || !waits {
		return err
	}
	select {
	case s.placing <- struct{}{}:
		defer func() { <-s.placing }()
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
	for {
		waits, err := s.store.Unplaced(ctx)
		if err != nil || !waits {
			return err
		}
		placed, err := Update(ctx, s.store, func(tx Tx) (int, error) { return tx.PlaceEvents(placeBound) })
		if err != nil || placed < placeBound {
			return err
		}
	}
}
