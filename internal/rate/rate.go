// Package rate counts how often somebody asks, and says when it is too often.
//
// It counts in the memory of one process: where several share the work, each
// counts for itself. What guards a secret, the attempts at a code for one, is
// counted in the database instead, by internal/iam. The package imports nothing
// of ours.
package rate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Policy is how many requests are answered in each window. The zero Policy is
// no limit.
type Policy struct {
	Quota  int           // requests
	Window time.Duration // whole seconds
}

// Off reports whether there is no limit.
func (p Policy) Off() bool { return p.Quota == 0 }

// UnmarshalText reads 1200/5m: a quota and a window of whole seconds, or off.
func (p *Policy) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*p = Policy{}
		return nil
	}
	quota, window, found := strings.Cut(string(text), "/")
	q, err := strconv.Atoi(quota)
	w, notTime := time.ParseDuration(window)
	if !found || err != nil || notTime != nil || q < 1 || q > maxQuota || w < time.Second || w > maxWindow || w%time.Second != 0 {
		return fmt.Errorf("%q: %w", text, errForm)
	}
	*p = Policy{Quota: q, Window: w}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (p Policy) MarshalText() ([]byte, error) {
	if p.Off() {
		return []byte("off"), nil
	}
	return []byte(strconv.Itoa(p.Quota) + "/" + p.Window.String()), nil
}

// Bounds of a policy: what a count and a header can hold with room to spare.
const (
	maxQuota  = 1_000_000_000
	maxWindow = 24 * time.Hour
)

var errForm = errors.New("it is not off, nor how many requests in which time, for example 1200/5m: " +
	"one at least, in whole seconds and a day at most")

// Limiter holds whoever asks to a policy, each by its key. A window begins with
// the first request that no other window has. Its methods are safe for
// concurrent use.
type Limiter[Key comparable] struct {
	policy Policy
	now    func() time.Time

	mu      sync.Mutex
	windows map[Key]window
	sweep   int // how many windows there may be before those that are over are dropped
}

type window struct {
	ends time.Time
	used int
}

// New returns a Limiter that has counted nothing; nil, which limits nobody,
// where the policy is off.
func New[Key comparable](policy Policy, now func() time.Time) *Limiter[Key] {
	if policy.Off() {
		return nil
	}
	return &Limiter[Key]{policy: policy, now: now, windows: map[Key]window{}, sweep: minSweep}
}

// minSweep is how many windows are no trouble even if all are over.
const minSweep = 1024

// Policy is what the Limiter holds to.
func (l *Limiter[Key]) Policy() Policy { return l.policy }

// Standing is how somebody stands after a request.
type Standing struct {
	Refused bool
	Left    int           // how many more requests the window has
	Reset   time.Duration // until the next one, more than 0
}

// Take counts a request of key. One that is refused isn't counted: who goes on
// asking is answered no later for it.
//
// Nobody is forgotten before its window is over, whoever else comes: a limit
// that other people's requests could reset would be none. So memory grows with
// how many different ones ask within one window.
func (l *Limiter[Key]) Take(key Key) Standing {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok := l.windows[key]
	// A window that ends later than one can is of a clock that was set back.
	if !ok || !now.Before(w.ends) || w.ends.Sub(now) > l.policy.Window {
		if !ok && len(l.windows) >= l.sweep {
			l.drop(now)
		}
		w = window{ends: now.Add(l.policy.Window)}
	}
	standing := Standing{Refused: w.used >= l.policy.Quota, Reset: w.ends.Sub(now)}
	if !standing.Refused {
		w.used++
	}
	standing.Left = l.policy.Quota - w.used
	l.windows[key] = w
	return standing
}

// drop forgets the windows that are over. It is done when there are twice as
// many as the last time, so a request pays for little of it.
func (l *Limiter[Key]) drop(now time.Time) {
	for key, w := range l.windows {
		if !now.Before(w.ends) {
			delete(l.windows, key)
		}
	}
	l.sweep = max(minSweep, 2*len(l.windows))
}

// Names of the header fields of the IETF's draft, in its 11th version: structured fields, lists of strings with integers.
const (
	PolicyHeader = "Ratelimit-Policy"
	Header       = "Ratelimit"
)

// Describe writes a policy as a member of RateLimit-Policy: "default";q=1200;w=300.
func (p Policy) Describe(name string) string {
	return `"` + name + `";q=` + strconv.Itoa(p.Quota) + ";w=" + strconv.Itoa(seconds(p.Window))
}

// Describe writes a standing as a member of RateLimit: "default";r=1199;t=300.
func (s Standing) Describe(name string) string {
	return `"` + name + `";r=` + strconv.Itoa(s.Left) + ";t=" + strconv.Itoa(s.Seconds())
}

// Seconds is Reset, rounded up: who comes back then is not too early.
func (s Standing) Seconds() int { return seconds(s.Reset) }

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
