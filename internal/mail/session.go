package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// session is one connection to a mail server, ready for messages.
type session struct {
	client *smtp.Client
	wire   *boundedConn
	used   bool // it carried a message before
	stale  bool // it was dead, or said goodbye, before this message was begun
}

// stageError says what was being done when something went wrong.
type stageError struct {
	stage string
	// ours is set where the trouble is between the two servers and not about
	// the message: settings, names, certificates, passwords.
	ours bool
	err  error
}

func (e *stageError) Error() string { return e.stage + ": " + e.err.Error() }

func (e *stageError) Unwrap() error { return e.err }

// dial connects, secures the connection and signs in.
func (s *SMTP) dial(ctx context.Context) (*session, error) {
	dialer := net.Dialer{Timeout: s.options.Timeouts.Dial}
	raw, err := dialer.DialContext(ctx, "tcp", s.options.Address)
	if err != nil {
		return nil, &stageError{"connecting to " + s.options.Address, true, err}
	}
	// All of the connection's bytes pass through it, also those of the
	// handshake.
	wire := bound(raw, s.options.Timeouts.Command)
	defer wire.until(ctx)()
	var conn net.Conn = wire
	if s.options.TLS == ImplicitTLS {
		secured := tls.Client(wire, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, &stageError{"securing the connection", true, wire.why(ctx, err)}
		}
		conn = secured
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		_ = raw.Close()
		return nil, &stageError{"waiting for the greeting", true, wire.why(ctx, err)}
	}
	if err := s.begin(ctx, c, wire); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &session{client: c, wire: wire}, nil
}

// begin says hello, secures the connection and signs in.
func (s *SMTP) begin(ctx context.Context, c *smtp.Client, wire *boundedConn) error {
	// Our addresses are ASCII; a server that offers more is not asked for it.
	c.SkipSMTPUTF8(true)
	if err := c.Hello(s.options.Hello); err != nil {
		return &stageError{"saying hello", true, wire.why(ctx, err)}
	}
	if s.options.TLS == StartTLS {
		if offered, _ := c.Extension("STARTTLS"); !offered {
			return &stageError{"securing the connection", true, errors.New("the server offers no STARTTLS; somebody between may have taken it out")}
		}
		if err := c.StartTLS(s.tls); err != nil {
			return &stageError{"securing the connection", true, wire.why(ctx, err)}
		}
	}
	if s.options.User == "" {
		return nil
	}
	auth, err := s.auth(c)
	if err == nil {
		err = wire.why(ctx, c.Auth(auth))
	}
	if err != nil {
		return &stageError{"signing in", true, err}
	}
	return nil
}

// auth is the way to sign in that the server offers. All that is sent is inside
// of TLS, to a server whose certificate was verified. SCRAM is left out: it lets
// the server choose how long we compute.
func (s *SMTP) auth(c *smtp.Client) (smtp.Auth, error) {
	_, offered := c.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		return smtp.PlainAuth("", s.options.User, s.options.Password, s.host, false), nil
	case slices.Contains(mechanisms, "LOGIN"):
		return smtp.LoginAuth(s.options.User, s.options.Password, s.host, false), nil
	default:
		return nil, fmt.Errorf("the server offers neither PLAIN nor LOGIN to sign in, but %q", offered)
	}
}

// send carries one message.
func (c *session) send(ctx context.Context, m Message) error {
	defer c.wire.until(ctx)()
	reused := c.used
	c.used = true
	step := func(stage string, err error) error {
		if err == nil {
			return nil
		}
		return &stageError{stage: stage, err: c.wire.why(ctx, err)}
	}
	if err := c.client.Mail("<" + m.From + ">"); err != nil {
		answer, spoke := errors.AsType[*textproto.Error](err)
		c.stale = reused && ctx.Err() == nil && (!spoke || answer.Code == 421)
		return step("naming the sender", err)
	}
	if err := c.client.Rcpt("<" + m.To + ">"); err != nil {
		return step("naming the recipient", err)
	}
	w, err := c.client.Data()
	if err != nil {
		return step("handing over the message", err)
	}
	// What the server has to do now may take it a while.
	c.wire.patient()
	defer c.wire.impatient()
	_, err = w.Write(m.MIME)
	// Also after an error: the answer may say why the server stopped reading.
	if answer := w.Close(); answer != nil {
		return step("handing over the message", answer)
	}
	return step("handing over the message", err)
}

// forgets reports whether the connection is in order after a message failed:
// the server refused it, and forgot it when it was asked to.
func (c *session) forgets(ctx context.Context, err error) bool {
	answer, spoke := errors.AsType[*textproto.Error](err)
	if !spoke || answer.Code == 421 {
		return false
	}
	defer c.wire.until(ctx)()
	return c.client.Reset() == nil
}

// goodbye is how long a server may take to say goodbye.
const goodbye = 2 * time.Second

// quit ends the connection politely.
func (c *session) quit() {
	c.wire.timeout = goodbye
	_ = c.client.Quit() // there is nothing left to lose
	c.drop()
}

// drop ends the connection.
func (c *session) drop() { _ = c.wire.Close() }
