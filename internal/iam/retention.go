package iam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MinRetention is the shortest time that what ended is kept, and audit rows are:
// within a day a commit whose answer was lost is long looked up, and a request
// repeated.
const MinRetention = 24 * time.Hour

// MinWebhookRetention is the shortest time that deliveries to webhooks are kept:
// longer than they are tried.
const MinWebhookRetention = 4 * 24 * time.Hour

// Retention is how long audit rows, ended memberships, ended bulks and deliveries to
// webhooks are kept; 0 is for ever.
type Retention struct {
	Audit, Ended, Bulk, Webhooks time.Duration
}

// trimBound is how many rows one transaction drops at most.
const trimBound = 500

// trimAccounts is of how many accounts one transaction drops audit rows.
const trimAccounts = 50

// Trimmed is what one Trim dropped; More says that there may be more to drop: other
// nodes may have taken some of what this one chose.
type Trimmed struct {
	Audit, Ended int
	Bulk         int // rows of bulks
	Webhooks     int // deliveries
	More         bool
}

// Trim drops some of what was kept for long enough. Any number of nodes may trim at
// once: a row is dropped once.
func (s *Service) Trim(ctx context.Context, keep Retention) (Trimmed, error) {
	var trimmed Trimmed
	var errs []error
	if keep.Audit > 0 {
		n, err := s.trimAudit(ctx, s.now().Add(-keep.Audit))
		if err != nil {
			errs = append(errs, fmt.Errorf("the audit log: %w", err))
		}
		trimmed.Audit, trimmed.More = n, n > 0
	}
	if keep.Ended > 0 {
		n, err := s.trimEnded(ctx, s.now().Add(-keep.Ended))
		if err != nil {
			errs = append(errs, fmt.Errorf("what ended: %w", err))
		}
		trimmed.Ended = n
		trimmed.More = trimmed.More || n > 0
	}
	if keep.Bulk > 0 {
		before := s.now().Add(-keep.Bulk)
		n, err := s.trimBulks(ctx, before)
		if err != nil {
			errs = append(errs, fmt.Errorf("bulks: %w", err))
		}
		trimmed.Bulk = n
		trimmed.More = trimmed.More || n > 0
	}
	if keep.Webhooks > 0 {
		n, err := s.trimWebhooks(ctx, s.now().Add(-keep.Webhooks))
		if err != nil {
			errs = append(errs, err)
		}
		trimmed.Webhooks = n
		trimmed.More = trimmed.More || n > 0
	}
	return trimmed, errors.Join(errs...)
}

// trimAudit drops old audit rows: some tens of accounts in a transaction, for in a
// large instance each may have one.
func (s *Service) trimAudit(ctx context.Context, before time.Time) (int, error) {
	accounts, err := s.store.OldAudit(ctx, before, trimBound)
	if err != nil {
		return 0, err
	}
	total := 0
	for some := range slices.Chunk(accounts, trimAccounts) {
		n, err := Update(ctx, s.store, func(tx Tx) (int, error) {
			dropped := 0
			for _, id := range some {
				n, err := tx.DropAudit(id, before, trimBound-dropped)
				if err != nil {
					return 0, err
				}
				if dropped += n; dropped == trimBound {
					break
				}
			}
			return dropped, nil
		})
		if total += n; err != nil || total >= trimBound {
			return total, err
		}
	}
	return total, nil
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

// trimBulks drops rows of bulks that ended long ago. Where there are none nothing is
// written.
func (s *Service) trimBulks(ctx context.Context, before time.Time) (int, error) {
	switch first, err := s.store.FirstEndedBulk(ctx); {
	case errors.Is(err, ErrNoRow), err == nil && !first.Before(before):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return Update(ctx, s.store, func(tx Tx) (int, error) { return tx.DropBulks(before, trimBound) })
}
