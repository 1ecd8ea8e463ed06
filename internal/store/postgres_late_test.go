package store

import (
	"errors"
	"sync"
	"testing"

	"hither/internal/iam"
)

// TestAccountsThatAreGovernedTooLate has somebody become Super Administrator
// after the accounts were locked that a suspension is about, and before the user
// was. The other one of the account leaves meanwhile: of what was not locked it
// would learn nothing, and nobody were left.
func TestAccountsThatAreGovernedTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	a, u, v := w.account(0), w.user("u"), w.user("v")
	leave := w.leave(w.insert(w.accepted(a, u, w.super())), u)
	accept, suspend := w.accept(w.insert(w.pending(a, v.Email, w.super())), v), w.suspend(v)
	var wg sync.WaitGroup
	update := func(fn func(tx iam.Tx, pause func()) error, pause func()) {
		err := w.store.Update(t.Context(), func(tx iam.Tx) error { return fn(tx, pause) })
		if err != nil && !errors.Is(err, errRefusedByRule) {
			t.Error(err)
		}
	}
	left := make(chan struct{})
	othersLeave := sync.OnceFunc(func() {
		wg.Go(func() {
			defer close(left)
			update(leave, func() {})
		})
		if !await(func() bool { return isClosed(left) || w.number(waiters) > 0 }) {
			t.Error("who leaves neither waits nor is through")
		}
	})
	before := w.store.Stats().Reruns
	update(accept, func() { // it holds the account and, shared, the user
		wg.Go(func() { update(suspend, othersLeave) })
		if !await(func() bool { return w.number(waiters) > 0 }) {
			t.Error("the suspension does not wait for the user")
		}
	})
	wg.Wait()
	if w.ungoverned() {
		t.Error("the account is governed by nobody who can act")
	}
	if w.store.Stats().Reruns == before {
		t.Error("the suspension did not start over")
	}
}
