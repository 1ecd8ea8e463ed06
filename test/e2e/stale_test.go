package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/test/harness"
)

// members is the path of an account's members.
func members(account string) string { return "/accounts/" + harness.ID(account) + "/members" }

// invites is the path of an account's invites, in the older form.
func invites(account string) string { return "/organizations/" + harness.ID(account) + "/invites" }

// recorded is a request that was made, to be made again.
type recorded struct {
	operation

	path string
	body any
}

// recordCorpus makes every operation of the document that does not end the
// user's own membership, as a Super Administrator, each with success, and
// returns them all, with those that would end it.
func recordCorpus(t *testing.T, s *site, client harness.Client, account, email string) []recorded {
	t.Helper()
	own := rowID(account, email)
	var corpus []recorded
	for _, o := range operations(t) {
		if o.name == "POST /mail/reports" {
			continue // it is asked with a token of its own, by who carries the mail
		}
		ids := map[string]string{
			"account_id": harness.ID(account), "organization_id": harness.ID(account), "role_id": viewer, "member_id": own,
			"membership_id": own, "invite_id": own,
		}
		ends := o.method == http.MethodDelete && (o.owned() || o.path == "/accounts/{account_id}")
		if !ends && !o.reads() && !o.owned() && len(o.params) == 2 { // what is changed or ended is somebody else
			row := s.operator().OK(t, http.MethodPost, members(account), object{
				"email": fmt.Sprintf("target%d@corpus.test", len(corpus)), "roles": []string{viewer},
			}).Row(t)
			ids["member_id"], ids["invite_id"] = row.ID, row.ID
		}
		request := recorded{o, o.at(ids), sampleBody(o.name, fmt.Sprintf("corpus%d", len(corpus)))}
		answered := o.name == "POST /user/invites/{invite_id}/remind" || // of what, is over
			o.name == "POST /user/keys/{key_id}/rotate" || // and the key is nobody's,
			strings.Contains(o.path, "{webhook_id}") || strings.Contains(o.path, "{bulk_id}") // as the webhook and the bulk are
		if !ends && !answered && o.name != "POST /accounts" && o.name != "GET /user/tokens/verify" {
			client.OK(t, request.method, request.path, request.body)
		}
		corpus = append(corpus, request)
	}
	return corpus
}

// TestPastMembersReplayEverything records everything that a member did, ends
// its membership in every way, and replays all of it as that user, by key and
// by token: nothing of the account is left to it (KF-82, KF-84, KF-85).
func TestPastMembersReplayEverything(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	ends := []struct {
		name string
		end  func(t *testing.T, s *site, account, email string)
		key  string // what every request gets, "" where only those on the account are refused
		tok  string
	}{
		{"removed", func(t *testing.T, s *site, account, email string) {
			t.Helper()
			s.as("owner@house.test").OK(t, http.MethodDelete, members(account)+"/"+rowID(account, email), nil)
		}, "", ""},
		{"left", func(t *testing.T, s *site, account, email string) {
			t.Helper()
			s.as(email).OK(t, http.MethodDelete, "/user/organizations/"+harness.ID(account), nil)
		}, "", ""},
		{"account deleted", func(t *testing.T, s *site, account, _ string) {
			t.Helper()
			s.as("owner@house.test").OK(t, http.MethodDelete, "/accounts/"+harness.ID(account), nil)
		}, "", ""},
		{"user disabled", func(t *testing.T, s *site, _, email string) {
			t.Helper()
			s.Run(t, "user", "disable", email)
		}, "403/9103", "401/1000"},
	}
	seed := newSeed().User("owner@house.test")
	for _, end := range ends {
		seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: harness.ID(end.name), Name: end.name})
		seed.Member(end.name, "owner@house.test", harness.SuperAdministrator).User(past(end.name))
		invited(seed, end.name, past(end.name), "owner@house.test", harness.SuperAdministrator)
		seed.Tokens = append(seed.Tokens, harness.SeedToken{User: past(end.name), Name: "past", Secret: harness.Key("token of " + end.name)})
	}
	s := newSite(t, seed, "--resend-pause=0s", "--base-url=https://hither.test")
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			account, email := end.name, past(end.name)
			key, token := s.as(email), s.client.Bearer(harness.Key("token of "+end.name))
			key.OK(t, http.MethodPatch, "/user/invites/"+rowID(account, email), object{"status": "accepted"})
			corpus := recordCorpus(t, s, key, account, email)
			end.end(t, s, account, email)
			// A webhook that they made is turned off by itself, as its turn comes.
			byItself := []string{"audit", "webhooks", "webhook_deliveries", "webhook_attempts", "webhook_position"}
			before := s.content(t, byItself...)
			for _, request := range corpus {
				for i, everything := range []string{end.key, end.tok} {
					answer := []harness.Client{key, token}[i].Must(t, request.method, request.path, request.body)
					got := outcome(answer)
					onAccount := len(request.params) > 0
					switch {
					case everything != "":
						if got != everything {
							t.Errorf("KF-82: %s after %s: got %s, want %s: %s", request.name, end.name, got, everything, answer.Body)
						}
					case onAccount && got != "404/7003" && got != "404/1003" && (request.name != ownKey || got != "403/9109"):
						t.Errorf("KF-85: %s after %s: got %s, want 404: %s", request.name, end.name, got, answer.Body)
					case strings.Contains(string(answer.Body), harness.ID(account)) && !onAccount && request.name != ownLog:
						t.Errorf("KF-85: %s after %s: still shows the account: %s", request.name, end.name, answer.Body)
					}
				}
			}
			if changes := before.changes(s.content(t, byItself...)); len(changes) > 0 {
				t.Errorf("the replay after %s: changed the database, want nothing:\n%s", end.name, strings.Join(changes, "\n"))
			}
		})
	}
}

