package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// addresses looks whether the server could listen, or does already.
func (d *doctor) addresses(ctx context.Context) {
	scheme := "http"
	if d.settings.TLSCert != "" {
		scheme = "https"
	}
	d.address(ctx, "--listen", d.settings.Listen, scheme, "/healthz", "ok\n")
	if d.settings.MetricsListen != "" {
		d.address(ctx, "--metrics-listen", d.settings.MetricsListen, "http", "/metrics", "\nhither_build_info{")
	}
}

func (d *doctor) address(ctx context.Context, flag, asked, scheme, path, sign string) {
	listener, err := listen(ctx, flag, asked)
	if err == nil {
		_ = listener.Close() // it took no connection
		d.okf("address", "%s %s is free", flag, asked)
		return
	}
	if hitherAnswers(ctx, scheme, asked, path, sign) {
		d.okf("address", "%s %s: hither answers there", flag, asked)
		return
	}
	d.failf("address", "give "+flag+" an address of this machine that is free, HOST:PORT", "%v", err)
}

// healthTimeout is how long whoever has the address may take to say who it is.
const healthTimeout = 2 * time.Second

// hitherAnswers asks whoever listens whether it is hither.
func hitherAnswers(ctx context.Context, scheme, address, path, sign string) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+reachable(address)+path, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{
		// The name in the certificate is seldom the address, and nothing secret is sent.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,
	}}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(answer.Body, most))
	return err == nil && answer.StatusCode == http.StatusOK && bytes.Contains(body, []byte(sign))
}

// reachable is an address as this machine asks it: by loopback where it is
// every address.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
