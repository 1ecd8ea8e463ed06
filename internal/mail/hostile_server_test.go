package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// script is a server's side of one connection.
type script func(c *scripted)

// scripted is a connection that a test answers by hand.
type scripted struct {
	net.Conn
	lines *bufio.Reader
}

// say writes; the client may be gone, which is what is tested.
func (c *scripted) say(s string) bool {
	_, err := io.WriteString(c.Conn, s)
	return err == nil
}

// hear reads a command.
func (c *scripted) hear() string {
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSpace(line)
}

// until answers 250 to every command up to the one that begins so.
func (c *scripted) until(command string) bool {
	for {
		switch line := c.hear(); {
		case line == "":
			return false
		case strings.HasPrefix(line, command):
			return true
		case line == "DATA":
			c.say("354 go on\r\n")
		default:
			c.say("250 ok\r\n")
		}
	}
}

// body reads the message up to its end.
func (c *scripted) body() bool {
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return true
		}
	}
}

// silence says nothing until the client hangs up.
func (c *scripted) silence() { _, _ = io.Copy(io.Discard, c.lines) }

// serve answers every connection as the script says.
func serve(t *testing.T, play script) string {
	t.Helper()
	listener := listening(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				play(&scripted{conn, bufio.NewReader(conn)})
			}()
		}
	}()
	return listener.Addr().String()
}

// flood says one thing until the client hangs up.
func flood(c *scripted, what []byte) {
	for {
		if _, err := c.Write(what); err != nil {
			return
		}
	}
}

const long = 1 << 20

