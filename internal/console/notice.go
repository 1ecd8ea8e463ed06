package console

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"hither/internal/iam"
)

// notice is a page that says one thing, and what can be done next.
type notice struct {
	Title   string
	Kicker  string
	Text    string
	Stamp   string // a word for the state
	Tone    string // good, bad, open or ""
	Facts   *facts
	Actions []action
	brand   brand
}

// action is a button, or a link that looks like one.
type action struct {
	Label string
	To    string // a path of ours, or
	Away  string // the URL of another site
	Post  bool
	Quiet bool
}

func (x *exchange) notice(status int, n notice) {
	x.show(status, noticePage, view{Title: n.Title, Brand: n.brand, Data: n})
}

// fail answers what a use case refused, or why it could not be asked.
func (x *exchange) fail(err error) {
	x.seen.Cause = err
	switch {
	case errors.Is(err, errForm):
		x.refused(http.StatusUnsupportedMediaType)
		return
	case errors.Is(err, context.Canceled) && x.r.Context().Err() != nil:
		x.seen.Status = statusClientGone
		return
	}
	switch iam.KindOf(err) {
	case iam.NotFound, iam.AccountNotFound:
		x.gone()
	case iam.TooManyAttempts, iam.BudgetSpent:
		x.retryAfter(err)
		x.notice(http.StatusTooManyRequests, notice{Title: x.say("busy.heading"), Text: x.say("code.limit")})
	case iam.SignInAgain:
		x.leadToSignIn(x.r.URL.Path)
	case iam.Unavailable:
		x.notice(http.StatusServiceUnavailable, notice{Title: x.say("busy.heading"), Text: x.say("busy.text")})
	case iam.Internal:
		x.broken()
	default:
		x.refused(http.StatusConflict)
	}
}

// statusClientGone is the status of who went away before the answer; it is never
// on the wire.
const statusClientGone = 499

func (x *exchange) broken() {
	x.notice(http.StatusInternalServerError, notice{Title: x.say("broken.heading"), Text: x.say("broken.text", x.requestID)})
}

func (x *exchange) refused(status int) {
	x.notice(status, notice{Title: x.say("refused.heading"), Text: x.say("refused.text")})
}

// gone is the answer to what isn't there and to what is somebody else's.
func (x *exchange) gone() {
	x.notice(http.StatusNotFound, notice{
		Title: x.say("gone.heading"), Text: x.say("gone.text"),
		Actions: []action{{Label: x.say("gone.home"), To: "/home", Quiet: true}},
	})
}

// retryAfter says when the same may be tried again.
func (x *exchange) retryAfter(err error) {
	if refusal, ok := errors.AsType[*iam.Error](err); ok {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
}
