package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/test/contract"
)

// TestRoutesAreDescribed holds the routes and the description equal, both ways
// and with their methods. KF-28: nothing is served that nobody wrote down.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	var served []string
	for _, route := range api.Routes() {
		if strings.HasPrefix(route.Pattern, api.Prefix) {
			served = append(served, route.Method+" "+route.Pattern)
		}
	}
	slices.Sort(served)
	if described := contract.New(t).Operations(); !slices.Equal(served, described) {
		t.Errorf("served\n %s\ndescribed\n %s", strings.Join(served, "\n "), strings.Join(described, "\n "))
	}
}

const (
	anEmail = "user@example.com"
	aKey    = "144c9defac04969c7bfad8efaa8ea194"
	aToken  = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
	anID    = "4f5f0c14a2a41d5063dd301b2f829f04"
)

// oneUser is a store of principals that knows one user; err breaks it. What the
// wire never asks of one is nil.
type oneUser struct {
	auth.Store

	err error
}

func (s oneUser) KeyPrincipal(_ context.Context, hash [32]byte) (iam.KeyPrincipal, error) {
	if s.err == nil && hash != iam.HashSecret(aKey) {
		return iam.KeyPrincipal{}, iam.ErrNoRow
	}
	user := iam.User{ID: "7c5dae5552338874e5053f2534d2767a", Email: anEmail, Verified: true}
	return iam.KeyPrincipal{Key: iam.Key{Hash: hash, ID: "c1"}, User: user}, s.err
}

func (s oneUser) TokenPrincipal(_ context.Context, hash [32]byte) (iam.TokenPrincipal, error) {
	if s.err == nil && hash != iam.HashSecret(aToken) {
		return iam.TokenPrincipal{}, iam.ErrNoRow
	}
	return iam.TokenPrincipal{Token: iam.Token{Hash: hash, ID: "ed17574386854bf78a67040be0a770b0"}}, s.err
}

// noStore lets a request begin to read, and panics at the first read.
type noStore struct{ iam.Store }

