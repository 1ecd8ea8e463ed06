package iam

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MinRetention is the shortest time that what ended is kept, and audit rows are:
// within a day a commit whose answer was lost is long looked up, and a request
// repeated.
const MinRetention = 24 * time.Hour

// Retention is how long audit rows and ended memberships are kept; 0 is for ever.
type Retention struct {
	Audit, Ended time.Duration
}

// trimBound is how many rows one transaction drops at most.
const trimBound = 500

// Trimmed is what one Trim dropped; More says that there is more to drop.
type Trimmed struct {
	Audit, Ended int
	More         bool
}

// Trim drops some of what was kept for long enough. Any number of nodes may trim at
// once: a row is dropped once.
func (s *Service) Trim(ctx context.Context, keep Retention) (Trimmed, error) {
	var trimmed Trimmed
	var errs []error
	if keep.Audit > 0 {
		n, err := Update(ctx, s.store, func(tx Tx) (int, error) {
			return tx.DropAudit(tx.Now().Add(-keep.Audit), trimBound)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("the audit log: %w", err))
		}
		trimmed.Audit, trimmed.More = n, n == trimBound
	}
	if keep.Ended > 0 {
		n, err := s.trimEnded(ctx, s.now().Add(-keep.Ended))
		if err != nil {
			errs = append(errs, fmt.Errorf("what ended: %w", err))
		}
		trimmed.Ended = n
		trimmed.More = trimmed.More || n == trimBound
	}
	return trimmed, errors.Join(errs...)
}

// trimEnded drops ended rows, a transaction an account.
func (s *Service) trimEnded(ctx context.Context, by time.Time) (int, error) {
	accounts, err := s.store.Ended(ctx, by, trimBound)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, id := range accounts {
		n, err := Update(ctx, s.store, func(tx Tx) (int, error) { return tx.DropEnded(id, by, trimBound) })
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
