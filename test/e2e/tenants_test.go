package e2e_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
)

// tenant adds an account with one of each: members, an invitation that waits
// and one that was rejected, and a role of its own.
func tenant(seed *harness.Seed, name string) {
	seed.Account(name, "owner@"+name+".test")
	employ(seed, name, "manager@"+name+".test", manager)
	employ(seed, name, "minimal@"+name+".test", harness.MinimalAccess)
	employ(seed, name, "colleague@"+name+".test", viewer)
	seed.User("guest@" + name + ".test").User("decliner@" + name + ".test")
	invited(seed, name, "guest@"+name+".test", "owner@"+name+".test", viewer)
	invited(seed, name, "decliner@"+name+".test", "owner@"+name+".test", viewer)
	seed.Memberships[len(seed.Memberships)-1].Status = "rejected"
	seed.Roles = append(seed.Roles, harness.SeedRole{
		ID: harness.ID("role of " + name), Account: harness.ID(name), Name: "Only " + name,
		Permissions: map[string][]string{"documents": {"read"}},
	})
}

// Where an id of a path may come from, beside the asking tenant itself.
const (
	own     = "own"
	foreign = "foreign"
	unknown = "unknown" // well formed, of nothing
)

// idOfNothing is well formed; another one for each place, so that answers which
// repeat the path can be compared.
func idOfNothing(param string) string { return harness.ID("no " + param) }

// choices are ids for a parameter, by where they come from. A foreign one is
// anything that exists and is not the asking user's to name here.
func choices(o operation, param, mine, theirs string) map[string][]string {
	unknownID := idOfNothing(param)
	row := func(account, name string) string { return rowID(account, name+"@"+account+".test") }
	switch param {
	case "account_id", "organization_id":
		return map[string][]string{own: {harness.ID(mine)}, foreign: {harness.ID(theirs)}, unknown: {unknownID}}
	case "role_id":
		return map[string][]string{own: {harness.ID("role of " + mine)}, foreign: {harness.ID("role of " + theirs)}, unknown: {unknownID}}
	}
	if param == "delivery_id" { // of rows that are no webhooks there is none: TestForeignWebhooksAreLikeMissingOnes has real ones
		return map[string][]string{foreign: {harness.ID("delivery of " + theirs)}, unknown: {unknownID}}
	}
	rows := []string{row(theirs, "colleague"), row(theirs, "guest"), row(theirs, "decliner"), row(theirs, "owner")}
	if o.owned() {
		// The user's own side: a row of a colleague is foreign too, also to who
		// may manage it from the account's side.
		rows = append(rows, row(mine, "colleague"), row(mine, "guest"), row(mine, "decliner"))
		return map[string][]string{foreign: rows, unknown: {unknownID}}
	}
	if param == "invite_id" { // what was added directly never was an invite
		rows = append(rows, row(mine, "colleague"))
		return map[string][]string{own: {row(mine, "guest")}, foreign: rows, unknown: {unknownID}}
	}
	return map[string][]string{own: {row(mine, "colleague"), row(mine, "guest")}, foreign: rows, unknown: {unknownID}}
}

// combinations are all ways to fill a path in which at least one id is foreign,
// each with its twin, in which those are ids of nothing.
func combinations(o operation, mine, theirs string) [][2]map[string]string {
	all := [][2]map[string]string{{{}, {}}}
	for _, param := range o.params {
		var longer [][2]map[string]string
		for source, ids := range choices(o, param, mine, theirs) {
			for _, id := range ids {
				twin := id
				if source != own {
					twin = idOfNothing(param)
				}
				for _, pair := range all {
					path, twinPath := maps.Clone(pair[0]), maps.Clone(pair[1])
					path[param], twinPath[param] = id, twin
					longer = append(longer, [2]map[string]string{path, twinPath})
				}
			}
		}
		all = longer
	}
	return slices.DeleteFunc(all, func(pair [2]map[string]string) bool { return maps.Equal(pair[0], pair[1]) })
}