func (noStore) Moment(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

// withoutStore is the wire over use cases that have no store: whatever reaches
// one panics, and is a 500.
func withoutStore(principals auth.Store) http.Handler {
	ids := func() string { return anID }
	return api.New(api.Options{
		Service: iam.NewService(noStore{}, ids, time.Now),
		Auth:    auth.New(principals, time.Now),
		Logger:  slog.New(slog.DiscardHandler),
		NewID:   ids,
		Now:     time.Now,
	})
}

// wants is what an answer must be.
type wants struct {
	status, code int
	header       string // "Name: value"
	body         string // the whole of it, but for the line break at its end
}

func check(t *testing.T, r *http.Request, got *httptest.ResponseRecorder, want wants) {
	t.Helper()
	var envelope struct {
		Result   json.RawMessage
		Success  *bool
		Errors   []struct{ Code int }
		Messages []any
	}
	if err := json.Unmarshal(got.Body.Bytes(), &envelope); err != nil || envelope.Success == nil || envelope.Messages == nil || envelope.Errors == nil {
		t.Errorf("%s %s: no envelope: %v: %q", r.Method, r.URL, err, got.Body)
		return
	}
	code := 0
	if len(envelope.Errors) > 0 {
		code = envelope.Errors[0].Code
	}
	if got.Code != want.status || code != want.code || *envelope.Success != (want.code == 0) {
		t.Errorf("%s %s: got %d with %d; want %d with %d\n%s", r.Method, r.URL, got.Code, code, want.status, want.code, got.Body)
	}
	if !*envelope.Success && string(envelope.Result) != "null" {
		t.Errorf("%s %s: a refusal with the result %s", r.Method, r.URL, envelope.Result)
	}
	if want.body != "" && got.Body.String() != want.body+"\n" {
		t.Errorf("%s %s:\n got %s\nwant %s", r.Method, r.URL, got.Body, want.body)
	}
	name, value, given := strings.Cut(want.header, ": ")
	if given && got.Header().Get(name) != value {
		t.Errorf("%s %s: header %s is %q; want %q", r.Method, r.URL, name, got.Header().Get(name), value)
	}
	holdsHeaders(t, r, got)
}

// holdsHeaders checks what is in every answer.
func holdsHeaders(t *testing.T, r *http.Request, got *httptest.ResponseRecorder) {
	t.Helper()
	for name, value := range map[string]string{
		"Cache-Control":          "private, no-store",
		"X-Content-Type-Options": "nosniff",
		"Content-Type":           "application/json; charset=utf-8",
	} {
		if got.Header().Get(name) != value {
			t.Errorf("%s %s: header %s is %q; want %q", r.Method, r.URL, name, got.Header().Get(name), value)
		}
	}
	if got.Header().Get("X-Request-Id") == "" || got.Header().Get("Content-Length") == "" {
		t.Errorf("%s %s: no request id or no length: %v", r.Method, r.URL, got.Header())
	}
	if got.Code >= 300 && got.Code < 400 {
		t.Errorf("%s %s: a redirect to %q", r.Method, r.URL, got.Header().Get("Location"))
	}
}

func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask is a request with headers given as "Name: value".
func ask(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

const (
	withEmail = "X-Auth-Email: " + anEmail
	withKey   = "X-Auth-Key: " + aKey
	withToken = "Authorization: Bearer " + aToken
	withJSON  = "Content-Type: application/json"
)

func TestRouting(t *testing.T) {
	t.Parallel()
	const (
		noRoute  = `{"result":null,"success":false,"errors":[{"code":7000,"message":"No route for that URI"}],"messages":[]}`
		noObject = `{"result":null,"success":false,"errors":[{"code":7003,"message":"Could not route to PATH, perhaps your object identifier is invalid?"}],"messages":[]}`
	)
	tests := []struct {
		method, target string
		want           wants
	}{
		{"GET", "/", wants{status: 404, code: 7000, body: noRoute}},
		{"GET", "/client/v4", wants{status: 404, code: 7000, body: noRoute}},
		{"GET", "/client/v4/", wants{status: 404, code: 7000, body: noRoute}},
		{"GET", "/client/v4/users", wants{status: 404, code: 7000, body: noRoute}},
		{"GET", "/client/v4/user/", wants{status: 404, code: 7000}},
		{"GET", "/client/v4//user", wants{status: 404, code: 7000}},
		{"GET", "//client/v4/user", wants{status: 404, code: 7000}},
		{"GET", "/client/v4/./user", wants{status: 404, code: 7000}},
		{"GET", "/client/v4/accounts/../user", wants{status: 404, code: 7000}},
		{"GET", "/Client/v4/user", wants{status: 404, code: 7000}},
		{"GET", "/client/v4/user/invites/" + anID + "/", wants{status: 404, code: 7000}},
		{"GET", "/client/v4/organizations/" + anID, wants{status: 404, code: 7000}},
		{"GET", "/client/v4/organizations/" + anID + "/members", wants{status: 404, code: 7000}},
		{"POST", "/nowhere", wants{status: 404, code: 7000}},
		{"OPTIONS", "*", wants{status: 404, code: 7000}},

		{"POST", "/client/v4/user", wants{status: 405, code: 7001, header: "Allow: GET, HEAD, PATCH"}},
		{"OPTIONS", "/client/v4/user", wants{status: 405, code: 7001, header: "Allow: GET, HEAD, PATCH"}},
		{"TRACE", "/client/v4/user/invites", wants{status: 405, code: 7001, header: "Allow: GET, HEAD"}},
		{"DELETE", "/client/v4/accounts/not-an-id/roles", wants{status: 405, code: 7001, header: "Allow: GET, HEAD"}},
		{"get", "/client/v4/user", wants{status: 405, code: 7001}},
		{"DELETE", "/openapi.yaml", wants{status: 405, code: 7001, header: "Allow: GET, HEAD"}},
		{strings.Repeat("X", 1000), "/client/v4/user", wants{status: 405, code: 7001}},

		// What cannot be an id costs no SQL: the use cases have no store here.
		{"GET", "/client/v4/user/invites/junk", wants{status: 404, code: 7003, body: strings.Replace(noObject, "PATH", "/client/v4/user/invites/junk", 1)}},
		{"GET", "/client/v4/accounts/account_id", wants{status: 404, code: 7003}},
		{"DELETE", "/client/v4/accounts/account_id", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/accounts/" + anID + "/members/junk", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/accounts/junk/members/" + anID, wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/" + strings.ToUpper(anID), wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/" + anID + "0", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/%34f5f0c14a2a41d5063dd301b2f829f0", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/..%2f..%2faccounts", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/%00", wants{status: 404, code: 7003}},
		{"GET", "/client/v4/user/invites/%ff%22%3Cb%3E", wants{status: 404, code: 7003, body: strings.Replace(noObject, "PATH", "/client/v4/user/invites/%ff%22%3Cb%3E", 1)}},
		{"GET", "/client/v4/user/invites/" + strings.Repeat("a", 5000), wants{
			status: 404, code: 7003,
			body: strings.Replace(noObject, "PATH", "/client/v4/user/invites/"+strings.Repeat("a", 232)+"…", 1),
		}},
	}
	h := withoutStore(oneUser{})
	for _, test := range tests {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			t.Parallel()
			r := ask(t, test.method, test.target, "", withEmail, withKey)
			check(t, r, send(h, r), test.want)
		})
	}
}

// TestCredentials holds the documents of refused credentials.
func TestCredentials(t *testing.T) {
	t.Parallel()
	const unknown = `{"result":null,"success":false,"errors":[{"code":9103,"message":"Unknown X-Auth-Key or X-Auth-Email"}],"messages":[]}`
	tests := []struct {
		name    string
		headers []string
		want    wants
	}{
		{"none", nil, wants{
			status: 400, code: 9106,
			body: `{"result":null,"success":false,"errors":[{"code":9106,"message":"Missing X-Auth-Key, X-Auth-Email or Authorization headers"}],"messages":[]}`,
		}},
		{"malformed", []string{withEmail, "X-Auth-Key: short"}, wants{
			status: 400, code: 6003,
			body: `{"result":null,"success":false,"errors":[{"code":6003,"message":"Invalid request headers",` +
				`"error_chain":[{"code":6103,"message":"Invalid format for X-Auth-Key header"}]}],"messages":[]}`,
		}},
		{"two principals", []string{withEmail, withKey, withToken}, wants{
			status: 400, code: 6003,
			body: `{"result":null,"success":false,"errors":[{"code":6003,"message":"Invalid request headers"}],"messages":[]}`,
		}},
		{"unknown address", []string{"X-Auth-Email: nobody@example.com", withKey}, wants{status: 403, code: 9103, body: unknown}},
		{"unknown key", []string{withEmail, withKey + "x"}, wants{status: 403, code: 9103, body: unknown}},
		{"unknown token", []string{withToken + "x"}, wants{
			status: 401, code: 1000, header: `WWW-Authenticate: Bearer error="invalid_token"`,
			body: `{"result":null,"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"messages":[]}`,
		}},
		{"another scheme", []string{"Authorization: Basic " + aToken}, wants{status: 400, code: 6003}},
	}
	h := withoutStore(oneUser{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// Whatever else is wrong with a request, credentials come first.
			for _, target := range []string{"/client/v4/user/invites/" + anID, "/client/v4/user/invites/junk", "/client/v4/user/invites?status=x"} {
				r := ask(t, http.MethodGet, target, "", test.headers...)
				check(t, r, send(h, r), test.want)
			}
			r := ask(t, http.MethodPatch, "/client/v4/user", "{", test.headers...)
			check(t, r, send(h, r), test.want)
		})
	}
}

