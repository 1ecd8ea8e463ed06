package api_test

import (
	"net/http"
	"strings"
	"testing"

	"hither/internal/api"
	"hither/internal/iam"
)

// standing is where somebody stands towards an account.
type standing struct {
	name     string
	roles    iam.Permissions // of an accepted member; nil: is none
	super    bool
	status   iam.Status // of the row, where it is not accepted
	operator bool       // carries the operator's flag
	token    bool       // asks by the operator's token
	enforced bool       // the account enforces two-factor authentication
	guarded  bool       // has a second factor
}

func standings() []standing {
	const rw = iam.Read | iam.Write
	return []standing{
		{name: "stranger"},
		{name: "invited", status: iam.Pending},
		{name: "refuser", status: iam.Rejected},
		{name: "removed", status: iam.Removed},
		{name: "gone", status: iam.Left},
		{name: "outsider of members", roles: iam.Permissions{"dns": rw}},
		{name: "reader of members", roles: iam.Permissions{"members": iam.Read, "dns": iam.Read}},
		{name: "manager of members", roles: iam.Permissions{"members": rw, "dns": iam.Read}},
		{name: "keeper of settings", roles: iam.Permissions{"organization": rw}},
		{name: "reader of settings", roles: iam.Permissions{"organization": iam.Read}},
		{name: "reader of the log", roles: iam.Permissions{"audit_logs": iam.Read}},
		{name: "manager of both", roles: iam.Permissions{"members": rw, "organization": rw}},
		{name: "keeper of settings who reads the log", roles: iam.Permissions{"organization": rw, "audit_logs": iam.Read}},
		{name: "super", super: true},
		{name: "operator", operator: true},
		{name: "operating reader", operator: true, roles: iam.Permissions{"members": iam.Read}},
		{name: "token", token: true},
		{name: "bare super", super: true, enforced: true},
		{name: "bare manager", roles: iam.Permissions{"members": rw, "organization": rw}, enforced: true},
		{name: "bare operator", operator: true, enforced: true},
		{name: "bare stranger", enforced: true},
		{name: "bare invited", status: iam.Pending, enforced: true},
		{name: "guarded super", super: true, enforced: true, guarded: true},
		{name: "token where it is enforced", token: true, enforced: true},
	}
}

func (s standing) member() bool { return s.super || s.roles != nil }

func (s standing) may(area string, access iam.Access) bool {
	return s.super || s.token || s.roles[area]&access == access
}

// sees reports whether the account exists for it at all.
func (s standing) sees() bool { return s.member() || s.operator || s.token }

// allowed says who may use a route, by its need alone; a need that is not here
// fails the test. It returns the refusal's status and code, 0 and 0 for none.
func allowed(t *testing.T, need api.Need, s standing) (status, code int) {
	t.Helper()
	within := func(may bool) (int, int) {
		switch {
		case s.enforced && !s.guarded && !s.token && s.sees(): // KF-70
			return http.StatusForbidden, 1203
		case may:
			return 0, 0
		case s.sees():
			return http.StatusForbidden, 9109
		default:
			return http.StatusNotFound, 7003
		}
	}
	switch need {
	case api.Principal:
		return 0, 0
	case api.User:
		if s.token {
			return http.StatusForbidden, 9109
		}
		return 0, 0
	case api.Member:
		return within(s.sees())
	case api.MembersRead:
		return within(s.operator || s.may(iam.AreaMembers, iam.Read))
	case api.MembersEdit:
		return within(s.may(iam.AreaMembers, iam.Write))
	case api.AuditRead:
		return within(s.operator || s.may(iam.AreaAudit, iam.Read))
	case api.AccountEdit:
		return within(s.operator || s.may(iam.AreaAccount, iam.Write))
	case api.Webhooks:
		return within(s.operator || s.may(iam.AreaAccount, iam.Write) && s.may(iam.AreaAudit, iam.Read))
	case api.SuperAdmin:
		return within(s.operator || s.token || s.super)
	case api.Operator:
		if s.operator || s.token {
			return 0, 0
		}
		return http.StatusForbidden, 9109
	case api.Reporter: // whatever the rights
		return http.StatusUnauthorized, 1000
	case api.Public:
	}
	t.Fatalf("the need %q has no rule here", need)
	return 0, 0
}

// cell is one account of the matrix, for one route and one standing.
type cell struct {
	route     api.Route
	who       standing
	principal principal
	account   iam.ID
	role      iam.ID // what the standing itself has, or any
	invite    iam.ID // a pending row of somebody else
	own       iam.ID // a pending invitation of who asks, in another account
	ownIn     iam.ID // that account
}

