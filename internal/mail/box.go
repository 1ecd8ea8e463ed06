package mail

import (
	"context"
	"slices"
	"sync"
	"time"
)

// boxed bounds how many messages a Box keeps: the newest.
const boxed = 200

// Box keeps messages in memory instead of sending them, for the demo. Its
// methods are safe for concurrent use.
type Box struct {
	now func() time.Time

	mu       sync.Mutex
	messages []Boxed // oldest first
}

// Boxed is one message in a Box, as its reader would read it.
type Boxed struct {
	ID, To, Subject, Text string
	Sent                  time.Time
}

// NewBox returns an empty Box.
func NewBox(now func() time.Time) *Box { return &Box{now: now} }

// Send keeps the text form, which says all that the other does.
func (b *Box) Send(_ context.Context, m Message) error {
	subject, text, err := readable(m.MIME)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, Boxed{ID: m.ID, To: m.To, Subject: subject, Text: text, Sent: b.now()})
	b.messages = b.messages[max(len(b.messages)-boxed, 0):]
	return nil
}

// Close has nothing to give back.
func (*Box) Close() error { return nil }

// Messages are those that were kept, newest first.
func (b *Box) Messages() []Boxed {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := slices.Clone(b.messages)
	slices.Reverse(kept)
	return kept
}
