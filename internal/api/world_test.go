package api_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
	"hither/test/contract"
)

// world is the wire over the real use cases and a real store, in one process
// and without a network. Its clock stands at start plus ahead.
type world struct {
	service *iam.Service
	handler http.Handler
	store   *store.Store
	wire    http.RoundTripper // holds every exchange to api/openapi.yaml; nil: doesn't
	ahead   atomic.Int64
	drawn   atomic.Int64
}

func newWorld(tb testing.TB, dataset iam.Dataset) *world {
	tb.Helper()
	w := &world{}
	now := func() time.Time { return start.Add(time.Duration(w.ahead.Load())) }
	db, err := store.OpenSQLite(context.Background(), filepath.Join(tb.TempDir(), "hither.db"), store.Options{Now: now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	newID := id.NewSource(now).New
	w.store, w.service = db, iam.NewService(db, newID, now).WithWebhooks(iam.Webhooks{Secrets: openSecrets{}})
	w.handler = api.New(api.Options{
		Service: w.service, Auth: auth.New(db, now), Logger: slog.New(slog.DiscardHandler), NewID: newID, Now: now, InvitationLink: linkTo,
	})
	if t, ok := tb.(*testing.T); ok {
		w.wire = contract.New(t).RoundTripper(inProcess{w.handler})
	}
	if dataset.Size() > 0 {
		w.load(tb, dataset)
	}
	return w
}

// vouch says that a user has a second factor.
func (w *world) vouch(tb testing.TB, who principal) {
	tb.Helper()
	user, err := w.service.User(context.Background(), commandLine, who.email)
	if err != nil {
		tb.Fatal(err)
	}
	yes := true
	if _, err := w.service.SetUserFlags(context.Background(), commandLine, user.ID, iam.UserFlags{TwoFactor: &yes}); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) load(tb testing.TB, dataset iam.Dataset) {
	tb.Helper()
	if err := w.service.Import(context.Background(), commandLine, dataset, nil); err != nil {
		tb.Fatal(err)
	}
}

// openSecrets stand for the keyring of an instance: nothing is sealed.
type openSecrets struct{}

func (openSecrets) SealWebhook(_, _ iam.ID, secret []byte) []byte { return secret }

func (openSecrets) OpenWebhook(_, _ iam.ID, sealed []byte) ([]byte, error) { return sealed, nil }

// linkTo stands for a link that only who has the instance's key could make.
func linkTo(link iam.InvitationLink) string {
	return fmt.Sprintf("https://hither.example.com/i/%s-%d-%v", link.ID, link.Generation, link.Shown)
}

var start = time.Date(2026, 1, 1, 5, 20, 0, 0, time.UTC)

var commandLine = iam.Actor{Kind: iam.ByCommandLine}

// fresh is an id that this world has not used.
func (w *world) fresh() iam.ID { return iam.ID(fmt.Sprintf("%032x", 0xf0000+w.drawn.Add(1))) }

// inProcess hands requests to a handler without a network between.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:4711"
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// principal is who asks: a user by its key, which is keyOf its address unless
// it is given, or a token.
type principal struct{ email, key, token string }

// keyOf is the key that a user of a test has.
func keyOf(email string) string {
	sum := sha256.Sum256([]byte(email))
	return hex.EncodeToString(sum[:16])
}

func (p principal) headers() http.Header {
	h := http.Header{}
	if p.email != "" {
		h.Set("X-Auth-Email", p.email)
		h.Set("X-Auth-Key", cmp.Or(p.key, keyOf(p.email)))
	}
	if p.token != "" {
		h.Set("Authorization", "Bearer "+p.token)
	}
	return h
}

// reply is an answer, taken apart.
type reply struct {
	status int
	header http.Header
	body   string

	Result  json.RawMessage
	Success bool
	Errors  []struct {
		Code    int
		Message string
		Source  struct{ Pointer string }
	}
	Messages []struct {
		Code    int
		Message string
	}
	Info struct {
		Page       int
		PerPage    int `json:"per_page"`
		Count      int
		TotalCount int `json:"total_count"`
		TotalPages int `json:"total_pages"`
	} `json:"result_info"`
}

func (r reply) code() int {
	if len(r.Errors) == 0 {
		return 0
	}
	return r.Errors[0].Code
}

func (r reply) pointer() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Source.Pointer
}

// row is the result as one object with the fields that tests look at.
type row struct {
	ID                string
	Status            string
	Name              string
	Email             string
	InvitedMemberID   *string `json:"invited_member_id"`
	NeedsConfirmation bool    `json:"needs_confirmation"`
	User              map[string]any
	Settings          map[string]any
}

func (r reply) row(tb testing.TB) row {
	tb.Helper()
	var out row
	if err := json.Unmarshal(r.Result, &out); err != nil {
		tb.Fatalf("%v: %s", err, r.body)
	}
	return out
}

func (r reply) rows(tb testing.TB) []row {
	tb.Helper()
	var out []row
	if err := json.Unmarshal(r.Result, &out); err != nil {
		tb.Fatalf("%v: %s", err, r.body)
	}
	return out
}

// do asks; path is below api.Prefix. The exchange must be as described.
func (w *world) do(t *testing.T, who principal, method, path, body string) reply {
	t.Helper()
	return w.exchange(t, t.Context(), w.wire, who, method, path, body)
}

// bad asks what the description does not allow to ask; the answer must be as
// described all the same.
func (w *world) bad(t *testing.T, who principal, method, path, body string) reply {
	t.Helper()
	return w.exchange(t, contract.Exempt(t.Context(), "deliberate bad input"), w.wire, who, method, path, body)
}

func (w *world) exchange(tb testing.TB, ctx context.Context, wire http.RoundTripper, who principal, method, path, body string) reply { //nolint:revive // tb first, as everywhere
	tb.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://hither.test"+api.Prefix+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header = who.headers()
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", kindOf(body))
	}
	res, err := wire.RoundTrip(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header, body: string(text)}
	if err := readReply(text, &out); err != nil {
		tb.Fatalf("%s %s: %v: %q", method, path, err, text)
	}
	return out
}

