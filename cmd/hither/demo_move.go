package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

// maxAhead bounds how far ahead of the present a demo's clock can be: nothing
// that is kept or shown leaves the years of four digits then.
const maxAhead = 100 * 365 * 24 * time.Hour

// demoMove says to when a clock is to be set: for so long, or to a moment.
type demoMove struct {
	expires

	pointer string
}

// readMove reads {"forward": "8d"} or {"to": "2027-01-01T00:00:00Z"}.
func readMove(r *http.Request) (demoMove, error) {
	const way = `send {"forward":"8d"} (or 36h, 90m, 1h30m), or {"to":"2027-01-01T00:00:00Z"}`
	var fields map[string]json.RawMessage
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 4096))
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return demoMove{}, steerError{http.StatusBadRequest, 1002, "the body is no JSON object of at most 4096 bytes; " + way, ""}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "forward" && name != "to" {
			return demoMove{}, steerError{http.StatusBadRequest, 1001, fmt.Sprintf("%q is no field here; %s", name, way), "/" + name}
		}
	}
	if len(fields) != 1 {
		return demoMove{}, steerError{http.StatusBadRequest, 1001, "either forward or to; " + way, "/forward"}
	}
	for name, value := range fields {
		move := demoMove{pointer: "/" + name}
		var said string
		if json.Unmarshal(value, &said) != nil || move.UnmarshalText([]byte(said)) != nil || (move.span > 0) != (name == "forward") {
			return move, steerError{http.StatusBadRequest, 1001, fmt.Sprintf("%s cannot be %s; %s", name, value, way), move.pointer}
		}
		return move, nil
	}
	return demoMove{}, nil // there is one field
}

// from is the moment that is meant, seen from now.
func (m demoMove) from(now time.Time) (time.Time, error) {
	to := m.at(now).Truncate(time.Microsecond)
	switch {
	case to.Before(now):
		return to, steerError{
			http.StatusBadRequest, 1001,
			fmt.Sprintf("%s is before the demo's present, %s, and its clock only goes forward; POST %s begins anew with the present",
				to.Format(time.RFC3339Nano), now.Format(time.RFC3339Nano), resetPath), m.pointer,
		}
	case to.After(time.Now().Add(maxAhead)):
		return to, steerError{http.StatusBadRequest, 1001, "a demo's clock goes a hundred years ahead at most", m.pointer}
	}
	return to, nil
}
