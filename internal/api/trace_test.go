package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
)

func TestBroken(t *testing.T) {
	t.Parallel()
	const broken = `{"result":null,"success":false,"errors":[{"code":10500,"message":"Internal error; the log has it under the request id"}],"messages":[]}`
	const busy = `{"result":null,"success":false,"errors":[{"code":10503,"message":"The server cannot take this request on now; send it again"}],"messages":[]}`
	const late = `{"result":null,"success":false,"errors":[{"code":10503,"message":"The request took too long; if it was to change something, look whether it did before you send it again; with an Idempotency-Key just send it again"}],"messages":[]}`
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	secret := errors.New("open /var/lib/hither.db: permission denied")
	tests := []struct {
		name   string
		ctx    context.Context //nolint:containedctx // a case of the table
		store  error
		want   wants
		traced int
	}{
		{"a panic", t.Context(), nil, wants{status: 500, code: 10500, body: broken}, 500},
		{"the store's error", t.Context(), secret, wants{status: 500, code: 10500, body: broken}, 500},
		{"a full store", t.Context(), &iam.Error{Kind: iam.Unavailable, Message: "queue is full", Err: secret}, wants{status: 503, code: 10503, header: "Retry-After: 1", body: busy}, 503},
		{"a conflict", t.Context(), &iam.Error{Kind: iam.Conflict, Err: iam.ErrStale}, wants{status: 503, code: 10503, header: "X-Should-Retry: true", body: busy}, 503},
		{"too late", t.Context(), context.DeadlineExceeded, wants{status: 503, code: 10503, header: "X-Should-Retry: true", body: late}, 503},
		{"too late to change something", t.Context(), context.DeadlineExceeded, wants{status: 503, code: 10503, header: "X-Should-Retry: false", body: late}, 503},
		{"canceled by us", t.Context(), context.Canceled, wants{status: 503, code: 10503, body: late}, 503},
		{"canceled by the client", canceled, context.Canceled, wants{status: 503, code: 10503, body: late}, api.StatusClientGone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			trace := &api.Trace{RequestID: "r1"}
			r := ask(t, http.MethodGet, "/client/v4/user", "", withEmail, withKey)
			if strings.HasSuffix(test.name, "to change something") {
				r = ask(t, http.MethodDelete, "/client/v4/memberships/"+anID, "", withEmail, withKey)
			}
			r = r.WithContext(api.WithTrace(test.ctx, trace))
			got := send(withoutStore(oneUser{err: test.store}), r)
			check(t, r, got, test.want)
			if trace.Status != test.traced || trace.Code != test.want.code || trace.Cause == nil {
				t.Errorf("trace %+v; want status %d, code %d and a cause", trace, test.traced, test.want.code)
			}
			if got.Header().Get("X-Request-Id") != "r1" {
				t.Errorf("request id %q; want the middleware's", got.Header().Get("X-Request-Id"))
			}
			if strings.Contains(got.Body.String(), "hither.db") {
				t.Errorf("the client is told %s", got.Body)
			}
		})
	}
}

// A panic is logged with its stack, once, and nothing that the client showed.
func TestPanicIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := api.New(api.Options{
		Service: iam.NewService(noStore{}, func() string { return anID }, time.Now),
		Auth:    auth.New(oneUser{}, time.Now),
		Logger:  slog.New(slog.NewJSONHandler(&log, nil)),
		NewID:   func() string { return "r2" },
		Now:     time.Now,
	})
	r := ask(t, http.MethodGet, "/client/v4/user", "", withEmail, withKey)
	check(t, r, send(h, r), wants{status: 500, code: 10500})
	var line struct{ Msg, Route, Stack, Request_id string } //nolint:revive // as in the log
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	if line.Msg != "panic" || line.Route != "/client/v4/user" || line.Request_id != "r2" || !strings.Contains(line.Stack, "user.go") {
		t.Errorf("got %s", &log)
	}
	if strings.Contains(log.String(), aKey) {
		t.Errorf("the log holds the key: %s", &log)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, target string
		headers        []string
		want           api.Trace
	}{
		{"GET", "/nowhere", nil, api.Trace{Status: 404, Code: 7000}},
		{"GET", "/client/v4/user", nil, api.Trace{Route: "/client/v4/user", Status: 400, Code: 9106}},
		{"GET", "/client/v4/user/invites/junk", []string{withEmail, withKey}, api.Trace{
			Route: "/client/v4/user/invites/{invite_id}", Status: 404, Code: 7003,
			Actor: iam.ByUser, UserID: "7c5dae5552338874e5053f2534d2767a", CredentialID: "c1",
		}},
		{"GET", "/client/v4/user/tokens/verify", []string{withToken}, api.Trace{
			Route: "/client/v4/user/tokens/verify", Status: 200, Actor: iam.ByOperator, CredentialID: "ed17574386854bf78a67040be0a770b0",
		}},
	}
	h := withoutStore(oneUser{})
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			t.Parallel()
			got := &api.Trace{}
			r := ask(t, test.method, test.target, "", test.headers...)
			answer := send(h, r.WithContext(api.WithTrace(r.Context(), got)))
			if id := answer.Header().Get("X-Request-Id"); got.RequestID != anID || id != anID {
				t.Errorf("request id %q in the trace, %q in the answer; want a fresh one in both", got.RequestID, id)
			}
			got.RequestID, got.Cause = "", nil
			if *got != test.want {
				t.Errorf("got %+v\nwant %+v", *got, test.want)
			}
		})
	}
}
