package storetest

import (
	"context"
	"errors"

	"hither/internal/iam"
)

// Twice wraps a store so that every closure runs once in a transaction that is
// then rolled back, and once for real: as it happens where a transaction is
// tried again. A closure that has an effect but through its transaction, or
// draws its ids inside, shows.
func Twice(store iam.Store) iam.Store { return twice{store} }

type twice struct{ iam.Store }

var errRehearsed = errors.New("rolled back on purpose")

func (t twice) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	err := t.Store.Update(ctx, func(tx iam.Tx) error {
		_ = fn(tx) // the second run tells
		return errRehearsed
	})
	if !errors.Is(err, errRehearsed) {
		return err
	}
	return t.Store.Update(ctx, fn)
}
