package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	inviteID  = "4f5f0c14a2a41d5063dd301b2f829f04"
	accountID = "023e105f4ecef8ad9ca31a8372d0c353"
	base      = "http://hither.test/client/v4"

	invitePath = "/user/invites/" + inviteID
	memberPath = "/accounts/" + accountID + "/members/" + inviteID
	legacyPath = "/organizations/" + accountID + "/invites/" + inviteID

	invite = `{"id":"4f5f0c14a2a41d5063dd301b2f829f04","invited_member_id":"5a7805061c76ada191ed06f989cc3dac",
		"invited_member_email":"user@example.com","organization_id":"5a7805061c76ada191ed06f989cc3dac",
		"organization_name":"Example, Inc.","organization_is_enforcing_twofactor":false,"invited_by":"admin@example.com",
		"invited_on":"2026-01-01T05:20:00Z","expires_on":"2026-01-08T05:20:00.000001Z","roles":["Administrator"],"status":"pending"}`
	role = `{"id":"3536bcfad5faccb999b47003c79917fb","name":"Member Manager","description":"",
		"permissions":{"members":{"read":true,"write":true,"edit":true}}}`
	legacyRole = `{"id":"3536bcfad5faccb999b47003c79917fb","name":"Member Manager","description":"",
		"permissions":["#members:edit","#members:read"]}`
	person = `{"id":"5a7805061c76ada191ed06f989cc3dac","email":"user@example.com","first_name":null,"last_name":"Doe",
		"two_factor_authentication_enabled":false}`
	address = `{"email":"user@example.com"}`
	invited = `,"expires_on":"2026-01-08T05:20:00Z","invited_by":"admin@example.com","invited_on":"2026-01-01T05:20:00Z",
		"needs_confirmation":false`
	token   = `{"id":"4f5f0c14a2a41d5063dd301b2f829f04","status":"active"}`
	account = `{"id":"023e105f4ecef8ad9ca31a8372d0c353","name":"Demo Account","type":"standard","settings":{"enforce_twofactor":false,
		"abuse_contact_email":null,"default_invite_lifetime":604800,"invite_domains":[],"member_limit":null},"created_on":"2026-01-01T05:20:00Z"}`
	pageOf = `,"success":true,"errors":[],"messages":[],"result_info":{"page":1,"per_page":20,"count":1,"total_count":1,"total_pages":1}}`
)

func single(result string) string {
	return `{"result":` + result + `,"success":true,"errors":[],"messages":[]}`
}

func list(item string) string { return `{"result":[` + item + `]` + pageOf }

func failure(code int) string {
	return fmt.Sprintf(`{"result":null,"success":false,"errors":[{"code":%d,"message":"no"}],"messages":[]}`, code)
}

func member(status, user, more string) string {
	return `{"id":"` + inviteID + `","email":"user@example.com","status":"` + status + `",
		"roles":[` + role + `],"user":` + user + more + `}`
}

func legacyInvite(status, userID, more string) string {
	return `{"id":"` + inviteID + `","invited_member_id":` + userID + `,"invited_member_email":"user@example.com",
		"organization_id":"` + accountID + `","organization_name":"Demo Account","organization_is_enforcing_twofactor":true,
		"invited_by":"admin@example.com","invited_on":"2026-01-01T05:20:00Z","expires_on":"2026-01-08T05:20:00Z",
		"roles":[` + legacyRole + `],"status":"` + status + `"` + more + `}`
}

// recorder is a TB that keeps what is reported.
type recorder struct {
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

// server answers every request alike.
type server struct {
	status  int
	body    string
	headers map[string]string // beside those that every answer has; "" takes one away
	broken  error             // ends the body early
}

func ok(body string) server { return server{status: 200, body: body} }

func refuses(status, code int) server { return server{status: status, body: failure(code)} }

func (s server) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
	}
	res := &http.Response{StatusCode: s.status, Request: req, Header: http.Header{
		"Content-Type":           {"application/json"},
		"Cache-Control":          {"private, no-store"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Request-Id":           {"1"},
	}}
	for name, value := range s.headers {
		res.Header.Set(name, value)
		if value == "" {
			res.Header.Del(name)
		}
	}
	var body io.Reader = strings.NewReader(s.body)
	if s.broken != nil {
		body = io.MultiReader(body, failing{s.broken})
	}
	res.Body = io.NopCloser(body)
	return res, nil
}

