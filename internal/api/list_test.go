package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/test/contract"
)

// listed asks for a list and returns one field of each row.
func (w *world) listed(t *testing.T, who principal, path string, field func(row) string) []string {
	t.Helper()
	got := w.do(t, who, http.MethodGet, path, "").want(t, 200, 0)
	rows := got.rows(t)
	if got.Info.Count != len(rows) {
		t.Errorf("%s: count %d of %d rows", path, got.Info.Count, len(rows))
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = field(r)
	}
	return out
}

func name(r row) string  { return r.Name }
func email(r row) string { return r.Email }

func TestPages(t *testing.T) {
	t.Parallel()
	data := twoTenants()
	for i := range 12 {
		data.Memberships = append(data.Memberships, asked(iam.ID(fmt.Sprintf("%032x", i+1)), tenantB, fmt.Sprintf("m%02d@example.com", i), ownerB.email, iam.SuperAdministrator))
	}
	w := newWorld(t, data)
	members := "/accounts/" + string(tenantB) + "/members?order=user.email&per_page=5"
	var all []string
	for page := 1; ; page++ { // as the pagers of the SDKs do: until a page is empty
		got := w.do(t, ownerB, http.MethodGet, fmt.Sprintf("%s&page=%d", members, page), "").want(t, 200, 0)
		want := fmt.Sprintf("{%d 5 %d 14 3}", page, max(0, min(5, 14-5*(page-1))))
		if info := fmt.Sprint(got.Info); info != want {
			t.Errorf("page %d: result_info is %s; want %s", page, info, want)
		}
		rows := got.rows(t)
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			all = append(all, r.Email)
		}
	}
	if len(all) != 14 || !slices.IsSorted(all) {
		t.Errorf("the pages together are %v", all)
	}
	down := w.listed(t, ownerB, "/accounts/"+string(tenantB)+"/members?order=user.email&direction=desc&per_page=50", email)
	slices.Reverse(down)
	if !slices.Equal(down, all) {
		t.Errorf("downwards it is %v", down)
	}
	if got := w.listed(t, ownerB, "/accounts/"+string(tenantB)+"/members?email=M03%40example.com", email); !slices.Equal(got, []string{"m03@example.com"}) {
		t.Errorf("by address: %v", got)
	}
	for _, query := range []string{"page=9999999", "page=99999999999999999999"} {
		if got := w.bad(t, ownerB, http.MethodGet, "/organizations/"+string(tenantB)+"/invites?"+query, ""); got.status != 200 || len(got.rows(t)) > 0 {
			t.Errorf("%s: %d: %s", query, got.status, got.body)
		}
	}
	for _, query := range []string{"page=0", "per_page=4", "per_page=51", "order=id", "direction=up", "status=removed", "status=", "email=x", "page=1&page=1"} {
		got := w.bad(t, ownerB, http.MethodGet, "/accounts/"+string(tenantB)+"/members?"+query, "").want(t, 400, 1001)
		if got.pointer() == "" {
			t.Errorf("%s: nothing is blamed: %s", query, got.body)
		}
	}
}

