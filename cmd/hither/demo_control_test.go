package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/dataset"
)

// tried is a demo as a test of somebody's automation sees it.
type tried struct {
	*process

	t   *testing.T
	url string
}

func newTried(t *testing.T, args ...string) tried {
	t.Helper()
	p, text := demo(t, append([]string{"--listen=127.0.0.1:0"}, args...)...)
	return tried{process: p, t: t, url: regexp.MustCompile(`http://[^/]+`).FindString(text)}
}

// told is an answer in the wire's envelope.
type told struct {
	status int
	text   string
	Result json.RawMessage
	Errors []struct {
		Code    int
		Message string
		Source  struct{ Pointer string }
	}
}

// ask sends a request, headers as name and value in turn.
func (d tried) ask(method, path, body string, headers ...string) told {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	got := told{status: answer.StatusCode, text: string(text)}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &got); err != nil {
			d.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return got
}

// as asks the API as a user of the documentation.
func (d tried) as(email, key, method, path, body string) told {
	d.t.Helper()
	return d.ask(method, wirePath+path, body, "X-Auth-Email", email, "X-Auth-Key", key, "Content-Type", "application/json")
}

func (d tried) admin(method, path, body string) told {
	d.t.Helper()
	return d.as(dataset.DocumentationAdmin, dataset.DocumentationAdminKey, method, path, body)
}

func (d tried) user(method, path, body string) told {
	d.t.Helper()
	return d.as(dataset.DocumentationUser, dataset.DocumentationKey, method, path, body)
}

// must is the result of an answer that has to be 200.
func must[T any](t *testing.T, got told) T {
	t.Helper()
	var result T
	if got.status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", got.status, got.text)
	}
	if err := json.Unmarshal(got.Result, &result); err != nil {
		t.Fatalf("%v: %s", err, got.text)
	}
	return result
}

// clocked is what the routes of a demo's clock answer.
type clocked struct {
	Now               time.Time
	Expired, Reminded int
}

func (d tried) forward(span string) clocked {
	d.t.Helper()
	return must[clocked](d.t, d.ask(http.MethodPost, clockPath, fmt.Sprintf(`{"forward":%q}`, span)))
}

func (d tried) mail(query string) []demoLetter {
	d.t.Helper()
	return must[[]demoLetter](d.t, d.ask(http.MethodGet, mailPath+query, ""))
}

const guest = "somebody@example.org"

// invite has the admin invite somebody, and returns when that ends.
func (d tried) invite() time.Time {
	d.t.Helper()
	path := "/accounts/" + string(dataset.DocumentationInviter) + "/members"
	got := must[struct {
		ExpiresOn time.Time `json:"expires_on"`
	}](d.t, d.admin(http.MethodPost, path, fmt.Sprintf(`{"email":%q,"roles":[%q]}`, guest, dataset.DocumentationRole)))
	return got.ExpiresOn
}

func (d tried) inviteStatus() string {
	d.t.Helper()
	return must[struct{ Status string }](d.t, d.user(http.MethodGet, "/user/invites/"+string(dataset.DocumentationInvite), "")).Status
}

// follow opens a link as a browser does, which keeps cookies on the way.
func follow(t *testing.T, link string) int {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Jar: jar}
	answer, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestDemoClock lets the whole life of an invitation pass: its mail is there at