// with sets a header, or with "" takes it away.
func (s server) with(name, value string) server {
	s.headers = map[string]string{name: value}
	return s
}

// but changes the body in one place.
func (s server) but(was, is string) server {
	s.body = strings.Replace(s.body, was, is, 1)
	return s
}

// exchange sends one request to a server and returns what was reported, and the answer's body as the caller sees it.
func exchange(ctx context.Context, t *testing.T, s server, method, target, body string) ([]string, string) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	var tb recorder
	res, err := New(&tb).RoundTripper(s).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	seen, err := io.ReadAll(res.Body)
	if !errors.Is(err, s.broken) {
		t.Fatalf("reading the answer: got error %v, want %v", err, s.broken)
	}
	return tb.failures, string(seen)
}

// TestAnswers holds one answer after the other to the document; want is part of what is reported, "" where all is well.
func TestAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path string
		server             server
		want               string
	}{
		{"an invite", "GET", invitePath, ok(single(invite)), ""},
		{"invites", "GET", "/user/invites", ok(list(invite)), ""},
		{"a refusal", "GET", invitePath, refuses(404, 1003), ""},
		{"an account", "GET", "/accounts/" + accountID, ok(single(account)), ""},
		{"an accepted member", "GET", memberPath, ok(single(member("accepted", person, ""))), ""},
		{"a pending member", "GET", memberPath, ok(single(member("pending", address, invited))), ""},
		{"a pending legacy invite", "GET", legacyPath, ok(single(legacyInvite("pending", "null", `,"needs_confirmation":true`))), ""},
		{"an accepted legacy invite", "GET", legacyPath, ok(single(legacyInvite("accepted", `"`+accountID+`"`, ""))), ""},
		{"a bare delete", "DELETE", legacyPath, ok(`{"id":"` + inviteID + `"}`), ""},
		{"a remark", "GET", "/user/tokens/verify", ok(single(token)).but(`s":[]}`, `s":[{"code":10000,"message":"good"}]}`), ""},
		{"a failure of the server", "GET", "/user/invites", refuses(500, 10001), ""},
		{"another path of the server", "GET", "/../../healthz", ok("ok"), ""},

		{"a field too many", "GET", invitePath, ok(single(invite)).but(`{"id"`, `{"secret":1,"id"`), `"secret"`},
		{
			"a field too many, deep in a list", "GET", "/accounts/" + accountID + "/members",
			ok(list(member("accepted", person, ""))).but(`"last_name"`, `"telephone":"1","last_name"`), `"telephone"`,
		},
		{"a key missing in the envelope", "GET", invitePath, ok(single(invite)).but(`,"messages":[]`, ""), `"messages"`},
		{"a null list in the envelope", "GET", invitePath, ok(single(invite)).but(`"errors":[]`, `"errors":null`), "/errors"},
		{"a list without result_info", "GET", "/user/invites", ok(single("[]")), `"result_info"`},
		{"a field missing", "GET", invitePath, ok(single(invite)).but(`"invited_by":"admin@example.com",`, ""), `"invited_by"`},
		{"a state that there is not", "GET", invitePath, ok(single(invite)).but("pending", "canceled"), "/result/status"},
		{"a time that is not UTC", "GET", invitePath, ok(single(invite)).but(":00Z", ":00+01:00"), "/result/invited_on"},
		{"an id that is none", "GET", invitePath, ok(single(invite)).but(inviteID, "x"), "/result/id"},
		{"the person behind a pending member", "GET", memberPath, ok(single(member("pending", person, ""))), "/result"},
		{"an accepted member without its person", "GET", memberPath, ok(single(member("accepted", address, ""))), "/result"},
		{"the user of a pending legacy invite", "GET", legacyPath, ok(single(legacyInvite("pending", `"`+accountID+`"`, ""))), "/result"},
		{"a refusal with a result", "GET", "/user", refuses(400, 1001).but("null", "{}"), "/result"},
		{"a refusal that says success", "GET", "/user", refuses(400, 1001).but("false", "true"), "/success"},
		{"a refusal without errors", "GET", "/user", refuses(400, 1001).but(`{"code":1001,"message":"no"}`, ""), "/errors"},
		{"another operation's code", "GET", "/user", refuses(400, 1201), "1201"},
		{"another status's code", "GET", "/user", refuses(403, 9106), "9106"},
		{"a status that there is not", "GET", "/user", refuses(404, 1003), "status"},
		{"another media type", "GET", "/user", refuses(400, 1001).with("Content-Type", "text/plain"), "text/plain"},
		{"an answer that may be kept", "GET", "/user", refuses(400, 1001).with("Cache-Control", ""), "Cache-Control"},
		{"an answer without a request id", "GET", "/user", refuses(400, 1001).with("X-Request-ID", ""), "X-Request-ID"},
		{"a key twice", "GET", "/user", refuses(400, 1001).but(`"messages"`, `"success":false,"messages"`), "twice"},
		{"something after the end", "GET", "/user", refuses(400, 1001).but("[]}", "[]}{}"), "follows"},
		{"no JSON", "GET", "/user", server{status: 400, body: "Bad Request"}, "decode"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := base + test.path
			if rest, outside := strings.CutPrefix(test.path, "/../.."); outside {
				target = strings.TrimSuffix(base, "/client/v4") + rest
			}
			got, seen := exchange(t.Context(), t, test.server, test.method, target, "")
			if seen != test.server.body {
				t.Errorf("the caller sees the body %q, want %q", seen, test.server.body)
			}
			checkReport(t, got, test.want)
		})
	}
}

