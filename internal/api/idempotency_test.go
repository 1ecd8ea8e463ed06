package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/test/contract"
)

// withHeader sends requests on with a header more.
type withHeader struct {
	http.RoundTripper

	name   string
	values []string
}

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header[h.name] = h.values
	return h.RoundTripper.RoundTrip(r)
}

// once asks with an idempotency key.
func (w *world) once(t *testing.T, key string, who principal, method, path, body string) reply {
	t.Helper()
	return w.exchange(t, t.Context(), withHeader{w.wire, "Idempotency-Key", []string{key}}, who, method, path, body)
}

// badly asks with any number of keys of any form.
func (w *world) badly(t *testing.T, keys []string, who principal, method, path, body string) reply {
	t.Helper()
	ctx := contract.Exempt(t.Context(), "deliberate bad input")
	return w.exchange(t, ctx, withHeader{w.wire, "Idempotency-Key", keys}, who, method, path, body)
}

// replays fails unless the answer is another one once more, and says so.
func (r reply) replays(t *testing.T, first reply) {
	t.Helper()
	if r.status != first.status || r.body != first.body {
		t.Errorf("got %d\n%swant %d\n%s", r.status, r.body, first.status, first.body)
	}
	if got := r.header.Values("Idempotency-Replayed"); !slices.Equal(got, []string{"true"}) {
		t.Errorf("Idempotency-Replayed: got %q, want true", got)
	}
	if id := r.header.Get("X-Request-Id"); id == first.header.Get("X-Request-Id") {
		t.Errorf("the request id %s is the first one's", id)
	}
}

// fresh fails unless the answer is a success that was not there before.
func (r reply) fresh(t *testing.T) reply {
	t.Helper()
	r.want(t, 200, 0)
	if got := r.header.Values("Idempotency-Replayed"); len(got) > 0 {
		t.Errorf("Idempotency-Replayed: got %q, want none", got)
	}
	return r
}

const (
	boss      = "boss@example.com" // an operator, and Super Administrator of tenantA
	bossToken = "boss-boss-boss-boss-boss-boss-boss"
	theToken  = "operator-operator-operator-opera"
	otherOp   = "other-other-other-other-other-oth"
	membersA  = "/accounts/" + string(tenantA) + "/members"
	invitesA  = "/organizations/" + string(tenantA) + "/invites"
	minimal   = iam.ID("5c35d2bf3a545e6b7560b826c0d23c39")
	managing  = iam.ID("aaaa0000000000000000000000000099")
	bossRow   = iam.ID("aaaa0000000000000000000000000098")
)

// staffed is an account with somebody who may do everything, and others who
// may remain in their place.
func staffed(t *testing.T) *world {
	t.Helper()
	operator := user("aaaa00000000000000000000000000fd", boss)
	operator.Operator, operator.TwoFactor = true, true
	owner := user("aaaa00000000000000000000000000ff", ownerA.email)
	owner.TwoFactor = true
	return newWorld(t, iam.Dataset{
		Users: []iam.ImportUser{
			operator, owner, user("dddd00000000000000000000000000ff", guest.email),
		},
		Tokens: []iam.ImportToken{
			{Name: "boss's", Secret: bossToken, Email: boss}, {Name: "operator's", Secret: theToken}, {Name: "another", Secret: otherOp},
		},
		Accounts: []iam.ImportAccount{account(tenantA, "A")},
		Roles: []iam.ImportRole{{Role: iam.Role{
			ID: managing, Name: "Managing", Permissions: iam.Permissions{"members": iam.Read | iam.Write},
		}}},
		Memberships: []iam.ImportMembership{
			joined(bossRow, tenantA, boss, iam.SuperAdministrator), joined(rowA, tenantA, ownerA.email, iam.SuperAdministrator),
		},
	})
}

// creation is something that a POST makes.
type creation struct{ name, path, body, other string }