// once, the reminder and the end are told at their own moments, and API, pages
// and mail agree on what time it is.
func TestDemoClock(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	began := must[clocked](t, d.ask(http.MethodGet, clockPath, "")).Now
	if apart := time.Since(began).Abs(); apart > time.Minute {
		t.Errorf("a fresh demo's clock: got %s, which is %s from the present", began, apart)
	}
	ends := d.invite()
	letters := d.mail("?to=" + strings.ToUpper(guest))
	if len(letters) != 1 || letters[0].To != guest || len(letters[0].Links) == 0 || !strings.Contains(letters[0].Text, letters[0].Links[0]) {
		t.Fatalf("the mail after inviting: got %+v, want one with its link", letters)
	}
	link := letters[0].Links[0]
	if status := follow(t, link); status != http.StatusOK || d.inviteStatus() != "pending" {
		t.Errorf("before its end: got %d for the link and %q, want 200 and pending", status, d.inviteStatus())
	}

	moved := d.forward("8d")
	if passed := moved.Now.Sub(began); passed < 8*24*time.Hour || passed > 8*24*time.Hour+time.Minute {
		t.Errorf("8d forward: the clock went %s", passed)
	}
	// The demo's own invitation was imported, and imports are not reminded of.
	if moved.Expired != 2 || moved.Reminded != 1 {
		t.Errorf("8d forward: got %d expired and %d reminded, want 2 and 1", moved.Expired, moved.Reminded)
	}
	letters = d.mail("?to=" + guest)
	if len(letters) != 2 || !letters[0].SentOn.Truncate(time.Minute).Equal(ends.Add(-48*time.Hour).Truncate(time.Minute)) {
		t.Errorf("mail to the invited: got %+v, want a reminder two days before %s, and the invitation", letters, ends)
	}
	told := d.mail("?to=" + dataset.DocumentationAdmin)
	// Ends are gathered for five minutes: the demo's own is in the same letter.
	if !slices.ContainsFunc(told, func(l demoLetter) bool {
		return !l.SentOn.Before(ends) && l.SentOn.Sub(ends) <= 5*time.Minute+time.Second
	}) {
		t.Errorf("mail to the inviter: got %+v, want one that it expired, within five minutes after %s", told, ends)
	}
	if status := follow(t, link); status != http.StatusGone || d.inviteStatus() != "expired" {
		t.Errorf("after its end: got %d for the link and %q, want 410 and expired", status, d.inviteStatus())
	}
	late := d.user(http.MethodPatch, "/user/invites/"+string(dataset.DocumentationInvite), `{"status":"accepted"}`)
	if late.status != http.StatusBadRequest || late.Errors[0].Code != 1200 {
		t.Errorf("an answer after the end: got %d %s, want 400 and 1200", late.status, late.text)
	}

	to := moved.Now.Add(time.Hour).Truncate(time.Second)
	there := must[clocked](t, d.ask(http.MethodPost, clockPath, fmt.Sprintf(`{"to":%q}`, to.Format(time.RFC3339))))
	if there.Now.Before(to) || there.Now.After(to.Add(time.Minute)) {
		t.Errorf("to %s: the clock is at %s", to, there.Now)
	}
	if code, _, stderr := d.end(); code != exitOK || stderr != "" {
		t.Errorf("stop: got exit code %d and %q, want 0 and no message", code, stderr)
	}
}

// TestDemoClockStops holds that an invitation stands to its last moment, by
// which the clock can be set exactly.
func TestDemoClockStops(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	ends := d.invite()
	to := func(at time.Time) clocked {
		return must[clocked](t, d.ask(http.MethodPost, clockPath, fmt.Sprintf(`{"to":%q}`, at.Format(time.RFC3339Nano))))
	}
	if got := to(ends.Add(-time.Minute)); got.Reminded != 1 || got.Expired != 0 {
		t.Errorf("a minute before: got %+v, want one reminded, and none expired", got)
	}
	if got := to(ends); got.Expired != 2 || got.Reminded != 0 {
		t.Errorf("at the end: got %+v, want it expired, and the demo's own", got)
	}
}

