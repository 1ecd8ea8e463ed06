package harness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// MailServer is a real one, which keeps what it gets. It is as bad as a test
// wants it: see the fields that may be set before or while it runs.
type MailServer struct {
	Address string

	mu       sync.Mutex
	mails    []Mail
	answer   func(Mail) error
	watch    func(Step)
	arrived  chan struct{}
	listener net.Listener
	server   *smtp.Server
}

// Mail is a message as it was received.
type Mail struct {
	From   string   // of the envelope
	To     []string // likewise
	Header mail.Header
	Text   string
	HTML   string
	Raw    []byte
}

// Step is how far a message came.
type Step string

// The steps, in their order.
const (
	Connected Step = "connected"     // nothing was said yet
	Named     Step = "mail"          // the sender is named
	Addressed Step = "rcpt"          // and the recipient
	Begun     Step = "data"          // its first bytes are to come
	Halfway   Step = "half the data" // and some of them came
	Received  Step = "all the data"  // it is not taken yet
)

// errHangUp has the server close the connection in the middle of a message.
var errHangUp = errors.New("hang up")

// Refuse is an answer of a mail server, for MailServer.Answers.
func Refuse(code int, words string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: words}
}

// HangUp closes the connection after the message came in, without an answer.
func HangUp() error { return errHangUp }

// Mailbox starts a mail server that takes everything.
func Mailbox(t testing.TB) *MailServer {
	t.Helper()
	m := &MailServer{arrived: make(chan struct{}, 1)}
	m.listen(t, "127.0.0.1:0")
	t.Cleanup(m.Down)
	return m
}

// Down stops the server; nobody listens at its address then.
func (m *MailServer) Down() {
	_ = m.server.Close()
	_ = m.listener.Close() // which the server may not have taken up yet
}

// Up starts it again, at the same address.
func (m *MailServer) Up(t testing.TB) {
	t.Helper()
	m.listen(t, m.Address)
}

// Answers decides from now on what becomes of a message; nil takes everything.
// It may wait.
func (m *MailServer) Answers(answer func(Mail) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// Watch hears from now on of each step of a message, and may hold it up there.
func (m *MailServer) Watch(watch func(Step)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = watch
}

// doorway tells of those who come in.
type doorway struct {
	net.Listener

	server *MailServer
}

func (d doorway) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err == nil {
		d.server.at(Connected)
	}
	return conn, err
}

// Mails are those that were taken so far.
func (m *MailServer) Mails() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Mail(nil), m.mails...)
}

// Await waits until so many mails were taken, and returns all.
func (m *MailServer) Await(t testing.TB, n int) []Mail {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		mails := m.Mails()
		if len(mails) >= n {
			return mails
		}
		select {
		case <-m.arrived:
		case <-timeout:
			t.Fatalf("mails: got %d, want %d within a minute", len(mails), n)
		}
	}
}

func (m *MailServer) at(step Step) {
	m.mu.Lock()
	watch := m.watch
	m.mu.Unlock()
	if watch != nil {
		watch(step)
	}
}

func (m *MailServer) listen(t testing.TB, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	m.Address, m.listener = listener.Addr().String(), listener
	m.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{server: m, conn: c.Conn()}, nil }))
	m.server.Domain = "mail.example.com"
	m.server.ReadTimeout, m.server.WriteTimeout = time.Minute, time.Minute
	m.server.ErrorLog = discard{}
	go func() { _ = m.server.Serve(doorway{listener, m}) }() // Down ends it
}

// mailSession is one client's connection.
type mailSession struct {
	server *MailServer
	conn   net.Conn
	from   string
	to     []string
}

func (s *mailSession) Reset()        { s.from, s.to = "", nil }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	s.server.at(Named)
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	s.server.at(Addressed)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	s.server.at(Begun)
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		return err
	}
	s.server.at(Halfway)
	rest, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.at(Received)
	raw := slices.Concat(first, rest)
	received, err := parseMail(raw)
	if err != nil {
		return err
	}
	received.From, received.To = s.from, s.to
	s.server.mu.Lock()
	answer := s.server.answer
	s.server.mu.Unlock()
	if answer != nil {
		if err := answer(received); errors.Is(err, errHangUp) {
			return errors.Join(err, s.conn.Close())
		} else if err != nil {
			return err
		}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, received)
	select {
	case s.server.arrived <- struct{}{}:
	default:
	}
	return nil
}

// parseMail reads a message as a mail program would.
func parseMail(raw []byte) (Mail, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	received := Mail{Header: m.Header, Raw: raw}
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return Mail{}, err
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return received, nil
		}
		if err != nil {
			return Mail{}, err
		}
		var body io.Reader = part
		switch part.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			body = quotedprintable.NewReader(part)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, part)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return Mail{}, err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			received.HTML = string(text)
		} else {
			received.Text = string(text)
		}
	}
}

// Subject is the subject as it is read.
func (m Mail) Subject() string {
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return err.Error()
	}
	return subject
}

// Link is the first link of the text below a path of the base URL, "" where
// there is none.
func (m Mail) Link(base, path string) string {
	return regexp.MustCompile(regexp.QuoteMeta(base+path) + `[A-Za-z0-9_-]+`).FindString(m.Text)
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}