func creations() []creation {
	const admin = `"roles":["05784afa30c1afe1440e79d9351c7430"]`
	return []creation{
		{"account", "/accounts", `{"name":"New","type":"enterprise"}`, `{"name":"New"}`},
		{"member", membersA, `{"email":"new@example.com",` + admin + `}`, `{"email":"other@example.com",` + admin + `}`},
		{"member, directly", membersA, `{"email":"guest@example.com","status":"accepted",` + admin + `}`, `{"email":"guest@example.com",` + admin + `}`},
		{"invite", invitesA, `{"invited_member_email":"new@example.com",` + admin + `}`, `{"invited_member_email":"new@example.com","auto_accept":true,` + admin + `}`},
	}
}

func (w *world) accounts(t *testing.T) int {
	t.Helper()
	return w.do(t, principal{token: theToken}, http.MethodGet, "/accounts", "").want(t, 200, 0).Info.TotalCount
}

func (w *world) auditRows(t *testing.T) int {
	t.Helper()
	rows := 0
	for _, id := range []iam.ID{tenantA, ""} {
		entries, err := w.store.Audit(t.Context(), id, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(entries)
	}
	return rows
}

// Whatever happened since, the first answer comes again, byte for byte, and
// nothing else does.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, made := range creations() {
		t.Run(made.name, func(t *testing.T) {
			t.Parallel()
			w, who := staffed(t), principal{email: boss}
			first := w.once(t, "k", who, http.MethodPost, made.path, made.body).fresh(t)
			accounts, rows := w.accounts(t), w.auditRows(t)
			w.once(t, "k", who, http.MethodPost, made.path, made.body).replays(t, first)
			w.once(t, "k", principal{token: bossToken}, http.MethodPost, made.path, made.body).replays(t, first)
			w.ahead.Store(int64(iam.IdempotencyLife - time.Microsecond))
			w.once(t, "k", who, http.MethodPost, made.path, " "+strings.Replace(made.body, ",", " ,\n", 1)+"\n").replays(t, first)

			refused := w.once(t, "k", who, http.MethodPost, made.path, made.other).want(t, 400, 1213)
			if !strings.Contains(refused.Errors[0].Message, "new key") {
				t.Errorf("got %q, want the way out", refused.Errors[0].Message)
			}
			w.once(t, "k", who, http.MethodPost, made.path, strings.Replace(made.body, "{", `{"ignored":1,`, 1)).want(t, 400, 1213)
			if n, a := w.auditRows(t), w.accounts(t); n != rows || a != accounts {
				t.Errorf("%d audit rows, %d accounts after the replays, want %d and %d as before", n, a, rows, accounts)
			}
		})
	}
}

// What was answered once is answered again though the account, the member, its
// roles and the user are no longer what they were.
func TestReplayAfterChanges(t *testing.T) {
	t.Parallel()
	for _, made := range creations()[1:] {
		t.Run(made.name, func(t *testing.T) {
			t.Parallel()
			w, who := staffed(t), principal{email: boss}
			first := w.once(t, "k", who, http.MethodPost, made.path, made.body).fresh(t)
			w.do(t, ownerA, http.MethodPut, "/accounts/"+string(tenantA), `{"name":"Renamed","settings":{"enforce_twofactor":true}}`).want(t, 200, 0)
			w.do(t, guest, http.MethodPatch, "/user", `{"first_name":"Renamed"}`).want(t, 200, 0)
			w.do(t, ownerA, http.MethodPut, membersA+"/"+first.row(t).ID, `{"roles":["`+string(minimal)+`"]}`).want(t, 200, 0)
			w.once(t, "k", who, http.MethodPost, made.path, made.body).replays(t, first)
			w.do(t, ownerA, http.MethodDelete, membersA+"/"+first.row(t).ID, "").want(t, 200, 0)
			w.once(t, "k", who, http.MethodPost, made.path, made.body).replays(t, first)
		})
	}
}

