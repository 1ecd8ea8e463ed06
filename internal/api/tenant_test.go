package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"hither/internal/api"
	"hither/internal/iam"
)

// The ids of twoTenants. What is missing is 'c': nothing has such ids.
const (
	tenantA = iam.ID("aaaa0000000000000000000000000001")
	rowA    = iam.ID("aaaa0000000000000000000000000002") // its Super Administrator
	pendA   = iam.ID("aaaa0000000000000000000000000003") // it invited guest@
	doneA   = iam.ID("aaaa0000000000000000000000000005") // a member that it invited
	roleA   = iam.ID("aaaa0000000000000000000000000004") // a role of its own
	tenantB = iam.ID("bbbb0000000000000000000000000001")
	rowB    = iam.ID("bbbb0000000000000000000000000002")
	pendB   = iam.ID("bbbb0000000000000000000000000003")
	noOne   = iam.ID("cccc0000000000000000000000000001")
	noRow   = iam.ID("cccc0000000000000000000000000002")
	noRole  = iam.ID("cccc0000000000000000000000000003")
)

var (
	ownerA = principal{email: "owner-a@example.com"}
	ownerB = principal{email: "owner-b@example.com"}
	guest  = principal{email: "guest@example.com"}
)

// twoTenants have an owner each and have both invited the same guest.
func twoTenants() iam.Dataset {
	answered := joined(doneA, tenantA, "member@example.com", roleA)
	answered.InvitedBy = ownerA.email
	return iam.Dataset{
		Users: []iam.ImportUser{
			user("aaaa00000000000000000000000000ff", ownerA.email),
			user("bbbb00000000000000000000000000ff", ownerB.email),
			user("dddd00000000000000000000000000ff", guest.email),
			user("aaaa00000000000000000000000000fe", "member@example.com"),
		},
		Accounts: []iam.ImportAccount{account(tenantA, "A"), account(tenantB, "B")},
		Roles: []iam.ImportRole{{Role: iam.Role{
			ID: roleA, AccountID: tenantA, Name: "Only A's", Permissions: iam.Permissions{"dns": iam.Read},
		}}},
		Memberships: []iam.ImportMembership{
			joined(rowA, tenantA, ownerA.email, iam.SuperAdministrator),
			joined(rowB, tenantB, ownerB.email, iam.SuperAdministrator),
			asked(pendA, tenantA, guest.email, ownerA.email, iam.SuperAdministrator),
			answered,
			asked(pendB, tenantB, guest.email, ownerB.email, iam.SuperAdministrator),
		},
	}
}

// TestForeignIsLikeMissing replays every route that names something with ids
// of another tenant: the answer is that to an id that nothing has, byte for
// byte but for the path that it repeats (KF-33, KF-34, KF-35, KF-52).
func TestForeignIsLikeMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	for _, route := range api.Routes() {
		if !strings.Contains(route.Pattern, "{") {
			continue
		}
		path := strings.TrimPrefix(route.Pattern, api.Prefix)
		t.Run(route.Method+" "+path, func(t *testing.T) {
			t.Parallel()
			body := cell{route: route, role: iam.SuperAdministrator}.body()
			ask := func(account, member, role iam.ID) reply {
				target := strings.NewReplacer(
					"{account_id}", string(account), "{organization_id}", string(account), "{role_id}", string(role),
					"{member_id}", string(member), "{invite_id}", string(member), "{membership_id}", string(member),
					"{bulk_id}", string(member),
					"{webhook_id}", string(member), "{delivery_id}", string(member),
				).Replace(path)
				got := w.do(t, ownerB, route.Method, target, body)
				got.body = strings.NewReplacer(string(account), "ACCOUNT", string(member), "ROW", string(role), "ROLE").Replace(got.body)
				return got
			}
			missing := ask(noOne, noRow, noRole)
			if missing.status != http.StatusNotFound {
				t.Fatalf("ids that nothing has: %d: %s", missing.status, missing.body)
			}
			holdsSame(t, ask(tenantA, rowA, roleA), missing)
			holdsSame(t, ask(tenantA, pendA, roleA), missing)
			holdsSame(t, ask(tenantA, doneA, roleA), missing)
			holdsSame(t, ask(tenantA, noRow, noRole), missing)
			if strings.Count(path, "{") == 2 {
				// The row is one's own, the account is not; then the other way round.
				holdsSame(t, ask(tenantA, rowB, iam.SuperAdministrator), missing)
				missing = ask(tenantB, noRow, noRole)
				missing.want(t, http.StatusNotFound, 1003)
				holdsSame(t, ask(tenantB, rowA, roleA), missing)
				holdsSame(t, ask(tenantB, pendA, roleA), missing)
				holdsSame(t, ask(tenantB, doneA, roleA), missing)
			}
		})
	}
	// Nothing of all that changed anything.
	w.do(t, ownerA, http.MethodGet, "/accounts/"+string(tenantA)+"/members/"+string(pendA), "").want(t, 200, 0)
	w.do(t, guest, http.MethodGet, "/user/invites/"+string(pendA), "").want(t, 200, 0)
}