// TestTenants is what one tenant gets of another: nothing. One server serves
// the parts in turn; who changes what is there for the others comes last.
func TestTenants(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	tenant(seed, "bravo")
	employ(seed, "a", "reader@a.test", harness.ReadOnly)
	seed.User("stranger@who.test")
	s := newSite(t, seed)
	t.Run("foreign ids", s.foreignIDs)
	t.Run("foreign roles in bodies", s.foreignRolesInBodies)
	t.Run("lists", s.listsHoldNothingForeign)
	t.Run("who is a member", s.whoIsAMemberIsForManagers)
	t.Run("ids in bodies", s.idsInBodiesAreIgnored)
	t.Run("rows of no tenant", s.rowsOfNoTenant)
}

// foreignIDs replays every operation that names something with ids of
// another tenant, in all combinations with one's own: each is answered exactly
// as an id of nothing is (KF-33, KF-34, KF-35, KF-37, KF-52), and nothing is
// changed.
func (s *site) foreignIDs(t *testing.T) {
	before, asked := s.content(t, "audit"), 0
	for _, asker := range []string{"owner@a.test", "manager@a.test", "minimal@a.test", "guest@a.test", "stranger@who.test"} {
		client := s.as(asker)
		for _, o := range operations(t) {
			for _, pair := range combinations(o, "a", "bravo") {
				// Its own invitation is no foreign row to the one who was invited.
				if asker == "guest@a.test" && o.owned() && slices.Contains(slices.Collect(maps.Values(pair[0])), rowID("a", asker)) {
					continue
				}
				// Of an account that it does not see, nothing of it is its own.
				if asker == "stranger@who.test" && strings.Contains(o.at(pair[0]), harness.ID("a")) {
					continue
				}
				asked++
				sameAnswer(t, client, o, pair)
			}
		}
	}
	if asked < 300 {
		t.Errorf("combinations: asked for %d, want all", asked)
	}
	s.unchanged(t, before, "asking for what is another tenant's")
}

// sameAnswer compares what the foreign ids are answered with what ids of
// nothing are.
func sameAnswer(t *testing.T, client harness.Client, o operation, pair [2]map[string]string) {
	t.Helper()
	var answers [2]string
	for i, ids := range pair {
		answer := client.Must(t, o.method, o.at(ids), sampleBody(o.name, "foreign"))
		if answer.HTTPStatus != http.StatusNotFound && answer.HTTPStatus != http.StatusForbidden {
			t.Errorf("KF-33: %s %s as %s: got %s, want a refusal: %s", o.method, o.at(ids), client.Email, outcome(answer), answer.Body)
		}
		inOrder := make([]string, len(o.params))
		for j, param := range o.params {
			inOrder[j] = ids[param]
		}
		answers[i] = telling(answer, inOrder...)
	}
	if answers[0] != answers[1] {
		t.Errorf("KF-52: %s %s as %s tells that it is there:\n got %s\nwant %s, as for ids of nothing",
			o.method, o.at(pair[0]), client.Email, answers[0], answers[1])
	}
}

