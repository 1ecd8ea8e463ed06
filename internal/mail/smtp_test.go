package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real server that keeps what it gets.
type mailServer struct {
	t       *testing.T
	address string

	mu          sync.Mutex
	connections int
	got         []delivered
	answer      func(stage, argument string) error
}

// delivered is one message as the server got it.
type delivered struct {
	from       string
	recipients []string
	data       []byte
	user       string
	tls        bool
}

// countingListener tells the server how often somebody connected.
type countingListener struct {
	net.Listener
	server *mailServer
}

func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.server.mu.Lock()
		l.server.connections++
		l.server.mu.Unlock()
	}
	return conn, err
}

// NewSession belongs to smtp.Backend.
func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: s, conn: c}, nil
}

func (s *mailServer) messages() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivered(nil), s.got...)
}

func (s *mailServer) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	now    delivered
	user   string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "hither" || password != "secret" {
			return errors.New("wrong password")
		}
		s.user = user
		return nil
	}
	if mechanism != sasl.Plain {
		return nil, errors.New("only PLAIN")
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	_, secured := s.conn.TLSConnectionState()
	s.now = delivered{from: from, user: s.user, tls: secured}
	return s.say("MAIL", from)
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.recipients = append(s.now.recipients, to)
	return s.say("RCPT", to)
}

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.now.data = data
	if err := s.say("DATA", string(data)); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.got = append(s.server.got, s.now)
	return nil
}

func (s *mailSession) Reset() { s.now = delivered{} }

func (s *mailSession) Logout() error { return nil }

func (s *mailSession) say(stage, argument string) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.answer == nil {
		return nil
	}
	return s.server.answer(stage, argument)
}

