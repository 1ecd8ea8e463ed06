package iam

import "context"

// placeBound is how many events one transaction places at most.
const placeBound = 1000

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
	entries, err := s.store.Events(ctx, accountID, after, limit)
	for i := range entries {
		entries[i].hideStranger()
	}
	return entries, err
}

// LastEvent is the position from which on an account has only what is to come.
func (s *Service) LastEvent(ctx context.Context, actor Actor, accountID ID) (int64, error) {
	if _, err := s.auditor(ctx, actor, accountID); err != nil {
		return 0, err
	}
	if err := s.placeEvents(ctx); err != nil {
		return 0, err
	}
	return s.store.LastEvent(ctx)
}

// placeEvents gives positions to what has none yet. Who reads does it, on whatever
// node, so that nobody writes more where nobody reads.
func (s *Service) placeEvents(ctx context.Context) error {
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