// TestDemoReset holds that a reset leaves nothing of what was before, neither in
// the database nor outside, and that the clock tells the present again.
func TestDemoReset(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	d := newTried(t)
	before := d.admin(http.MethodGet, "/accounts/"+string(dataset.DocumentationInviter)+"/members", "").text
	d.invite()
	link := d.mail("?to=" + guest)[0].Links[0]
	d.forward("365d")
	for range 3 {
		counts := must[struct {
			Now             time.Time
			Users, Accounts int
		}](t, d.ask(http.MethodPost, resetPath, ""))
		if counts.Users != 2 || counts.Accounts != 3 || time.Since(counts.Now).Abs() > time.Minute {
			t.Errorf("got %+v, want 2 users, 3 accounts and the present", counts)
		}
	}
	times := regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`) // those of the invitation follow the clock
	after := d.admin(http.MethodGet, "/accounts/"+string(dataset.DocumentationInviter)+"/members", "").text
	if times.ReplaceAllString(before, "") != times.ReplaceAllString(after, "") {
		t.Errorf("members: got %s, want what the demo began with: %s", after, before)
	}
	if d.inviteStatus() != "pending" || len(d.mail("")) != 0 {
		t.Errorf("got status %q and mail %v, want a pending invitation and no mail", d.inviteStatus(), d.mail(""))
	}
	if status := follow(t, link); status != http.StatusNotFound {
		t.Errorf("a link of before: got %d, want 404", status)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("while it runs: got %d folders, want 1", len(entries))
	}
	if got := d.ask(http.MethodGet, "/readyz", ""); got.status != http.StatusOK {
		t.Errorf("GET /readyz: got %d, want 200", got.status)
	}
	d.end()
	if entries, _ := os.ReadDir(folder); len(entries) != 0 {
		t.Errorf("after it stopped: got %v, want nothing", entries)
	}
}

// TestDemoResetWithRows begins anew with what a test brings, all of it or
// nothing.
func TestDemoResetWithRows(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	const key = "0123456789abcdef0123456789abcdef01234"
	for body, want := range map[string]string{
		"users:\n  - email: a@example.com\n    kays: []\n": `line 3: `,
		"users:\n  - email: nobody\n":                      `line 2: `,
		`{"memberships":[{"account":"00000000000000000000000000000009","email":"a@example.com","roles":["Administrator"]}]}`: `line 1: `,
		"- 1\n": "line 1: ",
	} {
		got := d.ask(http.MethodPost, resetPath, body)
		if got.status != http.StatusBadRequest || got.Errors[0].Code != 1001 || !strings.Contains(got.Errors[0].Message, want) {
			t.Errorf("reset with %q: got %d %s, want 400 that names %s", body, got.status, got.text, want)
		}
	}
	if got := d.ask(http.MethodPost, resetPath, strings.Repeat(" ", maxReset+1)); got.status != http.StatusBadRequest || got.Errors[0].Code != 1002 {
		t.Errorf("a body that is too large: got %d %.200s, want 400 and 1002", got.status, got.text)
	}
	if d.inviteStatus() != "pending" {
		t.Error("what was refused has changed something")
	}
	must[any](t, d.ask(http.MethodPost, resetPath, `{"users":[{"email":"a@example.com","keys":["`+key+`"]}]}`))
	if got := d.as("a@example.com", key, http.MethodGet, "/user", ""); got.status != http.StatusOK {
		t.Errorf("a user of the rows: got %d %s, want 200", got.status, got.text)
	}
	if got := d.user(http.MethodGet, "/user", ""); got.status != http.StatusForbidden {
		t.Errorf("a user of before: got %d %s, want 403", got.status, got.text)
	}
	must[any](t, d.ask(http.MethodPost, resetPath, ""))
	if d.inviteStatus() != "pending" {
		t.Error("a reset without a body does not lead back to what the demo began with")
	}
}

// TestDemoResetUnderLoad resets while others ask: each gets the answer of one
// world or the other.
func TestDemoResetUnderLoad(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	var asking sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				body := fmt.Sprintf(`{"email":%q,"roles":[%q]}`, guest, dataset.DocumentationRole)
				if got := d.admin(http.MethodPost, "/accounts/"+string(dataset.DocumentationInviter)+"/members", body); got.status != http.StatusOK {
					t.Errorf("during resets: got %d %s, want 200", got.status, got.text)
					return
				}
			}
		})
	}
	for range 5 {
		must[any](t, d.ask(http.MethodPost, resetPath, ""))
		d.forward("1d")
		d.mail("")
	}
	close(over)
	asking.Wait()
	if code, _, stderr := d.end(); code != exitOK || stderr != "" {
		t.Errorf("stop: got exit code %d and %q, want 0 and no message", code, stderr)
	}
}

// TestDemoControlRefuses holds that a refusal names the field and the way out, and
// that nothing came of it.
func TestDemoControlRefuses(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, test := range []struct {
		method, path, body string
		status, code       int
		pointer, want      string
	}{
		{http.MethodPost, clockPath, ``, 400, 1002, "", `{"forward":"8d"}`},
		{http.MethodPost, clockPath, `[]`, 400, 1002, "", `{"forward":"8d"}`},
		{http.MethodPost, clockPath, `{}`, 400, 1001, "/forward", "either forward or to"},
		{http.MethodPost, clockPath, `{"forward":"1h","to":"2100-01-01T00:00:00Z"}`, 400, 1001, "/forward", "either forward or to"},
		{http.MethodPost, clockPath, `{"ahead":"1h"}`, 400, 1001, "/ahead", `{"forward":"8d"}`},
		{http.MethodPost, clockPath, `{"forward":"soon"}`, 400, 1001, "/forward", "soon"},
		{http.MethodPost, clockPath, `{"forward":"-1h"}`, 400, 1001, "/forward", "-1h"},
		{http.MethodPost, clockPath, `{"forward":3600}`, 400, 1001, "/forward", "3600"},
		{http.MethodPost, clockPath, `{"forward":"2100-01-01T00:00:00Z"}`, 400, 1001, "/forward", "to"},
		{http.MethodPost, clockPath, `{"to":"8d"}`, 400, 1001, "/to", "8d"},
		{http.MethodPost, clockPath, `{"to":"` + past + `"}`, 400, 1001, "/to", resetPath},
		{http.MethodPost, clockPath, `{"forward":"36500d"}`, 200, 0, "", ""},
		{http.MethodPost, clockPath, `{"forward":"2d"}`, 400, 1001, "/forward", "hundred years"},
		{http.MethodGet, resetPath, "", 405, 7001, "", "POST"},
		{http.MethodPost, mailPath, "", 405, 7001, "", "GET"},
		{http.MethodDelete, clockPath, "", 405, 7001, "", "GET, POST"},
		{http.MethodPost, "/__demo/else", "", 404, 7000, "", ""},
	} {
		got := d.ask(test.method, test.path, test.body)
		if test.status == http.StatusOK && got.status == test.status {
			continue
		}
		if got.status != test.status || len(got.Errors) != 1 || got.Errors[0].Code != test.code || got.Errors[0].Source.Pointer != test.pointer ||
			!strings.Contains(got.Errors[0].Message, test.want) {
			t.Errorf("%s %s %s: got %d %s, want %d, %d at %q, with %q",
				test.method, test.path, test.body, got.status, got.text, test.status, test.code, test.pointer, test.want)
		}
	}
}

// TestDemoControlIsForThisMachine keeps pages of other places out, which a
// browser on this machine may show, and other machines.
func TestDemoControlIsForThisMachine(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	d.invite()
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, path := range []string{resetPath, clockPath} {
			if got := d.ask(http.MethodPost, path, `{"forward":"365d"}`, headers...); got.status != http.StatusForbidden || got.Errors[0].Code != 9109 {
				t.Errorf("POST %s with %v: got %d %s, want 403 and 9109", path, headers, got.status, got.text)
			}
		}
	}
	if len(d.mail("")) != 1 || d.inviteStatus() != "pending" {
		t.Error("what was refused has changed something")
	}

	p, text := demo(t, "--listen=0.0.0.0:0")
	key := regexp.MustCompile(`its key is (\S+)`).FindStringSubmatch(text)
	if key == nil {
		t.Fatalf("the text shows no key: %s", text)
	}
	far := tried{process: p, t: t, url: regexp.MustCompile(`http://[^/]+`).FindString(text)}
	for path, method := range map[string]string{resetPath: http.MethodPost, clockPath: http.MethodGet, mailPath: http.MethodGet} {
		for _, header := range []string{"", "Bearer ", "Bearer " + key[1][1:], key[1] + "x"} {
			if got := far.ask(method, path, "", "Authorization", header); got.status != http.StatusForbidden {
				t.Errorf("%s %s with %q: got %d %s, want 403", method, path, header, got.status, got.text)
			}
		}
		if got := far.ask(method, path, "", "Authorization", "Bearer "+key[1]); got.status != http.StatusOK {
			t.Errorf("%s %s with the key: got %d %s, want 200", method, path, got.status, got.text)
		}
	}
	public := `{"users":[{"email":"a@example.com","keys":["` + dataset.DocumentationKey + `"]}]}`
	if got := far.ask(http.MethodPost, resetPath, public, "Authorization", "Bearer "+key[1]); got.status != http.StatusBadRequest ||
		!strings.Contains(got.text, "a@example.com") {
		t.Errorf("a reset with a public key: got %d %s, want 400 that names its owner", got.status, got.text)
	}
}

