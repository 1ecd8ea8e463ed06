package iam

import (
	"cmp"
	"slices"
	"strings"
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

// FunnelGroup are the counts of one inviter or domain.
type FunnelGroup struct {
	FunnelCounts

	Name string
}

// Refusal is how often somebody was refused to do something with an invitation.
type Refusal struct {
	Action Action
	Reason string
	Count  int
}

// Funnel is what became of invitations. Of the groups the largest are there, and
// Others is how many are not.
type Funnel struct {
	FunnelCounts

	Groups   []FunnelGroup
	Others   int
	Refusals []Refusal
}

// FunnelTally counts invitations one by one.
type FunnelTally struct {
	by     FunnelBy
	all    funnelCount
	groups map[string]*funnelCount
}

// NewFunnelTally counts nothing yet.
func NewFunnelTally(by FunnelBy) *FunnelTally {
	return &FunnelTally{by: by, groups: map[string]*funnelCount{}}
}

// Add counts an invitation.
func (t *FunnelTally) Add(row FunnelRow) {
	t.all.add(row)
	var name string
	switch t.by {
	case ByInviter:
		name = row.InvitedBy
	case ByDomain:
		name = row.Email[strings.LastIndexByte(row.Email, '@')+1:]
	default:
		return
	}
	group := t.groups[name]
	if group == nil {
		group = &funnelCount{}
		t.groups[name] = group
	}
	group.add(row)
}

// Created is how many were counted.
func (t *FunnelTally) Created() int { return t.all.Created }

// Funnel is what was counted: the largest groups first, those of one size by name.
func (t *FunnelTally) Funnel() Funnel {
	f := Funnel{FunnelCounts: t.all.counts()}
	names := make([]string, 0, len(t.groups))
	for name := range t.groups {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.groups[b].Created, t.groups[a].Created), cmp.Compare(a, b))
	})
	if f.Others = max(len(names)-MaxFunnelGroups, 0); f.Others > 0 {
		names = names[:MaxFunnelGroups]
	}
	for _, name := range names {
		f.Groups = append(f.Groups, FunnelGroup{Name: name, FunnelCounts: t.groups[name].counts()})
	}
	return f
}

// funnelCount are counts with the times of which the median is taken.
type funnelCount struct {
	FunnelCounts

	answers []time.Duration
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
