// Package server stands between the network and the API: listeners and their
// limits, the log line and the metrics of each request, health, and the stop
// that finishes what was begun.
//
// It puts internal/api and internal/console behind all this and decides nothing of
// what these answer. It must not import internal/store: whether the store answers is a
// function that is handed in.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"hither/internal/auth"
	"hither/internal/console"
	"hither/internal/iam"
	"hither/internal/oidc"
	"hither/internal/rate"

	"golang.org/x/net/netutil"
)

// Options are what a Server is made of; what stands before Limits is needed.
type Options struct {
	Service *iam.Service
	Auth    *auth.Authenticator
	Ready   func(context.Context) error // nil while the store answers
	Logger  *slog.Logger
	Metrics *Metrics
	NewID   func() string    // draws request ids
	Now     func() time.Time // as the api wants it

	Limits          Limits
	Rate            rate.Policy      // of requests of one principal to the API; zero: as many as it likes
	AddressRate     rate.Policy      // of requests from one address, to the API and the pages; zero: as many as it likes
	Hosts           *Hosts           // whose Host header is answered; nil: everybody's
	Proxies         Proxies          // whose word about who the client is counts; zero: nobody's
	TLS             *tls.Config      // nil: plain HTTP
	Issuers         *oidc.Issuers    // whose word on who somebody is counts; nil: nobody's
	ReportToken     string           // what who carries the mail shows to report what became of it; "": nobody can
	Pages           *console.Options // the pages beside the API, as far as the server doesn't know it; nil: there are none
	Site            http.Handler     // answers instead of the API and the pages, of which it is made by NewSite; nil: these do
	Ended           <-chan struct{}  // closed when NewSite's answers are over although the server goes on; nil: they never are
	DrainDelay      time.Duration    // between /readyz turning 503 and the end of accepting
	ShutdownTimeout time.Duration    // for requests to finish once nothing is accepted any more
}

// Server is the front of one process.
type Server struct {
	Options

	addresses *addressLimiter // nil: there is no limit
	policies  string          // what the limits are, for clients; "" there are none

	draining atomic.Bool
	stopping chan struct{} // closed when who waits for something shall not any more
}

// New returns a Server of the API, and of the pages where there are some, that
// doesn't listen yet.
func New(o Options) (*Server, error) {
	if o.Site == nil {
		var err error
		if o.Site, err = NewSite(o); err != nil {
			return nil, err
		}
	}
	return &Server{Options: o, addresses: rate.New[netip.Addr](o.AddressRate, o.Now), policies: o.policies()}, nil
}

// Run serves on public, and metrics on a listener of their own (nil: none),
// until ctx ends or a listener fails. Then it drains: /readyz turns 503, after
// DrainDelay nothing is accepted any more, and what was begun is finished
// within ShutdownTimeout. It returns nil if all of it was. Both listeners are
// closed when Run returns.
func (s *Server) Run(ctx context.Context, public, metrics net.Listener) error {
	s.stopping = make(chan struct{})
	// Requests outlive ctx: they are to be finished, not canceled, at a stop.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	front := s.httpServer(requests, s)
	front.TLSConfig = s.TLS
	failed := make(chan error, 2)
	go func() {
		failed <- serve(front, netutil.LimitListener(public, s.Limits.MaxConnections))
	}()
	if metrics != nil {
		back := s.httpServer(requests, s.Metrics.Handler(s.Logger))
		defer func() { _ = back.Close() }()
		go func() { failed <- serve(back, netutil.LimitListener(metrics, maxScrapers)) }()
	}

	var err error
	select {
	case <-ctx.Done():
		s.Logger.Info("stopping", "in_flight", s.Metrics.InFlight())
	case err = <-failed:
		s.Logger.Error("a listener failed; stopping", "error", err)
	}
	return errors.Join(err, s.drain(requests, front))
}

// maxScrapers bounds the connections of the metrics listener.
const maxScrapers = 16

func serve(server *http.Server, listener net.Listener) error {
	var err error
	if server.TLSConfig != nil {
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
}

func (s *Server) drain(requests context.Context, front *http.Server) error {
	s.draining.Store(true)
	time.Sleep(s.DrainDelay)
	close(s.stopping) // who waits for events is answered, and comes back to another node
	ctx, cancel := context.WithTimeout(requests, s.ShutdownTimeout)
	defer cancel()
	if err := front.Shutdown(ctx); err != nil {
		left := s.Metrics.InFlight()
		_ = front.Close()
		return fmt.Errorf("%d request(s) did not finish within %s: %w", left, s.ShutdownTimeout, err)
	}
	return nil
}

func (s *Server) httpServer(requests context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(quiet{s.Logger.Handler()}, slog.LevelWarn),
		ReadHeaderTimeout: s.Limits.ReadHeader,
		ReadTimeout:       s.Limits.Read,
		WriteTimeout:      s.Limits.Write,
		IdleTimeout:       s.Limits.Idle,
		MaxHeaderBytes:    s.Limits.MaxHeaderBytes - slack,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: s.Limits.MaxStreams},
		// "OPTIONS *" is answered by the API like everything else.
		DisableGeneralOptionsHandler: true,
	}
}
