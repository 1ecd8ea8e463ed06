package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"sync"
	"time"
)

// maxAnswer is how much a server may say between two of our writes: more than
// any honest answer and certificate, little enough for each to be held whole.
const maxAnswer = 64 << 10

var errTooMuch = errors.New("the server says more than any answer has")

// boundedConn bounds what a server can cost in time and memory. Each write of
// ours is a command, after which there is so much time for the whole answer,
// however it trickles in, and so much room. The SMTP client reads a line of any
// length and any number of lines.
type boundedConn struct {
	net.Conn
	timeout time.Duration

	mu       sync.Mutex
	left     int
	broken   error     // of the last read
	waiting  bool      // for as long as the message may take
	end      time.Time // of the message
	deadline time.Time // of the answer
}

func bound(c net.Conn, timeout time.Duration) *boundedConn {
	return &boundedConn{Conn: c, timeout: timeout, left: maxAnswer, deadline: time.Now().Add(timeout)}
}

// Write sends a command, or a part of one.
func (c *boundedConn) Write(p []byte) (int, error) {
	c.renew()
	n, err := c.Conn.Write(p)
	if err != nil {
		return n, fmt.Errorf("write: %w", err)
	}
	return n, nil
}

// Read reads at most what the answer may still have.
func (c *boundedConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(len(p), left)])
	c.mu.Lock()
	c.left -= n
	c.broken = err
	c.mu.Unlock()
	return n, err //nolint:wrapcheck // io.EOF has to stay what it is
}

// until bounds everything by ctx, until the function that it returns is called.
func (c *boundedConn) until(ctx context.Context) (release func()) {
	c.mu.Lock()
	c.end, _ = ctx.Deadline()
	c.mu.Unlock()
	c.renew()
	// Closing is the one thing that no later deadline undoes.
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return func() {
		stop()
		c.mu.Lock()
		c.end = time.Time{}
		c.mu.Unlock()
	}
}

// why is what went wrong: where ctx ended, that, and not what it broke.
func (c *boundedConn) why(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) //nolint:wrapcheck // the caller says what was being done
	}
	// A line that broke off is read as one that is short.
	if _, spoke := errors.AsType[*textproto.Error](err); err != nil && !spoke {
		if broken := c.broke(); broken != nil {
			return broken
		}
	}
	return err
}

// broke is what ended reading, nil while it goes on.
func (c *boundedConn) broke() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left <= 0 {
		return errTooMuch
	}
	return c.broken
}

// patient lets the answers take as long as the message may.
func (c *boundedConn) patient() { c.wait(true) }

func (c *boundedConn) impatient() { c.wait(false) }

func (c *boundedConn) wait(patient bool) {
	c.mu.Lock()
	c.waiting = patient
	c.mu.Unlock()
	c.renew()
}

// renew begins the time and the room of an answer.
func (c *boundedConn) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = maxAnswer
	c.deadline = time.Now().Add(c.timeout)
	if !c.end.IsZero() && (c.waiting || c.end.Before(c.deadline)) {
		c.deadline = c.end
	}
	_ = c.SetDeadline(c.deadline) // on a closed connection the next read says so
}