// A published client asks for all roles at once, though the schema has 50 at
// the most.
func TestHundredRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	for _, path := range []string{"/accounts/" + string(tenantA) + "/roles", "/organizations/" + string(tenantA) + "/roles"} {
		ctx := contract.Exempt(t.Context(), "a published client asks so")
		got := w.exchange(t, ctx, inProcess{w.handler}, ownerA, http.MethodGet, path+"?per_page=100", "").want(t, 200, 0)
		names := make([]string, 0, 100)
		for _, r := range got.rows(t) {
			names = append(names, r.Name)
		}
		if len(names) != len(iam.BuiltinRoles())+1 || !slices.Contains(names, "Only A's") || !slices.IsSorted(names) {
			t.Errorf("%s: %d roles: %v", path, len(names), names)
		}
	}
	w.bad(t, ownerA, http.MethodGet, "/accounts/"+string(tenantA)+"/roles?per_page=101", "").want(t, 400, 1001)
	// A role of one account is none of another.
	w.do(t, ownerB, http.MethodGet, "/accounts/"+string(tenantB)+"/roles/"+string(roleA), "").want(t, 404, 1003)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	someone := principal{email: "someone@example.com"}
	data := iam.Dataset{Users: []iam.ImportUser{user("dddd00000000000000000000000000ff", someone.email), user("eeee00000000000000000000000000ff", ownerA.email)}}
	const reader = iam.ID("f2b20eaa1a5d4af42b53ac16238c99c7")
	for i, title := range []string{"Delta", "Alpha", "Beta", "Alpha"} {
		accountID := iam.ID(fmt.Sprintf("%032x", 0xa0-i))
		data.Accounts = append(data.Accounts, account(accountID, title))
		data.Memberships = append(data.Memberships, joined(iam.ID(fmt.Sprintf("%032x", 0x100+i)), accountID, ownerA.email, iam.SuperAdministrator))
		row := asked(iam.ID(fmt.Sprintf("%032x", 0x200+i)), accountID, someone.email, ownerA.email, reader)
		if i < 2 {
			row.Status = iam.Accepted
		}
		data.Memberships = append(data.Memberships, row)
	}
	w := newWorld(t, data)
	account := func(r row) string { return r.Name }
	tests := []struct {
		path string
		of   func(row) string
		want []string
	}{
		{"/accounts", name, []string{"Alpha", "Delta"}},
		{"/accounts?direction=desc", name, []string{"Delta", "Alpha"}},
		{"/accounts?name=Delta", name, []string{"Delta"}},
		{"/accounts?name=delta", name, []string{}},
		{"/user/organizations?order=name", account, []string{"Alpha", "Alpha", "Beta", "Delta"}},
		{"/user/organizations?order=id", account, []string{"Alpha", "Beta", "Alpha", "Delta"}},
		{"/user/organizations?order=id&direction=desc&per_page=5", account, []string{"Delta", "Alpha", "Beta", "Alpha"}},
		{"/user/organizations?order=status&direction=desc", account, []string{"Delta", "Alpha", "Beta", "Alpha"}},
		{"/user/organizations?status=member&order=name", account, []string{"Alpha", "Delta"}},
		{"/user/organizations?status=invited&order=name", account, []string{"Alpha", "Beta"}},
		{"/user/organizations?name=Alpha&status=member", account, []string{"Alpha"}},
		{"/user/organizations?name=Alpha&status=member&match=any&order=name", account, []string{"Alpha", "Alpha", "Delta"}},
		{"/user/organizations?match=any&name=Beta", account, []string{"Beta"}},
		{"/user/organizations?page=7", account, []string{}},
		{"/memberships?order=account.name&status=pending", func(r row) string { return r.ID[29:] }, []string{"203", "202"}},
		{"/memberships?account.name=Alpha&order=id", func(r row) string { return r.ID[29:] }, []string{"201", "203"}},
		{"/memberships?name=Alpha&account.name=Alpha&order=id&direction=desc", func(r row) string { return r.ID[29:] }, []string{"203", "201"}},
		{"/user/invites?status=pending", func(r row) string { return r.ID[29:] }, []string{"203", "202"}},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			if got := w.listed(t, someone, test.path, test.of); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	w.bad(t, someone, http.MethodGet, "/memberships?name=Alpha&account.name=Beta", "").want(t, 400, 1001)
	w.bad(t, someone, http.MethodGet, "/user/invites?status=pending&status=accepted", "").want(t, 400, 1001)
	w.bad(t, someone, http.MethodGet, "/user/invites?status=canceled", "").want(t, 400, 1001)
}

// An invitation that nobody answered is one, and shows no more than that,
// after its time; and a list of a user's is one page.
func TestInvitesAfterTheirTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	w.ahead.Store(int64(8 * 24 * time.Hour))
	got := w.do(t, guest, http.MethodGet, "/user/invites", "").want(t, 200, 0)
	for _, r := range got.rows(t) {
		if r.Status != "expired" {
			t.Errorf("%s is %q", r.ID, r.Status)
		}
	}
	if info := fmt.Sprint(got.Info); info != "{1 1000 2 2 1}" {
		t.Errorf("result_info is %s", info)
	}
	if rows := w.do(t, guest, http.MethodGet, "/memberships", "").rows(t); len(rows) > 0 {
		t.Errorf("memberships: %v", rows)
	}
}
