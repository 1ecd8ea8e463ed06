// Package id draws the identifiers of rows: UUIDv7 written as 32 lower-case
// hex characters, so that they sort by creation. An id is never a secret and
// never reused. It imports nothing of hither.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// Source draws ids; safe for concurrent use. Two ids of one source compare in
// the order in which they were drawn, also within one millisecond.
type Source struct {
	now func() time.Time

	mu   sync.Mutex
	last uint64 // milliseconds<<12 | counter of the newest id
}

// NewSource returns a Source that reads the time from now.
func NewSource(now func() time.Time) *Source { return &Source{now: now} }

// New draws an id (RFC 9562, version 7; the 12 bits beside the version count
// within a millisecond, as its method 1 describes).
func (s *Source) New() string {
	var b [16]byte
	_, _ = rand.Read(b[8:]) // crypto/rand never fails: it ends the process instead
	tick := s.tick()
	binary.BigEndian.PutUint64(b[:8], tick>>12<<16|0x7000|tick&0xfff)
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}

func (s *Source) tick() uint64 {
	tick := uint64(s.now().UnixMilli()) << 12
	s.mu.Lock()
	defer s.mu.Unlock()
	if tick <= s.last {
		tick = s.last + 1
	}
	s.last = tick
	return tick
}
