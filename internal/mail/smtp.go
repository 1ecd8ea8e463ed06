package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"hither/internal/iam"
)

// TLSMode says how a connection to a mail server is secured.
type TLSMode string

// The ways that there are. Each but TLSNone verifies the server's certificate.
const (
	StartTLS    TLSMode = "starttls" // begins in the clear and goes no further without TLS
	ImplicitTLS TLSMode = "implicit" // TLS from the first byte
	NoTLS       TLSMode = "none"     // on this machine only
)

// SMTPOptions are how a mail server is reached.
type SMTPOptions struct {
	Address        string // HOST:PORT
	TLS            TLSMode
	Roots          *x509.CertPool // whom to believe; nil is whom the machine believes
	User, Password string         // AUTH; none without a user
	Hello          string         // the name that we say; a domain
	Timeouts       Timeouts       // the zero value is DefaultTimeouts
}

// Timeouts bound what a server can cost.
type Timeouts struct {
	Dial    time.Duration // to connect
	Command time.Duration // for each answer but the last
	Message time.Duration // for everything together, the answer to the message too
	Idle    time.Duration // how long a connection is kept for the next message
}

// DefaultTimeouts leave a slow server time: RFC 5321 asks for some minutes
// where it has to accept the message.
func DefaultTimeouts() Timeouts {
	return Timeouts{Dial: 15 * time.Second, Command: time.Minute, Message: 5 * time.Minute, Idle: 30 * time.Second}
}

// SMTP sends by a mail server. It keeps one connection between messages; where
// several are sent at once each has its own.
type SMTP struct {
	options SMTPOptions
	host    string
	tls     *tls.Config

	mu     sync.Mutex
	kept   *session
	timer  *time.Timer
	closed bool
}

// NewSMTP checks the options; it connects to nobody.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	host, port, err := net.SplitHostPort(o.Address)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("the mail server %q must be of the form HOST:PORT, for example mail.example.com:587", o.Address)
	}
	switch {
	case o.TLS != StartTLS && o.TLS != ImplicitTLS && o.TLS != NoTLS:
		return nil, fmt.Errorf("%q is none of starttls, implicit and none", o.TLS)
	case o.TLS == NoTLS && !iam.Loopback(host):
		return nil, fmt.Errorf("without TLS a mail server must be on this machine, and %s is not: everybody between could read the links", host)
	case o.TLS == NoTLS && o.User != "":
		return nil, errors.New("a password is sent to no mail server without TLS")
	}
	if o.Timeouts == (Timeouts{}) {
		o.Timeouts = DefaultTimeouts()
	}
	return &SMTP{
		options: o, host: host,
		tls: &tls.Config{ServerName: host, RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// Send hands a message to the server.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeouts.Message)
	defer cancel()
	if kept := s.take(); kept != nil {
		err := s.carry(ctx, kept, m)
		// A server that tired of waiting says so, or hangs up, at the first
		// command. That is not about this message: it gets a new connection.
		if err == nil || !kept.stale {
			return failure(m, err)
		}
	}
	fresh, err := s.dial(ctx)
	if err != nil {
		return failure(m, err)
	}
	return failure(m, s.carry(ctx, fresh, m))
}

// Probe connects, secures the connection and signs in as for a message, and
// sends none.
func (s *SMTP) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeouts.Message)
	defer cancel()
	fresh, err := s.dial(ctx)
	if err != nil {
		return failure(Message{}, err)
	}
	fresh.quit()
	return nil
}

// Close ends the connection that is kept. Messages can still be sent; their
// connections are kept no more.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if kept := s.take(); kept != nil {
		kept.quit()
	}
	return nil
}

// carry sends a message by a connection and keeps that where it is in order
// still.
func (s *SMTP) carry(ctx context.Context, c *session, m Message) error {
	err := c.send(ctx, m)
	if err == nil || c.forgets(ctx, err) {
		s.keep(c)
	} else {
		c.drop()
	}
	return err
}

func (s *SMTP) take() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.kept
	s.kept = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	return kept
}

// keep keeps a connection for the next message, or ends it where there is one
// already, or when nobody came for it.
func (s *SMTP) keep(c *session) {
	s.mu.Lock()
	if s.kept != nil || s.closed {
		s.mu.Unlock()
		c.quit()
		return
	}
	s.kept = c
	s.timer = time.AfterFunc(s.options.Timeouts.Idle, func() {
		s.mu.Lock()
		mine := s.kept == c
		if mine {
			s.kept = nil
		}
		s.mu.Unlock()
		if mine {
			c.quit()
		}
	})
	s.mu.Unlock()
}
