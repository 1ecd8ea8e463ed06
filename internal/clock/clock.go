// Package clock tells the time: UTC, in whole microseconds, since that is what
// the databases keep and the wire shows. It imports nothing of hither.
package clock

import (
	"sync/atomic"
	"time"
)

// Now is the present moment, UTC, cut to microseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Movable is a clock that runs like Now until it is set forward, and then that
// much ahead of it. It never goes back: what was written stays in the past. Its
// methods are safe for concurrent use; the zero value tells the present.
type Movable struct {
	ahead atomic.Int64 // a time.Duration
}

// Now is the clock's present.
func (m *Movable) Now() time.Time { return Now().Add(time.Duration(m.ahead.Load())) }

// Forward sets the clock to a moment. One that is past already changes nothing.
func (m *Movable) Forward(to time.Time) {
	for {
		old := m.ahead.Load()
		ahead := int64(to.Sub(Now()).Truncate(time.Microsecond))
		if ahead <= old || m.ahead.CompareAndSwap(old, ahead) {
			return
		}
	}
}