// A key is its principal's, for one method and path, for a day.
func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	w := staffed(t)
	const body = `{"name":"New"}`
	seen := map[string]bool{}
	mine := ""
	for _, who := range []principal{{email: boss}, {token: theToken}, {token: otherOp}} {
		first := w.once(t, "k", who, http.MethodPost, "/accounts", body).fresh(t)
		mine = first.row(t).ID
		seen[mine] = true
		w.once(t, "k", who, http.MethodPost, "/accounts", body).replays(t, first)
		w.once(t, "K", who, http.MethodPost, "/accounts", body).fresh(t)
		w.do(t, who, http.MethodPost, "/accounts", body).fresh(t)
	}
	if len(seen) != 3 {
		t.Errorf("accounts made by three principals with one key: %v", seen)
	}
	first := w.once(t, "k", principal{email: boss}, http.MethodPost, membersA, `{"email":"guest@example.com","roles":["`+string(minimal)+`"]}`).fresh(t)
	// The same act on another path is another request, with its own outcome.
	older := w.once(t, "k", principal{email: boss}, http.MethodPost, invitesA, `{"invited_member_email":"guest@example.com","roles":["`+string(minimal)+`"]}`).fresh(t)
	if older.row(t).ID != first.row(t).ID || older.Messages == nil {
		t.Errorf("got %s, want the same invitation with a remark", older.body)
	}
	elsewhere := w.once(t, "k", principal{token: otherOp}, http.MethodPost, "/accounts/"+mine+"/members", `{"email":"guest@example.com","roles":["`+string(minimal)+`"]}`).fresh(t)
	if elsewhere.row(t).ID == first.row(t).ID {
		t.Errorf("got %s, want an invitation to the other account", elsewhere.body)
	}

	before := w.accounts(t)
	w.ahead.Store(int64(iam.IdempotencyLife))
	again := w.once(t, "k", principal{email: boss}, http.MethodPost, "/accounts", `{"name":"Other"}`).fresh(t)
	if w.accounts(t) != before+1 || again.row(t).Name != "Other" {
		t.Errorf("after a day: got %s, want an account more", again.body)
	}
}

// Every POST that there is takes keys, so that a new one does too, and refuses
// one that cannot be a key before it does anything.
func TestMalformedKeys(t *testing.T) {
	t.Parallel()
	w := staffed(t)
	w.load(t, iam.Dataset{Accounts: []iam.ImportAccount{account(tenantB, "B")}, Memberships: []iam.ImportMembership{
		asked(pendA, tenantA, "third@example.com", boss, minimal), asked(pendB, tenantB, boss, "", minimal),
	}})
	posts := 0
	for _, route := range api.Routes() {
		if route.Method != http.MethodPost || route.Need == api.Reporter { // a report is told once by what it says
			continue
		}
		posts++
		c := cell{route: route, account: tenantA, invite: pendA, ownIn: tenantA, own: pendB, role: minimal}
		before := w.auditRows(t)
		for name, keys := range map[string][]string{
			"empty": {""}, "too long": {strings.Repeat("k", 256)}, "a tab": {"a\tb"}, "not printable": {"a\x01"}, "not ASCII": {"schlüssel"},
			"twice": {"a", "b"}, "twice the same": {"a", "a"},
		} {
			got := w.badly(t, keys, principal{email: boss}, route.Method, c.path(), c.body()).want(t, 400, 1001)
			if message := got.Errors[0].Message; !strings.Contains(message, "Idempotency-Key") || !strings.Contains(message, "255") || !strings.Contains(message, "leave it out") {
				t.Errorf("%s %s, %s: got %q, want the header and the way out", route.Method, route.Pattern, name, message)
			}
		}
		if after := w.auditRows(t); after != before {
			t.Errorf("%s %s: %d audit rows after what was refused, %d before", route.Method, route.Pattern, after, before)
		}
		if strings.HasSuffix(route.Pattern, "/link") || strings.HasSuffix(route.Pattern, "/rotate") || strings.Contains(route.Pattern, "/webhooks") {
			continue // what they show is not shown again: see TestShowingALink, TestKeys, TestWebhooks
		}
		for _, key := range []string{strings.Repeat("k", 255), ` ~"!`} {
			first := w.once(t, key, principal{email: boss}, route.Method, c.path(), c.body()).fresh(t)
			w.once(t, key, principal{email: boss}, route.Method, c.path(), c.body()).replays(t, first)
		}
	}
	if posts < 3 {
		t.Errorf("saw %d POSTs", posts)
	}
}