// checkReport compares what was reported with a part of the one line that it should be, "" for none.
func checkReport(t *testing.T, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("reported %q, want nothing", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("reported %q, want one failure with %q", got, want)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	fine, bad := ok(single(invite)), refuses(400, 1002)
	tests := []struct {
		name, method, path, body string
		server                   server
		why                      string
		want                     string
	}{
		{"an answer", "PATCH", invitePath, `{"status":"accepted"}`, fine, "", ""},
		{"an unknown field", "PATCH", invitePath, `{"status":"accepted","x":1}`, fine, "", ""},
		{"an unknown parameter", "GET", invitePath + "?x=1&x=2", "", fine, "", ""},
		{"roles by id", "POST", "/accounts/" + accountID + "/members", `{"email":"a@b.c","roles":["` + inviteID + `"]}`, bad, "", ""},
		{"roles as objects", "POST", "/accounts/" + accountID + "/members", `{"email":"a@b.c","roles":[` + role + `]}`, bad, "", ""},
		{"a member, sent back", "PUT", memberPath, member("accepted", person, ""), bad, "", ""},
		{"what Terraform sends", "PUT", "/accounts/" + accountID, `{"name":"x","type":null}`, bad, "", ""},
		{"an account, sent back", "PUT", "/accounts/" + accountID, account, bad, "", ""},

		{"another answer", "PATCH", invitePath, `{"status":"maybe"}`, bad, "", "request body: {\"status\":\"maybe\"}"},
		{"no answer", "PATCH", invitePath, `{}`, bad, "", "/status"},
		{"no body", "PATCH", invitePath, "", bad, "", "required"},
		{"too many on a page", "GET", "/accounts?per_page=100", "", bad, "", "per_page"},
		{"too long an id", "GET", invitePath + "0", "", refuses(404, 7003), "", "invite_id"},
		{"a path that there is not", "GET", "/user/invitations", "", refuses(404, 7000), "", "no such operation"},
		{"a method that there is not", "PUT", "/user/invites", "{}", refuses(405, 7001).with("Allow", "GET"), "", "no such operation"},

		{"another answer, on purpose", "PATCH", invitePath, `{"status":"maybe"}`, bad, "bad input", ""},
		{"on purpose, with a wrong answer", "PATCH", invitePath, `{"status":"maybe"}`, refuses(400, 7001), "bad input", "7001"},
		{"no path, on purpose", "GET", "/user/invitations", "", refuses(404, 7000), "bad input", ""},
		{"no path, with a wrong code", "GET", "/user/invitations", "", refuses(404, 1003), "bad input", "1003"},
		{"no path, but an answer", "GET", "/user/invitations", "", ok(single("{}")), "bad input", "only a refusal"},
		{"no path, and no envelope", "GET", "/user/invitations", "", server{status: 404, body: "not found"}, "bad input", "decode"},
		{"no path, with a redirect", "GET", "//user", "", server{status: 301}, "bad input", "only a refusal"},
		{"no method, on purpose", "PUT", "/user/invites", "{}", refuses(405, 7001).with("Allow", "GET"), "bad input", ""},
		{"no method, without Allow", "PUT", "/user/invites", "{}", refuses(405, 7001), "bad input", "Allow"},
		{"no path and no credentials", "GET", "/user/invitations", "", refuses(400, 9106), "bad input", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if test.why != "" {
				ctx = Exempt(ctx, test.why)
			}
			got, _ := exchange(ctx, t, test.server, test.method, base+test.path, test.body)
			checkReport(t, got, test.want)
		})
	}
}

