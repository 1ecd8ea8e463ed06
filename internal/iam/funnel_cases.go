package iam

import (
	"context"
	"errors"
)

// ErrTooMuch is a store's answer to who asks about more than MaxFunnelRows.
var ErrTooMuch = errors.New("too much to count")

// Funnel says what became of an account's invitations. The operator may ask for all
// accounts together.
func (s *Service) Funnel(ctx context.Context, actor Actor, query FunnelQuery) (Funnel, error) {
	if query.AccountID == "" {
		if err := mustOperate(actor); err != nil {
			return Funnel{}, err
		}
	} else if _, err := s.reader(ctx, actor, query.AccountID); err != nil {
		return Funnel{}, err
	}
	switch {
	case !query.Since.Before(query.Until):
		return Funnel{}, invalid("/since", "since must be before until")
	case query.Until.Sub(query.Since) > MaxFunnelSpan:
		return Funnel{}, invalid("/since", "since and until must be %d days apart at most", int(MaxFunnelSpan/day))
	}
	funnel, err := s.store.Funnel(ctx, query, s.now())
	if errors.Is(err, ErrTooMuch) {
		return Funnel{}, invalid("/since", "more than %d invitations were made then; ask for less at a time", MaxFunnelRows)
	}
	return funnel, err
}

// NoteOpened notes that the page of a pending invitation was opened by who may see
// it: its user, or who holds its newest link, of this generation. It is noted once.
func (s *Service) NoteOpened(ctx context.Context, id ID, generation int) error {
	_, err := Update(ctx, s.store, func(tx Tx) (bool, error) { return tx.MarkOpened(id, generation) })
	return err
}
