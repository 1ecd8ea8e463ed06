package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/rate"
)

// Codes of the wire that are not a kind of iam's or a fault of auth's.
const (
	codeInvalid    = 1001 // a field or parameter that will not do
	codeBadBody    = 1002 // not JSON, of the wrong type, too large, of another media type
	codeNoRoute    = 7000 // unknown path
	codeNoMethod   = 7001 // known path, other method
	codeNoObject   = 7003 // unknown or malformed id on the way
	codeTooMany    = 10429
	codeBroken     = 10500 // ours, as 10429 is the wire's: 10000 + status
	codeOverloaded = 10503
)

// failure is a refusal as the wire tells it.
type failure struct {
	status     int
	notice     notice
	challenge  bool  // a 401 names the scheme
	retryAfter int   // seconds; 0 says nothing
	noRetry    bool  // whoever asks may come back then; no program by itself
	undecided  bool  // a write that was begun may still take place
	cause      error // for the log
}

func (f *failure) Error() string { return f.notice.Message }

var errPanic = errors.New("panic")

// failureOf is the one place where errors become what clients see. path is the
// request's, for the one message that repeats it.
func failureOf(err error, path string) *failure {
	var (
		own     *failure
		shown   *auth.Error
		refusal *iam.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &shown):
		return credentialFailure(shown)
	case errors.As(err, &refusal):
		return kindFailure(refusal, path)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return undecided(err)
	}
	return broken(err)
}

// statusAndCode is the table of the wire: every kind of refusal, exhaustively.
// Clients retry 408, 409, 429 and 5xx, so no business refusal is one of these
// but a spent budget, which tells them not to; a Conflict is none, since the same
// request may just be sent again.
func statusAndCode(kind iam.Kind) (status, code int) {
	switch kind {
	case iam.Invalid:
		return http.StatusBadRequest, codeInvalid
	case iam.NotFound, iam.InviteCanceled:
		return http.StatusNotFound, 1003
	case iam.AccountNotFound:
		return http.StatusNotFound, codeNoObject
	case iam.Forbidden:
		return http.StatusForbidden, 9109
	case iam.InviteExpired:
		return http.StatusBadRequest, 1200
	case iam.AlreadyAnswered:
		return http.StatusBadRequest, 1201
	case iam.TwoFactorRequired:
		return http.StatusForbidden, 1203
	case iam.NoSeat:
		return http.StatusBadRequest, 1204
	case iam.GrantorLost:
		return http.StatusBadRequest, 1205
	case iam.AlreadyMember:
		return http.StatusBadRequest, 1207
	case iam.AlreadyInvited:
		return http.StatusBadRequest, 1208
	case iam.RoleCeiling:
		return http.StatusForbidden, 1209
	case iam.LastSuperAdmin:
		return http.StatusBadRequest, 1210
	case iam.DomainRefused:
		return http.StatusBadRequest, 1211
	case iam.BudgetSpent:
		return http.StatusTooManyRequests, 1212
	case iam.KeyReused:
		return http.StatusBadRequest, 1213
	case iam.AccountSuspended:
		return http.StatusForbidden, 1214
	case iam.DirectAddForbidden:
		return http.StatusBadRequest, codeInvalid
	case iam.InviteWithdrawn, iam.LinkReplaced:
		return http.StatusBadRequest, 1202
	case iam.WrongAddress:
		return http.StatusForbidden, 1206
	case iam.SignInFirst, iam.SignInAgain, iam.ProofRefused, iam.FactorFirst, iam.IdentityUnlinked:
		return http.StatusForbidden, 9109
	case iam.TooManyAttempts:
		return http.StatusTooManyRequests, codeTooMany
	case iam.Conflict, iam.Unavailable:
		return http.StatusServiceUnavailable, codeOverloaded
	case iam.Internal:
	}
	return http.StatusInternalServerError, codeBroken
}

func kindFailure(refusal *iam.Error, path string) *failure {
	status, code := statusAndCode(refusal.Kind)
	switch status {
	case http.StatusInternalServerError:
		return broken(refusal)
	case http.StatusServiceUnavailable:
		if refusal.Undecided {
			return undecided(refusal)
		}
		return unavailable(refusal)
	}
	f := &failure{status: status, notice: notice{Code: code, Message: refusal.Message, Source: pointTo(refusal.Field)}}
	switch refusal.Kind { //nolint:exhaustive // the others' messages are the client's as they are
	case iam.AccountNotFound:
		f.notice.Message = noObjectMessage(path)
	case iam.NotFound:
		// One text whatever was looked for, and wherever it was missed: what is
		// not there is never told from what is not yours.
		f.notice.Message = "There is no such object, or it is not yours"
	case iam.BudgetSpent, iam.TooManyAttempts:
		f.retryAfter, f.noRetry = int((refusal.RetryAfter+time.Second-1)/time.Second), true
	case iam.Forbidden, iam.IdentityUnlinked:
		f.notice.Message = "Unauthorized to access requested resource: " + refusal.Message
	}
	return f
}

