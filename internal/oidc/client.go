package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hither/internal/iam"
)

// What one request to an issuer may cost.
const (
	patience    = 5 * time.Second // from the first packet to the last byte
	maxAnswer   = 512 << 10       // bytes of a body
	maxHeader   = 64 << 10
	connections = 8 // to one issuer at once
)

func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: patience}).DialContext,
			TLSHandshakeTimeout:    patience,
			ResponseHeaderTimeout:  patience,
			MaxResponseHeaderBytes: maxHeader,
			MaxConnsPerHost:        connections,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		}
	}
	return &http.Client{
		Transport: bounded{transport},
		Timeout:   patience,
		// An issuer is where the operator said it is.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts off what an issuer answers.
type bounded struct{ http.RoundTripper }

// errTooLarge refuses a body that has no end in sight.
var errTooLarge = errors.New("the answer is too large")

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = &boundedBody{ReadCloser: answer.Body, left: maxAnswer}
	}
	return answer, err //nolint:wrapcheck // http.Client wraps it
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err //nolint:wrapcheck // io.EOF among others
}

// get reads a JSON document. Its errors repeat nothing of it.
func (i *issuer) get(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the address is none")
	}
	r.Header.Set("Accept", "application/json")
	answer, err := i.client.Do(r)
	if err != nil {
		return reason(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the status is %d", answer.StatusCode)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return reason(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("the answer is not the JSON that was asked for")
	}
	return nil
}

// reason is what a log may show of a failed request: no address with what it
// carries.
func reason(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		return errTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer within %s", patience)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return failed
	}
	return errors.New("the request failed")
}

// Usable says why an address cannot be an issuer's or an endpoint's: it is no
// https URL. Plain http is taken on loopback alone, for development.
func Usable(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(address, " \\"):
		return errors.New("must be a URL such as https://login.example.com")
	case iam.Sheltered(u):
		return nil
	}
	return errors.New("must be an https URL; http is for loopback addresses only")
}