// KF-64: whatever a server does, sending to it ends in time, in little memory,
// and in a failure that passes unless the server refused the message itself.
func TestHostileServersAreBounded(t *testing.T) {
	t.Parallel()
	hello := func(c *scripted) bool { return c.say("220 ready\r\n") && c.until("EHLO") && c.say("250 ok\r\n") }
	mail := func(c *scripted) bool { return hello(c) && c.until("MAIL") }
	data := func(c *scripted) bool { return hello(c) && c.until("DATA") && c.say("354 go on\r\n") }
	line := bytes.Repeat([]byte("x"), long)
	for name, test := range map[string]struct {
		play      script
		words     string
		code      int
		permanent bool
	}{
		"hangs up at once":    {func(*scripted) {}, "waiting for the greeting: the server hung up", 0, false},
		"says nothing":        {func(c *scripted) { c.silence() }, "waiting for the greeting: no answer in time", 0, false},
		"no server of mail":   {func(c *scripted) { c.say("HTTP/1.1 400 Bad Request\r\n\r\n"); c.silence() }, "waiting for the greeting", 0, false},
		"another greeting":    {func(c *scripted) { c.say("554 not for you\r\n"); c.silence() }, "not for you", 554, false},
		"trickles":            {func(c *scripted) { trickle(t, c) }, "waiting for the greeting: no answer in time", 0, false},
		"a line without end":  {func(c *scripted) { flood(c, line) }, "more than any answer", 0, false},
		"lines without end":   {func(c *scripted) { flood(c, bytes.Repeat([]byte("220-x\r\n"), 1000)) }, "more than any answer", 0, false},
		"hello without end":   {func(c *scripted) { c.say("220 ready\r\n"); c.hear(); c.say("250-"); flood(c, line) }, "saying hello: the server says more", 0, false},
		"hello of many lines": {func(c *scripted) { c.say("220 ready\r\n"); c.hear(); flood(c, bytes.Repeat([]byte("250-A\r\n"), 1000)) }, "saying hello: the server says more", 0, false},
		"hello refused": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("550 no\r\n")
			c.hear()
			c.say("550 no\r\n")
			c.silence()
		}, "saying hello", 550, false},
		"a long refusal of sender":  {func(c *scripted) { _ = mail(c) && c.say("550 "+string(line)+"\r\n"); c.silence() }, "naming the sender: the server says more", 0, false},
		"a refusal of sender":       {func(c *scripted) { _ = mail(c) && c.say("550-"+string(line[:30000])+"\r\n550 x\r\n"); c.silence() }, "xxx…", 550, true},
		"silent at the sender":      {func(c *scripted) { _ = mail(c); c.silence() }, "naming the sender: no answer in time", 0, false},
		"goodbye at the sender":     {func(c *scripted) { _ = mail(c) && c.say("421 closing\r\n") }, "closing", 421, false},
		"a challenge at the sender": {func(c *scripted) { _ = mail(c) && c.say("334 x\r\n"); c.silence() }, "x", 334, false},
		"no number":                 {func(c *scripted) { _ = mail(c) && c.say("yes\r\n"); c.silence() }, "naming the sender", 0, false},
		"a code of 999":             {func(c *scripted) { _ = mail(c) && c.say("999 x\r\n"); c.silence() }, "x", 999, false},
		"NUL":                       {func(c *scripted) { _ = mail(c) && c.say("550 a\x00b\x1b\xff\r\n"); c.silence() }, "ab", 550, true},
		"hangs up at the recipient": {func(c *scripted) { _ = hello(c) && c.until("RCPT") }, "naming the recipient: the server hung up", 0, false},
		"hangs up mid-message":      {func(c *scripted) { _ = data(c); c.hear() }, "handing over the message", 0, false},
		"reads nothing":             {func(c *scripted) { _ = data(c); stall(t, c) }, "handing over the message: no answer in time", 0, false},
		"refuses mid-message":       {func(c *scripted) { _ = data(c) && c.hear() != "" && c.say("552 too big\r\n"); c.silence() }, "too big", 552, true},
		"hangs up at the end":       {func(c *scripted) { _ = data(c) && c.body() }, "handing over the message: the server hung up", 0, false},
		"silent at the end":         {func(c *scripted) { _ = data(c) && c.body(); c.silence() }, "handing over the message: no answer in time", 0, false},
		"an endless end":            {func(c *scripted) { _ = data(c) && c.body(); c.say("250-"); flood(c, line) }, "handing over the message: the server says more", 0, false},
		"refuses at the end":        {func(c *scripted) { _ = data(c) && c.body() && c.say("550 spam\r\n"); c.silence() }, "spam", 550, true},
		"later at the end":          {func(c *scripted) { _ = data(c) && c.body() && c.say("451 later\r\n"); c.silence() }, "later", 451, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSMTP(t, SMTPOptions{Address: serve(t, test.play), TLS: NoTLS, Timeouts: briefly()})
			m := testMessage(t, "charles@example.com")
			if name == "reads nothing" {
				m.MIME = bytes.Repeat(line, 64) // more than sockets hold
			}
			err := s.Send(t.Context(), m)
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Code != test.code || f.Permanent != test.permanent || !strings.Contains(f.Words, test.words) {
				t.Fatalf("got %+v, want %d, permanent %v, with %q", err, test.code, test.permanent, test.words)
			}
			if count := utf8.RuneCountInString(f.Words); count > maxWords || strings.ContainsFunc(f.Words, invisible) {
				t.Errorf("got %d characters, %q, want at most %d that are seen", count, f.Words, maxWords)
			}
		})
	}
}

// briefly are bounds for a test: only what is never answered waits for them.
func briefly() Timeouts {
	return Timeouts{Dial: 10 * time.Second, Command: 300 * time.Millisecond, Message: time.Second, Idle: time.Minute}
}

// trickle sends a greeting a byte at a time, each well within the time of an
// answer.
func trickle(t *testing.T, c *scripted) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for c.say("2") {
		<-tick.C
	}
}

// stall reads nothing for as long as the test runs.
func stall(t *testing.T, _ *scripted) {
	t.Helper()
	<-t.Context().Done()
}

