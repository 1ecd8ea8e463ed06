package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

// Who asks, in the matrix below.
const (
	anonymous    = "anonymous"
	stranger     = "stranger"      // a user of no account
	outsider     = "outsider"      // Super Administrator of another account
	guest        = "guest"         // invited to the account, has yet to answer
	minimal      = "minimal"       // Minimal Account Access
	reader       = "reader"        // Administrator Read Only
	admin        = "administrator" // Administrator: changes the account, sees its members
	managing     = "manager"       // writes members, reads the account
	super        = "super"         // Super Administrator
	operatorUser = "operator user" // carries the operator flag, belongs to nothing
	operatorBot  = "operator token"
)

// verdicts is what an operation answers to each of them; by code, 0 for 200.
type verdicts map[string]int

var statusOf = map[int]int{0: 200, 1000: 401, 1003: 404, 7003: 404, 9106: 400, 9109: 403}

func (v verdicts) but(others verdicts) verdicts {
	merged := maps.Clone(v)
	maps.Copy(merged, others)
	return merged
}

var (
	// anyUser is for what every user has: itself.
	anyUser = verdicts{
		anonymous: 9106, stranger: 0, outsider: 0, guest: 0, minimal: 0, reader: 0, admin: 0, managing: 0, super: 0,
		operatorUser: 0, operatorBot: 9109,
	}
	// onlyGuest is for the guest's own invitation: no role in the account and
	// no operator's right reaches it from the user's side.
	onlyGuest = verdicts{
		anonymous: 9106, stranger: 1003, outsider: 1003, guest: 0, minimal: 1003, reader: 1003, admin: 1003, managing: 1003, super: 1003,
		operatorUser: 1003, operatorBot: 9109,
	}
	// belonging is for the user's own row in the account.
	belonging = anyUser.but(verdicts{stranger: 7003, outsider: 7003, operatorUser: 7003})

	anyMember   = anyUser.but(verdicts{stranger: 7003, outsider: 7003, guest: 7003, operatorBot: 0})
	readMembers = anyMember.but(verdicts{minimal: 9109})
	// editMembers: the operator flag of a user does not lift its role ceiling.
	editMembers = readMembers.but(verdicts{reader: 9109, admin: 9109, operatorUser: 9109})
	readAudit   = anyMember.but(verdicts{minimal: 9109, managing: 9109})
	editAccount = anyMember.but(verdicts{minimal: 9109, reader: 9109, managing: 9109})
	// aWebhook is nobody's where it is asked for: whoever may look finds none.
	aWebhook   = editAccount.but(verdicts{admin: 1003, super: 1003, operatorUser: 1003, operatorBot: 1003})
	endAccount = editAccount.but(verdicts{admin: 9109})

	onlyOperator = anyUser.but(verdicts{
		stranger: 9109, outsider: 9109, guest: 9109, minimal: 9109, reader: 9109, admin: 9109, managing: 9109, super: 9109, operatorBot: 0,
	})
	anyToken = verdicts{
		anonymous: 9106, stranger: 1000, outsider: 1000, guest: 1000, minimal: 1000, reader: 1000, admin: 1000, managing: 1000, super: 1000,
		operatorUser: 1000, operatorBot: 0,
	}
	// nobody: it takes a token that is nobody's, whatever the rights.
	nobody = anyToken.but(verdicts{operatorBot: 1000})
)

