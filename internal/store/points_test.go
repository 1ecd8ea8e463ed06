package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"hither/internal/iam"
)

// airport is a table of numbers that is read when the test says so.
type airport struct {
	flights[int, int]

	mu    sync.Mutex
	read  [][]int       // the keys of each statement
	ends  chan struct{} // one for each that may end
	fails func(keys []int) error
}

func newAirport() *airport {
	a := &airport{ends: make(chan struct{}), fails: func([]int) error { return nil }}
	a.flights.read = func(keys []int) (map[int]int, error) {
		a.mu.Lock()
		a.read = append(a.read, slices.Clone(keys))
		a.mu.Unlock()
		<-a.ends
		values := map[int]int{}
		for _, key := range keys {
			if key >= 0 {
				values[key] = 10 * key
			}
		}
		return values, a.fails(keys)
	}
	return a
}

// ask looks keys up at once, and returns what they will be told.
func (a *airport) ask(ctx context.Context, keys ...int) []func() (int, error) {
	told := make([]func() (int, error), len(keys))
	for i, key := range keys {
		var (
			value int
			err   error
			done  = make(chan struct{})
		)
		go func() {
			defer close(done)
			value, err = a.get(ctx, key)
		}()
		told[i] = func() (int, error) { <-done; return value, err }
		synctest.Wait() // so that they come in this order
	}
	return told
}

// TestPointsTravelTogether holds who is read with whom: one that is alone does not
// wait, nor does a full group, everybody else goes next, and nobody goes with what
// has left.
func TestPointsTravelTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAirport()
		keys := []int{1} // alone
		for i := range maxPoints {
			keys = append(keys, 100+i) // fill the second
		}
		keys = append(keys, 200, 200, -1) // wait for a third; twice the same, and one that has no row
		want := [][]int{{1}, keys[1 : 1+maxPoints], keys[1+maxPoints:]}
		told := a.ask(t.Context(), keys...)
		if len(a.read) != 2 {
			t.Errorf("statements before any is through: got %v, want two", a.read)
		}
		close(a.ends)
		for i, key := range keys[:len(keys)-1] {
			if got, err := told[i](); got != 10*key || err != nil {
				t.Errorf("key %d: got %d, %v, want %d", key, got, err, 10*key)
			}
		}
		if _, err := told[len(told)-1](); !errors.Is(err, iam.ErrNoRow) {
			t.Errorf("a key without a row: got %v, want %v", err, iam.ErrNoRow)
		}
		slices.SortFunc(a.read, func(a, b []int) int { return a[0] - b[0] }) // two leave at once
		if !slices.EqualFunc(a.read, want, slices.Equal) {
			t.Errorf("statements: got %v, want %v", a.read, want)
		}
		synctest.Wait()
		if a.underway != 0 {
			t.Errorf("under way at the end: got %d, want 0", a.underway)
		}
	})
}

// TestPointsAreEachOnesOwn holds that neither who goes away nor what cannot be
// read is of any account to the others.
func TestPointsAreEachOnesOwn(t *testing.T) {
	t.Parallel()
	bad := errors.New("no text")
	for name, test := range map[string]struct {
		fails      func(keys []int) error
		bad, other error
		statements int
	}{
		"one cannot be read": {func(keys []int) error { return errIn(keys, 5, bad) }, bad, nil, 1 + 1 + 3},
		"one panics": {func(keys []int) error {
			if slices.Contains(keys, 5) {
				panic("five")
			}
			return nil
		}, nil, nil, 1 + 1 + 3},
		"the engine fails": {func([]int) error { return unusable(bad) }, bad, bad, 1 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAirport()
				a.fails = test.fails
				first := a.ask(t.Context(), 1)
				leaving, leave := context.WithCancel(t.Context())
				gone := a.ask(leaving, 4)
				rest := a.ask(t.Context(), 5, 6)
				leave()
				if _, err := gone[0](); !errors.Is(err, context.Canceled) {
					t.Errorf("who went away: got %v, want %v", err, context.Canceled)
				}
				close(a.ends)
				_, failed := rest[0]()
				value, err := rest[1]()
				if failed == nil || test.bad != nil && !errors.Is(failed, test.bad) {
					t.Errorf("what cannot be read: got %v, want %v", failed, test.bad)
				}
				if !errors.Is(err, test.other) || err == nil && value != 60 {
					t.Errorf("beside it: got %d, %v, want %v", value, err, test.other)
				}
				if _, err := first[0](); !errors.Is(err, test.other) {
					t.Errorf("before it: got %v, want %v", err, test.other)
				}
				if len(a.read) != test.statements {
					t.Errorf("statements: got %v, want %d", a.read, test.statements)
				}
			})
		})
	}
}

func errIn(keys []int, key int, err error) error {
	if slices.Contains(keys, key) {
		return err
	}
	return nil
}

// TestPointsOnPostgres asks for many rows at once, of which some are not there
// and one cannot be: each is told of its own.
func TestPointsOnPostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	const rows = 3 * maxPoints
	account := w.account(0)
	ids, hashes := make([]iam.ID, rows), make([][32]byte, rows)
	for i := range rows {
		u := w.user(fmt.Sprint("u", i))
		key := iam.Key{ID: w.id(), UserID: u.ID, Hash: iam.HashSecret(fmt.Sprint(i))}
		ids[i], hashes[i] = w.insert(w.pending(account, u.Email)).ID, key.Hash
		entry := w.entry(iam.KeyCreate, "", key.ID)
		w.must(func(tx iam.Tx) error { return tx.InsertKey(key, entry) })
	}
	var wg sync.WaitGroup
	for i := range rows {
		wg.Go(func() {
			invitation, err := w.store.Invitation(t.Context(), ids[i])
			if err != nil || invitation.ID != ids[i] || invitation.Account.ID != account.ID || len(invitation.Roles) != 1 {
				t.Errorf("invitation %s: got %+v, %v", ids[i], invitation, err)
			}
			principal, err := w.store.KeyPrincipal(t.Context(), hashes[i])
			if err != nil || principal.Key.Hash != hashes[i] || principal.User.Email != fmt.Sprintf("u%d@example.com", i) {
				t.Errorf("key %d: got %+v, %v", i, principal, err)
			}
		})
		wg.Go(func() {
			if _, err := w.store.Invitation(t.Context(), w.id()); !errors.Is(err, iam.ErrNoRow) {
				t.Errorf("no row: got %v, want %v", err, iam.ErrNoRow)
			}
			if _, err := w.store.Invitation(t.Context(), "\x00"); err == nil || errors.Is(err, iam.ErrNoRow) {
				t.Errorf("an id that is no text: got %v, want the engine's error", err)
			}
			if _, err := w.store.TokenPrincipal(t.Context(), hashes[i]); !errors.Is(err, iam.ErrNoRow) {
				t.Errorf("no token: got %v, want %v", err, iam.ErrNoRow)
			}
		})
	}
	wg.Wait()
}