// TestExemptNeedsAReason holds that an exemption without a reason is none.
func TestExemptNeedsAReason(t *testing.T) {
	t.Parallel()
	got, _ := exchange(Exempt(t.Context(), ""), t, refuses(400, 1001), "PATCH", base+invitePath, "{}")
	checkReport(t, got, "/status")
}

// TestRequestArrivesWhole holds that checking a request takes nothing from what the server gets.
func TestRequestArrivesWhole(t *testing.T) {
	t.Parallel()
	const body = `{"status":"rejected"}`
	for _, length := range []int64{int64(len(body)), -1} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, base+invitePath, io.NopCloser(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Content-Type", "application/json")
		var got []byte
		server := tripper(func(sent *http.Request) (*http.Response, error) {
			if sent.ContentLength != length {
				t.Errorf("sent with the length %d, want %d", sent.ContentLength, length)
			}
			got, err = io.ReadAll(sent.Body)
			return nil, errors.Join(err, errors.New("enough"))
		})
		res, err := New(t).RoundTripper(server).RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
			t.Error("the base's error was lost")
		}
		if !bytes.Equal(got, []byte(body)) {
			t.Errorf("the server got %q, want %q", got, body)
		}
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestBrokenAnswer holds that an answer that breaks off is the caller's business, as the network is.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	s := server{status: 200, body: `{"res`, broken: io.ErrUnexpectedEOF}
	got, seen := exchange(t.Context(), t, s, "GET", base+"/user", "")
	if seen != s.body || len(got) != 0 {
		t.Errorf("the caller sees %q and %q is reported, want %q and nothing", seen, got, s.body)
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	v := New(t)
	target := base + "/accounts/" + accountID + "/members?per_page=50&status=accepted"
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				client := &http.Client{Transport: v.RoundTripper(ok(list(member("accepted", person, ""))))}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
			}
		})
	}
	group.Wait()
}