// allowed is who may do what. An operation of the document that is not here
// fails the test: nothing is allowed until somebody wrote down to whom.
var allowed = map[string]verdicts{
	"POST /mail/reports": nobody,

	"GET /user":               anyUser,
	"PATCH /user":             anyUser,
	"GET /user/tokens/verify": anyToken,
	"GET /user/keys":          anyUser,

	"POST /user/keys/{key_id}/rotate": onlyGuest.but(verdicts{guest: 1003}), // asked for with nobody's

	"GET /user/audit_logs": anyUser,

	"GET /user/invites":               anyUser,
	"GET /user/invites/{invite_id}":   onlyGuest,
	"PATCH /user/invites/{invite_id}": onlyGuest,

	"POST /user/invites/{invite_id}/remind": onlyGuest,

	"GET /memberships":                    anyUser,
	"GET /memberships/{membership_id}":    onlyGuest,
	"PUT /memberships/{membership_id}":    onlyGuest,
	"DELETE /memberships/{membership_id}": onlyGuest,

	"GET /accounts":                 anyUser.but(verdicts{operatorBot: 0}),
	"POST /accounts":                onlyOperator,
	"GET /accounts/{account_id}":    anyMember,
	"PUT /accounts/{account_id}":    editAccount,
	"DELETE /accounts/{account_id}": endAccount,

	"GET /accounts/{account_id}/webhooks":                                               editAccount,
	"POST /accounts/{account_id}/webhooks":                                              editAccount,
	"GET /accounts/{account_id}/webhooks/{webhook_id}":                                  aWebhook,
	"PATCH /accounts/{account_id}/webhooks/{webhook_id}":                                aWebhook,
	"DELETE /accounts/{account_id}/webhooks/{webhook_id}":                               aWebhook,
	"POST /accounts/{account_id}/webhooks/{webhook_id}/rotate":                          aWebhook,
	"POST /accounts/{account_id}/webhooks/{webhook_id}/ping":                            aWebhook,
	"GET /accounts/{account_id}/webhooks/{webhook_id}/deliveries":                       aWebhook,
	"GET /accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}":         aWebhook,
	"POST /accounts/{account_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": aWebhook,

	"GET /accounts/{account_id}/members":                     readMembers,
	"POST /accounts/{account_id}/members":                    editMembers,
	"GET /accounts/{account_id}/members/{member_id}":         readMembers,
	"PUT /accounts/{account_id}/members/{member_id}":         editMembers,
	"DELETE /accounts/{account_id}/members/{member_id}":      editMembers,
	"POST /accounts/{account_id}/members/{member_id}/resend": editMembers,
	"GET /accounts/{account_id}/audit_logs":                  readAudit,
	"GET /accounts/{account_id}/logs/audit":                  readAudit,
	"GET /accounts/{account_id}/events":                      readAudit,
	"GET /accounts/{account_id}/roles":                       anyMember,
	"GET /accounts/{account_id}/roles/{role_id}":             anyMember,

	"GET /user/organizations":                            anyUser,
	"GET /user/organizations/{organization_id}":          belonging,
	"DELETE /user/organizations/{organization_id}":       belonging,
	"GET /organizations/{organization_id}/invites":       readMembers,
	"POST /organizations/{organization_id}/invites":      editMembers,
	"GET /organizations/{organization_id}/invites/bulk":  editMembers,
	"POST /organizations/{organization_id}/invites/bulk": editMembers,
	// Asked for with nobody's; there is a story of one's own in bulk_test.go.
	"GET /organizations/{organization_id}/invites/bulk/{bulk_id}":         editMembers.but(verdicts{managing: 1003, super: 1003, operatorBot: 1003}),
	"DELETE /organizations/{organization_id}/invites/bulk/{bulk_id}":      editMembers.but(verdicts{managing: 1003, super: 1003, operatorBot: 1003}),
	"GET /organizations/{organization_id}/invites/bulk/{bulk_id}/results": editMembers.but(verdicts{managing: 1003, super: 1003, operatorBot: 1003}),
	"GET /organizations/{organization_id}/invites/{invite_id}":            readMembers,
	"PATCH /organizations/{organization_id}/invites/{invite_id}":          editMembers,
	"DELETE /organizations/{organization_id}/invites/{invite_id}":         editMembers,
	"POST /organizations/{organization_id}/invites/{invite_id}/resend":    editMembers,
	"POST /organizations/{organization_id}/invites/{invite_id}/renew":     editMembers,
	"POST /organizations/{organization_id}/invites/{invite_id}/confirm":   editMembers,
	"POST /organizations/{organization_id}/invites/{invite_id}/link":      editMembers,
	"GET /organizations/{organization_id}/invites/stats":                  readMembers,
	"GET /organizations/{organization_id}/invites/{invite_id}/deliveries": readMembers,
	"GET /organizations/{organization_id}/roles":                          anyMember,
	"GET /organizations/{organization_id}/audit_logs":                     readAudit,
}

