package api

import (
	"bytes"
	"testing"
	"time"

	"hither/internal/iam"
)

var newYear = time.Date(2026, 1, 1, 5, 20, 0, 0, time.UTC)

// TestEnvelope holds the form of every answer, byte for byte.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		answer   answer
		refusals []notice
		want     string
	}{
		{
			name:   "one",
			answer: one(onlyID{roleID}),
			want:   `{"result":{"id":"3536bcfad5faccb999b47003c79917fb"},"success":true,"errors":[],"messages":[]}`,
		},
		{
			name:   "list",
			answer: list(iam.Page[iam.ID]{Items: []iam.ID{"a", "b"}, Total: 12}, iam.PageRequest{Number: 2, Size: 5}, func(id iam.ID) onlyID { return onlyID{id} }),
			want: `{"result":[{"id":"a"},{"id":"b"}],"success":true,"errors":[],"messages":[],` +
				`"result_info":{"page":2,"per_page":5,"count":2,"total_count":12,"total_pages":3}}`,
		},
		{
			name:   "empty list",
			answer: list(iam.Page[iam.ID]{}, iam.PageRequest{Number: 1, Size: 20}, func(id iam.ID) iam.ID { return id }),
			want: `{"result":[],"success":true,"errors":[],"messages":[],` +
				`"result_info":{"page":1,"per_page":20,"count":0,"total_count":0,"total_pages":0}}`,
		},
		{
			name:   "with a remark",
			answer: answer{result: onlyID{"a"}, messages: []notice{{Code: 10000, Message: "fine"}}},
			want:   `{"result":{"id":"a"},"success":true,"errors":[],"messages":[{"code":10000,"message":"fine"}]}`,
		},
		{
			name:   "bare",
			answer: answer{result: onlyID{"a"}, bare: true},
			want:   `{"id":"a"}`,
		},
		{
			name:     "failure",
			refusals: []notice{invalid("/roles/0", "no such role").notice},
			want:     `{"result":null,"success":false,"errors":[{"code":1001,"message":"no such role","source":{"pointer":"/roles/0"}}],"messages":[]}`,
		},
		{
			name:     "failure with its chain",
			refusals: []notice{{Code: 6003, Message: "Invalid request headers", Chain: headerChain([]string{"X-Auth-Email", "X-Auth-Key", "Authorization"})}},
			want: `{"result":null,"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[` +
				`{"code":6102,"message":"Invalid format for X-Auth-Email header"},{"code":6103,"message":"Invalid format for X-Auth-Key header"},` +
				`{"code":6111,"message":"Invalid format for Authorization header"}]}],"messages":[]}`,
		},
		{
			name:   "texts as they are",
			answer: one(struct{ Text string }{"<b>&amp;</b> \u00e9 \u2028 \"\n"}),
			want:   `{"result":{"Text":"<b>&amp;</b> é \u2028 \"\n"},"success":true,"errors":[],"messages":[]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var buffer bytes.Buffer
			if err := writeEnvelope(&buffer, test.answer, test.refusals); err != nil {
				t.Fatal(err)
			}
			if got := buffer.String(); got != test.want+"\n" {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		at   time.Time
		want string
	}{
		{newYear, `"2026-01-01T05:20:00Z"`},
		{newYear.Add(120 * time.Millisecond), `"2026-01-01T05:20:00.12Z"`},
		{newYear.Add(1999 * time.Nanosecond), `"2026-01-01T05:20:00.000001Z"`},
		{newYear.In(time.FixedZone("east", 3600)), `"2026-01-01T05:20:00Z"`},
	}
	for _, test := range tests {
		if got, err := moment(test.at).MarshalJSON(); err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v; want %s", test.at, got, err, test.want)
		}
	}
}

// rows are the same membership at four points of its life.
func rows() (iam.Account, iam.Membership) {
	account := iam.Account{ID: "5a7805061c76ada191ed06f989cc3dac", Name: "Example, Inc.", Type: iam.Standard, CreatedOn: newYear}
	return account, iam.Membership{
		ID: "4f5f0c14a2a41d5063dd301b2f829f04", AccountID: account.ID, Email: "user@example.com", Status: iam.Pending,
		Roles: []iam.Role{{
			ID: roleID, Name: "Member Manager", Description: "Manages <members>.",
			Permissions: iam.Permissions{"members": iam.Read | iam.Write, "dns": iam.Read},
		}},
		Invited: true, InvitedBy: "admin@example.com", InvitedOn: newYear, ExpiresOn: newYear.Add(7 * 24 * time.Hour),
		CreatedOn: newYear,
	}
}

// TestForms holds the form of each object, byte for byte: the order of the
// fields is the reference's, and nothing else is told (KF-42).
func TestForms(t *testing.T) {
	t.Parallel()
	of, pending := rows()
	accepted := pending
	accepted.Status, accepted.UserID = iam.Accepted, "7c5dae5552338874e5053f2534d2767a"
	rejected := accepted
	rejected.Status = iam.Rejected
	user := iam.User{ID: accepted.UserID, Email: "new@example.com", FirstName: "Jo", TwoFactor: true, Telephone: "1", Operator: true}
	asked := &exchange{wire: &wire{Options: Options{Now: func() time.Time { return newYear }}}, actor: iam.Actor{Kind: iam.ByUser, User: user}}
	late := newYear.Add(7 * 24 * time.Hour)
	limited := of
	limited.MemberLimit, limited.AbuseContactEmail, limited.EnforceTwoFactor, limited.Suspended = 3, "x", true, true

	const (
		ids = `"id":"4f5f0c14a2a41d5063dd301b2f829f04",`
		org = `"invited_member_email":"user@example.com","organization_id":"5a7805061c76ada191ed06f989cc3dac",` +
			`"organization_name":"Example, Inc.","organization_is_enforcing_twofactor":false,` +
			`"invited_by":"admin@example.com","invited_on":"2026-01-01T05:20:00Z","expires_on":"2026-01-08T05:20:00Z",`
		role    = `{"id":"3536bcfad5faccb999b47003c79917fb","name":"Member Manager","description":"Manages <members>.","permissions":`
		grants  = `{"dns":{"read":true,"write":false,"edit":false},"members":{"read":true,"write":true,"edit":true}}`
		scopes  = `["#dns:read","#members:read","#members:edit"]`
		account = `{"id":"5a7805061c76ada191ed06f989cc3dac","name":"Example, Inc.","type":"standard","settings":{"enforce_twofactor":false,` +
			`"abuse_contact_email":null,"default_invite_lifetime":604800,"invite_domains":[],"member_limit":null},"created_on":"2026-01-01T05:20:00Z"}`
		seen   = `{"id":"5a7805061c76ada191ed06f989cc3dac","name":"Example, Inc.","type":"standard","settings":{"enforce_twofactor":false},"created_on":"2026-01-01T05:20:00Z"}`
		userID = `"invited_member_id":"7c5dae5552338874e5053f2534d2767a",`
		nobody = `"invited_member_id":null,`
	)
	tests := []struct {
		name string
		form any
		want string
	}{
		{"user's invite", asked.invite(iam.Invitation{Membership: pending, Account: of}), `{` + ids + userID + org + `"roles":["Member Manager"],"status":"pending"}`},
		{"account's pending invite", organizationInviteOf(iam.Member{Membership: pending, GrantorFacts: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByCommandLine}}}, of, newYear), `{` + ids + nobody + org + `"roles":[` + role + scopes + `}],"status":"pending","needs_confirmation":false}`},
		{"account's expired invite", organizationInviteOf(iam.Member{Membership: pending}, of, late), `{` + ids + nobody + org + `"roles":[` + role + scopes + `}],"status":"expired"}`},
		{"account's accepted invite", organizationInviteOf(iam.Member{Membership: accepted, User: user}, of, late), `{` + ids + userID + org + `"roles":[` + role + scopes + `}],"status":"accepted"}`},
		{
			"pending member", asked.memberAt(iam.Member{Membership: pending, GrantorFacts: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByUser, ID: "gone"}}}, newYear),
			`{` + ids + `"email":"user@example.com","status":"pending","roles":[` + role + grants + `}],"user":{"email":"user@example.com"},` +
				`"invited_by":"admin@example.com","invited_on":"2026-01-01T05:20:00Z","expires_on":"2026-01-08T05:20:00Z","needs_confirmation":true}`,
		},
		{
			"accepted member", asked.memberAt(iam.Member{Membership: accepted, User: user}, newYear),
			`{` + ids + `"email":"user@example.com","status":"accepted","roles":[` + role + grants + `}],` +
				`"user":{"id":"7c5dae5552338874e5053f2534d2767a","email":"new@example.com","first_name":"Jo","last_name":null,"two_factor_authentication_enabled":true}}`,
		},
		{
			"member that rejected", asked.memberAt(iam.Member{Membership: rejected, User: user}, newYear),
			`{` + ids + `"email":"user@example.com","status":"rejected","roles":[` + role + grants + `}],"user":{"email":"user@example.com"}}`,
		},
		{"account's rejected invite", organizationInviteOf(iam.Member{Membership: rejected, User: user}, of, newYear), `{` + ids + nobody + org + `"roles":[` + role + scopes + `}],"status":"rejected"}`},
		{
			"pending membership", asked.membership(iam.Invitation{Membership: pending, Account: of}),
			`{` + ids + `"status":"pending","roles":["Member Manager"],"permissions":{},"account":` + seen + `,"api_access_enabled":null}`,
		},
		{
			"accepted membership", asked.membership(iam.Invitation{Membership: accepted, Account: of}),
			`{` + ids + `"status":"accepted","roles":["Member Manager"],"permissions":` + grants + `,"account":` + account + `,"api_access_enabled":null}`,
		},
		{
			"account with its settings", accountOf(limited),
			`{"id":"5a7805061c76ada191ed06f989cc3dac","name":"Example, Inc.","type":"standard","settings":{"enforce_twofactor":true,` +
				`"abuse_contact_email":"x","default_invite_lifetime":604800,"invite_domains":[],"member_limit":3},"created_on":"2026-01-01T05:20:00Z"}`,
		},
		{"pending organization", asked.organization(iam.Invitation{Membership: pending, Account: of}), `{"id":"5a7805061c76ada191ed06f989cc3dac","name":"Example, Inc.","status":"invited","roles":["Member Manager"],"permissions":[]}`},
		{
			"user", asked.user(user, []iam.Invitation{{Membership: accepted, Account: limited}}),
			`{"id":"7c5dae5552338874e5053f2534d2767a","email":"new@example.com","first_name":"Jo","last_name":null,"telephone":"1","country":null,"zipcode":null,` +
				`"two_factor_authentication_enabled":true,"two_factor_authentication_locked":true,"suspended":false,` +
				`"has_pro_zones":false,"has_business_zones":false,"has_enterprise_zones":false,"betas":[],` +
				`"organizations":[{"id":"5a7805061c76ada191ed06f989cc3dac","name":"Example, Inc.","status":"member","roles":["Member Manager"],"permissions":` + scopes + `}]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var buffer bytes.Buffer
			if err := writeValue(&buffer, test.form); err != nil {
				t.Fatal(err)
			}
			if got := buffer.String(); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}
