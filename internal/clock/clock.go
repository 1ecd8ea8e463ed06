// Package clock tells the time: UTC, in whole microseconds, since that is what
// the databases keep and the wire shows. It imports nothing of hither.
package clock

import "time"

// Now is the present moment, UTC, cut to microseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