// Other methods don't look at it: they may be sent again as they are.
func TestKeysOfOtherMethods(t *testing.T) {
	t.Parallel()
	w := staffed(t)
	who := principal{email: boss}
	for _, keys := range [][]string{{"k"}, {""}, {"a", "b"}, {strings.Repeat("k", 999)}} {
		for i, name := range []string{"One", "Two"} {
			got := w.badly(t, keys, who, http.MethodPut, "/accounts/"+string(tenantA), fmt.Sprintf(`{"name":%q}`, name)).fresh(t)
			if got.row(t).Name != name {
				t.Errorf("key %q, attempt %d: got %s", keys, i, got.body)
			}
		}
		w.badly(t, keys, who, http.MethodGet, "/user", "").fresh(t)
	}
}

// A replay asks for every right anew: whoever lost one is refused like whoever
// never had it.
func TestReplayAsksForTheRightAnew(t *testing.T) {
	t.Parallel()
	admin := func(t *testing.T, w *world, method, path, body string) {
		t.Helper()
		w.do(t, principal{token: theToken}, method, path, body).want(t, 200, 0)
	}
	roles := func(role iam.ID) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			admin(t, w, http.MethodPut, membersA+"/"+string(bossRow), `{"roles":["`+string(role)+`"]}`)
		}
	}
	flags := func(operator bool) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if _, err := w.service.SetUserFlags(t.Context(), commandLine, "aaaa00000000000000000000000000fd", iam.UserFlags{Operator: &operator}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := creations()
	account, member, direct, invite := all[0], all[1], all[2], all[3]
	tests := []struct {
		name         string
		who          principal
		made         []creation
		loses        func(*testing.T, *world)
		status, code int
	}{
		{"demoted", principal{email: boss}, []creation{member, direct, invite}, roles(minimal), 403, 9109},
		{"KF-18: left with a lower ceiling", principal{email: boss}, []creation{member, direct, invite}, roles(managing), 403, 1209},
		{"KF-85: removed", principal{email: boss}, []creation{member, invite}, func(t *testing.T, w *world) {
			t.Helper()
			flags(false)(t, w)
			admin(t, w, http.MethodDelete, membersA+"/"+string(bossRow), "")
		}, 404, 7003},
		{"no longer an operator", principal{email: boss}, []creation{account}, flags(false), 403, 9109},
		{"no longer an operator, adding directly", principal{email: boss}, []creation{direct}, flags(false), 400, 1001},
		{"KF-81: the key is disabled", principal{email: boss}, all, func(t *testing.T, w *world) {
			t.Helper()
			keys, err := w.service.Keys(t.Context(), commandLine, "aaaa00000000000000000000000000fd")
			if err != nil || len(keys) != 1 {
				t.Fatalf("keys: %v, %v", keys, err)
			}
			if err := w.service.DisableKey(t.Context(), commandLine, keys[0].ID); err != nil {
				t.Fatal(err)
			}
		}, 403, 9103},
		{"the token is revoked", principal{token: theToken}, all, func(t *testing.T, w *world) {
			t.Helper()
			principal, err := w.store.TokenPrincipal(t.Context(), iam.HashSecret(theToken))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.service.RevokeToken(t.Context(), commandLine, principal.Token.ID); err != nil {
				t.Fatal(err)
			}
		}, 401, 1000},
		{"the user is suspended", principal{email: boss}, all, func(t *testing.T, w *world) {
			t.Helper()
			if err := w.service.SuspendUser(t.Context(), commandLine, "aaaa00000000000000000000000000fd", true); err != nil {
				t.Fatal(err)
			}
		}, 403, 9103},
		{"the account is suspended", principal{email: boss}, []creation{member, direct, invite}, func(t *testing.T, w *world) {
			t.Helper()
			yes := true
			if _, err := w.service.EditAccount(t.Context(), commandLine, tenantA, iam.AccountEdit{Suspended: &yes}); err != nil {
				t.Fatal(err)
			}
		}, 403, 1214},
		{"KF-86: the account is deleted", principal{email: boss}, []creation{member, direct, invite}, func(t *testing.T, w *world) {
			t.Helper()
			admin(t, w, http.MethodDelete, "/accounts/"+string(tenantA), "")
		}, 404, 7003},
	}
	for _, test := range tests {
		for _, made := range test.made {
			t.Run(test.name+", "+made.name, func(t *testing.T) {
				t.Parallel()
				w := staffed(t)
				w.once(t, "k", test.who, http.MethodPost, made.path, made.body).fresh(t)
				test.loses(t, w)
				never := w.do(t, test.who, http.MethodPost, made.path, made.body).want(t, test.status, test.code)
				for _, body := range []string{made.body, made.other} {
					got := w.once(t, "k", test.who, http.MethodPost, made.path, body)
					if made.other == body && test.status == 400 {
						continue // the other request asks for less
					}
					if got.body != never.body || got.header.Get("Idempotency-Replayed") != "" {
						t.Errorf("%s: got %d %s, want what is told without a key: %s", body, got.status, got.body, never.body)
					}
				}
			})
		}
	}
}