// foreignRolesInBodies names roles of another tenant in bodies, alone and
// among one's own, in every form that a role may have there (KF-37).
func (s *site) foreignRolesInBodies(t *testing.T) {
	client, before := s.as("owner@a.test"), s.content(t, "audit")
	account := harness.ID("a")
	theirs, nothing := harness.ID("role of bravo"), idOfNothing("role_id")
	requests := []struct{ method, path, address string }{
		{"POST", "/accounts/" + account + "/members", "email"},
		{"PUT", "/accounts/" + account + "/members/" + rowID("a", "colleague@a.test"), ""},
		{"PUT", "/accounts/" + account + "/members/" + rowID("a", "guest@a.test"), ""},
		{"POST", "/organizations/" + account + "/invites", "invited_member_email"},
		{"PATCH", "/organizations/" + account + "/invites/" + rowID("a", "guest@a.test"), ""},
	}
	forms := []func(role string) []any{
		func(role string) []any { return []any{role} },
		func(role string) []any { return []any{object{"id": role}} },
		func(role string) []any { return []any{viewer, role} },
		func(role string) []any { return []any{harness.ID("role of a"), object{"id": role, "name": "Viewer"}} },
		func(role string) []any { return []any{role, role} },
	}
	for _, request := range requests {
		for i, form := range forms {
			var answers [2]string
			for j, role := range []string{theirs, nothing} {
				body := object{"roles": form(role)}
				if request.address != "" {
					body[request.address] = "new@fresh.test"
				}
				answer := expectOutcome(t, client, request.method, request.path, body, "400/1001")
				answers[j] = telling(answer, role)
			}
			if answers[0] != answers[1] || !strings.Contains(answers[0], `"/roles/`) {
				t.Errorf("KF-37: %s %s, form %d: a role of another tenant: got %s, want %s", request.method, request.path, i, answers[0], answers[1])
			}
		}
	}
	s.unchanged(t, before, "naming roles of another tenant")
}

// idsInBodiesAreIgnored sends ids of another tenant beside those of the
// path: the path alone says what is meant (KF-37).
func (s *site) idsInBodiesAreIgnored(t *testing.T) {
	client, account := s.as("owner@a.test"), harness.ID("a")
	theirRow := rowID("bravo", "colleague@bravo.test")
	theirs := object{
		"id": theirRow, "account": object{"id": harness.ID("bravo")}, "account_id": harness.ID("bravo"), "organization_id": harness.ID("bravo"),
		"organization": object{"id": harness.ID("bravo")}, "member_id": theirRow, "membership_id": theirRow, "invite_id": theirRow,
		"user": object{"id": harness.ID("bravo"), "email": "colleague@bravo.test"},
	}
	with := func(fields object) object {
		merged := maps.Clone(theirs)
		maps.Copy(merged, fields)
		return merged
	}
	before := s.content(t)
	ours := rowID("a", "colleague@a.test")
	client.OK(t, "PUT", "/accounts/"+account+"/members/"+ours+"?account_id="+harness.ID("bravo")+"&member_id="+theirRow,
		with(object{"roles": []string{harness.MinimalAccess}}))
	client.OK(t, "PATCH", "/organizations/"+account+"/invites/"+rowID("a", "guest@a.test"), with(object{"roles": []string{harness.MinimalAccess}}))
	client.OK(t, "PUT", "/accounts/"+account, with(object{"id": harness.ID("bravo"), "name": "renamed"}))
	made := client.OK(t, "POST", "/accounts/"+account+"/members",
		with(object{"email": "new@fresh.test", "roles": []string{viewer}})).Row(t)
	for _, change := range before.changes(s.content(t)) {
		for _, id := range []string{harness.ID("bravo"), theirRow} {
			if strings.Contains(change, id) {
				t.Errorf("KF-37: an id in a body reached another tenant: %s", change)
			}
		}
	}
	if made.ID == theirRow || made.User.Email != "new@fresh.test" {
		t.Errorf("KF-37: invited with another tenant's ids in the body: got %+v", made)
	}
}

