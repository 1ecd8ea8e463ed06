package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHeadersHaveALimit is about RFC 6585's 431.
func TestHeadersHaveALimit(t *testing.T) {
	t.Parallel()
	const start, tooLarge = "GET / HTTP/1.1\r\nHost: localhost\r\n", http.StatusRequestHeaderFieldsTooLarge
	for _, test := range []struct {
		name, request string
		want          int
	}{
		{"below", start + "X-Long: " + strings.Repeat("x", 31<<10) + "\r\n\r\n", http.StatusOK},
		{"one long header", start + "X-Long: " + strings.Repeat("x", 33<<10) + "\r\n\r\n", tooLarge},
		{"many short headers", start + strings.Repeat("X-Short: x\r\n", 3<<10) + "\r\n", tooLarge},
		{"long path", "GET /" + strings.Repeat("x", 33<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", tooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := serving(t, newHarness(echo, nil))
				go send(t, c, test.request) // the server stops reading at the limit
				if status, _ := receive(t, c); status != test.want {
					t.Errorf("got %d, want %d", status, test.want)
				}
			})
		})
	}
}

// TestSlowClientsAreCutOff holds each limit of time, on the bubble's clock.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	limits := DefaultLimits()
	for _, test := range []struct {
		name  string
		sent  string
		drip  string // sent every second after that
		after time.Duration
	}{
		{"says nothing", "", "", limits.ReadHeader},
		{"headers one by one", "GET / HTTP/1.1\r\nHost: localhost\r\n", "X-Slow: x\r\n", limits.ReadHeader},
		{"body byte by byte", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", "x", limits.Read},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := serving(t, newHarness(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
				}, nil))
				start := time.Now()
				send(t, c, test.sent)
				var dripping sync.WaitGroup
				dripping.Go(func() {
					for test.drip != "" {
						if _, err := io.WriteString(c, test.drip); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				})
				defer dripping.Wait()
				_, _ = io.Copy(io.Discard, c)
				if took := time.Since(start); took < test.after || took > test.after+2*time.Second {
					t.Errorf("cut off after %s, want %s", took, test.after)
				}
			})
		})
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := serving(t, newHarness(echo, nil))
		ask(t, c, "/")
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if took := time.Since(start); took != DefaultLimits().Idle {
			t.Errorf("closed after %s, want %s", took, DefaultLimits().Idle)
		}
	})
}

// TestWorkHasADeadline holds that who waits too long for the store is told so
// before the connection is cut.
func TestWorkHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := serving(t, newHarness(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}, nil))
		start := time.Now()
		status, _ := ask(t, c, "/")
		if took := time.Since(start); status != http.StatusServiceUnavailable || took != DefaultLimits().Handle {
			t.Errorf("got %d after %s, want 503 after %s", status, took, DefaultLimits().Handle)
		}
	})
}

func TestConnectionsHaveALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(echo, func(o *Options) { o.Limits.MaxConnections = 1 })
		ctx, stop := context.WithCancel(t.Context())
		w := newWires()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, w, nil) }()
		first := connect(t, w)
		ask(t, first, "/")

		accepted := make(chan *conn)
		go func() { accepted <- connect(t, w) }()
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("a second connection was accepted, want it to wait for the first to end")
		default:
		}
		_ = first.Close()
		if status, _ := ask(t, <-accepted, "/"); status != http.StatusOK {
			t.Errorf("the second connection, once the first had ended: got %d, want 200", status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestChunkedBodyEndsTheConnection is about request smuggling: a request that
// has both a length and chunks is read by its chunks, and whatever follows on
// the connection is not answered.
func TestChunkedBodyEndsTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(echo, nil)
		c := serving(t, s)
		go send(t, c, "POST /outer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
			"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
		all, _ := io.ReadAll(c)
		if got := strings.Count(string(all), "HTTP/1.1 "); got != 1 {
			t.Errorf("got %d answers, want 1: %q", got, all)
		}
		if strings.Contains(s.log.String(), "smuggled") {
			t.Error("the smuggled request was served")
		}
	})
}

// TestOddRequestsReachTheAPI holds that net/http answers nothing by itself that
// the envelope could.
func TestOddRequestsReachTheAPI(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"OPTIONS * HTTP/1.1", "PROPFIND / HTTP/1.1", "GET http://elsewhere.example/ HTTP/1.1",
		"POST /healthz HTTP/1.1", "GET /metrics HTTP/1.1",
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := serving(t, newHarness(echo, nil))
				send(t, c, request+"\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
				if status, body := receive(t, c); status != http.StatusOK || body != "echo" {
					t.Errorf("got %d %q, want what the API says", status, body)
				}
			})
		})
	}
}

// TestTLS is about ASVS 12: TLS 1.2 at least.
func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile := certificate(t)
	config, err := TLS(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := newHarness(echo, func(o *Options) { o.TLS = config })
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listener, nil) }()
	for version, accepted := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}}}
		c, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if (err == nil) != accepted {
			t.Errorf("%s: got error %v, want accepted %v", tls.VersionName(version), err, accepted)
		}
		if err == nil {
			if got := c.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "h2" {
				t.Errorf("%s: got protocol %q, want h2", tls.VersionName(version), got)
			}
			_ = c.Close()
		}
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := client.Get("https://" + listener.Addr().String() + alivePath)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET %s: got %d, want 200", alivePath, answer.StatusCode)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if strings.Contains(s.log.String(), `"level":"WARN"`) {
		t.Errorf("handshakes that failed are warned of: %s", s.log)
	}

	if _, err := TLS(certFile, certFile); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("a certificate as its own key: got %v, want an error that names the file", err)
	}
}

// certificate makes a self-signed one.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(fmt.Errorf("write %s: %w", name, err))
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}