// identity is a certificate for 127.0.0.1 and who believes it.
func identity(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if len(names) > 0 {
		template.IPAddresses, template.DNSNames = nil, names
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func listening(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// newMailServer starts a server; config nil is one without TLS.
func newMailServer(t *testing.T, mode TLSMode, config *tls.Config) *mailServer {
	t.Helper()
	s := &mailServer{t: t}
	server := smtp.NewServer(s)
	server.Domain = "mail.example.com"
	server.AllowInsecureAuth = true // that the client never uses it is what is tested
	server.TLSConfig = config
	server.ErrorLog = nothing{}
	var listener net.Listener = countingListener{listening(t), s}
	s.address = listener.Addr().String()
	if mode == ImplicitTLS {
		listener = tls.NewListener(listener, config)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

type nothing struct{}

func (nothing) Printf(string, ...any) {}
func (nothing) Println(...any)        {}

func newSMTP(t *testing.T, o SMTPOptions) *SMTP {
	t.Helper()
	if o.Hello == "" {
		o.Hello = "example.com"
	}
	s, err := NewSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func testMessage(t *testing.T, to string) Message {
	t.Helper()
	c := newComposer(t)
	letter := Samples(testBase)[0]
	content, err := c.Compose("en", fill(letter, ".\r\n.\r\nRCPT TO:<victim@example.com>\r\nAda"))
	if err != nil {
		t.Fatal(err)
	}
	e := testEnvelope(letter)
	e.To, e.Bounce = to, "bounces@example.com"
	m, err := Build(e, content)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// KF-57, KF-59, KF-60: what a real server gets has one recipient, and is byte
// for byte what was built; several messages share a connection.
func TestMessagesArrive(t *testing.T) {
	t.Parallel()
	certificate, pool := identity(t)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	for _, mode := range []TLSMode{StartTLS, ImplicitTLS, NoTLS} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := newMailServer(t, mode, config)
			o := SMTPOptions{Address: server.address, TLS: mode, Roots: pool}
			if mode != NoTLS {
				o.User, o.Password = "hither", "secret"
			}
			s := newSMTP(t, o)
			recipients := []string{"charles@example.com", "ada@example.com", "grace@example.com"}
			for _, to := range recipients {
				if err := s.Send(t.Context(), testMessage(t, to)); err != nil {
					t.Fatalf("%s: %v", to, err)
				}
			}
			got := server.messages()
			if len(got) != len(recipients) || server.opened() != 1 {
				t.Fatalf("got %d messages by %d connections, want %d by 1", len(got), server.opened(), len(recipients))
			}
			for i, to := range recipients {
				d := got[i]
				if d.from != "bounces@example.com" || len(d.recipients) != 1 || d.recipients[0] != to {
					t.Errorf("got a message from %q to %q, want one recipient, %s", d.from, d.recipients, to)
				}
				if d.tls != (mode != NoTLS) || d.user != o.User {
					t.Errorf("got TLS %v and user %q", d.tls, d.user)
				}
				if want := testMessage(t, to).MIME; !bytes.Equal(d.data, want) {
					t.Errorf("got\n%s\nwant\n%s", d.data, want)
				}
				r := receive(t, d.data)
				if r.header.Get("To") != to || r.header.Get("Cc") != "" || r.header.Get("Bcc") != "" {
					t.Errorf("got %q", r.header)
				}
			}
			if err := s.Probe(t.Context()); err != nil || server.opened() != 2 || len(server.messages()) != len(recipients) {
				t.Errorf("a probe: got %v, want a connection and no message", err)
			}
		})
	}
}

// Messages that are sent at once have connections of their own; one is kept.
func TestSendersAreParallel(t *testing.T) {
	t.Parallel()
	server := newMailServer(t, NoTLS, nil)
	s := newSMTP(t, SMTPOptions{Address: server.address, TLS: NoTLS})
	m := testMessage(t, "charles@example.com")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 4 {
				if err := s.Send(t.Context(), m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(server.messages()); got != 32 {
		t.Errorf("got %d messages, want 32", got)
	}
}

// A refusal says what the server said, and whether to try again; the next
// message goes by the same connection unless the server ended it.
func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"MAIL", "RCPT", "DATA"} {
		for code, permanent := range map[int]bool{421: false, 450: false, 452: false, 530: false, 535: false, 550: true, 552: true} {
			server := newMailServer(t, NoTLS, nil)
			s := newSMTP(t, SMTPOptions{Address: server.address, TLS: NoTLS})
			m := testMessage(t, "charles@example.com")
			if err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			refused := 0
			server.mu.Lock()
			server.answer = func(at, _ string) error {
				if at != stage {
					return nil
				}
				refused++
				return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "No such\n\x1b[31muser <other@example.com> charles@example.com"}
			}
			server.mu.Unlock()
			err := s.Send(t.Context(), m)
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Code != code || f.Permanent != permanent {
				t.Errorf("%d at %s: got %+v, want that code, permanent %v", code, stage, err, permanent)
				continue
			}
			if !strings.Contains(f.Words, "user <(address)> charles@example.com") || strings.ContainsAny(f.Words, "\n\x1b") {
				t.Errorf("%d at %s: got %q, want it on one line without the other address", code, stage, f.Words)
			}
			// 421 at the first command of a kept connection is about that.
			want := 1
			if code == 421 && stage == "MAIL" {
				want = 2
			}
			server.mu.Lock()
			server.answer = nil
			if refused != want {
				t.Errorf("%d at %s: tried %d times, want %d", code, stage, refused, want)
			}
			server.mu.Unlock()
			if err := s.Send(t.Context(), m); err != nil {
				t.Errorf("after %d at %s: %v", code, stage, err)
			}
		}
	}
}

// Who we sign in as is told to no server that is not the one meant.
func TestPasswordsNeedTLS(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]SMTPOptions{
		"a password in the clear": {Address: "127.0.0.1:25", TLS: NoTLS, User: "hither", Password: "secret"},
		"another machine":         {Address: "mail.example.com:25", TLS: NoTLS},
		"a name for a machine":    {Address: "localhost.example.com:25", TLS: NoTLS},
		"no port":                 {Address: "mail.example.com", TLS: StartTLS},
		"no host":                 {Address: ":25", TLS: StartTLS},
		"no mode":                 {Address: "mail.example.com:25", TLS: "tls"},
	} {
		if _, err := NewSMTP(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	certificate, pool := identity(t)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	server := newMailServer(t, StartTLS, config)
	s := newSMTP(t, SMTPOptions{Address: server.address, TLS: StartTLS, Roots: pool, User: "hither", Password: "wrong"})
	f, ok := errors.AsType[*Failure](s.Send(t.Context(), testMessage(t, "a@example.com")))
	if !ok || f.Permanent || f.Code == 0 || !strings.Contains(f.Words, "signing in") || strings.Contains(f.Error(), "wrong\"") {
		t.Errorf("a wrong password: got %+v, want a failure that passes once it is mended", f)
	}
}

// A certificate is verified: by whom it is, for what name, in which version.
func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	good, pool := identity(t)
	other, otherPool := identity(t, "mail.example.com")
	for name, test := range map[string]struct {
		certificate tls.Certificate
		roots       *x509.CertPool
		most        uint16
	}{
		"unknown authority": {good, otherPool, 0},
		"the machine's":     {good, nil, 0},
		"another name":      {other, otherPool, 0},
		"TLS 1.1":           {good, pool, tls.VersionTLS11},
	} {
		for _, mode := range []TLSMode{StartTLS, ImplicitTLS} {
			config := &tls.Config{Certificates: []tls.Certificate{test.certificate}, MinVersion: tls.VersionTLS10, MaxVersion: test.most}
			server := newMailServer(t, mode, config)
			s := newSMTP(t, SMTPOptions{Address: server.address, TLS: mode, Roots: test.roots, User: "hither", Password: "secret"})
			f, ok := errors.AsType[*Failure](s.Send(t.Context(), testMessage(t, "a@example.com")))
			if !ok || f.Permanent || !strings.Contains(f.Words, "securing the connection") {
				t.Errorf("%s, %s: got %+v, want it refused for now", name, mode, f)
			}
			if name != "TLS 1.1" && ok && !strings.Contains(f.Words, "not to be trusted") {
				t.Errorf("%s, %s: got %q, want it to say why", name, mode, f.Words)
			}
			if got := server.messages(); len(got) != 0 {
				t.Errorf("%s, %s: the message was sent", name, mode)
			}
		}
	}
}

func TestGivingUpIsNoFailure(t *testing.T) {
	t.Parallel()
	server := newMailServer(t, NoTLS, nil)
	s := newSMTP(t, SMTPOptions{Address: server.address, TLS: NoTLS})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Send(ctx, testMessage(t, "a@example.com"))
	if _, failed := errors.AsType[*Failure](err); failed || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was given up", err)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener := listening(t)
	_ = listener.Close()
	s := newSMTP(t, SMTPOptions{Address: listener.Addr().String(), TLS: NoTLS})
	f, ok := errors.AsType[*Failure](s.Send(t.Context(), testMessage(t, "a@example.com")))
	if !ok || f.Permanent || !strings.Contains(f.Words, "refused") {
		t.Errorf("got %+v, want a failure that passes", f)
	}
}
