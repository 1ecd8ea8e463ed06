package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestClientAddress is KF-65: who asks is the peer, or whom trusted proxies heard;
// what a client claims by itself never counts.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	const proxies = "10.0.0.0/8, 192.0.2.7, fd00::/8, ::ffff:172.16.0.0/108"
	for _, test := range []struct {
		name string
		peer string
		hops []string // of X-Forwarded-For, a header each
		want string
	}{
		{"straight", "203.0.113.5:4711", nil, "203.0.113.5"},
		{"straight, with a claim", "203.0.113.5:4711", []string{"198.51.100.1"}, "203.0.113.5"},
		{"straight, claiming a proxy", "203.0.113.5:4711", []string{"10.0.0.1"}, "203.0.113.5"},
		{"beside a proxy's network", "11.0.0.1:1", []string{"198.51.100.1"}, "11.0.0.1"},
		{"one proxy", "10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"one proxy by its address", "192.0.2.7:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"its neighbour", "192.0.2.8:80", []string{"198.51.100.1"}, "192.0.2.8"},
		{"one proxy, with a claim", "10.0.0.1:80", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"one proxy, claiming a proxy", "10.0.0.1:80", []string{"10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:80", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two proxies, a header each", "10.0.0.1:80", []string{"8.8.8.8,198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"proxies only", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a proxy by itself", "10.0.0.1:80", nil, "10.0.0.1"},
		{"garbage", "10.0.0.1:80", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:80", []string{"198.51.100.1, _hidden, 10.0.0.2"}, "10.0.0.2"},
		{"nothing", "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"nothing at the end", "10.0.0.1:80", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"the unspecified address", "10.0.0.1:80", []string{"0.0.0.0"}, "10.0.0.1"},
		{"a line break", "10.0.0.1:80", []string{"198.51.100.1\n"}, "10.0.0.1"},
		{"with a port", "10.0.0.1:80", []string{"198.51.100.1:55555"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6 in brackets", "[fd00::1]:80", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"IPv6 with a port", "[fd00::1]:80", []string{"[2001:db8::5]:99"}, "2001:db8::5"},
		{"IPv6 with a zone", "[fd00::1%eth0]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6, not trusted", "[2001:db8::1]:80", []string{"198.51.100.1"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a network of IPv4 in IPv6", "172.31.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"more hops than anybody has", "10.0.0.1:80", []string{"198.51.100.1" + strings.Repeat(",10.0.0.2", 5000)}, "10.0.0.2"},
	} {
		var seen string
		s := newHarness(func(w http.ResponseWriter, r *http.Request) { seen = hostOf(r.RemoteAddr); echo(w, r) }, func(o *Options) {
			o.Proxies = proxiesOf(t, proxies)
		})
		r := httptest.NewRequest(http.MethodGet, "/echo", nil)
		r.RemoteAddr = test.peer
		r.Header["X-Forwarded-For"] = test.hops
		for _, name := range []string{"Forwarded", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip", "X-Forwarded"} {
			r.Header.Set(name, "for=192.0.2.99")
		}
		s.ServeHTTP(httptest.NewRecorder(), r)
		if seen != test.want {
			t.Errorf("%s: from %s by %q: got %s, want %s", test.name, test.peer, test.hops, seen, test.want)
		}
		line := s.log.lines(t, "request")[0]
		if _, named := line["peer"]; line["remote"] != seen || named != (addressOf(test.peer).String() != test.want) {
			t.Errorf("%s: the log has remote %v and peer %v, want %s, and the peer where it is another", test.name, line["remote"], line["peer"], seen)
		}
	}
}

// TestNobodyIsTrustedUnlessNamed: without the setting no header counts.
func TestNobodyIsTrustedUnlessNamed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	if peer := (Proxies{}).place(r); r.RemoteAddr != "127.0.0.1:4711" || peer != "" {
		t.Errorf("got the client %s and the peer %q, want the request as it was", r.RemoteAddr, peer)
	}
}

func TestNetworksOfProxies(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]string{
		"":               "neither a network",
		"proxy.internal": "neither a network",
		"10.0.0.0/33":    "neither a network",
		"10.0.0.0/8/8":   "neither a network",
		"fe80::1%eth0":   "neither a network",
		"10.0.0.5/8":     "the network is 10.0.0.0/8",
		"fd00::1/8":      "the network is fd00::/8",
		"0.0.0.0/0":      "is everybody",
		"::/0":           "is everybody",
		"::ffff:0:0/96":  "is everybody",
	} {
		if _, err := ParseProxies([]string{"192.0.2.1", network}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", network, err, want)
		}
	}
}

func proxiesOf(t testing.TB, networks string) Proxies {
	t.Helper()
	p, err := ParseProxies(strings.Split(networks, ","))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzClientAddress: whatever stands in the header, the client of an untrusted
// peer is that peer, and that of a trusted one an address.
func FuzzClientAddress(f *testing.F) {
	f.Add("198.51.100.1, 10.0.0.2")
	f.Add("[::1]:80,, ::ffff:1.2.3.4%x")
	p := proxiesOf(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, hops string) {
		r := &http.Request{RemoteAddr: "203.0.113.5:1", Header: http.Header{"X-Forwarded-For": {hops}}}
		if got := p.client(r).String(); got != "203.0.113.5" {
			t.Errorf("untrusted, %q: got %s", hops, got)
		}
		r.RemoteAddr = "10.0.0.1:1"
		if got := p.client(r); !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Errorf("trusted, %q: got %s", hops, got)
		}
	})
}
