package iam

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// IdempotencyLife is how long an outcome is kept under its idempotency key.
const IdempotencyLife = 24 * time.Hour

// MaxIdempotencyKey is the longest idempotency key, in bytes.
const MaxIdempotencyKey = 255

// IdempotencyKey lets its principal send a request again without doing it
// again. The zero key asks for nothing.
type IdempotencyKey struct {
	Value     string   // as the client chose it
	Operation string   // what is done, and where: each has keys of its own
	Request   [32]byte // SHA-256 of all else that is asked
}

// ValidIdempotencyKey reports whether s may be the value of a key: 1 to
// MaxIdempotencyKey printable ASCII characters.
func ValidIdempotencyKey(s string) bool {
	if s == "" || len(s) > MaxIdempotencyKey {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Outcome is what a request with an idempotency key led to. It is kept in the
// transaction of its effect, and only there: what was refused has none.
type Outcome struct {
	Request [32]byte // of the request that it answered
	Result  string   // what the use case returned, as JSON
}

// Replayable is what a use case returned, now or the first time.
type Replayable[T any] struct {
	Result   T
	Replayed bool // it is the first time's; this time nothing was done
}

// record names the row of the key. The principal is in it, so that nobody meets
// a key of somebody else; and it is a hash, since clients put anything into a
// key. All credentials of a user are one principal: one that is rotated between
// two attempts changes nothing. An operator token is one by itself.
func (k IdempotencyKey) record(actor Actor) [32]byte {
	principal := actor.Grantor() // who acts, by kind and id
	return sha256.Sum256([]byte(encode([]string{string(principal.Kind), string(principal.ID), k.Operation, k.Value})))
}

// once does what a request asks unless it was done under the same key. It comes
// after the actor was authorised anew, so that no replay outlives a right, and
// before everything that a first success changes for the second: seats, a live
// row, a date that has come. T must hold no secret: it is kept, and shown again.
func once[T any](tx Tx, actor Actor, key IdempotencyKey, do func() (T, error)) (Replayable[T], error) {
	if key.Value == "" {
		result, err := do()
		return Replayable[T]{Result: result}, err
	}
	id := key.record(actor)
	switch first, err := tx.Outcome(id); {
	case err == nil:
		return replay[T](first, key)
	case !errors.Is(err, ErrNoRow):
		return Replayable[T]{}, err
	}
	result, err := do()
	if err != nil {
		return Replayable[T]{}, err
	}
	return Replayable[T]{Result: result}, tx.KeepOutcome(id, Outcome{Request: key.Request, Result: encode(result)})
}

func replay[T any](first Outcome, key IdempotencyKey) (Replayable[T], error) {
	if first.Request != key.Request {
		return Replayable[T]{}, refuse(KeyReused,
			"this idempotency key was used with another request less than %d hours ago; send a new key with a new request",
			int(IdempotencyLife.Hours()))
	}
	again := Replayable[T]{Replayed: true}
	if err := json.Unmarshal([]byte(first.Result), &again.Result); err != nil {
		return Replayable[T]{}, fmt.Errorf("read a kept outcome: %w", err)
	}
	return again, nil
}
