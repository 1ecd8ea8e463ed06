package webhook_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hither/internal/iam"
	"hither/internal/webhook"
)

// names are what a resolver of a test knows.
type names map[string][]string

func (n names) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	found, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, text := range found {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

// sender allows the loopback of tests, but for 127.0.0.66, which is inside.
func sender(t *testing.T, known names, roots *x509.CertPool) *webhook.Sender {
	t.Helper()
	s := webhook.NewSender(webhook.SenderOptions{
		Policy: iam.WebhookPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Own: []string{"hither.example"}},
		Agent:  "hither/test", Now: time.Now, Lookup: known.lookup, Roots: roots,
	})
	t.Cleanup(s.Close)
	return s
}

var secrets = []iam.WebhookSecret{
	{Bytes: []byte("a secret of thirty-two bytes 123")}, {Bytes: []byte("another one of thirty-two bytes!"), Until: time.Now().Add(time.Hour)},
}

func message(url string) webhook.Message {
	return webhook.Message{URL: url, ID: "0123456789abcdef0123456789abcdef", Secrets: secrets, Body: []byte(`{"type":"x"}`)}
}

// What is sent is what the official library takes, by either secret, for five minutes
// and no longer, and by no other one (KF-94).
func TestWhatIsSentIsSigned(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(receiver.Certificate())
	s := sender(t, names{"example.com": {"127.0.0.1"}}, roots)
	if result := s.Send(t.Context(), message("https://example.com:"+port+"/x?y=z")); result.Code != 200 || result.Words != "" {
		t.Fatalf("got %+v", result)
	}
	if got.Method != http.MethodPost || got.URL.String() != "/x?y=z" || got.Header.Get("Webhook-Id") != "0123456789abcdef0123456789abcdef" ||
		!strings.HasPrefix(got.Header.Get("Content-Type"), "application/json") || got.UserAgent() != "hither/test" || string(body) != `{"type":"x"}` {
		t.Errorf("got %s %s %v %s", got.Method, got.URL, got.Header, body)
	}
	verify := func(secret []byte, body string, header http.Header) error {
		hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(secret))
		if err != nil {
			t.Fatal(err)
		}
		return hook.Verify([]byte(body), header)
	}
	for _, secret := range secrets {
		if err := verify(secret.Bytes, string(body), got.Header); err != nil {
			t.Error(err)
		}
	}
	if verify([]byte("nobody's"), string(body), got.Header) == nil || verify(secrets[0].Bytes, `{"type":"y"}`, got.Header) == nil {
		t.Error("another secret or another body is taken")
	}
	other := got.Header.Clone()
	other.Set("Webhook-Id", "1")
	if verify(secrets[0].Bytes, string(body), other) == nil {
		t.Error("another id is taken")
	}
	old := webhook.NewSender(webhook.SenderOptions{
		Policy: iam.WebhookPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, Roots: roots,
		Lookup: names{"example.com": {"127.0.0.1"}}.lookup, Now: func() time.Time { return time.Now().Add(-6 * time.Minute) },
	})
	defer old.Close()
	old.Send(t.Context(), message("https://example.com:"+port))
	if err := verify(secrets[0].Bytes, string(body), got.Header); !errors.Is(err, standardwebhooks.ErrMessageTooOld) {
		t.Errorf("one of six minutes ago: got %v", err)
	}
}

// Names that lead inside, wholly or in part, are not connected to, nor are redirects
// followed there (KF-89, KF-90). Who says so tells nothing of where they lead.
func TestNothingIsSentInside(t *testing.T) {
	t.Parallel()
	var connected atomic.Int64
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	inside.Config.ConnState = func(net.Conn, http.ConnState) { connected.Add(1) }
	listener, err := net.Listen("tcp", "127.0.0.66:0")
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	_ = inside.Listener.Close()
	inside.Listener = listener
	inside.Start()
	defer inside.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	}))
	defer redirecting.Close()

	known := names{
		"inside.example": {"127.0.0.66"}, "both.example": {"93.184.216.34", "127.0.0.66"}, "allowed.example": {"127.0.0.1", "127.0.0.66"},
		"mapped.example": {"::ffff:127.0.0.66"}, "nat64.example": {"64:ff9b::7f00:42"}, "zero.example": {"0.0.0.0"}, "unique.example": {"fd00::1"},
		"meta.example": {"169.254.169.254"}, "six.example": {"::1"}, "sixtofour.example": {"2002:7f00:42::"}, "none.example": {},
	}
	s := sender(t, known, nil)
	for name := range known {
		for _, scheme := range []string{"http", "https"} {
			result := s.Send(t.Context(), message(scheme+"://"+name+":"+port+"/"))
			if result.Code != 0 || result.Words == "" || strings.Contains(result.Words, "127.") {
				t.Errorf("%s://%s: got %+v", scheme, name, result)
			}
		}
	}
	for _, target := range []string{inside.URL, "http://hither.example/", "http://2130706498:" + port, "https://127.0.0.66:" + port} {
		if result := s.Send(t.Context(), message(target)); result.Code != 0 || result.Words == "" {
			t.Errorf("%s: got %+v", target, result)
		}
	}
	if result := s.Send(t.Context(), message(redirecting.URL)); result.Code != http.StatusTemporaryRedirect || !strings.Contains(result.Words, "redirects are not followed") {
		t.Errorf("a redirect: got %+v", result)
	}
	if n := connected.Load(); n != 0 {
		t.Errorf("somebody inside was connected to %d times", n)
	}
}