// who lists them, from the one who may least.
var who = []string{anonymous, stranger, outsider, guest, minimal, reader, admin, managing, super, operatorUser, operatorBot}

// addressOf is the address of one who is a user.
func addressOf(name string) string { return strings.ReplaceAll(name, " ", "-") + "@who.test" }

// staffed adds an account in which each of them is what its name says.
func staffed(seed *harness.Seed, account string) {
	seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: harness.ID(account), Name: account})
	for name, role := range map[string]string{
		"founder": harness.SuperAdministrator, super: harness.SuperAdministrator, minimal: harness.MinimalAccess,
		reader: harness.ReadOnly, admin: harness.Administrator, managing: manager, "target": viewer,
	} {
		seed.Member(account, addressOf(name), role)
	}
	invited(seed, account, addressOf(guest), addressOf("founder"), viewer)
}

// sampleBody is a body that each operation takes.
func sampleBody(operation, fresh string) any {
	roles := []string{harness.MinimalAccess}
	switch operation {
	case "PATCH /user":
		return object{"first_name": "Ada"}
	case "PATCH /user/invites/{invite_id}", "PUT /memberships/{membership_id}":
		return object{"status": "accepted"}
	case "POST /accounts", "PUT /accounts/{account_id}":
		return object{"name": fresh}
	case "POST /accounts/{account_id}/members":
		return object{"email": fresh + "@fresh.test", "roles": roles}
	case "POST /organizations/{organization_id}/invites":
		return object{"invited_member_email": fresh + "@fresh.test", "roles": roles}
	case "POST /accounts/{account_id}/webhooks":
		return object{"url": "https://example.com/" + fresh}
	case "PATCH /accounts/{account_id}/webhooks/{webhook_id}":
		return object{"name": fresh}
	case "POST /mail/reports":
		return object{"reports": []object{}}
	case "POST /organizations/{organization_id}/invites/bulk":
		return harness.CSV("email,roles\n" + fresh + "@fresh.test," + harness.MinimalAccess + "\n")
	case "POST /user/invites/{invite_id}/remind":
		return object{"in_days": 1}
	case "PUT /accounts/{account_id}/members/{member_id}", "PATCH /organizations/{organization_id}/invites/{invite_id}":
		return object{"roles": roles}
	}
	return nil
}

// TestPermissionMatrix asks for every operation of the document as everybody:
// a member's rights are its roles', and everybody else's are none (KF-22,
// KF-23). Who may not read members sees neither them nor whom the account
// invited, and somebody who was invited sees nothing of the account before it
// accepted (KF-46). KF-42: every answer is held to the document's closed
// schemas on the way.
func TestPermissionMatrix(t *testing.T) {
	t.Parallel()
	cells := matrix(t)
	seed := newSeed()
	for _, name := range append([]string{"founder", "target"}, who...) {
		if name != anonymous && name != operatorBot && name != outsider {
			person(seed, harness.SeedUser{Email: addressOf(name), Operator: name == operatorUser})
		}
	}
	seed.Account("elsewhere", addressOf(outsider))
	staffed(seed, "plain")
	for _, c := range cells {
		if c.account != "plain" {
			staffed(seed, c.account)
		}
	}
	s := newSite(t, seed, "--base-url=https://hither.test") // a link that is shown has to lead somewhere

	outsidersSeeNoAddresses(t, s)
	before := s.content(t, "audit")
	mustBeDenied := map[string]string{} // request id: cell
	for _, c := range cells {
		if c.changes() {
			continue
		}
		answer := c.ask(t, s)
		if c.want != 0 && c.audited() {
			mustBeDenied[answer.Header.Get("X-Request-Id")] = c.String()
		}
	}
	s.unchanged(t, before, "what was refused or only read")
	denials := s.denials(t)
	for id, cell := range mustBeDenied {
		if denials[id] == nil {
			t.Errorf("%s: the refusal is not in the audit log", cell)
		}
	}
	for _, c := range cells {
		if c.changes() {
			c.ask(t, s)
		}
	}
}

// cell is one operation, asked for by one principal.
type cell struct {
	operation

	who     string
	want    int
	account string // whose: "plain", or one of its own
}

