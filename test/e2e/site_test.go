package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/test/contract"
	"hither/test/harness"
)

// Roles of the seeds of guards, beside the built-in ones.
var (
	viewer  = harness.ID("role viewer")
	manager = harness.ID("role manager")
)

// What a site's operator token and what none of its people shows.
var (
	operatorToken = harness.Key("operator token")
	wrongSecret   = harness.Key("nobody has this")
)

// newSeed is a seed with these roles and an operator token.
func newSeed() *harness.Seed {
	return &harness.Seed{
		Roles: []harness.SeedRole{
			{ID: viewer, Name: "Viewer", Permissions: map[string][]string{"documents": {"read"}}},
			{ID: manager, Name: "Manager", Permissions: map[string][]string{
				"members": {"write"}, "organization": {"read"}, "documents": {"write"},
			}},
		},
		Tokens: []harness.SeedToken{{ID: harness.ID("operator token"), Name: "operator", Secret: operatorToken}},
	}
}

// person adds a user that is more than its address.
func person(seed *harness.Seed, user harness.SeedUser) {
	if user.Keys == nil {
		user.Keys = []string{harness.Key(user.Email)}
	}
	seed.Users = append(seed.Users, user)
}

// employ adds a user who is a member.
func employ(seed *harness.Seed, account, email string, roles ...string) {
	seed.User(email).Member(account, email, roles...)
}

// invited adds a pending row whose id is rowID(account, email). It was granted
// by a user, or for "" by the operator.
func invited(seed *harness.Seed, account, email, grantor string, roles ...string) {
	row := harness.SeedMembership{
		ID: rowID(account, email), Account: harness.ID(account), Email: email, Status: "pending", Roles: roles,
		InvitedBy: grantor, Grantor: grantor,
	}
	if grantor == "" {
		row.InvitedBy = "operator"
	}
	seed.Memberships = append(seed.Memberships, row)
}

// rowID is the id that Seed.Member and invited give a row.
func rowID(account, email string) string { return harness.ID(account + " " + email) }

// site is a server and its database, for tests of what must not happen.
type site struct {
	*harness.Server

	client harness.Client
	reader *sql.DB // see content
}

// newSite serves a seed. No refusal of it may tell what is nobody's business.
func newSite(t *testing.T, seed *harness.Seed, flags ...string) *site {
	t.Helper()
	server := harness.Serve(t, seed, flags...)
	client := server.Client()
	guarded := *client.HTTP
	guarded.Transport = discreet{t, guarded.Transport}
	client.HTTP = &guarded
	s := &site{Server: server, client: client}
	t.Cleanup(func() {
		if s.reader != nil {
			_ = s.reader.Close()
		}
	})
	return s
}

func (s *site) as(email string) harness.Client { return s.client.As(email) }

// operator has no user.
func (s *site) operator() harness.Client { return s.client.Bearer(operatorToken) }

// odd is a client whose requests break the document on purpose.
func odd(c harness.Client) harness.Client { return c.Exempt("deliberate bad input") }

// discreet fails the test for a refusal that tells an address which the request
// did not bring, or speaks of the inside (KF-47). It stands in the way of every
// request to a site, so whatever else a test is about tries it too.
type discreet struct {
	tb   testing.TB
	base http.RoundTripper
}

var (
	anAddress = regexp.MustCompile(`[\w.+-]+@[\w-]+(\.[\w-]+)+`)
	insides   = []string{"sql", "goroutine", ".go:", "/internal/", "runtime error", "0x", "modernc", "constraint", "panic"}
)