// tooMany tells who asks too often when to come back. A program may do so by
// itself: nothing was begun.
func tooMany(policy rate.Policy, standing rate.Standing) *failure {
	return &failure{
		status: http.StatusTooManyRequests, retryAfter: standing.Seconds(),
		notice: notice{Code: codeTooMany, Message: fmt.Sprintf(
			"Too many requests: this user or token has made %d within %s; ask again in %d s, as Retry-After says",
			policy.Quota, policy.Window, standing.Seconds())},
	}
}

func credentialFailure(shown *auth.Error) *failure {
	f := &failure{status: http.StatusBadRequest, cause: shown}
	switch shown.Fault {
	case auth.Missing:
		f.notice = notice{Code: 9106, Message: "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}
	case auth.Malformed, auth.Mixed:
		f.notice = notice{Code: 6003, Message: "Invalid request headers", Chain: headerChain(shown.Headers)}
	case auth.UnknownPair:
		f.status, f.notice = http.StatusForbidden, notice{Code: 9103, Message: "Unknown X-Auth-Key or X-Auth-Email"}
	case auth.InvalidToken, auth.InvalidSession: // the second never comes here: no route reads cookies
		f.status, f.notice, f.challenge = http.StatusUnauthorized, notice{Code: 1000, Message: "Invalid API Token"}, true
	}
	return f
}

func headerChain(headers []string) []link {
	codes := map[string]int{auth.EmailHeader: 6102, auth.KeyHeader: 6103, auth.TokenHeader: 6111}
	chain := make([]link, len(headers))
	for i, name := range headers {
		chain[i] = link{Code: codes[name], Message: "Invalid format for " + name + " header"}
	}
	return chain
}

func noRoute() *failure {
	return &failure{status: http.StatusNotFound, notice: notice{Code: codeNoRoute, Message: "No route for that URI"}}
}

func methodNotAllowed(method string) *failure {
	return &failure{status: http.StatusMethodNotAllowed, notice: notice{
		Code: codeNoMethod, Message: "Method " + brief(method) + " is not available for that URI",
	}}
}

// noObject is the answer to what cannot be an id, and to an account that is
// not there or not to be seen: one text for both.
func noObject(r *http.Request) *failure {
	return &failure{status: http.StatusNotFound, notice: notice{Code: codeNoObject, Message: noObjectMessage(r.URL.EscapedPath())}}
}

func noObjectMessage(path string) string {
	return "Could not route to " + brief(path) + ", perhaps your object identifier is invalid?"
}

// invalid refuses a field or parameter; pointer names it.
func invalid(pointer, message string) *failure {
	return &failure{status: http.StatusBadRequest, notice: notice{Code: codeInvalid, Message: message, Source: pointTo(pointer)}}
}

// badBody refuses a body that is not what JSON or the field's type asks for.
func badBody(pointer, message string) *failure {
	return &failure{status: http.StatusBadRequest, notice: notice{Code: codeBadBody, Message: message, Source: pointTo(pointer)}}
}

func broken(cause error) *failure {
	return &failure{status: http.StatusInternalServerError, cause: cause, notice: notice{
		Code: codeBroken, Message: "Internal error; the log has it under the request id",
	}}
}

func unavailable(cause error) *failure {
	return &failure{status: http.StatusServiceUnavailable, cause: cause, retryAfter: 1, notice: notice{
		Code: codeOverloaded, Message: "The server cannot take this request on now; send it again",
	}}
}

// undecided answers a request whose time ran out. A read may be sent again, and
// a write with an idempotency key; any other write that waits for its commit is
// not undone by that, so clients must not repeat it by themselves.
func undecided(cause error) *failure {
	return &failure{status: http.StatusServiceUnavailable, cause: cause, retryAfter: 1, undecided: true, notice: notice{
		Code: codeOverloaded, Message: "The request took too long; if it was to change something, " +
			"look whether it did before you send it again; with an Idempotency-Key just send it again",
	}}
}

// brief bounds what a message repeats of a request.
func brief(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