// listsHoldNothingForeign asks for every list as A's owner, with every
// filter that could be taken for another tenant's key, and looks for anything
// of B (KF-33, KF-36).
func (s *site) listsHoldNothingForeign(t *testing.T) {
	client, account := s.as("owner@a.test"), harness.ID("a")
	marks := []string{
		harness.ID("bravo"), harness.ID("role of bravo"), "Only bravo", "@bravo.test", rowID("bravo", "guest@bravo.test"),
		rowID("bravo", "colleague@bravo.test"),
	}
	for _, path := range []string{
		"/user", "/user/invites", "/memberships", "/memberships?account.name=bravo", "/memberships?name=bravo", "/memberships?status=pending",
		"/memberships?account.id=" + harness.ID("bravo"), "/accounts", "/accounts?name=bravo", "/accounts?id=" + harness.ID("bravo"),
		"/accounts/" + account + "/members", "/accounts/" + account + "/members?email=guest@bravo.test",
		"/accounts/" + account + "/members?account_id=" + harness.ID("bravo"), "/accounts/" + account + "/members?status=rejected",
		"/accounts/" + account + "/roles", "/accounts/" + account + "/roles?account_id=" + harness.ID("bravo"),
		"/user/organizations", "/user/organizations?name=bravo", "/organizations/" + account + "/invites",
		"/organizations/" + account + "/invites?organization_id=" + harness.ID("bravo"), "/organizations/" + account + "/roles",
	} {
		paths := []string{path}
		if strings.HasSuffix(path, "/roles") { // more than one page
			paths = []string{path + "?per_page=100", path + "?page=2&per_page=50"}
		}
		for _, path := range paths {
			answer := client.OK(t, "GET", path, nil)
			for _, mark := range marks {
				if strings.Contains(string(answer.Body), mark) {
					t.Errorf("KF-36: GET %s: holds %q of another tenant: %s", path, mark, answer.Body)
				}
			}
		}
	}
}

// rowsOfNoTenant holds that the database refuses a row without a tenant,
// and that one which came in all the same is shown to nobody (KF-36).
func (s *site) rowsOfNoTenant(t *testing.T) {
	zero, one := strings.Repeat("0", 32), strings.Repeat("1", 32)
	originals := []string{rowID("a", "owner@a.test"), rowID("a", "guest@a.test")} // accepted, pending
	for _, nowhere := range []any{nil, 0, "", zero} {
		for _, original := range originals {
			if err := s.plant(t, true, original, harness.ID("refused"), nowhere); err == nil {
				t.Errorf("KF-36: the database took a row of the tenant %v", nowhere)
			}
		}
	}
	planted := []string{harness.ID("planted accepted"), harness.ID("planted pending")}
	for i, original := range originals {
		if err := s.plant(t, false, original, planted[i], []string{zero, one}[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, email := range []string{"owner@a.test", "guest@a.test"} {
		client := s.as(email)
		for _, path := range []string{"/user", "/user/invites", "/memberships", "/accounts", "/user/organizations"} {
			body := string(client.OK(t, "GET", path, nil).Body)
			for _, mark := range []string{planted[0], planted[1], zero, one} {
				if strings.Contains(body, mark) {
					t.Errorf("KF-36: GET %s as %s: holds a row of no tenant: %s", path, email, body)
				}
			}
		}
		for _, id := range planted {
			expectOutcome(t, client, "GET", "/memberships/"+id, nil, "404/1003")
			expectOutcome(t, client, "GET", "/user/invites/"+id, nil, "404/1003")
			expectOutcome(t, client, "PUT", "/memberships/"+id, object{"status": "accepted"}, "404/1003")
		}
		for _, account := range []string{zero, one} {
			expectOutcome(t, client, "GET", "/accounts/"+account, nil, "404/7003")
			expectOutcome(t, client, "GET", "/accounts/"+account+"/members", nil, "404/7003")
			expectOutcome(t, client, "DELETE", "/accounts/"+account, nil, "404/7003")
		}
	}
}

// plant copies a membership under another id into another tenant, past the
// program.
func (s *site) plant(t *testing.T, guarded bool, original, id string, account any) error {
	t.Helper()
	conn, err := s.open(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	disk.Guard(t, conn, s.Data, guarded)
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	columns := disk.Columns(t, tx, "memberships")
	values := slices.Clone(columns)
	for i, column := range columns {
		switch column {
		case "id":
			values[i] = "$1"
		case "account_id":
			values[i] = "$2"
		}
	}
	if _, err := tx.ExecContext(t.Context(), `INSERT INTO memberships (`+strings.Join(columns, ", ")+
		`) SELECT `+strings.Join(values, ", ")+` FROM memberships WHERE id = $3`, id, account, original); err != nil {
		return err
	}
	return tx.Commit()
}
