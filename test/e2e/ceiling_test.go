package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

// allows is what a role allows, by area: 1 to read, 3 to write.
type allows map[string]int

// The ladder of roles that the ceiling is tried on. Its own model of what
// covers what is all that the tests below believe.
var ladder = []struct {
	name   string
	all    bool // has everything, as the built-in Super Administrator
	allows allows
}{
	{name: "sees", allows: allows{"documents": 1}},
	{name: "edits", allows: allows{"documents": 3}},
	{name: "counts", allows: allows{"billing": 1}},
	{name: "reads members", allows: allows{"members": 1}},
	{name: "manages", allows: allows{"members": 3}},
	{name: "manages and sees", allows: allows{"members": 3, "documents": 1}},
	{name: "manages and edits", allows: allows{"members": 3, "documents": 3}},
	{name: "everything by name", allows: allows{"members": 3, "documents": 3, "billing": 3, "organization": 3}},
	{name: "super", all: true},
}

func rungID(name string) string {
	if name == "super" {
		return harness.SuperAdministrator
	}
	return harness.ID("rung " + name)
}

// rights add up what several rungs allow.
func rights(names ...string) (all bool, sum allows) {
	sum = allows{}
	for _, rung := range ladder {
		for _, name := range names {
			if rung.name == name {
				all = all || rung.all
				for area, access := range rung.allows {
					sum[area] |= access
				}
			}
		}
	}
	return all, sum
}

// covers says whether who holds some rungs may give others: it manages
// members, and has all that they have.
func covers(holds, asked []string) bool {
	all, has := rights(holds...)
	if all {
		return true
	}
	everything, wants := rights(asked...)
	if everything || has["members"] != 3 {
		return false
	}
	for area, access := range wants {
		if access&^has[area] != 0 {
			return false
		}
	}
	return true
}

// inviters are what those hold who try, requested what they try to give.
var (
	inviters = [][]string{
		{"edits"}, {"reads members"}, {"manages"}, {"manages and sees"}, {"manages", "counts"}, {"everything by name"}, {"super"},
	}
	requested = [][]string{
		{"sees"}, {"edits"}, {"manages and edits"}, {"sees", "counts"}, {"everything by name"}, {"super"}, {"sees", "super"},
	}
)

func climber(holds []string) string {
	return strings.ReplaceAll(strings.Join(holds, "."), " ", "-") + "@climb.test"
}

func rungIDs(names []string) []string {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = rungID(name)
	}
	return ids
}

// climbing is a seed with the ladder's roles and an account in which every
// inviter is a member and has invited somebody to everything.
func climbing() *harness.Seed {
	seed := newSeed()
	for _, rung := range ladder {
		if rung.all {
			continue
		}
		permissions := map[string][]string{}
		for area, access := range rung.allows {
			permissions[area] = []string{"read"}
			if access == 3 {
				permissions[area] = []string{"read", "write"}
			}
		}
		seed.Roles = append(seed.Roles, harness.SeedRole{ID: rungID(rung.name), Name: "Rung " + rung.name, Permissions: permissions})
	}
	seed.Account("wall", "founder@climb.test")
	for _, holds := range inviters {
		employ(seed, "wall", climber(holds), rungIDs(holds)...)
	}
	for _, holds := range inviters {
		for _, asked := range requested {
			seed.User(granted(holds, asked))
			invited(seed, "wall", granted(holds, asked), climber(holds), rungIDs(asked)...)
		}
	}
	verified := false
	seed.User("somebody@climb.test")
	person(seed, harness.SeedUser{Email: "unproven@climb.test", Verified: &verified})
	person(seed, harness.SeedUser{Email: "opuser@climb.test", Operator: true})
	return seed.Member("wall", "opuser@climb.test", rungID("manages"))
}

// granted is whom somebody who holds some rungs invited to others.
func granted(holds, asked []string) string {
	return "for-" + strings.ReplaceAll(strings.Join(asked, "."), " ", "-") + "-by-" + strings.Split(climber(holds), "@")[0] + "@c.test"
}

// TestCeiling holds that nobody gives, keeps or takes more than it has.
func TestCeiling(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	s := newSite(t, climbing())
	t.Run("nobody raises itself", s.nobodyRaisesItself)
	t.Run("direct add", s.directAddIsTheOperators)
	t.Run("every way", s.roleCeiling)
	t.Run("at accept", s.ceilingAtAccept)
}