// Every route but the public one asks for credentials before anything else.
func TestEveryRouteAsksForCredentials(t *testing.T) {
	t.Parallel()
	h := withoutStore(oneUser{})
	for _, route := range api.Routes() {
		if route.Need == api.Public {
			continue
		}
		for _, id := range []string{anID, "junk"} {
			r := ask(t, route.Method, pathOf(route, id), "{}", withJSON)
			check(t, r, send(h, r), wants{status: 400, code: 9106})
		}
	}
}

// pathOf is the route's path with the same id in all places.
func pathOf(route api.Route, id string) string {
	var segments []string
	for segment := range strings.SplitSeq(route.Pattern, "/") {
		if strings.HasPrefix(segment, "{") {
			segment = id
		}
		segments = append(segments, segment)
	}
	return strings.Join(segments, "/")
}

func TestVerifyToken(t *testing.T) {
	t.Parallel()
	h := withoutStore(oneUser{})
	r := ask(t, http.MethodGet, "/client/v4/user/tokens/verify", "", withToken)
	check(t, r, send(h, r), wants{
		status: 200,
		body: `{"result":{"id":"ed17574386854bf78a67040be0a770b0","status":"active"},"success":true,"errors":[],` +
			`"messages":[{"code":10000,"message":"This API Token is valid and active"}]}`,
	})
	// A key pair is no token, however good it is.
	r = ask(t, http.MethodGet, "/client/v4/user/tokens/verify", "", withEmail, withKey)
	check(t, r, send(h, r), wants{status: 401, code: 1000})
}

func TestDescription(t *testing.T) {
	t.Parallel()
	h := withoutStore(oneUser{})
	r := ask(t, http.MethodGet, "/openapi.yaml", "")
	got := send(h, r)
	if kind := got.Header().Get("Content-Type"); got.Code != 200 || kind != "application/yaml; charset=utf-8" || !strings.HasPrefix(got.Body.String(), "openapi: 3.") {
		t.Errorf("got %d, %q: %.60q", got.Code, kind, got.Body)
	}
}

// HEAD is GET without the body, refusals too.
func TestHead(t *testing.T) {
	t.Parallel()
	h := withoutStore(oneUser{})
	for _, target := range []string{"/openapi.yaml", "/client/v4/user/tokens/verify", "/client/v4/user/invites/junk", "/nowhere"} {
		get, head := send(h, ask(t, http.MethodGet, target, "", withToken)), send(h, ask(t, http.MethodHead, target, "", withToken))
		if get.Code != head.Code || head.Body.Len() > 0 || get.Header().Get("Content-Length") != head.Header().Get("Content-Length") {
			t.Errorf("%s: GET is %d of %s bytes, HEAD %d of %s with the body %q", target, get.Code, get.Header().Get("Content-Length"),
				head.Code, head.Header().Get("Content-Length"), head.Body)
		}
	}
}
