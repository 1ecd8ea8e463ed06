package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Need says who may use a route, in words; internal/iam is what enforces it,
// and a test holds the two together for every route and role.
type Need string

// The needs. Those that begin with # are a permission in the account that the
// path names, in the wire's older spelling. An operator token has everything
// but what is a user's own; the operator flag of a user adds Member,
// MembersRead, AuditRead, AccountEdit, Webhooks, SuperAdmin and Operator to its own rights, and
// doesn't lift its ceiling.
const (
	Public      Need = "public"        // anybody, without credentials
	Principal   Need = "principal"     // any valid credentials
	User        Need = "user"          // a user's credentials, for what is its own
	Member      Need = "member"        // an accepted member of the account
	MembersRead Need = "#members:read" // the area iam.AreaMembers
	MembersEdit Need = "#members:edit"
	AuditRead   Need = "#audit_logs:read"                    // the area iam.AreaAudit
	AccountEdit Need = "#organization:edit"                  // the area iam.AreaAccount
	Webhooks    Need = "#organization:edit #audit_logs:read" // both of them
	SuperAdmin  Need = "super"                               // a Super Administrator of the account
	Operator    Need = "operator"
	Reporter    Need = "mail_report" // the token of who carries the operator's mail, which is good for nothing else
)

// Route is one operation of the wire.
type Route struct {
	Method  string
	Pattern string // as net/http's mux takes it, without the method
	Need    Need

	handle func(*exchange) (answer, error)
}