func matrix(t *testing.T) []cell {
	t.Helper()
	var cells []cell
	known := map[string]bool{}
	for _, o := range operations(t) {
		known[o.name] = true
		expected, ok := allowed[o.name]
		if !ok {
			t.Errorf("KF-22: %s: the document has it, and the matrix does not say who may ask for it", o.name)
			continue
		}
		for _, name := range who {
			want, ok := expected[name]
			if !ok {
				t.Errorf("KF-22: %s: the matrix does not say what %s gets", o.name, name)
			}
			c := cell{operation: o, who: name, want: want, account: "plain"}
			if c.changes() && len(o.params) > 0 {
				c.account = o.name + " " + name
			}
			cells = append(cells, c)
		}
	}
	for name := range allowed {
		if !known[name] {
			t.Errorf("%s: the matrix has it, and the document does not", name)
		}
	}
	return cells
}

func (c cell) String() string { return c.name + " as " + c.who }

func (c cell) changes() bool { return c.want == 0 && !c.reads() }

// audited says whether the audit log has to know of a refusal: of a change, by
// somebody who is known, of something that is there.
func (c cell) audited() bool {
	onAccount := strings.HasPrefix(c.path, "/accounts/") || strings.HasPrefix(c.path, "/organizations/")
	onRow := c.want == 1003 && !strings.Contains(c.path, "{key_id}")
	return !c.reads() && c.who != anonymous && (onAccount || onRow)
}

func (c cell) ask(t *testing.T, s *site) harness.Answer {
	t.Helper()
	client := s.as(addressOf(c.who))
	switch c.who {
	case anonymous:
		client = s.client
	case operatorBot:
		client = s.operator()
	}
	account := harness.ID(c.account)
	pending := rowID(c.account, addressOf(guest))
	member := rowID(c.account, addressOf("target"))
	if strings.HasSuffix(c.path, "/resend") { // what was answered is not sent again
		member = pending
	}
	path := c.at(map[string]string{
		"account_id": account, "organization_id": account, "role_id": viewer,
		"member_id": member, "invite_id": pending, "membership_id": pending,
	})
	body := sampleBody(c.name, strings.ReplaceAll(c.who, " ", "-"))
	answer := client.Must(t, c.method, path, body)
	want := fmt.Sprint(statusOf[c.want])
	if c.want != 0 {
		want += "/" + fmt.Sprint(c.want)
	}
	if got := outcome(answer); got != want {
		t.Errorf("KF-22: %s: got %s, want %s: %s", c, got, want, answer.Body)
	}
	if c.reads() {
		head := client.Exempt("HEAD is a GET without a body").Must(t, http.MethodHead, path, nil)
		if head.HTTPStatus != answer.HTTPStatus || len(head.Body) > 0 {
			t.Errorf("HEAD of %s: got %d and %d bytes, want %d and none", c, head.HTTPStatus, len(head.Body), answer.HTTPStatus)
		}
	}
	return answer
}

// outsidersSeeNoAddresses is what KF-46 is about in the answers themselves:
// whoever may not see members or belongs elsewhere is not shown an address of
// the account anywhere, not even in lists of its own.
func outsidersSeeNoAddresses(t *testing.T, s *site) {
	t.Helper()
	hidden := []string{"founder", "target", super, reader, admin, managing}
	for name, alsoHidden := range map[string][]string{
		stranger: {guest, minimal}, outsider: {guest, minimal}, minimal: {guest}, guest: {minimal},
	} {
		client := s.as(addressOf(name))
		for _, o := range operations(t) {
			if !o.reads() {
				continue
			}
			account, pending := harness.ID("plain"), rowID("plain", addressOf(guest))
			answer := client.Must(t, http.MethodGet, o.at(map[string]string{
				"account_id": account, "organization_id": account, "role_id": viewer,
				"member_id": pending, "invite_id": pending, "membership_id": pending,
			}), nil)
			for _, other := range slices.Concat(hidden, alsoHidden) {
				// Who invited is told to who was invited.
				if name == guest && other == "founder" {
					continue
				}
				if strings.Contains(string(answer.Body), addressOf(other)) {
					t.Errorf("KF-46: %s as %s: tells the address of the %s: %s", o.name, name, other, answer.Body)
				}
			}
		}
	}
}
