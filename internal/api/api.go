// Package api speaks the v4 wire: it turns requests into calls of iam.Service,
// and what these return, refusals too, into the one envelope.
//
// It decides nothing that another edge would have to decide again. routes.go
// has every route, errors.go every refusal, envelope.go the one writer; each
// noun has a file with its handlers and the structs that are its form on the
// wire. The package must not import internal/store, internal/server or
// database/sql.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/rate"
)

// Prefix stands before every path but that of the description.
const Prefix = "/client/v4"

// MaxBody is how many bytes a request body may have: room for the largest
// object that clients send back, a member whose fifty roles name each area.
const MaxBody = 1 << 20

// Options are what the wire stands on. All before InvitationLink are needed.
type Options struct {
	Service *iam.Service
	Auth    *auth.Authenticator
	Logger  *slog.Logger     // gets panics with their stack; the line of a request is made of its Trace
	NewID   func() string    // draws request ids
	Now     func() time.Time // decides what reads as expired

	// Rates is how often each principal may ask: a user with all its credentials,
	// or an operator's token; nil: as often as it likes.
	Rates *rate.Limiter[iam.ID]
	// InvitationLink makes the text of a link to a page; nil: there are no pages.
	InvitationLink func(link iam.InvitationLink) string
	// Ended is closed when what the wire stands on is taken away: who waits for
	// events is answered then. nil never is.
	Ended <-chan struct{}
}

// New returns the handler of all routes. Whatever it is asked, it answers with
// the envelope, and it never redirects.
func New(o Options) http.Handler {
	a := &wire{
		Options: o, mux: http.NewServeMux(), bulks: http.NewServeMux(), waiters: newWaiters(), uploads: make(chan struct{}, maxUploads),
	}
	for pattern, e := range a.endpoints() {
		// Of two patterns that meet one must be the narrower for net/http, and
		// …/invites/bulk/{bulk_id} is neither that nor the wider of
		// …/invites/{invite_id}/resend.
		if strings.Contains(pattern, bulkPath) {
			a.bulks.Handle(pattern, e)
		} else {
			a.mux.Handle(pattern, e)
		}
	}
	a.mux.Handle("/", &endpoint{wire: a})
	return a
}

// wire is the handler of all routes.
type wire struct {
	Options

	mux     *http.ServeMux
	bulks   *http.ServeMux // what is below bulkPath, asked first
	buffers sync.Pool
	waiters *waiters
	uploads chan struct{} // full while as many bulks are read as may be at once

	roleForms roleForms
}

func (a *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would redirect a path that is not clean, and answer others
	// without an envelope.
	if p := r.URL.EscapedPath(); r.RequestURI == "*" || !clean(p) {
		(&endpoint{wire: a}).ServeHTTP(w, r)
		return
	}
	if _, pattern := a.bulks.Handler(r); pattern != "" {
		a.bulks.ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// clean reports whether the mux takes the path as it is.
func clean(p string) bool {
	if p == "/" {
		return true
	}
	return strings.HasPrefix(p, "/") && path.Clean(p) == strings.TrimSuffix(p, "/")
}

// endpoint is a path with its methods; without any it is every unknown path.
type endpoint struct {
	*wire

	pattern string
	ids     []string // the names of the ids in the path
	methods map[string]Route
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := e.exchange(w, r)
	defer x.recoverPanic(r.Context())
	x.trace.Route = e.pattern
	if e.pattern == "" {
		x.fail(noRoute())
		return
	}
	route, ok := e.methods[methodOf(r)]
	if !ok {
		w.Header().Set("Allow", allowed(e.methods))
		x.fail(methodNotAllowed(r.Method))
		return
	}
	result, err := x.answer(route, e.ids) //nolint:contextcheck // it is r that carries it
	if err != nil {
		x.fail(err)
		return
	}
	x.succeed(result) //nolint:contextcheck // as above
}

// exchange is one request with its answer.
type exchange struct {
	*wire

	w     http.ResponseWriter
	r     *http.Request
	trace *Trace
	actor iam.Actor
	sent  bool
	// repeatable says that the request takes place once however often it is sent.
	repeatable bool
}

// renew finds out who asks: at first, and again wherever an answer takes so long that
// it may have changed.
func (x *exchange) renew() error {
	actor, err := x.Auth.Authenticate(x.r)
	if err != nil {
		return err
	}
	actor.RequestID = x.trace.RequestID
	x.actor = actor
	return nil
}

// known finds out who asks for a route.
func (x *exchange) known(need Need) error {
	if need != Reporter {
		return x.renew()
	}
	actor, err := x.Auth.Reporter(x.r)
	actor.RequestID = x.trace.RequestID
	x.actor = actor
	return err
}

func (a *wire) exchange(w http.ResponseWriter, r *http.Request) *exchange {
	trace := TraceOf(r.Context())
	if trace == nil {
		trace = &Trace{}
	}
	if trace.RequestID == "" {
		trace.RequestID = a.NewID()
	}
	return &exchange{wire: a, w: w, r: r, trace: trace}
}

// answer goes the way of every request: who asks, what it names, what it gets.
func (x *exchange) answer(route Route, ids []string) (answer, error) {
	if methodOf(x.r) == http.MethodGet && route.Need != Public {
		// Who only reads does so in one go: credentials, rights and rows. It ends
		// before the answer is sent, however slow the client is.
		ctx, end := x.Service.Moment(x.r.Context())
		defer end()
		x.r = x.r.WithContext(ctx)
	}
	if route.Need != Public {
		if err := x.known(route.Need); err != nil {
			return answer{}, err
		}
		x.trace.identify(x.actor)
		if err := x.count(); err != nil {
			return answer{}, err
		}
	}
	for _, name := range ids {
		if _, ok := iam.ParseID(x.r.PathValue(name)); !ok {
			return answer{}, noObject(x.r)
		}
	}
	return route.handle(x)
}

// count takes a request of the principal's, and says in the answer how many are left.
func (x *exchange) count() error {
	if x.Rates == nil {
		return nil
	}
	standing := x.Rates.Take(x.principal())
	x.w.Header().Set(rate.Header, standing.Describe("default"))
	if standing.Refused {
		return tooMany(x.Rates.Policy(), standing)
	}
	return nil
}

// principal is who asks, whichever credential it shows: the user; of an operator's
// token, which has none, the token.
func (x *exchange) principal() iam.ID {
	switch {
	case x.actor.User.ID != "":
		return x.actor.User.ID
	case x.actor.Kind == iam.ByReporter: // one token, without an id
		return iam.ID(x.actor.Kind)
	}
	return x.actor.CredentialID
}

// id is an id of the path, by its name in the route. That it has the form of
// one was checked before the handler was called.
func (x *exchange) id(name string) iam.ID { return iam.ID(x.r.PathValue(name)) }

// recoverPanic turns a panic into a 500; the stack goes to the log alone.
func (x *exchange) recoverPanic(ctx context.Context) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	x.Logger.ErrorContext(ctx, "panic",
		slog.String("request_id", x.trace.RequestID), slog.String("route", x.trace.Route),
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	if !x.sent {
		x.fail(errPanic)
	}
}
