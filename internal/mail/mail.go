// Package mail writes the messages that hither sends and hands them to
// whoever carries them: a letter (what happened, for whom) is composed in the
// reader's language, built into one MIME message to one recipient, and sent.
//
// It knows neither the database nor HTTP: which letters are due, and when one
// is tried again, the outbox decides. Of ours it imports iam alone.
package mail

import (
	"context"
	"errors"
	"fmt"
)

// Message is what leaves: built bytes and the envelope that they travel in.
type Message struct {
	ID   string // of the Message-ID header, without brackets; the same at every try
	From string // the envelope's sender: who hears of bounces
	To   string // the one recipient
	MIME []byte
}

// Sender carries messages. It may be used by several goroutines at once.
type Sender interface {
	// Send returns nil once somebody else answers for the message. What it
	// returns else is a *Failure, ErrNotSent, or of ctx; only a *Failure that
	// says so is final, everything else may be tried again.
	Send(ctx context.Context, m Message) error
	// Close gives back what is held between messages.
	Close() error
}

// ErrNotSent is what the sender that sends nothing answers: who invited must
// be shown the link instead.
var ErrNotSent = errors.New("this instance sends no mail (--mail none)")

// Failure says why a message did not leave.
type Failure struct { //nolint:errname // what it is in the words of the outbox
	// Permanent is set where the server refused this message for good, so that
	// trying again is of no use.
	Permanent bool
	// Code is the server's, 0 if it gave none.
	Code int
	// Words are the server's, or ours where it said nothing: on one line, at
	// most 300 characters, and without addresses of anybody.
	Words string

	cause error
}

// Error is the code and the words.
func (f *Failure) Error() string {
	if f.Code == 0 {
		return f.Words
	}
	return fmt.Sprintf("%d %s", f.Code, f.Words)
}

// Unwrap is what went wrong underneath, for the log.
func (f *Failure) Unwrap() error { return f.cause }