// What stands between us and the server may take STARTTLS out of its answer,
// answer for it, or go on in the clear. No password and no message follows.
func TestSTARTTLSIsNotStripped(t *testing.T) {
	t.Parallel()
	certificate, pool := identity(t)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	for name, test := range map[string]struct {
		play  script
		words string
	}{
		"not offered": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("250-mail\r\n250 AUTH PLAIN LOGIN\r\n")
			forbid(t, c, "AUTH", "MAIL")
		}, "offers no STARTTLS"},
		"hello not understood": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("502 what\r\n")
			c.hear()
			c.say("250 mail\r\n")
			forbid(t, c, "AUTH", "MAIL")
		}, "offers no STARTTLS"},
		"refused": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("250-mail\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
			c.hear()
			c.say("454 not now\r\n")
			forbid(t, c, "AUTH", "MAIL")
		}, "not now"},
		"goes on in the clear": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("250-mail\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
			c.hear()
			c.say("220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n")
			c.silence()
		}, "securing the connection"},
		// What was said in the clear behind the 220 counts for nothing inside.
		"injected": {func(c *scripted) {
			c.say("220 ready\r\n")
			c.hear()
			c.say("250-mail\r\n250 STARTTLS\r\n")
			c.hear()
			c.say("220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n")
			secured := tls.Server(c.Conn, config)
			if secured.HandshakeContext(t.Context()) == nil {
				inside := &scripted{secured, bufio.NewReader(secured)}
				inside.hear()
				inside.say("250 mail\r\n")
				forbid(t, inside, "AUTH", "MAIL")
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := SMTPOptions{Address: serve(t, test.play), TLS: StartTLS, Roots: pool, User: "hither", Password: "secret", Timeouts: briefly()}
			f, ok := errors.AsType[*Failure](newSMTP(t, o).Send(t.Context(), testMessage(t, "a@example.com")))
			if !ok || f.Permanent || !strings.Contains(f.Words, test.words) {
				t.Errorf("got %+v, want a failure with %q", f, test.words)
			}
		})
	}
}

// forbid holds that the client says none of some words.
func forbid(t *testing.T, c *scripted, words ...string) {
	t.Helper()
	for line := c.hear(); line != ""; line = c.hear() {
		for _, word := range words {
			if strings.HasPrefix(line, word) {
				t.Errorf("the client said %q", line)
			}
		}
		c.say("250 ok\r\n")
	}
}

// A handshake that never ends is bounded too, on both ways into TLS.
func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	for _, mode := range []TLSMode{StartTLS, ImplicitTLS} {
		play := func(c *scripted) {
			if mode == StartTLS {
				c.say("220 ready\r\n")
				c.hear()
				c.say("250-mail\r\n250 STARTTLS\r\n")
				c.hear()
				c.say("220 go\r\n")
			}
			c.silence()
		}
		s := newSMTP(t, SMTPOptions{Address: serve(t, play), TLS: mode, Roots: x509.NewCertPool(), Timeouts: briefly()})
		f, ok := errors.AsType[*Failure](s.Send(t.Context(), testMessage(t, "a@example.com")))
		if !ok || f.Permanent || f.Words != "securing the connection: no answer in time" {
			t.Errorf("%s: got %+v, want no answer in time", mode, f)
		}
	}
}

// KF-64: a server that says a megabyte at every step costs some kilobytes.
func TestLongAnswersCostLittleMemory(t *testing.T) { //nolint:paralleltest // it measures what all of the program allocates
	line := []byte("550-" + strings.Repeat("x", long) + "\r\n")
	address := serve(t, func(c *scripted) {
		_ = c.say("220 ready\r\n") && c.until("EHLO") && c.say("250 ok\r\n") && c.until("MAIL")
		flood(c, line)
	})
	s := newSMTP(t, SMTPOptions{Address: address, TLS: NoTLS, Timeouts: briefly()})
	m := testMessage(t, "charles@example.com")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 16
	for range times {
		if f, ok := errors.AsType[*Failure](s.Send(t.Context(), m)); !ok || !strings.Contains(f.Words, "more than any answer") {
			t.Fatalf("got %+v, want it cut off", f)
		}
	}
	runtime.ReadMemStats(&after)
	const most = 1 << 20
	if each := (after.TotalAlloc - before.TotalAlloc) / times; each > most {
		t.Errorf("a failing message allocated %d bytes, want at most %d", each, most)
	}
}

// An answer has its own time, however long the message may take: a server that
// trickles is given up long before.
func TestAnswersHaveTheirTime(t *testing.T) {
	t.Parallel()
	bounds := briefly()
	bounds.Message = time.Minute
	for name, play := range map[string]script{"silent": func(c *scripted) { c.silence() }, "trickles": func(c *scripted) { trickle(t, c) }} {
		began := time.Now()
		s := newSMTP(t, SMTPOptions{Address: serve(t, play), TLS: NoTLS, Timeouts: bounds})
		f, ok := errors.AsType[*Failure](s.Send(t.Context(), testMessage(t, "a@example.com")))
		if !ok || f.Permanent || f.Words != "waiting for the greeting: no answer in time" {
			t.Errorf("%s: got %+v, want no answer in time", name, f)
		}
		if took := time.Since(began); took > bounds.Message/2 {
			t.Errorf("%s: it took %v, want about %v", name, took, bounds.Command)
		}
	}
}

