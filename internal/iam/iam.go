// Package iam is the heart of hither: users, accounts, roles and memberships,
// and the rules by which an invitation is made, seen and answered.
//
// A use case (a method of Service) reads facts in one go, hands them to a pure
// decision (a function named Decide…), and applies what was decided, all in
// one transaction of the Store. The decisions know neither SQL nor HTTP; they
// are the domain's rules and are tested by table.
//
// The package imports the standard library and golang.org/x/net/idna, nothing
// else: not the store, not the wire.
package iam

import (
	"context"
	"time"
)

// ID names a row: 32 lower-case hex characters. It is public and never reused.
type ID string

const idLength = 32

// ParseID reports whether s has the form of an ID, and returns it as one.
func ParseID(s string) (ID, bool) {
	if len(s) != idLength {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return ID(s), true
}

// Service holds the use cases. Its methods are safe for concurrent use.
type Service struct {
	store    Store
	newID    func() string
	now      func() time.Time
	mailing  Mailing
	signIn   SignIn
	webhooks Webhooks
	placing  chan struct{} // full while somebody gives positions to events
	started  chan struct{} // holds one where a bulk was taken on
}

// NewService returns the use cases over store. newID draws fresh ids; now is
// asked by reads only: what is written carries the transaction's own time.
func NewService(store Store, newID func() string, now func() time.Time) *Service {
	return &Service{store: store, newID: newID, now: now, placing: make(chan struct{}, 1), started: make(chan struct{}, 1)}
}

// Moment says that the reads of a request follow each other closely: see
// Store.
func (s *Service) Moment(ctx context.Context) (context.Context, func()) {
	return s.store.Moment(ctx)
}

// WithMailing returns the same use cases, which send messages as mailing says.
func (s *Service) WithMailing(mailing Mailing) *Service {
	mails := *s
	mails.mailing = mailing
	return &mails
}

func (s *Service) drawID() ID { return ID(s.newID()) }

// PageRequest asks for one page of a list. Number counts from 1.
type PageRequest struct {
	Number, Size int
}

// Offset is how many rows stand before the page.
func (p PageRequest) Offset() int { return (p.Number - 1) * p.Size }

// Page is one page of a list and how many rows the whole list has.
type Page[T any] struct {
	Items []T
	Total int
}

// cut is the page of a list that is in memory whole.
func cut[T any](all []T, page PageRequest) Page[T] {
	from := min(max(page.Offset(), 0), len(all))
	to := min(from+page.Size, len(all))
	return Page[T]{Items: all[from:to], Total: len(all)}
}
