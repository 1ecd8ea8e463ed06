package e2e_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// The rows of the reference's examples, on which the demo starts.
const (
	referenceUser    = "7c5dae5552338874e5053f2534d2767a"
	referenceInvite  = "4f5f0c14a2a41d5063dd301b2f829f04"
	referenceInviter = "5a7805061c76ada191ed06f989cc3dac"
	referenceToken   = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
)

// TestDemoWalk pastes what the demo prints, line by line: the whole life of an
// invitation.
func TestDemoWalk(t *testing.T) {
	harness.OnlySQLite(t, "the demo is embedded")
	t.Parallel()
	demo := harness.Demo(t)
	lines := curlLines(t, demo.Stdout())
	if len(lines) != 4 {
		t.Fatalf("lines to paste: got %d, want see, accept, see the member, invite:\n%s", len(lines), demo.Stdout())
	}

	see := lines[0]
	if want := "GET /client/v4/user/invites/" + referenceInvite; see.method+" "+strings.TrimPrefix(see.url, demo.URL) != want {
		t.Errorf("first line: got %+v, want %s", see, want)
	}
	expectReference(t, see.paste(t, demo), "pending")

	expectReference(t, lines[1].paste(t, demo), "accepted")

	members := lines[2].paste(t, demo).Rows(t)
	var found bool
	for _, member := range members {
		if member.ID == referenceInvite {
			found = member.Email == "user@example.com" && member.Status == "accepted" && member.User.ID == referenceUser
		}
	}
	if !found {
		t.Errorf("members of the inviting account: got %+v, want user@example.com accepted as %s among them", members, referenceInvite)
	}

	other := lines[3].paste(t, demo).Row(t)
	if other.Status != "pending" || other.Email != "somebody@example.org" {
		t.Errorf("somebody else: got %+v, want somebody@example.org pending", other)
	}

	// The address has no user yet; its operator makes one, and it answers.
	guest := newcomer(t, demo, other.Email)
	if got := guest.OK(t, http.MethodPatch, "/user/invites/"+other.ID, object{"status": "rejected"}).Row(t); got.Status != "rejected" {
		t.Errorf("rejecting: got %+v, want rejected", got)
	}
	disk.Read(t, demo.Data)
	demo.Stop(t)
	if _, err := os.Stat(demo.Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("database of a demo that was stopped: got %v, want it gone", err)
	}
}

// TestReferenceCredentials: the example shows both keys and a token.
func TestReferenceCredentials(t *testing.T) {
	harness.OnlySQLite(t, "the demo is embedded")
	t.Parallel()
	demo := harness.Demo(t)
	for _, key := range []string{"144c9defac04969c7bfad8efaa8ea194", "144c9defac04969c7bfad8efaa8ea19494abc"} {
		c := demo.Client()
		c.Email, c.Key = "user@example.com", key
		expectReference(t, c.OK(t, http.MethodGet, "/user/invites/"+referenceInvite, nil), "pending")
	}
	bearer := demo.Client().Bearer(referenceToken)
	expectReference(t, bearer.OK(t, http.MethodGet, "/user/invites/"+referenceInvite, nil), "pending")
	verified := bearer.OK(t, http.MethodGet, "/user/tokens/verify", nil)
	if len(verified.Messages) != 1 || verified.Messages[0].Code != 10000 {
		t.Errorf("verify: got %s, want message 10000", verified.Body)
	}
	demo.Client().Refused(t, http.MethodGet, "/user/invites/"+referenceInvite, nil, 400, 9106)
}

var referenceBody = regexp.MustCompile(`^\{"result":\{` +
	`"id":"4f5f0c14a2a41d5063dd301b2f829f04",` +
	`"invited_member_id":"7c5dae5552338874e5053f2534d2767a",` +
	`"invited_member_email":"user@example\.com",` +
	`"organization_id":"5a7805061c76ada191ed06f989cc3dac",` +
	`"organization_name":"Example, Inc\.",` +
	`"organization_is_enforcing_twofactor":false,` +
	`"invited_by":"admin@example\.com",` +
	`"invited_on":"([^"]+)",` +
	`"expires_on":"([^"]+)",` +
	`"roles":\["Administrator"\],` +
	`"status":"(\w+)"` +
	`\},"success":true,"errors":\[\],"messages":\[\]\}\n?$`)

// expectReference compares a whole body: the eleven fields of the reference and
// nothing else.
func expectReference(t testing.TB, answer harness.Answer, status string) {
	t.Helper()
	found := referenceBody.FindSubmatch(answer.Body)
	if found == nil || string(found[3]) != status {
		t.Errorf("body: got %s, want the reference's, %s", answer.Body, status)
		return
	}
	invited, err := time.Parse(time.RFC3339, string(found[1]))
	expires, errToo := time.Parse(time.RFC3339, string(found[2]))
	if err != nil || errToo != nil || expires.Sub(invited) != 7*24*time.Hour {
		t.Errorf("dates: got %s and %s, want seven days between", found[1], found[2])
	}
	if age := time.Since(invited); age < 0 || age > 10*time.Minute {
		t.Errorf("invited_on: got %s, want the demo's start", found[1])
	}
}