func past(end string) string { return strings.ReplaceAll(end, " ", "-") + "@past.test" }

// TestNextRequestIsRefused changes what a member may do, on the wire and past
// it, and asks again on connections that were open before, to the same process
// and to another on the same database: nothing is remembered (KF-81, KF-82,
// KF-84). What is given back works again as fast.
func TestNextRequestIsRefused(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("house", "owner@house.test")
	employ(seed, "house", "member@house.test", manager)
	s := newSite(t, seed)
	other, third := harness.Open(t, s.Data), harness.Open(t, s.Data)
	row := members("house") + "/" + rowID("house", "member@house.test")
	owner, second := s.as("owner@house.test"), other.Client().As("owner@house.test")
	clients := []harness.Client{
		s.as("member@house.test"), other.Client().As("member@house.test"), third.Client().As("member@house.test"),
	}
	expect := func(what, read, write string) {
		t.Helper()
		for i, client := range clients {
			if got := outcome(client.Must(t, http.MethodGet, members("house"), nil)); got != read {
				t.Errorf("KF-81: %s, process %d, list members: got %s, want %s", what, i, got, read)
			}
			body := object{"roles": []string{viewer}}
			if got := outcome(client.Must(t, http.MethodPut, members("house")+"/"+harness.ID("nobody"), body)); got != write {
				t.Errorf("KF-81: %s, process %d, edit a member: got %s, want %s", what, i, got, write)
			}
		}
	}
	expect("manager", "200", "404/1003")
	owner.OK(t, http.MethodPut, row, object{"roles": []string{harness.ReadOnly}})
	expect("demoted to reading", "200", "403/9109")
	second.OK(t, http.MethodPut, row, object{"roles": []string{viewer}})
	expect("demoted to less", "403/9109", "403/9109")
	second.OK(t, http.MethodPut, row, object{"roles": []string{manager}})
	expect("promoted", "200", "404/1003")
	s.Run(t, "role", "add", "Manager", "--id", manager, "--permission", "documents=write")
	expect("the role redefined", "403/9109", "403/9109")
	s.Run(t, "role", "add", "Manager", "--id", manager, "--permission", "members=write")
	expect("the role restored", "200", "404/1003")
	keys := onlyOf(t, s, "member@house.test")
	s.Run(t, "user", "disable", "member@house.test")
	expect("disabled", "403/9103", "403/9103")
	s.Run(t, "user", "enable", "member@house.test")
	expect("enabled", "200", "404/1003")
	s.Run(t, "account", "delete", "house", "--yes")
	expect("the account deleted", "404/7003", "404/7003")
	s.Run(t, "key", "disable", keys)
	expect("the key disabled", "403/9103", "403/9103")
}

// onlyOf is the id of a user's one key.
func onlyOf(t *testing.T, s *site, email string) string {
	t.Helper()
	user := s.content(t).where("users", "email", email)[0]["id"]
	keys := s.content(t).where("user_keys", "user_id", user)
	if len(keys) != 1 {
		t.Fatalf("keys of %s: got %d, want 1", email, len(keys))
	}
	return keys[0]["id"]
}

