package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"hither/internal/iam"
)

const (
	// attemptTimeout is how long a receiver may take over one event, all in all.
	attemptTimeout = 15 * time.Second
	// maxAnswer is how much of an answer is read, so that the connection can be used
	// again. It is not looked at, and not kept.
	maxAnswer = 4 << 10
	// maxAnswerHeader bounds the header of an answer.
	maxAnswerHeader = 16 << 10
)

// Sender makes attempts. It is safe for concurrent use.
type Sender struct {
	policy  iam.WebhookPolicy
	agent   string
	clients map[string]*http.Client // by scheme
	now     func() time.Time
}

// SenderOptions are what a Sender is made of; agent is the product that it is, and
// how it says so. Lookup and Roots are the machine's where they are nil.
type SenderOptions struct {
	Policy iam.WebhookPolicy
	Agent  string
	Now    func() time.Time
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	Roots  *x509.CertPool
}

// NewSender returns a Sender with connections of its own: no proxy of the
// environment, no redirects, no cookies.
func NewSender(o SenderOptions) *Sender {
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	s := &Sender{policy: o.Policy, agent: o.Agent, clients: map[string]*http.Client{}, now: o.Now}
	for _, scheme := range []string{"http", "https"} {
		var http1 http.Protocols
		http1.SetHTTP1(true)
		s.clients[scheme] = &http.Client{
			Transport: &http.Transport{
				DialContext:            newDialer(scheme, o.Policy, o.Lookup).connect,
				TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    dialTimeout,
				ResponseHeaderTimeout:  attemptTimeout,
				MaxResponseHeaderBytes: maxAnswerHeader,
				DisableCompression:     true,
				MaxIdleConns:           64,
				MaxIdleConnsPerHost:    4,
				IdleConnTimeout:        30 * time.Second,
				Protocols:              &http1,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return s
}

// Close ends the connections that nobody uses.
func (s *Sender) Close() {
	for _, client := range s.clients {
		client.CloseIdleConnections()
	}
}

// Message is what is sent in an attempt.
type Message struct {
	URL     string
	ID      iam.ID
	Secrets []iam.WebhookSecret
	Body    []byte
}

// Result is what came of it. Cause is for the log of the operator: it may say where
// a name leads to, which Words, that the account sees, must not.
type Result struct {
	Code       int
	Words      string
	RetryAfter time.Duration
	Cause      error
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m Message) Result {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	// Anew at each attempt: what the operator allows may have changed.
	if _, err := s.policy.CheckURL("", m.URL); err != nil {
		return Result{Words: "this URL may not be sent to any more: it " + err.Error(), Cause: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Result{Words: "the URL cannot be read", Cause: err}
	}
	at := s.now()
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", s.agent)
	request.Header.Set(idHeader, string(m.ID))
	request.Header.Set(timestampHeader, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(signatureHeader, signature(m.Secrets, string(m.ID), at, m.Body))
	response, err := s.clients[request.URL.Scheme].Do(request)
	if err != nil {
		return Result{Words: explain(ctx, err), Cause: err}
	}
	defer func() { _ = response.Body.Close() }()
	// An answer counts once its header is there, whatever becomes of the rest.
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	result := Result{Code: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), s.now())}
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
	case code >= 300 && code < 400:
		result.Words = fmt.Sprintf("answered %d: redirects are not followed, give the webhook the URL that they lead to", code)
	default:
		result.Words = fmt.Sprintf("answered %d", code)
	}
	return result
}

// explain says what went wrong without saying where a name leads to.
func explain(ctx context.Context, err error) string {
	var (
		dns     *net.DNSError
		record  tls.RecordHeaderError
		verify  *tls.CertificateVerificationError
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, errAddress):
		return "the name leads to an address that events are not sent to: it is no public one, " +
			"and none that the operator allows (--webhook-allow)"
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %d s", int(attemptTimeout.Seconds()))
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name has no address"
	case errors.As(err, &dns):
		return "the name could not be looked up"
	case errors.As(err, &verify):
		return "the certificate is not valid for this name, or nobody vouches for it"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "what answers there does not speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	}
	return "the connection broke"
}

// retryAfter reads how long a receiver asks for, in seconds or as a date; 0 where it
// asks for nothing that can be read.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