// ways are all routes by which roles are given, kept or taken. Each is tried on
// a row of its own, which holds from(asked), and names to(asked) in its body.
var ways = []struct {
	name, state  string // of the row; "" where there is none yet
	method, path string // ACCOUNT and ROW are replaced
	from, to     func(asked []string) []string
}{
	{"invite", "", http.MethodPost, "/accounts/ACCOUNT/members", none, whole},
	{"invite in the older form", "", http.MethodPost, "/organizations/ACCOUNT/invites", none, whole},
	{"raise a member", "accepted", http.MethodPut, "/accounts/ACCOUNT/members/ROW", lowest, whole},
	{"raise an invitation", "pending", http.MethodPut, "/accounts/ACCOUNT/members/ROW", lowest, whole},
	{"raise an invitation in the older form", "pending", http.MethodPatch, "/organizations/ACCOUNT/invites/ROW", lowest, whole},
	{"lower a member", "accepted", http.MethodPut, "/accounts/ACCOUNT/members/ROW", whole, lowest},
	{"lower an invitation", "pending", http.MethodPut, "/accounts/ACCOUNT/members/ROW", whole, lowest},
	{"lower an invitation in the older form", "pending", http.MethodPatch, "/organizations/ACCOUNT/invites/ROW", whole, lowest},
	{"keep a member", "accepted", http.MethodPut, "/accounts/ACCOUNT/members/ROW", whole, whole},
	{"confirm an invitation", "pending", http.MethodPut, "/accounts/ACCOUNT/members/ROW", whole, whole},
	{"confirm an invitation without a word", "pending", http.MethodPut, "/accounts/ACCOUNT/members/ROW", whole, none},
	{"confirm in the older form without a word", "pending", http.MethodPatch, "/organizations/ACCOUNT/invites/ROW", whole, none},
	{"remove a member", "accepted", http.MethodDelete, "/accounts/ACCOUNT/members/ROW", whole, nil},
	{"remove an invitation", "pending", http.MethodDelete, "/accounts/ACCOUNT/members/ROW", whole, nil},
	{"cancel an invitation", "pending", http.MethodDelete, "/organizations/ACCOUNT/invites/ROW", whole, nil},
}

func none([]string) []string        { return nil }
func lowest([]string) []string      { return []string{"sees"} }
func whole(asked []string) []string { return asked }
func managesMembers(holds []string) bool {
	all, has := rights(holds...)
	return all || has["members"] == 3
}

// roleCeiling tries every way to give, keep or take roles, for everybody
// and everything on the ladder: it works exactly for who manages members and
// has all of these permissions itself, before and after (KF-18, KF-19, KF-20,
// KF-21). What was refused has changed nothing.
func (s *site) roleCeiling(t *testing.T) {
	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			for j, asked := range requested {
				from := way.from(asked)
				concerned := from
				var to []string
				if way.to != nil {
					to = way.to(asked)
					concerned = slices.Concat(from, to)
				}
				email := fmt.Sprintf("target-%d-%d@climb.test", i, j)
				row := makeTarget(t, s, email, from, way.state)
				try := func(holds []string, want string) {
					var body any
					switch {
					case way.to == nil:
					case len(to) == 0:
						body = object{}
					default: // the one form has its address where the other does not look
						body = object{"email": email, "invited_member_email": email, "roles": rungIDs(to)}
					}
					path := strings.NewReplacer("ACCOUNT", harness.ID("wall"), "ROW", row).Replace(way.path)
					answer := s.as(climber(holds)).Must(t, way.method, path, body)
					if got := outcome(answer); got != want {
						t.Errorf("KF-18: %s: who holds %v asks for %v on a row with %v: got %s, want %s: %s",
							way.name, holds, to, from, got, want, answer.Body)
					}
				}
				for _, holds := range inviters {
					switch {
					case !managesMembers(holds):
						try(holds, "403/9109")
					case !covers(holds, concerned):
						try(holds, "403/1209")
					}
				}
				holdsStill(t, s, email, row, from)
				for _, holds := range inviters {
					if covers(holds, concerned) {
						try(holds, "200")
						clearAway(t, s, email)
						row = makeTarget(t, s, email, from, way.state)
					}
				}
			}
		})
	}
}

// makeTarget makes a row as the operator, who may give everything.
func makeTarget(t *testing.T, s *site, email string, holds []string, state string) string {
	t.Helper()
	if state == "" {
		return ""
	}
	body := object{"email": email, "roles": rungIDs(holds), "status": state}
	return s.operator().OK(t, http.MethodPost, "/accounts/"+harness.ID("wall")+"/members", body).Row(t).ID
}

// liveRows are the pending and accepted rows of an address.
func liveRows(t *testing.T, s *site, email string) []harness.Row {
	t.Helper()
	return s.operator().OK(t, http.MethodGet, "/accounts/"+harness.ID("wall")+"/members?email="+email, nil).Rows(t)
}

func clearAway(t *testing.T, s *site, email string) {
	t.Helper()
	for _, row := range liveRows(t, s, email) {
		s.operator().OK(t, http.MethodDelete, "/accounts/"+harness.ID("wall")+"/members/"+row.ID, nil)
	}
}

// holdsStill checks that refusals left a row as it was, or that there is none.
func holdsStill(t *testing.T, s *site, email, row string, holds []string) {
	t.Helper()
	rows := liveRows(t, s, email)
	if row == "" {
		if len(rows) != 0 {
			t.Errorf("KF-18: what was refused is there: %+v", rows)
		}
		return
	}
	if len(rows) != 1 || rows[0].ID != row || len(rows[0].Roles) != len(holds) {
		t.Fatalf("KF-18: what was refused changed the row: got %+v, want one with %v", rows, holds)
	}
	for i, role := range rows[0].Roles {
		if !strings.Contains(string(role), rungID(holds[i])) {
			t.Errorf("KF-18: what was refused changed the roles: got %s, want %q", role, holds[i])
		}
	}
}

