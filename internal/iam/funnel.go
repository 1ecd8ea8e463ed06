package iam

import (
	"cmp"
	"slices"
	"time"
)

// FunnelBy says what a funnel is told apart by.
type FunnelBy string

// What there is; "" tells nothing apart.
const (
	ByInviter FunnelBy = "inviter" // who is shown as the one who invited
	ByDomain  FunnelBy = "domain"  // of the invited address
)

// Bounds of a funnel.
const (
	MaxFunnelSpan   = 400 * day
	MaxFunnelRows   = 200_000 // invitations that one funnel looks at
	MaxFunnelGroups = 50      // the largest ones are told
)

// FunnelQuery asks what became of the invitations that were made in a stretch of
// time, Until not included. AccountID "" is the whole instance.
type FunnelQuery struct {
	AccountID    ID
	Since, Until time.Time
	By           FunnelBy
}

// FunnelRow is an invitation as a funnel counts it.
type FunnelRow struct {
	Email       string
	InvitedBy   string
	Status      Status // as of now
	InvitedOn   time.Time
	AnsweredOn  time.Time
	DeliveredOn time.Time // when a mail server took its mail and nothing came back; zero: not
	OpenedOn    time.Time // when its page said that it was opened; zero: it did not
}

// FunnelCounts are how many invitations came how far. Each is Created, and one of
// Pending, Accepted, Declined, Expired and Withdrawn, by what it is now; who left
// or was removed had accepted.
type FunnelCounts struct {
	Created, Delivered, Opened                      int
	Pending, Accepted, Declined, Expired, Withdrawn int
	// MedianAnswer is how long half of those who accepted or declined took at most;
	// negative where nobody did.
	MedianAnswer time.Duration
}

// FunnelGroup is what one inviter or domain has part in. Nothing of it need have
// been Created: somebody may only have been refused.
type FunnelGroup struct {
	FunnelCounts

	Name     string
	Refusals []Refusal
}

// Refusal is how often somebody was refused to do something with an invitation.
type Refusal struct {
	Action Action
	Reason string
	Count  int
}

// FunnelRefusal are refusals as a funnel counts them. Who invited, and whom, is not
// known of all of them.
type FunnelRefusal struct {
	Refusal

	InvitedBy string // or would have
	Email     string // whom
	About     string // what its audit row says of whom, where there is no invitation
}

func (r FunnelRefusal) domain() string {
	if r.Email != "" {
		return domainOf(r.Email)
	}
	return refusedDomain(r.About)
}

// Funnel is what became of invitations, and what was refused in the same time. Of
// the groups the largest are there, and Others is how many are not.
type Funnel struct {
	FunnelCounts

	Groups   []FunnelGroup
	Others   int
	Refusals []Refusal
}

// FunnelTally counts invitations one by one.
type FunnelTally struct {
	by     FunnelBy
	all    *funnelCount
	groups map[string]*funnelCount
}

// NewFunnelTally counts nothing yet.
func NewFunnelTally(by FunnelBy) *FunnelTally {
	return &FunnelTally{by: by, all: newFunnelCount(), groups: map[string]*funnelCount{}}
}

// Add counts an invitation.
func (t *FunnelTally) Add(row FunnelRow) {
	t.all.add(row)
	if group := t.group(row.InvitedBy, domainOf(row.Email)); group != nil {
		group.add(row)
	}
}

// AddRefusal counts refusals.
func (t *FunnelTally) AddRefusal(r FunnelRefusal) {
	t.all.refuse(r.Refusal)
	if group := t.group(r.InvitedBy, r.domain()); group != nil {
		group.refuse(r.Refusal)
	}
}

// Created is how many were counted.
func (t *FunnelTally) Created() int { return t.all.Created }

// Funnel is what was counted: the largest groups first, those of one size by how
// much was refused, then by name.
func (t *FunnelTally) Funnel() Funnel {
	f := Funnel{FunnelCounts: t.all.counts(), Refusals: t.all.refusals()}
	names := make([]string, 0, len(t.groups))
	for name := range t.groups {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		one, other := t.groups[a], t.groups[b]
		return cmp.Or(cmp.Compare(other.Created, one.Created), cmp.Compare(other.allRefused, one.allRefused), cmp.Compare(a, b))
	})
	if f.Others = max(len(names)-MaxFunnelGroups, 0); f.Others > 0 {
		names = names[:MaxFunnelGroups]
	}
	for _, name := range names {
		group := t.groups[name]
		f.Groups = append(f.Groups, FunnelGroup{Name: name, FunnelCounts: group.counts(), Refusals: group.refusals()})
	}
	return f
}

// group is where one counts that is of that inviter and that domain, nil where it is
// not known or nothing is told apart.
func (t *FunnelTally) group(inviter, domain string) *funnelCount {
	name := ""
	switch t.by {
	case ByInviter:
		name = inviter
	case ByDomain:
		name = domain
	}
	if name == "" {
		return nil
	}
	group := t.groups[name]
	if group == nil {
		group = newFunnelCount()
		t.groups[name] = group
	}
	return group
}

// funnelCount are counts with the times of which the median is taken.
type funnelCount struct {
	FunnelCounts

	answers    []time.Duration
	refused    map[Refusal]int // of what, without a count, how often
	allRefused int
}

func newFunnelCount() *funnelCount { return &funnelCount{refused: map[Refusal]int{}} }

func (c *funnelCount) refuse(r Refusal) {
	c.refused[Refusal{Action: r.Action, Reason: r.Reason}] += r.Count
	c.allRefused += r.Count
}

func (c *funnelCount) refusals() []Refusal {
	list := make([]Refusal, 0, len(c.refused))
	for r, count := range c.refused {
		r.Count = count
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

func (c *funnelCount) add(row FunnelRow) {
	c.Created++
	if !row.DeliveredOn.IsZero() {
		c.Delivered++
	}
	if !row.OpenedOn.IsZero() {
		c.Opened++
	}
	switch row.Status {
	case Pending:
		c.Pending++
	case Accepted, Left, Removed:
		c.Accepted++
	case Rejected:
		c.Declined++
	case Expired:
		c.Expired++
	case Canceled:
		c.Withdrawn++
	}
	answered := row.Status == Accepted || row.Status == Rejected || row.Status == Left || row.Status == Removed
	if took := row.AnsweredOn.Sub(row.InvitedOn); answered && !row.AnsweredOn.IsZero() && took >= 0 {
		c.answers = append(c.answers, took)
	}
}

func (c *funnelCount) counts() FunnelCounts {
	counts := c.FunnelCounts
	counts.MedianAnswer = -1
	if n := len(c.answers); n > 0 {
		slices.Sort(c.answers)
		counts.MedianAnswer = c.answers[(n-1)/2]
	}
	return counts
}
