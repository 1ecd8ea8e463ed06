package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForeignHostsAreRefused is about DNS rebinding: a page of another site
// reaches a server on this machine under its own name.
func TestForeignHostsAreRefused(t *testing.T) {
	t.Parallel()
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8787}
	every := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8787}
	lan := &net.TCPAddr{IP: net.IPv4(192, 168, 1, 5), Port: 8787}
	for _, test := range []struct {
		listen string
		bound  net.Addr
		host   string
		want   bool
	}{
		{"127.0.0.1:8787", loopback, "127.0.0.1:8787", true},
		{"127.0.0.1:8787", loopback, "127.0.0.1", true},
		{"127.0.0.1:8787", loopback, "127.9.9.9:1", true},
		{"127.0.0.1:8787", loopback, "LocalHost.:8787", true},
		{"127.0.0.1:8787", loopback, "demo.localhost:8787", true},
		{"127.0.0.1:8787", loopback, "[::1]:8787", true},
		{"127.0.0.1:8787", loopback, "[::1]", true},
		{"127.0.0.1:8787", loopback, "evil.example", false},
		{"127.0.0.1:8787", loopback, "evil.example:8787", false},
		{"127.0.0.1:8787", loopback, "127.0.0.1.evil.example:8787", false},
		{"127.0.0.1:8787", loopback, "localhost.evil.example", false},
		{"127.0.0.1:8787", loopback, "evillocalhost", false},
		{"127.0.0.1:8787", loopback, "localhost@evil.example", false},
		{"127.0.0.1:8787", loopback, "192.168.1.5:8787", false},
		{"127.0.0.1:8787", loopback, "2130706433", false}, // 127.0.0.1 as one number
		{"127.0.0.1:8787", loopback, "", false},
		{"hither.lan:8787", lan, "hither.lan:8787", true},
		{"hither.lan:8787", lan, "192.168.1.5:8787", true},
		{"hither.lan:8787", lan, "192.168.1.6:8787", false},
		{":8787", every, "192.168.1.5:8787", true},
		{"0.0.0.0:8787", every, "[2001:db8::1]:8787", true},
		{"0.0.0.0:8787", every, "evil.example:8787", false},
		{"0.0.0.0:8787", every, "", false},
	} {
		if got := NewHosts(test.listen, test.bound, "").Answer(test.host); got != test.want {
			t.Errorf("listening on %s, Host %q: answered %v, want %v", test.listen, test.host, got, test.want)
		}
	}
}

// TestHostOfTheBaseURL: a proxy in front passes its own host on.
func TestHostOfTheBaseURL(t *testing.T) {
	t.Parallel()
	hosts := NewHosts("127.0.0.1:8787", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8787}, "https://Demo.example.com:8443/hither")
	for host, want := range map[string]bool{
		"demo.example.com": true, "demo.example.com:8443": true, "127.0.0.1:8787": true, "example.com": false, "x.demo.example.com": false, "": false,
	} {
		if got := hosts.Answer(host); got != want {
			t.Errorf("Host %q: answered %v, want %v", host, got, want)
		}
	}
}

func TestRefusedHostGetsTheEnvelope(t *testing.T) {
	t.Parallel()
	s := newHarness(echo, func(o *Options) {
		o.Hosts = NewHosts("127.0.0.1:8787", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8787}, "")
	})
	for _, path := range []string{"/client/v4/user", alivePath} {
		r, w := httptest.NewRequest(http.MethodGet, path, nil), httptest.NewRecorder()
		r.Host = "evil.example"
		s.ServeHTTP(w, r)
		const envelope = `{"result":null,"success":false,"errors":[{"code":7000,`
		if w.Code != http.StatusMisdirectedRequest || !strings.HasPrefix(w.Body.String(), envelope) {
			t.Errorf("GET %s: got %d %s, want 421 in the envelope", path, w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json; charset=utf-8",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("GET %s: %s: got %q, want %q", path, name, got, want)
			}
		}
		if w.Header().Get(requestIDHeader) == "" {
			t.Errorf("GET %s: no request id", path)
		}
	}
}