// ceilingAtAccept lets invitations be accepted that rest on the rights of
// everybody on the ladder: the ceiling holds again at that moment (KF-18,
// KF-19). Until somebody who may confirms it, both sides are told.
func (s *site) ceilingAtAccept(t *testing.T) {
	account := harness.ID("wall")
	for i, holds := range inviters {
		for j, asked := range requested {
			email, row := granted(holds, asked), rowID("wall", granted(holds, asked))
			may := covers(holds, asked)
			for _, path := range []string{"/accounts/" + account + "/members/" + row, "/organizations/" + account + "/invites/" + row} {
				if got := s.as("founder@climb.test").OK(t, http.MethodGet, path, nil).Row(t).NeedsConfirmation; got == may {
					t.Errorf("KF-18: GET %s: granted %v by who holds %v: got needs_confirmation %t", path, asked, holds, got)
				}
			}
			invite, membership := "/user/invites/"+row, "/memberships/"+row
			method, path := http.MethodPatch, invite
			if (i+j)%2 == 0 {
				method, path = http.MethodPut, membership
			}
			want := "200"
			if !may {
				want = "400/1205"
			}
			answer := s.as(email).Must(t, method, path, object{"status": "accepted"})
			if got := outcome(answer); got != want {
				t.Errorf("KF-18: accept %v, granted by who holds %v: got %s, want %s: %s", asked, holds, got, want, answer.Body)
			}
			status := s.as(email).OK(t, http.MethodGet, invite, nil).Row(t).Status
			if (status == "accepted") != may || (status == "pending") == may {
				t.Errorf("KF-18: after that the invitation is %s", status)
			}
		}
	}
}

// nobodyRaisesItself lets everybody on the ladder change its own roles to
// everything else on it (KF-18, KF-21).
func (s *site) nobodyRaisesItself(t *testing.T) {
	account := harness.ID("wall")
	for _, holds := range inviters {
		path := "/accounts/" + account + "/members/" + rowID("wall", climber(holds))
		for _, asked := range requested {
			if covers(holds, slices.Concat(asked, holds)) {
				continue
			}
			want := "403/1209"
			if !managesMembers(holds) {
				want = "403/9109"
			}
			expectOutcome(t, s.as(climber(holds)), http.MethodPut, path, object{"roles": rungIDs(asked)}, want)
		}
	}
}

// directAddIsTheOperators holds that nobody else adds without asking, by
// either form, whatever role it gives and whoever the address belongs to; the
// refusal is the same for all addresses (KF-20, KF-48).
func (s *site) directAddIsTheOperators(t *testing.T) {
	account := harness.ID("wall")
	before := s.content(t, "audit")
	told := map[string]string{}
	for _, email := range []string{"somebody@climb.test", "unproven@climb.test", "nobody@climb.test"} {
		for _, holds := range [][]string{{"super"}, {"manages"}} {
			roles := []string{rungID("reads members")}
			newer := expectOutcome(t, s.as(climber(holds)), http.MethodPost, "/accounts/"+account+"/members",
				object{"email": email, "roles": roles, "status": "accepted"}, "400/1001")
			older := expectOutcome(t, s.as(climber(holds)), http.MethodPost, "/organizations/"+account+"/invites",
				object{"invited_member_email": email, "roles": roles, "auto_accept": true}, "400/1001")
			for _, answer := range []harness.Answer{newer, older} {
				told[telling(answer)] = email
			}
		}
	}
	if len(told) != 1 {
		t.Errorf("KF-48: adding directly without that right: got %d different answers, want one: %v", len(told), told)
	}
	s.unchanged(t, before, "adding directly without that right")
	// The operator flag adds the right, and leaves the ceiling where it is.
	opuser := s.as("opuser@climb.test")
	expectOutcome(t, opuser, http.MethodPost, "/accounts/"+account+"/members",
		object{"email": "nobody@climb.test", "roles": []string{rungID("reads members")}, "status": "accepted"}, "200")
	expectOutcome(t, opuser, http.MethodPost, "/accounts/"+account+"/members",
		object{"email": "other@climb.test", "roles": []string{rungID("sees")}, "status": "accepted"}, "403/1209")
	expectOutcome(t, opuser, http.MethodPost, "/organizations/"+account+"/invites",
		object{"invited_member_email": "other@climb.test", "roles": []string{harness.SuperAdministrator}, "auto_accept": true}, "403/1209")
	expectOutcome(t, opuser, http.MethodPost, "/accounts/"+account+"/members",
		object{"email": "unproven@climb.test", "roles": []string{rungID("reads members")}, "status": "accepted"}, "400/1001")
}