// TestDeletedAccountEndsWhole deletes an account: its members, its invitations
// and what rested on them end in that one transaction, for everybody, and
// nothing brings them back (KF-38, KF-86).
func TestDeletedAccountEndsWhole(t *testing.T) {
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	tenant(seed, "b")
	s := newSite(t, seed)
	before := s.content(t)
	live := []string{"owner", "manager", "minimal", "colleague", "guest"}
	ids := map[string]string{
		"account_id": harness.ID("a"), "organization_id": harness.ID("a"), "role_id": viewer, "member_id": rowID("a", "colleague@a.test"),
		"membership_id": rowID("a", "guest@a.test"), "invite_id": rowID("a", "guest@a.test"),
	}
	deletion := s.as("owner@a.test").OK(t, http.MethodDelete, "/accounts/"+harness.ID("a"), nil)

	after := s.content(t)
	times, actions := map[string]bool{}, map[string]int{}
	for key, row := range after.of("audit") {
		if before["audit/"+key] == nil {
			times[row["at"]] = true
			actions[row["action"]]++
			if row["request_id"] != deletion.Header.Get("X-Request-Id") || row["account_id"] != harness.ID("a") {
				t.Errorf("KF-86: an audit row of another request: %v", row)
			}
		}
	}
	if len(times) != 1 || actions["account.delete"] != 1 || actions["member.remove"] != 4 || actions["invite.cancel"] != 1 || len(actions) != 3 {
		t.Errorf("KF-86: audit of the deletion: got %v at %v, want all rows at one time", actions, times)
	}
	for _, name := range live {
		want := map[bool]string{true: "canceled", false: "removed"}[name == "guest"]
		if got := after.of("memberships")[rowID("a", name+"@a.test")]["status"]; got != want {
			t.Errorf("KF-86: the row of %s: got %s, want %s", name, got, want)
		}
	}
	for key, row := range after {
		if strings.HasPrefix(key, "memberships/") && row["account_id"] == harness.ID("b") && before[key]["status"] != row["status"] {
			t.Errorf("KF-86: a row of another account ended: %v", row)
		}
	}

	clients := []harness.Client{s.operator(), s.as("owner@b.test")}
	for _, name := range live {
		clients = append(clients, s.as(name+"@a.test"))
	}
	for _, client := range clients {
		for _, o := range operations(t) {
			answer := client.Must(t, o.method, o.at(ids), sampleBody(o.name, "afterwards"+client.Email[:min(1, len(client.Email))]))
			got := outcome(answer)
			gone := got == "404/7003" || got == "404/1003" || client.Email == "" && got == "403/9109" // what only users have
			switch {
			case len(o.params) > 0 && !gone:
				t.Errorf("KF-86: %s as %s on a deleted account: got %s, want 404: %s", o.name, client.Email, got, answer.Body)
			case len(o.params) == 0 && o.name != ownLog && strings.Contains(string(answer.Body), harness.ID("a")):
				t.Errorf("KF-86: %s as %s: still shows the deleted account: %s", o.name, client.Email, answer.Body)
			}
		}
	}
	ended := s.content(t)
	for key, row := range after {
		if strings.HasPrefix(key, "memberships/") && row["account_id"] == harness.ID("a") && fmt.Sprint(ended[key]) != fmt.Sprint(row) {
			t.Errorf("KF-86: an ended row changed afterwards: %v", ended[key])
		}
	}
	recreate(t, s)
}

// recreate makes an account of the same name with the same people: it shares
// nothing with the deleted one (KF-38).
func recreate(t *testing.T, s *site) {
	t.Helper()
	for what, text := range map[string]string{
		"the account's id":    `{"accounts":[{"id":"` + harness.ID("a") + `","name":"a"}]}`,
		"a membership's id":   `{"memberships":[{"id":"` + rowID("a", "guest@a.test") + `","account":"` + harness.ID("b") + `","email":"guest@a.test","roles":["` + viewer + `"]}]}`,
		"a row of the tenant": `{"memberships":[{"account":"` + harness.ID("a") + `","email":"guest@a.test","roles":["` + viewer + `"]}]}`,
		"a user's address":    `{"users":[{"email":"Guest@a.test"}]}`,
		"a key":               `{"users":[{"email":"fresh@a.test","keys":["` + harness.Key("guest@a.test") + `"]}]}`,
	} {
		path := filepath.Join(t.TempDir(), "again.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := s.content(t)
		if _, message, code := harness.Try(t, s.Data, "import", path); code == 0 {
			t.Errorf("KF-38: %s was taken again: %s", what, message)
		}
		if changes := before.changes(s.content(t)); len(changes) > 0 {
			t.Errorf("KF-38: a refused import changed %v", changes)
		}
	}
	fresh := s.operator().OK(t, http.MethodPost, "/accounts", object{"name": "a"}).Row(t)
	if fresh.ID == harness.ID("a") {
		t.Error("KF-38: the account's id comes back")
	}
	page := s.operator().OK(t, http.MethodGet, "/accounts/"+fresh.ID+"/members", nil)
	if len(page.Rows(t)) != 0 {
		t.Errorf("KF-38: members of a fresh account of the same name: %s", page.Body)
	}
	expectOutcome(t, s.operator(), http.MethodPost, "/accounts/"+fresh.ID+"/members",
		object{"email": "guest@a.test", "roles": []string{harness.ID("role of a")}}, "400/1001")
	again := s.operator().OK(t, http.MethodPost, "/accounts/"+fresh.ID+"/members", object{"email": "guest@a.test", "roles": []string{viewer}}).Row(t)
	invites := s.as("guest@a.test").OK(t, http.MethodGet, "/user/invites", nil).Rows(t)
	if len(invites) != 1 || invites[0].ID != again.ID || again.ID == rowID("a", "guest@a.test") {
		t.Errorf("KF-38: invites of who was invited before: got %+v, want the fresh one alone", invites)
	}
	expectOutcome(t, s.as("guest@a.test"), http.MethodPatch, "/user/invites/"+rowID("a", "guest@a.test"), object{"status": "accepted"}, "404/1003")
	expectOutcome(t, s.as("owner@a.test"), http.MethodGet, "/accounts/"+fresh.ID, nil, "404/7003")
}

// What a user did stays in its own log, whatever became of the account; and a key
// is no account's: a token is refused before its id is looked at.
const (
	ownLog = "GET /user/audit_logs"
	ownKey = "POST /user/keys/{key_id}/rotate"
)
