package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

// metricsURL is where the metrics page is, as the log says.
func (s *site) metricsURL(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(s.Log()) {
		var entry struct{ Msg, Metrics string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			return entry.Metrics
		}
	}
	t.Fatal("the log does not say where the metrics are")
	return ""
}

// get reads a page that is none of the document's.
func get(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// files are the bytes of the database, with what beside it is not in it yet; of
// PostgreSQL's, which are nobody's to read, everything that is in its tables.
func (s *site) files(t *testing.T) []byte {
	t.Helper()
	var all []byte
	if harness.OnPostgres(t) {
		return fmt.Append(all, s.content(t))
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		data, err := os.ReadFile(s.Data + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

// canary is a key or token that is easily found.
func canary(name string) string { return "CANARY-" + name + "-" + harness.Key("canary " + name)[:25] }

// TestLeaks looks for what must not come out, from a server that says as much
// as it can.
func TestLeaks(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	const email = "holder@corp.test"
	seed := newSeed().Account("house", "owner@house.test")
	person(seed, harness.SeedUser{Email: email, Keys: []string{harness.Key(email), canary("key")}})
	person(seed, harness.SeedUser{Email: "suspended@corp.test", Keys: []string{canary("suspended-key")}})
	seed.Member("house", email, manager)
	seed.Tokens = append(seed.Tokens,
		harness.SeedToken{User: email, Name: "own", Secret: canary("token")},
		harness.SeedToken{ID: harness.ID("revoked"), User: email, Name: "revoked", Secret: canary("revoked-token")},
		harness.SeedToken{Name: "the operator's", Secret: canary("operator-token")})
	s := newSite(t, seed, "--log-level=debug", "--metrics-listen=127.0.0.1:0")
	t.Run("endless bodies", s.endlessBodies)
	t.Run("fresh secrets", s.freshSecretsAreRandom)
	t.Run("secrets", s.secretsStayWhereTheyAre)
}

// secretsStayWhereTheyAre shows keys and tokens, good ones and wrong ones,
// in every place of a request, and then looks for them in every answer, in the
// log at its most talkative, on the metrics page, in what commands print and in
// the bytes of the database (KF-39, KF-40, KF-41, KF-43, KF-44, KF-45). The
// parts about links and mail wait for these.
func (s *site) secretsStayWhereTheyAre(t *testing.T) {
	const email = "holder@corp.test"
	printed := s.Run(t, "token", "revoke", harness.ID("revoked")) + s.Run(t, "user", "disable", "suspended@corp.test")

	with := func(email, key, token string) harness.Client {
		c := s.client
		c.Email, c.Key, c.Token = email, key, token
		return c
	}
	clients := []harness.Client{
		with(email, canary("key"), ""), with("", "", canary("token")), with(email, canary("key"), canary("token")), with("", "", canary("operator-token")),
		with(email, canary("wrong-key"), ""), with("other@corp.test", canary("key"), ""), with("suspended@corp.test", canary("suspended-key"), ""),
		with("", "", canary("wrong-token")), with("", "", canary("revoked-token")), with(email, canary("token"), ""), with("", "", canary("key")),
		with(email, canary("key"), canary("operator-token")), with(email, canary("malformed")+"!", ""), with("", "", canary("malformed")+" x"),
		with(email, canary("long")+strings.Repeat("x", 200), ""), with(canary("address"), canary("key"), ""), with(email+", "+canary("address"), canary("key"), ""),
	}
	for _, client := range clients {
		for _, o := range operations(t) {
			ids := map[string]string{
				"account_id": harness.ID("house"), "organization_id": harness.ID("house"), "role_id": viewer, "member_id": harness.ID("x"),
				"membership_id": harness.ID("x"), "invite_id": harness.ID("x"),
			}
			if o.name == "DELETE /accounts/{account_id}" || o.name == "DELETE /user/organizations/{organization_id}" {
				continue
			}
			answer := odd(client).Must(t, o.method, o.at(ids), sampleBody(o.name, "leak"))
			expectNoCanary(t, o.name, answer)
		}
	}
	// In places where no credential belongs: some answers repeat the path.
	owner := s.as("owner@house.test")
	misplaced := canary("misplaced")
	for _, header := range []http.Header{
		{"Cookie": {"session=" + misplaced}},
		{"Referer": {"http://x.test/?key=" + misplaced}},
		{"User-Agent": {misplaced}},
		{"X-Forwarded-For": {misplaced}},
		{"X-Request-Id": {misplaced}},
		{"Authorization": {"Basic " + misplaced}},
		{"Authorization": {misplaced}},
		{"X-Auth-User-Service-Key": {misplaced}},
		{"X-Auth-Key": {misplaced, misplaced}},
		{"Origin": {"http://" + misplaced}},
		{"Content-Type": {misplaced}},
		{"Forwarded": {"for=" + misplaced}},
	} {
		expectNoCanary(t, fmt.Sprint(header), raw(t, owner, http.MethodPatch, "/client/v4/user", header, strings.NewReader("{}")))
		expectNoCanary(t, fmt.Sprint(header), raw(t, s.client, http.MethodGet, "/client/v4/user", header, nil))
	}
	for _, target := range []string{
		"/client/v4/user/invites/" + misplaced, "/client/v4/" + misplaced, "/" + misplaced, "/client/v4/accounts/" + misplaced + "/members",
		"/client/v4/user?api_key=" + misplaced, "/client/v4/user/tokens/verify?access_token=" + misplaced, "/healthz?key=" + misplaced,
		"/client/v4/memberships?status=" + misplaced, "/client/v4/memberships?%zz" + misplaced, "/client/v4//" + misplaced,
	} {
		raw(t, owner, http.MethodGet, target, nil, nil)
		raw(t, s.client, "CANARY-METHOD", target, nil, nil)
	}
	for _, body := range []string{
		`{"email":"` + misplaced + `","roles":["` + misplaced + `"]}`, `{"email":"x@x.test","roles":["` + viewer + `"],"status":"` + misplaced + `"}`,
		`{"` + misplaced + `":1,"` + misplaced + `":1}`, misplaced, `{"email":["` + misplaced + `"]}`,
	} {
		odd(owner).Must(t, http.MethodPost, members("house"), []byte(body))
		raw(t, owner, http.MethodPost, "/client/v4"+members("house"), http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
	}

	// Clients put what they like into an idempotency key.
	inviting := sampleBody("POST /accounts/{account_id}/members", "once")
	for range 2 {
		expectNoCanary(t, "a replay", owner.Once(canary("idempotency-key")).OK(t, http.MethodPost, members("house"), inviting))
	}
	expectNoCanary(t, "1213", owner.Once(canary("idempotency-key")).Refused(t, http.MethodPost, members("house"),
		sampleBody("POST /accounts/{account_id}/members", "twice"), http.StatusBadRequest, 1213))

	// What commands make, they print once and nobody again.
	fresh := []string{secretIn(t, s.Run(t, "key", "add", email, "--json")), secretIn(t, s.Run(t, "token", "add", "--user", email, "--name", "made", "--json"))}
	for _, text := range fresh {
		with(email, text, "").Must(t, http.MethodGet, "/user", nil)
		s.client.Bearer(text).Must(t, http.MethodGet, "/user", nil)
	}
	for _, command := range [][]string{
		{"key", "list", email, "--json"}, {"token", "list", "--operator", "--json"}, {"token", "list", "--user", email}, {"user", "show", email, "--json"}, {"user", "list"},
	} {
		printed += s.Run(t, command...)
	}
	page := get(t, s.metricsURL(t))
	log := s.Log()
	if !strings.Contains(page, "hither_http_requests_total") || strings.Count(log, `"msg":"request"`) < 300 {
		t.Fatalf("the log (%d lines) or the metrics page does not hold what was to be searched", strings.Count(log, "\n"))
	}
	places := map[string]string{
		"the log": log, "the metrics page": page, "what commands print": printed, "stdout": s.Stdout(), "the database": string(s.files(t)),
	}
	for place, text := range places {
		for _, secret := range append(fresh, "CANARY-", operatorToken, wrongSecret, harness.Key("owner@house.test")) {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("KF-43, KF-44: %s holds %s: …%q", place, secret, text[max(0, at-200):min(len(text), at+200)])
			}
		}
	}
	storedAsHash(t, s, append(fresh, canary("key"), canary("token"), canary("operator-token")))
}

func expectNoCanary(t *testing.T, what string, answer harness.Answer) {
	t.Helper()
	text := string(answer.Body) + fmt.Sprint(answer.Header)
	if strings.Contains(text, "CANARY-") {
		t.Errorf("KF-39: %s: the answer holds a credential: %s", what, text)
	}
}

// storedAsHash holds that the database has the SHA-256 of each secret, where
// keys and tokens are, and is not one secret for two (KF-43).
func storedAsHash(t *testing.T, s *site, secrets []string) {
	t.Helper()
	hashes := map[string]bool{}
	c := s.content(t)
	for _, table := range []string{"user_keys", "tokens"} {
		for _, row := range c.of(table) {
			hashes[row["hash"]] = true
		}
	}
	for _, secret := range secrets {
		sum := sha256.Sum256([]byte(secret))
		if !hashes[hex.EncodeToString(sum[:])] {
			t.Errorf("KF-43: the SHA-256 of a secret is not in the database")
		}
	}
}

// freshSecretsAreRandom draws keys and tokens: of at least 128 bits by
// their alphabet and length, and no two alike in any run of characters that
// chance would not repeat (KF-43).
func (s *site) freshSecretsAreRandom(t *testing.T) {
	const n = 4
	forms := []struct {
		pattern *regexp.Regexp
		args    []string
	}{
		{regexp.MustCompile(`^[0-9a-f]{37}$`), []string{"key", "add", "holder@corp.test", "--json"}},
		{regexp.MustCompile(`^[0-9A-Za-z_-]{40}$`), []string{"token", "add", "--operator", "--name", "x", "--json"}},
	}
	for _, form := range forms {
		seen := map[string]bool{}
		for range n {
			secret := secretIn(t, s.Run(t, form.args...))
			if !form.pattern.MatchString(secret) {
				t.Errorf("KF-43: %v: got a secret of %d characters, want %s", form.args, len(secret), form.pattern)
			}
			const run = 12
			for i := range len(secret) - run {
				if part := secret[i : i+run]; seen[part] {
					t.Errorf("KF-43: %v: two secrets share a part", form.args)
				} else {
					seen[part] = true
				}
			}
		}
	}
}

// nothingElseIsServed: metrics, profiles and versions are no business of
// whoever reaches the API, and no header says what runs there.
func (s *site) nothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/", "/metrics", "/debug/pprof/", "/debug/vars", "/version", "/client", "/client/v4", "/client/v4/", "/openapi.json", "/docs", "/.git/config",
		"/hither.db", "/client/v4/openapi.yaml", "/client/v4/healthz", "/admin", "/graphql", "/..%2f..%2fetc/passwd", "/favicon.ico",
	} {
		answer := raw(t, s.as("owner@a.test"), http.MethodGet, path, nil, nil)
		if outcome(answer) != "404/7000" {
			t.Errorf("GET %s: got %s, want 404/7000: %s", path, outcome(answer), answer.Body)
		}
	}
	answer := s.as("owner@a.test").OK(t, http.MethodGet, "/user", nil)
	for name := range answer.Header {
		known := []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options", "X-Request-Id"}
		if !slices.Contains(known, name) {
			t.Errorf("a header that nobody meant to send: %s: %v", name, answer.Header[name])
		}
	}
}

// errorsTellNothing makes up some hundred requests out of pieces that are
// each a little wrong, the same ones in every run: every answer is a refusal in
// the envelope or a success of the document, and none speaks of the inside or
// of anybody else (KF-47; the transport of a site looks).
func (s *site) errorsTellNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(47, 47))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	ids := []string{
		harness.ID("a"), harness.ID("b"), rowID("a", "guest@a.test"), rowID("b", "guest@b.test"), rowID("a", "colleague@a.test"), viewer,
		"x", "%00", "%ff", "%2e%2e", "'; DROP TABLE users; --", strings.Repeat("0", 32), strings.Repeat("F", 32), strings.Repeat("a", 31), "null", "%F0%9F%92%A9",
	}
	values := []string{
		`"` + viewer + `"`, `["` + viewer + `"]`, `[{"id":"` + harness.ID("role of b") + `"}]`, `null`, `1e999`, `-0`, `"\u0000"`, `"\ud800"`, `"a@b.test"`, `"guest@b.test"`,
		`"accepted"`, `{}`, `[]`, `[[]]`, `true`, `"` + strings.Repeat("x", 300) + `"`, `"x\r\nX: y"`, `"<script>"`, `"%s%n"`, `"2026-13-45T99:99:99Z"`, `{"id":{"id":1}}`,
	}
	fields := []string{"email", "roles", "status", "name", "settings", "expires_on", "policies", "type", "invited_member_email", "auto_accept", "first_name", "zipcode"}
	all := operations(t)
	for range 400 {
		o := all[random.IntN(len(all))]
		if o.method == http.MethodDelete && random.IntN(3) > 0 {
			continue
		}
		path := aParam.ReplaceAllStringFunc(o.path, func(string) string { return url.PathEscape(pick(ids...)) })
		if random.IntN(2) == 0 {
			path = strings.ReplaceAll(path, "%25", "%")
		}
		path += pick("", "", "?page=x", "?status=accepted", "?status='", "?per_page=0", "?direction=up", "?email=guest@b.test", "?%gg", "?page=1&page=2", "?order=user.email")
		var body io.Reader
		header := http.Header{}
		if !o.reads() {
			header.Set("Content-Type", pick("application/json", "application/json", "application/json", "text/plain", "application/json; charset=latin1"))
			body = strings.NewReader(pick("", "", "[", "x") + `{"` + pick(fields...) + `":` + pick(values...) + `,"` + pick(fields...) + `2":1,"` + pick(fields...) + `":` + pick(values...) + `}`)
		}
		client := s.whoever(pick("owner@a.test", "manager@a.test", "minimal@a.test", "guest@b.test", "operator"))
		answer := raw(t, client, o.method, "/client/v4"+path, header, body)
		if answer.HTTPStatus >= http.StatusInternalServerError {
			t.Errorf("%s %s: got %s: %s", o.method, path, outcome(answer), answer.Body)
		}
		if bytes.Contains(answer.Body, []byte("\x00")) {
			t.Errorf("%s %s: a control character in the answer: %q", o.method, path, answer.Body)
		}
	}
}
