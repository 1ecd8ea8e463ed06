package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"hither/internal/iam"
)

// Nearly every request begins with a row that is looked up by one value. Behind
// a network most of what that takes is the way there and back. So such reads
// travel together: what is asked for while others are under way goes into the
// next statement. One that is alone never waits. Each is read after it was asked
// for, as if it were by itself.

const (
	// maxPoints is how many one statement looks up.
	maxPoints = 32
	// maxFlights is how many statements of a kind are under way at once. Another
	// one leaves only when it is full: few large ones take less than many small.
	maxFlights = 4
)

// points are the kinds of rows that are looked up together.
type points struct {
	keys        flights[[32]byte, iam.KeyPrincipal]
	tokens      flights[[32]byte, iam.TokenPrincipal]
	invitations flights[iam.ID, iam.Invitation]
}

func newPoints(s *Store) *points {
	p := &points{}
	p.keys.read = jointly(s, (*view).keyPrincipals)
	p.tokens.read = jointly(s, (*view).tokenPrincipals)
	p.invitations.read = jointly(s, (*view).invitationsOf)
	return p
}

// jointly reads on nobody's context: what bounds it are the engine's timeouts.
func jointly[K comparable, V any](s *Store, fn func(v *view, keys []K) (map[K]V, error)) func(keys []K) (map[K]V, error) {
	return func(keys []K) (map[K]V, error) {
		return read(context.Background(), s, func(v *view) (map[K]V, error) { return fn(v, keys) })
	}
}

// flights are the lookups of one kind.
type flights[K comparable, V any] struct {
	// read gives the rows of those keys that have one.
	read func(keys []K) (map[K]V, error)

	mu       sync.Mutex
	waiting  []*passenger[K, V]
	underway int
}

// passenger is one lookup.
type passenger[K comparable, V any] struct {
	key    K
	answer chan arrival[V] // buffered: whoever asked may be gone
}

type arrival[V any] struct {
	value V
	err   error
}

// get looks a key up. A caller that goes away ends its own wait only.
func (f *flights[K, V]) get(ctx context.Context, key K) (value V, err error) {
	if err := ctx.Err(); err != nil {
		return value, err //nolint:wrapcheck // the caller's own context
	}
	p := &passenger[K, V]{key, make(chan arrival[V], 1)}
	f.mu.Lock()
	f.waiting = append(f.waiting, p)
	leaves := f.underway == 0 || len(f.waiting) >= maxPoints && f.underway < maxFlights
	if leaves {
		f.underway++
	}
	f.mu.Unlock()
	if leaves {
		go f.fly()
	}
	select {
	case a := <-p.answer:
		return a.value, a.err
	case <-ctx.Done():
		return value, ctx.Err() //nolint:wrapcheck // the caller's own context
	}
}

// fly takes on who waits until nobody does.
func (f *flights[K, V]) fly() {
	for group := f.board(); group != nil; group = f.board() {
		f.carry(group)
	}
}

func (f *flights[K, V]) board() []*passenger[K, V] {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.waiting), maxPoints)
	if n == 0 {
		f.underway--
		return nil
	}
	group := f.waiting[:n:n]
	f.waiting = f.waiting[n:]
	if len(f.waiting) == 0 {
		f.waiting = nil // as much as was needed at once is not kept
	}
	return group
}

// carry reads a group. Where that fails by one of them, as a text that the
// engine does not take would, each is read by itself; where the engine fails,
// nobody asks again.
func (f *flights[K, V]) carry(group []*passenger[K, V]) {
	keys := make([]K, len(group))
	for i, p := range group {
		keys[i] = p.key
	}
	values, err := f.readSafely(keys)
	if err != nil && len(group) > 1 && iam.KindOf(err) != iam.Unavailable {
		for _, p := range group {
			f.carry([]*passenger[K, V]{p})
		}
		return
	}
	for _, p := range group {
		value, found := values[p.key]
		a := arrival[V]{value, err}
		if err == nil && !found {
			a.err = iam.ErrNoRow
		}
		p.answer <- a
	}
}

// readSafely makes a panic an error: it is not in a request that would be
// alone in ending by it.
func (f *flights[K, V]) readSafely(keys []K) (values map[K]V, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic in a read: %v\n%s", value, debug.Stack())
		}
	}()
	return f.read(keys)
}

// among is ` IN (…)` with its arguments. There are three texts, so that each is
// prepared once; what is missing is filled up by repeating.
func among[K comparable](keys []K, argument func(K) any) (string, []any) {
	const (
		few = `$1, $2, $3, $4, $5, $6, $7, $8`
		all = few + `, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32`
		n   = 8 // of few
	)
	text, args := ` IN (`+all+`)`, make([]any, maxPoints)
	switch {
	case len(keys) == 1:
		text, args = ` IN ($1)`, args[:1]
	case len(keys) <= n:
		text, args = ` IN (`+few+`)`, args[:n]
	}
	for i := range args {
		args[i] = argument(keys[min(i, len(keys)-1)])
	}
	return text, args
}

func hashArgument(hash [32]byte) any { return hash[:] }

func idArgument(id iam.ID) any { return string(id) }

func (v *view) keyPrincipals(hashes [][32]byte) (map[[32]byte]iam.KeyPrincipal, error) {
	condition, args := among(hashes, hashArgument)
	found := make(map[[32]byte]iam.KeyPrincipal, len(hashes))
	err := v.query(selectKey+condition, args, func(r row) error {
		var p iam.KeyPrincipal
		if err := r.Scan(userDest(keyDest(destinations(), &p.Key), &p.User)...); err != nil {
			return fmt.Errorf("scan key: %w", err)
		}
		found[p.Key.Hash] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return found, nil
}

func (v *view) tokenPrincipals(hashes [][32]byte) (map[[32]byte]iam.TokenPrincipal, error) {
	condition, args := among(hashes, hashArgument)
	found := make(map[[32]byte]iam.TokenPrincipal, len(hashes))
	err := v.query(selectToken+condition, args, func(r row) error {
		var p iam.TokenPrincipal
		if err := r.Scan(userDest(tokenDest(destinations(), &p.Token), &p.User)...); err != nil {
			return fmt.Errorf("scan token: %w", err)
		}
		found[p.Token.Hash] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return found, nil
}

func (v *view) invitationsOf(ids []iam.ID) (map[iam.ID]iam.Invitation, error) {
	condition, args := among(ids, idArgument)
	var b builder
	b.add(fromInvitation, condition)
	b.args = args
	rows, err := v.invitations(&b)
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	found := make(map[iam.ID]iam.Invitation, len(ids))
	for _, invitation := range rows {
		found[invitation.ID] = invitation
	}
	return found, nil
}