// table is everything that is served. Paths are below Prefix; HEAD comes with
// GET.
func table() []Route {
	const (
		get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
		patch, del     = http.MethodPatch, http.MethodDelete
	)
	return []Route{
		{get, "/user", User, readUser},
		{patch, "/user", User, changeUser},
		{get, "/user/tokens/verify", Principal, verifyToken},
		{get, "/user/keys", User, listKeys},
		{post, "/user/keys/{key_id}/rotate", User, rotateKey},

		{get, "/user/audit_logs", User, listUserAudit},

		{get, "/user/invites", User, listInvites},
		{get, "/user/invites/{invite_id}", User, readInvite},
		{patch, "/user/invites/{invite_id}", User, answerInvite},
		{post, "/user/invites/{invite_id}/remind", User, remindOfInvite},

		{get, "/memberships", User, listMemberships},
		{get, "/memberships/{membership_id}", User, readMembership},
		{put, "/memberships/{membership_id}", User, answerMembership},
		{del, "/memberships/{membership_id}", User, leaveMembership},

		{get, "/accounts", Principal, listAccounts},
		{post, "/accounts", Operator, createAccount},
		{get, "/accounts/{account_id}", Member, readAccount},
		{put, "/accounts/{account_id}", AccountEdit, changeAccount},
		{del, "/accounts/{account_id}", SuperAdmin, deleteAccount},

		{get, "/accounts/{account_id}/members", MembersRead, listMembers},
		{post, "/accounts/{account_id}/members", MembersEdit, addMember},
		{get, "/accounts/{account_id}/members/{member_id}", MembersRead, readMember},
		{put, "/accounts/{account_id}/members/{member_id}", MembersEdit, changeMember},
		{del, "/accounts/{account_id}/members/{member_id}", MembersEdit, removeMember},
		{post, "/accounts/{account_id}/members/{member_id}/resend", MembersEdit, resendMember},
		{get, "/accounts/{account_id}/audit_logs", AuditRead, listAccountAudit},
		{get, "/accounts/{account_id}/logs/audit", AuditRead, listLogs},
		{get, "/accounts/{account_id}/events", AuditRead, listEvents},
		{get, "/accounts/{account_id}/webhooks", Webhooks, listWebhooks},
		{post, "/accounts/{account_id}/webhooks", Webhooks, createWebhook},
		{get, "/accounts/{account_id}/webhooks/{webhook_id}", Webhooks, readWebhook},
		{patch, "/accounts/{account_id}/webhooks/{webhook_id}", Webhooks, changeWebhook},
		{del, "/accounts/{account_id}/webhooks/{webhook_id}", Webhooks, deleteWebhook},
		{post, "/accounts/{account_id}/webhooks/{webhook_id}/rotate", Webhooks, rotateWebhook},
		{post, "/accounts/{account_id}/webhooks/{webhook_id}/ping", Webhooks, pingWebhook},
		{get, "/accounts/{account_id}/webhooks/{webhook_id}/deliveries", Webhooks, listWebhookDeliveries},
		{get, "/accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}", Webhooks, readWebhookDelivery},
		{post, "/accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", Webhooks, replayWebhookDelivery},
		{get, "/accounts/{account_id}/roles", Member, listRoles},
		{get, "/accounts/{account_id}/roles/{role_id}", Member, readRole},

		{post, "/mail/reports", Reporter, reportMail},

		// The older form of the same things.
		{get, "/user/organizations", User, listUserOrganizations},
		{get, "/user/organizations/{organization_id}", User, readUserOrganization},
		{del, "/user/organizations/{organization_id}", User, leaveOrganization},
		{get, "/organizations/{organization_id}/invites", MembersRead, listOrganizationInvites},
		{post, "/organizations/{organization_id}/invites", MembersEdit, createOrganizationInvite},
		{get, "/organizations/{organization_id}/invites/bulk", MembersEdit, listBulks},
		{post, "/organizations/{organization_id}/invites/bulk", MembersEdit, startBulk},
		{get, "/organizations/{organization_id}/invites/bulk/{bulk_id}", MembersEdit, readBulk},
		{del, "/organizations/{organization_id}/invites/bulk/{bulk_id}", MembersEdit, cancelBulk},
		{get, "/organizations/{organization_id}/invites/bulk/{bulk_id}/results", MembersEdit, listBulkRows},
		{get, "/organizations/{organization_id}/invites/stats", MembersRead, readFunnel},
		{get, "/organizations/{organization_id}/invites/{invite_id}", MembersRead, readOrganizationInvite},
		{patch, "/organizations/{organization_id}/invites/{invite_id}", MembersEdit, changeOrganizationInvite},
		{del, "/organizations/{organization_id}/invites/{invite_id}", MembersEdit, cancelOrganizationInvite},
		{post, "/organizations/{organization_id}/invites/{invite_id}/resend", MembersEdit, resendOrganizationInvite},
		{post, "/organizations/{organization_id}/invites/{invite_id}/renew", MembersEdit, renewOrganizationInvite},
		{post, "/organizations/{organization_id}/invites/{invite_id}/confirm", MembersEdit, confirmOrganizationInvite},
		{post, "/organizations/{organization_id}/invites/{invite_id}/link", MembersEdit, linkOrganizationInvite},
		{get, "/organizations/{organization_id}/invites/{invite_id}/deliveries", MembersRead, listDeliveries},
		{get, "/organizations/{organization_id}/roles", Member, listOrganizationRoles},
		{get, "/organizations/{organization_id}/audit_logs", AuditRead, listOrganizationAudit},
	}
}

// Routes lists everything that is served, with whole paths.
func Routes() []Route {
	all := table()
	for i := range all {
		all[i].Pattern = Prefix + all[i].Pattern
	}
	return append(all, Route{http.MethodGet, "/openapi.yaml", Public, describe})
}

// endpoints are the paths with their methods.
func (a *wire) endpoints() map[string]*endpoint {
	wildcard := regexp.MustCompile(`\{(\w+)\}`)
	byPattern := map[string]*endpoint{}
	for _, route := range Routes() {
		e := byPattern[route.Pattern]
		if e == nil {
			e = &endpoint{wire: a, pattern: route.Pattern, methods: map[string]Route{}}
			for _, match := range wildcard.FindAllStringSubmatch(route.Pattern, -1) {
				e.ids = append(e.ids, match[1])
			}
			byPattern[route.Pattern] = e
		}
		e.methods[route.Method] = route
	}
	return byPattern
}

// methodOf is the method by which a request finds its route: a HEAD is a GET
// whose body is not sent.
func methodOf(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// allowed lists the methods of a path, for the header Allow.
func allowed(methods map[string]Route) string {
	names := make([]string, 0, len(methods)+1)
	for name := range methods {
		names = append(names, name)
		if name == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