// TestServeHasNoDemoRoutes holds that what steers a demo is nowhere else.
func TestServeHasNoDemoRoutes(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "--listen=127.0.0.1:0", "--base-url=http://127.0.0.1:1", "--data", filepath.Join(t.TempDir(), "hither.db"))
	url, _ := p.logged(t, "serving")["url"].(string)
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	d := tried{process: p, t: t, url: url}
	for _, path := range []string{resetPath, clockPath, mailPath, "/demo/mail"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if got := d.ask(method, path, ""); got.status != http.StatusNotFound || len(got.Errors) != 1 || got.Errors[0].Code != 7000 {
				t.Errorf("%s %s: got %d %s, want 404 and 7000", method, path, got.status, got.text)
			}
		}
	}
	p.end()
}

// TestDemoSeedNamesTheField says where a seed is wrong.
func TestDemoSeedNamesTheField(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"users:\n  - email: a@example.com\n    kays: [x]\n":                                                           "line 3: unknown field \"kays\"",
		"users:\n  - email: a@example.com\n    keys: [short]\n":                                                       "line 3: keys/0: ",
		"accounts:\n  - id: 00000000000000000000000000000001\n    name: a\n    settings:\n      member_limit: many\n": "line 5: ",
	} {
		path := filepath.Join(t.TempDir(), "rows.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := call(t.Context(), nil, "demo", "--listen=127.0.0.1:0", "--seed", path)
		if code != exitFailure || stdout != "" || !strings.Contains(stderr, "--seed "+path) || !strings.Contains(stderr, want) {
			t.Errorf("%q: got exit code %d, %q and %q, want %d and %q", text, code, stdout, stderr, exitFailure, want)
		}
	}
}