func holdsSame(t *testing.T, got, want reply) {
	t.Helper()
	if got.status != want.status || got.body != want.body || len(got.header) != len(want.header) {
		t.Errorf("somebody else's: %d %s\nnobody's:        %d %s", got.status, got.body, want.status, want.body)
	}
}

// KF-37: an id in the body is not looked at, whosever it is.
func TestIDsInBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	got := w.do(t, ownerB, http.MethodPut, "/accounts/"+string(tenantB), `{"id":"`+string(tenantA)+`","name":"Renamed","account":{"id":"`+string(tenantA)+`"}}`).want(t, 200, 0)
	if renamed := got.row(t); renamed.ID != string(tenantB) || renamed.Name != "Renamed" {
		t.Errorf("got %s", got.body)
	}
	if a := w.do(t, ownerA, http.MethodGet, "/accounts/"+string(tenantA), "").row(t); a.Name != "A" {
		t.Errorf("the other account is called %q now", a.Name)
	}
	got = w.do(t, ownerB, http.MethodPut, "/accounts/"+string(tenantB)+"/members/"+string(pendB),
		`{"id":"`+string(pendA)+`","account_id":"`+string(tenantA)+`","user":{"id":"`+string(rowA)+`"},"roles":[{"id":"05784afa30c1afe1440e79d9351c7430"}]}`).want(t, 200, 0)
	if got.row(t).ID != string(pendB) {
		t.Errorf("got %s", got.body)
	}
	// A role of the other account is a role that does not exist.
	foreign := w.do(t, ownerB, http.MethodPost, "/accounts/"+string(tenantB)+"/members", `{"email":"x@example.com","roles":["`+string(roleA)+`"]}`).want(t, 400, 1001)
	nobodys := w.do(t, ownerB, http.MethodPost, "/accounts/"+string(tenantB)+"/members", `{"email":"x@example.com","roles":["`+string(noRole)+`"]}`).want(t, 400, 1001)
	if strings.Replace(foreign.body, string(roleA), "", 1) != strings.Replace(nobodys.body, string(noRole), "", 1) {
		t.Errorf("somebody else's: %s\nnobody's:        %s", foreign.body, nobodys.body)
	}
}

// KF-4, KF-5: whoever has not proven an address sees nothing of what it was
// invited to, by any verb, and cannot be told from whoever was not invited.
func TestUnverifiedSeesNothing(t *testing.T) {
	t.Parallel()
	data := twoTenants()
	unproven := user("eeee00000000000000000000000000ff", "unproven@example.com")
	unproven.Verified = false
	row := iam.ID("aaaa0000000000000000000000000009")
	data.Users = append(data.Users, unproven)
	data.Memberships = append(data.Memberships, asked(row, tenantA, unproven.Email, ownerA.email, iam.SuperAdministrator))
	w := newWorld(t, data)
	who := principal{email: unproven.Email}
	for _, path := range []string{"/user/invites", "/memberships", "/memberships?status=pending", "/user/organizations"} {
		if rows := w.do(t, who, http.MethodGet, path, "").want(t, 200, 0).rows(t); len(rows) > 0 {
			t.Errorf("%s: %v; want nothing", path, rows)
		}
	}
	for _, ask := range []struct{ method, path, body string }{
		{http.MethodGet, "/user/invites/ID", ""},
		{http.MethodPatch, "/user/invites/ID", `{"status":"accepted"}`},
		{http.MethodPatch, "/user/invites/ID", `{"status":"rejected"}`},
		{http.MethodGet, "/memberships/ID", ""},
		{http.MethodPut, "/memberships/ID", `{"status":"accepted"}`},
		{http.MethodDelete, "/memberships/ID", ""},
	} {
		mine := w.do(t, who, ask.method, strings.Replace(ask.path, "ID", string(row), 1), ask.body).want(t, 404, 1003)
		nobodys := w.do(t, who, ask.method, strings.Replace(ask.path, "ID", string(noRow), 1), ask.body)
		holdsSame(t, mine, nobodys)
	}
}