// Where a server has the whole message it may take its time to look at it.
func TestLastAnswerMayTakeLonger(t *testing.T) {
	t.Parallel()
	bounds := Timeouts{Dial: time.Minute, Command: time.Second, Message: time.Minute, Idle: time.Minute}
	s := newSMTP(t, SMTPOptions{TLS: NoTLS, Timeouts: bounds, Address: serve(t, func(c *scripted) {
		_ = c.say("220 ready\r\n") && c.until("DATA") && c.say("354 go\r\n") && c.body()
		select {
		case <-time.After(3 * bounds.Command / 2):
		case <-t.Context().Done():
		}
		c.say("250 got it\r\n")
		c.silence()
	})})
	if err := s.Send(t.Context(), testMessage(t, "a@example.com")); err != nil {
		t.Errorf("got %v, want it waited for", err)
	}
}

// A kept connection that died is not the message's fault; one that dies later
// is in doubt, and the message is not sent again by us.
func TestDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for name, farewell := range map[string]string{"in silence": "", "politely": "421 4.4.2 too long idle\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accepted := make(chan struct{}, 8)
			s := newSMTP(t, SMTPOptions{TLS: NoTLS, Timeouts: briefly(), Address: serve(t, func(c *scripted) {
				_ = c.say("220 ready\r\n") && c.until("DATA") && c.say("354 go\r\n") && c.body()
				accepted <- struct{}{}
				c.say("250 got it\r\n" + farewell)
			})})
			m := testMessage(t, "charles@example.com")
			for i := range 3 {
				if err := s.Send(t.Context(), m); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				<-accepted
			}
			if len(accepted) != 0 {
				t.Error("a message was sent twice")
			}
		})
	}
}

// An idle connection is ended, politely and in time.
func TestIdleConnectionIsEnded(t *testing.T) {
	t.Parallel()
	quit := make(chan string, 1)
	bounds := briefly()
	bounds.Idle = time.Millisecond
	s := newSMTP(t, SMTPOptions{TLS: NoTLS, Timeouts: bounds, Address: serve(t, func(c *scripted) {
		_ = c.say("220 ready\r\n") && c.until("DATA") && c.say("354 go\r\n") && c.body() && c.say("250 got it\r\n")
		quit <- c.hear()
		c.silence() // without a goodbye
	})})
	if err := s.Send(t.Context(), testMessage(t, "charles@example.com")); err != nil {
		t.Fatal(err)
	}
	if got := <-quit; got != "QUIT" {
		t.Errorf("got %q, want QUIT", got)
	}
}

// Stopping does not wait for a server.
func TestStoppingEndsSending(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	s := newSMTP(t, SMTPOptions{TLS: NoTLS, Address: serve(t, func(c *scripted) {
		_ = c.say("220 ready\r\n") && c.until("DATA") && c.say("354 go\r\n") && c.body()
		reached <- struct{}{}
		c.silence()
	})})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Send(ctx, testMessage(t, "charles@example.com")) }()
	<-reached
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was given up", err)
	}
}

func TestWordsAreCleaned(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ said, want string }{
		{"5.1.1 no such user", "5.1.1 no such user"},
		{"two\nlines\r\n", "two lines"},
		{"<a@example.com>: not here, try b@example.com", "<a@example.com>: not here, try (address)"},
		{"A@EXAMPLE.COM.", "A@EXAMPLE.COM."},
		{"x\x00\x1b[31m\u202ey", "x[31my"},
		{"\xff\xfe", ""},
		{strings.Repeat("ä", maxWords+1), strings.Repeat("ä", maxWords-1) + "…"},
		{strings.Repeat("ä", 100000), strings.Repeat("ä", maxWords-1) + "…"},
		{strings.Repeat("b@example.com ", 10), strings.TrimSpace(strings.Repeat("(address) ", 10))},
	} {
		if got := Words(test.said, "a@example.com"); got != test.want {
			t.Errorf("%.60q: got %q, want %q", test.said, got, test.want)
		}
	}
	if got := fmt.Sprint(&Failure{Code: 550, Words: "no"}, &Failure{Words: "gone"}); got != "550 no gone" {
		t.Errorf("got %q", got)
	}
}