// A name that leads inside too is not sent to where it leads outside, whichever
// comes first (KF-89).
func TestEveryAddressHasToBePermitted(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	t.Cleanup(receiver.Close)
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	known := names{"outside.example": {"127.0.0.1"}, "first.example": {"127.0.0.1", "127.0.0.66"}, "last.example": {"127.0.0.66", "127.0.0.1"}}
	for name, want := range map[string]int{"outside.example": 200, "first.example": 0, "last.example": 0} {
		if result := sender(t, known, nil).Send(t.Context(), message("http://"+name+":"+port)); result.Code != want {
			t.Errorf("%s: got %+v, want %d", name, result, want)
		}
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("sent %d times, want once", n)
	}
}

// A name that leads elsewhere from one moment to the next is looked up once for a
// connection, and held to the rule each time.
func TestANameThatMoves(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	defer receiver.Close()
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	lookups := 0
	s := webhook.NewSender(webhook.SenderOptions{
		Policy: iam.WebhookPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, Now: time.Now,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			if lookups++; lookups == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.66")}, nil
		},
	})
	defer s.Close()
	if result := s.Send(t.Context(), message("http://moves.example:"+port)); result.Code != 200 || lookups != 1 {
		t.Errorf("first: got %+v after %d lookups", result, lookups)
	}
	if result := s.Send(t.Context(), message("http://moves.example:"+port)); result.Code != 0 || lookups != 2 {
		t.Errorf("then: got %+v after %d lookups", result, lookups)
	}
}

// Receivers that are slow, wrong or hostile cost an attempt, and say no more than
// what went wrong.
func TestBadReceivers(t *testing.T) {
	t.Parallel()
	serve := func(answer func(conn net.Conn)) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					_, _ = http.ReadRequest(bufio.NewReader(conn))
					answer(conn)
				}()
			}
		}()
		return listener.Addr().String()
	}
	endless := func(head, part string) func(net.Conn) {
		return func(conn net.Conn) {
			_, err := io.WriteString(conn, head)
			for err == nil {
				_, err = io.WriteString(conn, part)
			}
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	self := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(self.Close)
	for name, test := range map[string]struct {
		url  string
		code int
		want string
	}{
		"nobody":               {"http://" + closed.Addr().String(), 0, "nobody listens there"},
		"an unknown name":      {"https://unknown.example/", 0, "the name has no address"},
		"hangs up":             {"http://" + serve(func(net.Conn) {}), 0, "the connection broke"},
		"speaks nonsense":      {"http://" + serve(func(conn net.Conn) { _, _ = io.WriteString(conn, "hello\r\n\r\n") }), 0, "the connection broke"},
		"never answers":        {"http://" + serve(func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }), 0, "no answer within 15 s"},
		"a header without end": {"http://" + serve(endless("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 1000)+"\r\n")), 0, "the connection broke"},
		"a body without end":   {"http://" + serve(endless("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000))), 200, ""},
		"a body that hangs": {"http://" + serve(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}), 200, ""},
		"no TLS":                {"https://" + serve(func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }), 0, "what answers there does not speak TLS"},
		"a certificate of none": {self.URL, 0, "the certificate is not valid for this name, or nobody vouches for it"},
		"an error": {"http://" + serve(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Away\r\nRetry-After: 7\r\nContent-Length: 6\r\n\r\nsecret")
		}), 503, "answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // instead of a receiver's 15 s
			defer cancel()
			result := sender(t, names{}, nil).Send(ctx, message(test.url))
			if result.Code != test.code || result.Words != test.want {
				t.Errorf("got %+v, want %d %q", result, test.code, test.want)
			}
			if test.code == 503 && result.RetryAfter != 7*time.Second {
				t.Errorf("asks for %s", result.RetryAfter)
			}
		})
	}
}

// FuzzURLs holds that a URL which is taken is one that a request can be made of, to
// the host that was looked at.
func FuzzURLs(f *testing.F) {
	for _, seed := range []string{"https://example.com", "https://[::1]:1/", "https://a%2eb/", "https://1.1.1.1.:443/%zz", "https://ⓔxample.com/", "https://example.com:99999/"} {
		f.Add(seed)
	}
	policy := iam.WebhookPolicy{Own: []string{"own.example"}}
	f.Fuzz(func(t *testing.T, text string) {
		kept, err := policy.CheckURL("/url", text)
		if err != nil {
			return
		}
		u, err := url.Parse(kept)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" || u.Hostname() == "own.example" {
			t.Fatalf("%q is kept as %q: %v", text, kept, err)
		}
		if again, err := policy.CheckURL("/url", kept); err != nil || again != kept {
			t.Errorf("%q is kept as %q, and that as %q, %v", text, kept, again, err)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !policy.Permits("https", addr) {
			t.Errorf("%q leads to %s", text, addr)
		}
	})
}
