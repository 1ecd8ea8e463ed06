package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	"hither/internal/iam"
)

// The headers by which a request that makes something is sent again without
// making it again. The first is looked at where something is made, and there
// only; every POST does.
const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
)

// once is the key under which the request is to take place once; zero where it
// has none.
//
// What counts as the same request is its body as a JSON value: white space and
// the order of members are up to whatever encoded it, and some encoders order
// them anew at each attempt. All else is compared, what nobody reads too, so
// that a field that we learn to read meanwhile makes no other request of it.
func (x *exchange) once(body *fields) (iam.IdempotencyKey, error) {
	return x.onceOf(func() ([32]byte, error) {
		canonical, err := json.Marshal(body.values)
		if err != nil {
			return [32]byte{}, fmt.Errorf("encode the request anew: %w", err)
		}
		return sha256.Sum256(canonical), nil
	})
}

// onceOf is once for a request that is told from others by a sum of its own.
func (x *exchange) onceOf(sum func() ([32]byte, error)) (iam.IdempotencyKey, error) {
	values := x.r.Header.Values(idempotencyHeader)
	if len(values) == 0 {
		return iam.IdempotencyKey{}, nil
	}
	if len(values) > 1 || !iam.ValidIdempotencyKey(values[0]) {
		return iam.IdempotencyKey{}, invalid("", "the header "+idempotencyHeader+" must be there once, with 1 to "+
			strconv.Itoa(iam.MaxIdempotencyKey)+" printable ASCII characters, such as a fresh UUID; or leave it out")
	}
	request, err := sum()
	if err != nil {
		return iam.IdempotencyKey{}, err
	}
	x.repeatable = true
	return iam.IdempotencyKey{Value: values[0], Operation: x.r.Method + " " + x.r.URL.Path, Request: request}, nil
}

// onceUnread is once for a request of whose body, where there is one, nothing is
// read.
func (x *exchange) onceUnread() (iam.IdempotencyKey, error) {
	body, err := x.optionalBody()
	if err != nil {
		return iam.IdempotencyKey{}, err
	}
	return x.once(body)
}