// TestInitWalk goes from no database to a member who accepted, with nothing
// but what the commands print.
func TestInitWalk(t *testing.T) {
	t.Parallel()
	data := harness.Database(t)
	printed := harness.Run(t, data, "init", "--email", "owner@example.com", "--account", "Fresh & Co.")
	account := after(t, printed, `account\s+([0-9a-f]{32})  Fresh & Co\.`)
	key := after(t, printed, `key of owner@example\.com\s+(\S+)`)
	token := after(t, printed, `operator token\s+(\S+)`)
	if _, stderr, code := harness.Try(t, data, "init", "--email", "late@example.com", "--account", "Late"); code != 1 ||
		!strings.Contains(stderr, "users already") {
		t.Errorf("second init: got code %d, %q, want 1 and why", code, stderr)
	}

	s := harness.Open(t, data)
	owner, operator := s.Client(), s.Client().Bearer(token)
	owner.Email, owner.Key = "owner@example.com", key
	if got := owner.OK(t, http.MethodGet, "/accounts", nil).Rows(t); len(got) != 1 || got[0].ID != account || got[0].Name != "Fresh & Co." {
		t.Errorf("accounts of the owner: got %+v, want %s", got, account)
	}
	if got := operator.OK(t, http.MethodPost, "/accounts", object{"name": "Second"}).Row(t); got.Name != "Second" {
		t.Errorf("account of the operator's token: got %+v, want Second", got)
	}

	row := owner.OK(t, http.MethodPost, "/accounts/"+account+"/members",
		object{"email": "New@Example.com", "roles": []string{harness.ReadOnly}}).Row(t)
	guest := newcomer(t, s, "new@example.com")
	invites := guest.OK(t, http.MethodGet, "/user/invites", nil).Rows(t)
	if len(invites) != 1 || invites[0].ID != row.ID || invites[0].Status != "pending" {
		t.Errorf("invites: got %+v, want %s pending", invites, row.ID)
	}
	guest.OK(t, http.MethodPut, "/memberships/"+row.ID, object{"status": "accepted"})
	if got := owner.OK(t, http.MethodGet, "/accounts/"+account+"/members/"+row.ID, nil).Row(t); got.Status != "accepted" {
		t.Errorf("member: got %+v, want accepted", got)
	}

	s.Restart(t)
	guest.URL = s.URL
	if got := guest.OK(t, http.MethodGet, "/accounts/"+account, nil).Row(t); got.ID != account {
		t.Errorf("account after a restart, for the member: got %+v, want %s", got, account)
	}
	guest.OK(t, http.MethodDelete, "/user/organizations/"+account, nil)
	guest.Refused(t, http.MethodGet, "/accounts/"+account, nil, 404, 7003)
	disk.Read(t, data)
}

// TestVersion: the program and the wire that it speaks.
func TestVersion(t *testing.T) {
	t.Parallel()
	printed := harness.Run(t, "", "version")
	want := regexp.MustCompile(`^hither\s+\S+\n(.+\n)*wire\s+v4, .+\n(.+\n)*go\s+go1\.\S+ \w+/\w+\n`)
	if !want.MatchString(printed) {
		t.Errorf("version: got %q, want %s", printed, want)
	}
}

// newcomer makes a user with a key by command line.
func newcomer(t testing.TB, s *harness.Server, email string) harness.Client {
	t.Helper()
	s.Run(t, "user", "add", email)
	var made struct{ Secret string }
	if printed := s.Run(t, "key", "add", "--json", email); json.Unmarshal([]byte(printed), &made) != nil || made.Secret == "" {
		t.Fatalf("key add: got %s, want a secret", printed)
	}
	c := s.Client()
	c.Email, c.Key = email, made.Secret
	return c
}

// after is what a pattern finds.
func after(t testing.TB, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("output: got\n%s\nwant something that matches %s", text, pattern)
	}
	return found[1]
}

// request is a curl line, read as a shell would.
type request struct {
	method, url string
	header      http.Header
	body        string
}

func curlLines(t testing.TB, text string) []request {
	t.Helper()
	var found []request
	for line := range strings.Lines(text) {
		words := shellWords(strings.TrimSpace(line))
		if len(words) == 0 || words[0] != "curl" {
			continue
		}
		r := request{header: http.Header{}}
		for i := 1; i < len(words); i++ {
			switch words[i] {
			case "-X":
				i++
				r.method = words[i]
			case "-H":
				i++
				name, value, _ := strings.Cut(words[i], ": ")
				r.header.Add(name, value)
			case "-d":
				i++
				r.body = words[i]
				r.method = cmp.Or(r.method, http.MethodPost)
			default:
				if r.url != "" {
					t.Errorf("%s: got a second URL %q", line, words[i])
				}
				r.url = words[i]
			}
		}
		r.method = cmp.Or(r.method, http.MethodGet)
		found = append(found, r)
	}
	return found
}

// shellWords splits a line as a shell does where it has no other quotes than
// "…" and '…' around what holds no such quote.
func shellWords(line string) []string {
	var words []string
	for _, found := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, found[1]+found[2]+found[3])
	}
	return words
}

// paste makes the request through a client of the server, so that it is held
// to the document.
func (r request) paste(t testing.TB, s *harness.Server) harness.Answer {
	t.Helper()
	c := s.Client()
	path, ok := strings.CutPrefix(r.url, s.URL+"/client/v4")
	if !ok {
		t.Fatalf("URL to paste: got %s, want one of %s", r.url, s.URL)
	}
	c.Email, c.Key = r.header.Get("X-Auth-Email"), r.header.Get("X-Auth-Key")
	var body any
	if r.body != "" {
		if r.header.Get("Content-Type") != "application/json" {
			t.Errorf("line to paste: got %v, want a Content-Type", r)
		}
		body = json.RawMessage(r.body)
	}
	return c.OK(t, r.method, path, body)
}