// A refusal is not an outcome: the key is free for the same request, when it
// may succeed, and for another.
func TestRefusalsAreNotReplayed(t *testing.T) {
	t.Parallel()
	w, who := staffed(t), principal{email: boss}
	inviting := func(email string) string { return `{"email":"` + email + `","roles":["` + string(minimal) + `"]}` }
	limit := func(n string) {
		w.do(t, principal{token: theToken}, http.MethodPut, "/accounts/"+string(tenantA), `{"name":"A","settings":{"member_limit":`+n+`}}`).want(t, 200, 0)
	}
	limit("2")
	w.once(t, "k", who, http.MethodPost, membersA, inviting("new@example.com")).want(t, 400, 1204)
	w.once(t, "k", who, http.MethodPost, membersA, inviting(boss)).want(t, 400, 1207)
	limit("3")
	first := w.once(t, "k", who, http.MethodPost, membersA, inviting("new@example.com")).fresh(t)
	w.once(t, "k", who, http.MethodPost, membersA, inviting("new@example.com")).replays(t, first)
	// A seat that was lost since doesn't change what took place.
	limit("1")
	w.once(t, "k", who, http.MethodPost, membersA, inviting("new@example.com")).replays(t, first)
}

// slow is a store whose transactions are not answered in time.
type slow struct{ iam.Store }

func (slow) Update(context.Context, func(iam.Tx) error) error { return context.DeadlineExceeded }

// Clients repeat by themselves what they are told to: where nobody knows what
// came of a request, only one that has a key.
func TestWhoMayRepeatByItself(t *testing.T) {
	t.Parallel()
	w := staffed(t)
	now := func() time.Time { return start }
	handler := api.New(api.Options{
		Service: iam.NewService(slow{w.store}, func() string { return anID }, now), Auth: auth.New(w.store, now),
		NewID: func() string { return anID }, Now: now,
	})
	wire := contract.New(t).RoundTripper(inProcess{handler})
	for _, made := range creations() {
		for want, through := range map[string]http.RoundTripper{
			"true": withHeader{wire, "Idempotency-Key", []string{"k"}}, "false": wire,
		} {
			got := w.exchange(t, t.Context(), through, principal{email: boss}, http.MethodPost, made.path, made.body).want(t, 503, 10503)
			if again := got.header.Get("X-Should-Retry"); again != want || got.header.Get("Retry-After") == "" {
				t.Errorf("%s: X-Should-Retry is %q, want %q", made.name, again, want)
			}
		}
	}
}