// kindOf is what a body is declared as: one that begins with names of columns is CSV.
func kindOf(body string) string {
	if strings.HasPrefix(body, "email,") {
		return "text/csv"
	}
	return "application/json"
}

// readReply takes an answer apart. Its newer logs count in text.
func readReply(text []byte, r *reply) error {
	err := json.Unmarshal(text, r)
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasSuffix(odd.Field, "result_info.Count") {
		return nil
	}
	return err
}

// want fails unless the answer has this status and code.
func (r reply) want(t *testing.T, status, code int) reply {
	t.Helper()
	if r.status != status || r.code() != code {
		t.Fatalf("got %d with %d, want %d with %d: %s", r.status, r.code(), status, code, r.body)
	}
	return r
}

// user is a verified user of a dataset with the key keyOf its address.
func user(userID iam.ID, email string) iam.ImportUser {
	return iam.ImportUser{User: iam.User{ID: userID, Email: email, Verified: true}, Keys: []string{keyOf(email)}}
}

func account(accountID iam.ID, name string) iam.ImportAccount {
	return iam.ImportAccount{Account: iam.Account{ID: accountID, Name: name, Type: iam.Standard}}
}

// joined is an accepted membership; asked one that waits for its answer.
func joined(rowID, accountID iam.ID, email string, roleIDs ...iam.ID) iam.ImportMembership {
	return iam.ImportMembership{ID: rowID, AccountID: accountID, Email: email, Status: iam.Accepted, RoleIDs: roleIDs}
}

func asked(rowID, accountID iam.ID, email, by string, roleIDs ...iam.ID) iam.ImportMembership {
	return iam.ImportMembership{ID: rowID, AccountID: accountID, Email: email, Status: iam.Pending, RoleIDs: roleIDs, InvitedBy: by, Grantor: by}
}