// RoundTrip implements http.RoundTripper.
func (d discreet) RoundTrip(request *http.Request) (*http.Response, error) {
	var sent []byte
	if request.GetBody != nil { // a body of unknown length is not looked at
		if body, err := request.GetBody(); err == nil {
			sent, _ = io.ReadAll(io.LimitReader(body, 1<<20))
		}
	}
	response, err := d.base.RoundTrip(request)
	if err != nil || response.StatusCode < http.StatusBadRequest {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	brought := strings.ToLower(request.URL.String() + " " + string(sent) + " " + request.Header.Get("X-Auth-Email"))
	for _, address := range anAddress.FindAllString(string(body), -1) {
		if !strings.Contains(brought, strings.ToLower(address)) {
			d.tb.Errorf("KF-47: %s %s: the refusal tells the address %s: %s", request.Method, request.URL, address, body)
		}
	}
	for _, word := range insides {
		if strings.Contains(strings.ToLower(string(body)), word) && !strings.Contains(brought, word) {
			d.tb.Errorf("KF-47: %s %s: the refusal speaks of %q: %s", request.Method, request.URL, word, body)
		}
	}
	return response, nil
}

// raw makes a request that Client.Do cannot make, and reads its answer. header
// comes beside the client's own credentials.
func raw(t testing.TB, c harness.Client, method, target string, header http.Header, body io.Reader) harness.Answer {
	t.Helper()
	answer, err := tryRaw(t.Context(), c, method, target, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return answer
}

func tryRaw(
	ctx context.Context, c harness.Client, method, target string, header http.Header, body io.Reader,
) (harness.Answer, error) {
	ctx = contract.Exempt(ctx, "deliberate bad input")
	request, err := http.NewRequestWithContext(ctx, method, c.URL+target, body)
	if err != nil {
		return harness.Answer{}, err
	}
	if c.Key != "" {
		request.Header.Set("X-Auth-Email", c.Email)
		request.Header.Set("X-Auth-Key", c.Key)
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	maps.Copy(request.Header, header)
	response, err := c.HTTP.Do(request)
	if err != nil {
		return harness.Answer{}, err
	}
	defer response.Body.Close()
	answer := harness.Answer{HTTPStatus: response.StatusCode, Header: response.Header}
	if answer.Body, err = io.ReadAll(response.Body); err != nil {
		return harness.Answer{}, err
	}
	_ = json.Unmarshal(answer.Body, &answer)
	return answer, nil
}

// operation is one of the document: everything that can be asked for.
type operation struct {
	name   string // "GET /accounts/{account_id}"
	method string
	path   string   // below the base path
	params []string // of the path, in order
}

var aParam = regexp.MustCompile(`\{(\w+)\}`)

func operations(t testing.TB) []operation {
	t.Helper()
	var all []operation
	for _, name := range contract.New(t).Operations() {
		method, path, _ := strings.Cut(name, " ")
		path = strings.TrimPrefix(path, "/client/v4")
		o := operation{name: method + " " + path, method: method, path: path}
		for _, match := range aParam.FindAllStringSubmatch(path, -1) {
			o.params = append(o.params, match[1])
		}
		all = append(all, o)
	}
	if len(all) < 30 {
		t.Fatalf("operations of the document: got %d, want all", len(all))
	}
	return all
}

// at is the operation's path with ids for its parameters.
func (o operation) at(ids map[string]string) string {
	return aParam.ReplaceAllStringFunc(o.path, func(param string) string {
		id, ok := ids[strings.Trim(param, "{}")]
		if !ok && (param == "{key_id}" || param == "{bulk_id}") { // nobody's: a key that is drawn anew ends the one that the test shows
			return harness.ID("no key")
		}
		if !ok && (param == "{webhook_id}" || param == "{delivery_id}") { // nobody's: TestForeignWebhooksAreLikeMissingOnes has real ones
			return harness.ID("no webhook")
		}
		if !ok {
			panic("no id for " + param + " of " + o.name)
		}
		return id
	})
}

// reads says whether the operation is a safe one.
func (o operation) reads() bool { return o.method == http.MethodGet }

// owned says whether the path is about the user who asks.
func (o operation) owned() bool {
	return strings.HasPrefix(o.path, "/user") || strings.HasPrefix(o.path, "/memberships")
}

// object is a JSON object.
type object map[string]any

// telling is what of an answer could tell two cases apart: the status, the
// headers but for the request's own, and the body with the request's ids
// replaced by their places.
func telling(answer harness.Answer, ids ...string) string {
	body := string(answer.Body)
	for i, id := range ids {
		if id != "" {
			body = strings.ReplaceAll(body, id, fmt.Sprintf("<%d>", i))
		}
	}
	var headers []string
	for name, values := range answer.Header {
		if name != "Date" && name != "X-Request-Id" {
			headers = append(headers, fmt.Sprintf("%s: %v", name, values))
		}
	}
	slices.Sort(headers)
	return fmt.Sprintf("%d %s %s", answer.HTTPStatus, strings.Join(headers, "; "), body)
}

// outcome is a status with a code, for tables: "200", "404/1003".
func outcome(answer harness.Answer) string {
	if code := answer.Code(); code != 0 {
		return fmt.Sprintf("%d/%d", answer.HTTPStatus, code)
	}
	return fmt.Sprint(answer.HTTPStatus)
}

// expectOutcome makes a request and compares its outcome.
func expectOutcome(t testing.TB, c harness.Client, method, path string, body any, want string) harness.Answer {
	t.Helper()
	answer := c.Must(t, method, path, body)
	if got := outcome(answer); got != want {
		t.Errorf("%s %s as %s: got %s, want %s: %s", method, path, c.Email, got, want, answer.Body)
	}
	return answer
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
