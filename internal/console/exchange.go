package console

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"

	"hither/internal/iam"
)

// maxForm is how many bytes a form may have: the longest holds a reason of 300
// characters, each written as up to twelve.
const maxForm = 8 << 10

// exchange is one request with its answer.
type exchange struct {
	*Console

	w         http.ResponseWriter
	r         *http.Request
	requestID string
	nonce     string
	lang      string
	actor     iam.Actor // who is signed in; Kind "" for nobody
	half      iam.Actor // who has signed in but for its second factor, and may do nothing else
	seen      Seen
}

func (p *page) exchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{
		Console: p.Console, w: w, r: r, requestID: p.RequestID(r.Context()), nonce: newNonce(),
		lang: speak(r.Header.Get("Accept-Language")), seen: Seen{Route: p.pattern},
	}
}

// answer goes the way of every request: whether it comes from here, who is
// signed in, what it gets.
func (x *exchange) answer(ctx context.Context, p *page, handle handler) error {
	if x.r.Method == http.MethodPost {
		unread := x.readForm()
		// What a mail program posts comes from no page. It is known by what it
		// says, which no form of ours does.
		byMail := p.oneClick && unread == nil && x.oneClick()
		if !byMail && !x.fromHere() {
			x.notice(http.StatusForbidden, notice{Title: x.say("cross.heading"), Text: x.crossText()})
			return nil
		}
		if unread != nil {
			return unread
		}
	}
	if err := x.identify(ctx); err != nil {
		return err
	}
	x.keepReturn()
	if p.private && x.actor.Kind != iam.ByUser {
		x.leadToSignIn(x.r.URL.Path)
		return nil
	}
	return handle(x)
}

// fromHere reports whether a page of ours posted this, or something that is no
// browser. A browser that doesn't say where from at least names the origin: it
// must be ours, to the scheme.
func (x *exchange) fromHere() bool {
	origin := x.r.Header.Get("Origin")
	if x.r.Header.Get("Sec-Fetch-Site") == "" && origin != "" && origin != x.origin() {
		return false
	}
	return x.guard.Check(x.r) == nil
}

// crossText says what to do about a post from elsewhere. Over plain http, from
// another machine, browsers name neither origin nor site, so no page there can post.
func (x *exchange) crossText() string {
	if !x.secure() && x.r.Header.Get("Origin") == "null" && x.r.Header.Get("Sec-Fetch-Site") == "" {
		return x.say("cross.plain", x.Base.String())
	}
	return x.say("cross.text")
}

// errForm refuses a body that no form of ours sends.
var errForm = errors.New("no form of these pages")

// readForm reads what was posted as a form of ours is. A body of another type,
// which other sites may send without asking, is none.
func (x *exchange) readForm() error {
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/x-www-form-urlencoded":
		err = x.r.ParseForm()
	case err == nil && kind == "multipart/form-data": // mail programs may send these, see RFC 8058
		err = x.r.ParseMultipartForm(maxForm) //nolint:gosec // the body was bounded above
	default:
		return errForm
	}
	if err != nil {
		return errForm
	}
	return nil
}

// finish tells what the request turned out to be. After a panic it answers with
// a page; the stack goes to the log alone.
func (x *exchange) finish(ctx context.Context) {
	if cause := recover(); cause != nil {
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(cause)
		}
		x.Logger.ErrorContext(ctx, "panic", slog.String("request_id", x.requestID), slog.String("route", x.seen.Route),
			slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
		if x.seen.Status == 0 {
			x.broken()
		}
	}
	x.seen.Actor = x.actor
	x.Observe(ctx, x.seen)
}