// KF-95: nobody gets another's identity, however many ask at once.
func TestIdentitiesStayApart(t *testing.T) {
	t.Parallel()
	const users, rounds = 50, 20
	data := iam.Dataset{}
	for i := range users {
		data.Users = append(data.Users, user(iam.ID(fmt.Sprintf("%032x", i+1)), fmt.Sprintf("user%d@example.com", i)))
	}
	w := newWorld(t, data)
	var group sync.WaitGroup
	for i := range users {
		group.Go(func() {
			email := fmt.Sprintf("user%d@example.com", i)
			for range rounds {
				got := w.exchange(t, t.Context(), inProcess{w.handler}, principal{email: email}, http.MethodGet, "/user", "")
				if me := got.row(t); got.status != 200 || me.Email != email {
					t.Errorf("%s asked who it is and heard %d: %s", email, got.status, got.body)
					return
				}
			}
		})
	}
	group.Wait()
}

// KF-81, KF-82, KF-86: what was taken away is gone at the very next request.
func TestRevokedAtOnce(t *testing.T) {
	t.Parallel()
	w, me := documented(t)
	const userID, tokenID = iam.ID("7c5dae5552338874e5053f2534d2767a"), iam.ID("ed17574386854bf78a67040be0a770b0")
	other, token := principal{email: anEmail, key: aKey + "94abc"}, principal{token: aToken}
	asks := func(who principal, status, code int) {
		t.Helper()
		w.do(t, who, http.MethodGet, "/user/invites", "").want(t, status, code)
	}
	asks(me, 200, 0)
	asks(other, 200, 0)
	asks(token, 200, 0)
	if err := w.service.RevokeToken(t.Context(), commandLine, tokenID); err != nil {
		t.Fatal(err)
	}
	asks(token, 401, 1000)
	keys, err := w.service.Keys(t.Context(), commandLine, userID)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key.Hash != iam.HashSecret(aKey) {
			continue
		}
		if err := w.service.DisableKey(t.Context(), commandLine, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	asks(me, 403, 9103)
	asks(other, 200, 0)
	if err := w.service.SuspendUser(t.Context(), commandLine, userID, true); err != nil {
		t.Fatal(err)
	}
	asks(other, 403, 9103)
}

// KF-67: whatever is only looked at stays as it is. Every change has its audit
// row, so none may be added.
func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	rows := func() (count int) {
		t.Helper()
		for _, of := range []iam.ID{"", tenantA, tenantB} {
			entries, err := w.store.Audit(t.Context(), of, 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			count += len(entries)
		}
		return count
	}
	before := rows()
	for _, route := range api.Routes() {
		path := cell{route: route, account: tenantB, invite: pendB, own: pendB, ownIn: tenantB}.path()
		who := ownerB
		if route.Need == api.User {
			who = guest
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			r := ask(t, method, api.Prefix+path, `{"status":"accepted"}`, withJSON)
			maps.Copy(r.Header, who.headers())
			if got := send(w.handler, r); got.Code >= 500 {
				t.Errorf("%s %s: %d", method, path, got.Code)
			}
		}
	}
	if after := rows(); before == 0 || after != before {
		t.Errorf("%d audit rows before, %d after", before, after)
	}
}