func TestOperations(t *testing.T) {
	t.Parallel()
	want := []string{
		"DELETE /client/v4/accounts/{account_id}",
		"DELETE /client/v4/accounts/{account_id}/members/{member_id}",
		"DELETE /client/v4/accounts/{account_id}/webhooks/{webhook_id}",
		"DELETE /client/v4/memberships/{membership_id}",
		"DELETE /client/v4/organizations/{organization_id}/invites/bulk/{bulk_id}",
		"DELETE /client/v4/organizations/{organization_id}/invites/{invite_id}",
		"DELETE /client/v4/user/organizations/{organization_id}",
		"GET /client/v4/accounts",
		"GET /client/v4/accounts/{account_id}",
		"GET /client/v4/accounts/{account_id}/audit_logs",
		"GET /client/v4/accounts/{account_id}/events",
		"GET /client/v4/accounts/{account_id}/logs/audit",
		"GET /client/v4/accounts/{account_id}/members",
		"GET /client/v4/accounts/{account_id}/members/{member_id}",
		"GET /client/v4/accounts/{account_id}/roles",
		"GET /client/v4/accounts/{account_id}/roles/{role_id}",
		"GET /client/v4/accounts/{account_id}/webhooks",
		"GET /client/v4/accounts/{account_id}/webhooks/{webhook_id}",
		"GET /client/v4/accounts/{account_id}/webhooks/{webhook_id}/deliveries",
		"GET /client/v4/accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}",
		"GET /client/v4/memberships",
		"GET /client/v4/memberships/{membership_id}",
		"GET /client/v4/organizations/{organization_id}/audit_logs",
		"GET /client/v4/organizations/{organization_id}/invites",
		"GET /client/v4/organizations/{organization_id}/invites/bulk",
		"GET /client/v4/organizations/{organization_id}/invites/bulk/{bulk_id}",
		"GET /client/v4/organizations/{organization_id}/invites/bulk/{bulk_id}/results",
		"GET /client/v4/organizations/{organization_id}/invites/stats",
		"GET /client/v4/organizations/{organization_id}/invites/{invite_id}",
		"GET /client/v4/organizations/{organization_id}/invites/{invite_id}/deliveries",
		"GET /client/v4/organizations/{organization_id}/roles",
		"GET /client/v4/user",
		"GET /client/v4/user/audit_logs",
		"GET /client/v4/user/invites",
		"GET /client/v4/user/invites/{invite_id}",
		"GET /client/v4/user/keys",
		"GET /client/v4/user/organizations",
		"GET /client/v4/user/organizations/{organization_id}",
		"GET /client/v4/user/tokens/verify",
		"PATCH /client/v4/accounts/{account_id}/webhooks/{webhook_id}",
		"PATCH /client/v4/organizations/{organization_id}/invites/{invite_id}",
		"PATCH /client/v4/user",
		"PATCH /client/v4/user/invites/{invite_id}",
		"POST /client/v4/accounts",
		"POST /client/v4/accounts/{account_id}/members",
		"POST /client/v4/accounts/{account_id}/members/{member_id}/resend",
		"POST /client/v4/accounts/{account_id}/webhooks",
		"POST /client/v4/accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
		"POST /client/v4/accounts/{account_id}/webhooks/{webhook_id}/ping",
		"POST /client/v4/accounts/{account_id}/webhooks/{webhook_id}/rotate",
		"POST /client/v4/mail/reports",
		"POST /client/v4/organizations/{organization_id}/invites",
		"POST /client/v4/organizations/{organization_id}/invites/bulk",
		"POST /client/v4/organizations/{organization_id}/invites/{invite_id}/confirm",
		"POST /client/v4/organizations/{organization_id}/invites/{invite_id}/link",
		"POST /client/v4/organizations/{organization_id}/invites/{invite_id}/renew",
		"POST /client/v4/organizations/{organization_id}/invites/{invite_id}/resend",
		"POST /client/v4/user/invites/{invite_id}/remind",
		"POST /client/v4/user/keys/{key_id}/rotate",
		"PUT /client/v4/accounts/{account_id}",
		"PUT /client/v4/accounts/{account_id}/members/{member_id}",
		"PUT /client/v4/memberships/{membership_id}",
	}
	if got := New(t).Operations(); !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