// TestPermissionMatrix asks every route as everybody: whoever is not allowed
// by name is refused (KF-18 to KF-23). It is made of Routes, so a new route is
// in it or fails it.
func TestPermissionMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iam.Dataset{})
	const operatorToken = "operator-operator-operator-opera"
	admin := user(w.fresh(), "admin@example.com")
	data := iam.Dataset{
		Users:  []iam.ImportUser{admin},
		Tokens: []iam.ImportToken{{Name: "operator", Secret: operatorToken}},
	}
	var cells []cell
	for i, who := range standings() {
		someone := user(w.fresh(), "who"+string(rune('a'+i))+"@example.com")
		someone.Operator, someone.TwoFactor = who.operator, who.guarded
		data.Users = append(data.Users, someone)
		role := iam.SuperAdministrator
		if who.roles != nil {
			role = w.fresh()
			data.Roles = append(data.Roles, iam.ImportRole{Role: iam.Role{ID: role, Name: who.name, Permissions: who.roles}})
		}
		for _, route := range api.Routes() {
			if route.Need == api.Public {
				continue
			}
			c := cell{route: route, who: who, role: role, principal: principal{email: someone.Email}}
			if who.token {
				c.principal = principal{token: operatorToken}
			}
			w.furnish(&data, &c, admin.Email)
			cells = append(cells, c)
		}
	}
	w.load(t, data)
	for _, c := range cells {
		t.Run(c.route.Method+" "+c.route.Pattern+" as "+c.who.name, func(t *testing.T) {
			t.Parallel()
			status, code := allowed(t, c.route.Need, c.who)
			if status == 0 {
				status = http.StatusOK
			}
			got := w.do(t, c.principal, c.route.Method, c.path(), c.body())
			if c.route.Pattern == api.Prefix+"/user/tokens/verify" && !c.who.token {
				status, code = http.StatusUnauthorized, 1000 // a key is no token
			}
			if status == http.StatusOK && strings.Contains(c.route.Pattern, "{bulk_id}") {
				status, code = http.StatusNotFound, 1003 // nobody's
			}
			if strings.Contains(c.route.Pattern, "{key_id}") && !c.who.token {
				status, code = http.StatusNotFound, 1003 // nobody's: whoever drew its own anew could not go on
			}
			if strings.Contains(c.route.Pattern, "{webhook_id}") && code == 0 {
				status, code = http.StatusNotFound, 1003 // there is none: who may not know is refused before
			}
			bare := strings.HasPrefix(got.body, `{"id":`)
			if got.status != status || got.code() != code || !bare && got.Success != (code == 0) {
				t.Errorf("got %d with %d, want %d with %d: %s", got.status, got.code(), status, code, got.body)
			}
		})
	}
}

// furnish adds the accounts of a cell: one in which it happens, and one that
// invited whoever asks.
func (w *world) furnish(data *iam.Dataset, c *cell, admin string) {
	c.account, c.invite, c.own, c.ownIn = w.fresh(), w.fresh(), w.fresh(), w.fresh()
	own := account(c.account, "Account")
	own.EnforceTwoFactor = c.who.enforced
	data.Accounts = append(data.Accounts, own, account(c.ownIn, "Other"))
	data.Memberships = append(data.Memberships,
		joined(w.fresh(), c.account, admin, iam.SuperAdministrator), joined(w.fresh(), c.ownIn, admin, iam.SuperAdministrator),
		asked(c.invite, c.account, "third@example.com", admin, c.role))
	if c.principal.email == "" {
		return
	}
	data.Memberships = append(data.Memberships, asked(c.own, c.ownIn, c.principal.email, admin, c.role))
	switch {
	case c.who.member():
		data.Memberships = append(data.Memberships, joined(w.fresh(), c.account, c.principal.email, c.role))
	case c.who.status == iam.Pending:
		data.Memberships = append(data.Memberships, asked(w.fresh(), c.account, c.principal.email, admin, c.role))
	case c.who.status != "":
		row := joined(w.fresh(), c.account, c.principal.email, c.role)
		row.Status = c.who.status
		data.Memberships = append(data.Memberships, row)
	}
}

// path is the route's, with the ids of the cell. What is a user's own is
// addressed by its own rows.
func (c cell) path() string {
	own := c.route.Need == api.User
	pick := func(mine, theirs iam.ID) string {
		if own {
			return string(mine)
		}
		return string(theirs)
	}
	return strings.NewReplacer(
		api.Prefix, "",
		"{account_id}", string(c.account),
		"{organization_id}", pick(c.ownIn, c.account),
		"{invite_id}", pick(c.own, c.invite),
		"{membership_id}", string(c.own),
		"{member_id}", string(c.invite),
		"{role_id}", string(iam.SuperAdministrator),
		"{key_id}", string(noRow),
		"{bulk_id}", string(noRow),
		"{webhook_id}", string(noRow),
		"{delivery_id}", string(noRow),
	).Replace(c.route.Pattern)
}

// body is one that the route takes, asking for no more than the standing has.
func (c cell) body() string {
	switch c.route.Method + " " + strings.TrimPrefix(c.route.Pattern, api.Prefix) {
	case "PATCH /user":
		return `{"first_name":"Jo"}`
	case "PATCH /user/invites/{invite_id}", "PUT /memberships/{membership_id}":
		return `{"status":"accepted"}`
	case "POST /accounts", "PUT /accounts/{account_id}":
		return `{"name":"New name"}`
	case "POST /accounts/{account_id}/members":
		return `{"email":"fourth@example.com","roles":["` + string(c.role) + `"]}`
	case "POST /organizations/{organization_id}/invites":
		return `{"invited_member_email":"fourth@example.com","roles":[{"id":"` + string(c.role) + `"}]}`
	case "POST /mail/reports":
		return `{"reports":[]}`
	case "POST /organizations/{organization_id}/invites/bulk":
		return "email,roles\nfourth@example.com," + string(c.role) + "\n"
	case "POST /accounts/{account_id}/webhooks":
		return `{"url":"https://example.com/hooks"}`
	case "PATCH /accounts/{account_id}/webhooks/{webhook_id}":
		return `{"name":"x"}`
	case "POST /user/invites/{invite_id}/remind":
		return `{"in_days":1}`
	case "PUT /accounts/{account_id}/members/{member_id}", "PATCH /organizations/{organization_id}/invites/{invite_id}":
		return `{"roles":["` + string(c.role) + `"]}`
	}
	return ""
}
