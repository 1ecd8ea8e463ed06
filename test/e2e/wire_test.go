package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// exact is the envelope of a refusal to the byte.
func exact(code int, message string) string {
	return fmt.Sprintf(`{"result":null,"success":false,"errors":[{"code":%d,"message":%q}],"messages":[]}`, code, message) + "\n"
}

// TestWire is about requests that are odd: what the server makes of them on the
// way to an operation.
func TestWire(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	tenant(seed, "b")
	seed.Tokens = append(seed.Tokens,
		harness.SeedToken{User: "owner@a.test", Name: "own", Secret: harness.Key("own token")},
		harness.SeedToken{User: "guest@a.test", Name: "other's", Secret: harness.Key("other's token")})
	s := newSite(t, seed)
	t.Run("the document", s.servedDocument)
	t.Run("unknown paths and methods", s.unknownPathsAndMethods)
	t.Run("nothing else", s.nothingElseIsServed)
	t.Run("malformed ids", s.malformedIDs)
	t.Run("credentials", s.credentialFaults)
	t.Run("page numbers", s.pageNumbers)
	t.Run("long paths", s.longPathsAndQueries)
	t.Run("header size", s.headerSize)
	t.Run("raw requests", s.rawRequests)
	t.Run("clients that break the schema", s.clientsThatBreakTheSchema)
	t.Run("errors tell nothing", s.errorsTellNothing)
}

// unknownPathsAndMethods asks for everything that is not in the document:
// the envelope, always, with Allow on a path that has other methods, and before
// anybody looked at credentials.
func (s *site) unknownPathsAndMethods(t *testing.T) {
	before := s.content(t)
	allowedOn := map[string][]string{}
	for _, o := range operations(t) {
		ids := map[string]string{
			"account_id": harness.ID("a"), "organization_id": harness.ID("a"), "role_id": viewer, "member_id": rowID("a", "guest@a.test"),
			"membership_id": rowID("a", "guest@a.test"), "invite_id": rowID("a", "guest@a.test"),
		}
		path := o.at(ids)
		allowedOn[path] = append(allowedOn[path], o.method)
		if o.reads() {
			allowedOn[path] = append(allowedOn[path], http.MethodHead)
		}
	}
	allowedOn["/../../openapi.yaml"] = nil // is no operation below the base path
	for path, methods := range allowedOn {
		if methods == nil {
			continue
		}
		slices.Sort(methods)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X"} {
			if slices.Contains(methods, method) {
				continue
			}
			for _, client := range []harness.Client{s.client, s.as("owner@a.test")} {
				answer := raw(t, client, method, "/client/v4"+path, nil, nil)
				if got := answer.Header.Get("Allow"); answer.HTTPStatus != http.StatusMethodNotAllowed || got != strings.Join(methods, ", ") {
					t.Errorf("%s %s: got %d, Allow %q, want 405 with %v", method, path, answer.HTTPStatus, got, methods)
				}
				if method != http.MethodHead && string(answer.Body) != exact(7001, "Method "+method+" is not available for that URI") {
					t.Errorf("%s %s: got %s", method, path, answer.Body)
				}
			}
		}
	}
	for _, target := range []string{
		"/client/v4/nothing", "/client/v4/user/", "/client/v4/accounts/", "/client/v4//user", "//client/v4/user", "/client/v4/user/../user", "/client/v4/./user",
		"/client/v4/user%2Finvites", "/client/v4/User", "/client/v5/user", "/v4/user", "/user", "/client/v4/accounts/" + harness.ID("a") + "/members/",
		"/client/v4/user;x=1", "/client/v4/user%00", "/client/v4/%75ser/", "/client/v4/accounts/" + harness.ID("a") + "/audit_logs/",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			answer := raw(t, s.as("owner@a.test"), method, target, nil, nil)
			if string(answer.Body) != exact(7000, "No route for that URI") || answer.HTTPStatus != http.StatusNotFound {
				t.Errorf("%s %s: got %d %s, want 404 with 7000", method, target, answer.HTTPStatus, answer.Body)
			}
		}
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("unknown paths and methods changed the database: %v", changes)
	}
}

// malformedIDs asks for what cannot be an id, in every place of every path:
// 404 with 7003, whatever it should name.
func (s *site) malformedIDs(t *testing.T) {
	good := map[string]string{
		"account_id": harness.ID("a"), "organization_id": harness.ID("a"), "role_id": viewer, "member_id": rowID("a", "guest@a.test"),
		"membership_id": rowID("a", "guest@a.test"), "invite_id": rowID("a", "guest@a.test"),
	}
	before := s.content(t)
	for _, o := range operations(t) {
		for _, param := range o.params {
			for _, bad := range []string{
				"x", "account_id", "null", harness.ID("a")[:31], harness.ID("a") + "0", strings.ToUpper(rowID("a", "owner@a.test")), "g" + harness.ID("a")[1:],
				harness.ID("a")[:31] + "%00", "%20" + harness.ID("a")[1:], harness.ID("a")[:31] + "%0a", strings.Repeat("%D9%A0", 16), "*", "%25", "1%20OR%201=1",
			} {
				if !strings.ContainsAny(bad, "%GABCDEF*gx") && len(bad) == 32 {
					continue // by chance an id
				}
				ids := maps.Clone(good)
				ids[param] = bad
				answer := odd(s.as("owner@a.test")).Must(t, o.method, o.at(ids), sampleBody(o.name, "bad"))
				want := exact(7003, "Could not route to /client/v4"+o.at(ids)+", perhaps your object identifier is invalid?")
				if answer.HTTPStatus != http.StatusNotFound || string(answer.Body) != want {
					t.Errorf("%s %s: got %d %s, want 404 %s", o.method, o.at(ids), answer.HTTPStatus, answer.Body, want)
				}
			}
		}
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("malformed ids changed the database: %v", changes)
	}
}

// mediaTypes declares bodies as everything but JSON: 415 with the envelope,
// and no effect. What publishers of clients write for JSON is taken.
func (s *site) mediaTypes(t *testing.T) {
	before := s.content(t)
	for _, request := range bodies() {
		for _, types := range [][]string{
			nil,
			{""},
			{"text/plain"},
			{"text/json"},
			{"application/x-www-form-urlencoded"},
			{"multipart/form-data; boundary=x"},
			{"application/json; charset=utf-16"},
			{"application/json; charset=iso-8859-1"},
			{"application/jsonp"},
			{"application/json+x"},
			{"application/merge-patch+json"},
			{"application"},
			{"/"},
			{"application/json, text/plain"},
			{"application/json", "text/plain"},
			{"text/plain", "application/json"},
			{"application/json;;"},
		} {
			header := http.Header{}
			if types != nil {
				header["Content-Type"] = types
			}
			answer := raw(t, s.whoever(request.as), request.method, "/client/v4"+request.path, header, strings.NewReader(jsonOf(request.body)))
			if outcome(answer) != "415/1002" {
				t.Errorf("%s %s as %q: got %s, want 415/1002: %s", request.method, request.path, types, outcome(answer), answer.Body)
			}
		}
		for _, encoding := range []string{"gzip", "br", "deflate", "x"} {
			header := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {encoding}}
			answer := raw(t, s.whoever(request.as), request.method, "/client/v4"+request.path, header, strings.NewReader(jsonOf(request.body)))
			if outcome(answer) != "415/1002" {
				t.Errorf("%s %s in %s: got %s, want 415/1002", request.method, request.path, encoding, outcome(answer))
			}
		}
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("bodies of other types changed the database: %v", changes)
	}
	for _, mediaType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json; x=y"} {
		header := http.Header{"Content-Type": {mediaType}}
		answer := raw(t, s.as("guest@a.test"), http.MethodPatch, "/client/v4/user", header, strings.NewReader(`{"first_name":"x"}`))
		if outcome(answer) != "200" {
			t.Errorf("as %s: got %s, want 200: %s", mediaType, outcome(answer), answer.Body)
		}
	}
}

// credentialFaults shows credentials that are missing, half there or cannot
// be any: the status, the code, and in error_chain which header is to blame.
func (s *site) credentialFaults(t *testing.T) {
	const email, key, token = "X-Auth-Email", "X-Auth-Key", "Authorization"
	mail, secret, bearer := "owner@a.test", harness.Key("owner@a.test"), "Bearer "+harness.Key("own token")
	const missing, malformed = "400/9106", "400/6003"
	blame := map[int]string{6102: email, 6103: key, 6111: token}
	tests := []struct {
		name   string
		header http.Header
		want   string
		chain  []int
	}{
		{"nothing", nil, missing, nil},
		{"a session cookie", http.Header{"Cookie": {"session=" + secret}}, missing, nil},
		{"a user service key", http.Header{"X-Auth-User-Service-Key": {secret}}, missing, nil},
		{"half a pair: the address", http.Header{email: {mail}}, malformed, []int{6103}},
		{"half a pair: the key", http.Header{key: {secret}}, malformed, []int{6102}},
		{"an empty address", http.Header{email: {""}, key: {secret}}, malformed, []int{6102}},
		{"an empty key", http.Header{email: {mail}, key: {""}}, malformed, []int{6103}},
		{"no address", http.Header{email: {"owner"}, key: {secret}}, malformed, []int{6102}},
		{"an address of a comment", http.Header{email: {"owner@a.test (x)"}, key: {secret}}, malformed, []int{6102}},
		{"two addresses", http.Header{email: {mail, "guest@a.test"}, key: {secret}}, malformed, []int{6102}},
		{"the same address twice", http.Header{email: {mail, mail}, key: {secret}}, malformed, []int{6102}},
		{"two addresses in one", http.Header{email: {mail + ",guest@a.test"}, key: {secret}}, malformed, []int{6102}},
		{"two keys", http.Header{email: {mail}, key: {wrongSecret, secret}}, malformed, []int{6103}},
		{"a short key", http.Header{email: {mail}, key: {secret[:31]}}, malformed, []int{6103}},
		{"a long key", http.Header{email: {mail}, key: {strings.Repeat("x", 129)}}, malformed, []int{6103}},
		{"a key with a sign", http.Header{email: {mail}, key: {secret[:36] + "*"}}, malformed, []int{6103}},
		{"a key with a space", http.Header{email: {mail}, key: {secret[:18] + " " + secret[18:]}}, malformed, []int{6103}},
		{"both wrong", http.Header{email: {"x"}, key: {"y"}}, malformed, []int{6102, 6103}},
		{"all wrong", http.Header{email: {"x"}, key: {"y"}, token: {"z"}}, malformed, []int{6102, 6103, 6111}},
		{"a bare token", http.Header{token: {harness.Key("own token")}}, malformed, []int{6111}},
		{"another scheme", http.Header{token: {"Basic " + harness.Key("own token")}}, malformed, []int{6111}},
		{"a scheme alone", http.Header{token: {"Bearer"}}, malformed, []int{6111}},
		{"a scheme and a space", http.Header{token: {"Bearer  "}}, malformed, []int{6111}},
		{"an empty header", http.Header{token: {""}}, malformed, []int{6111}},
		{"a short token", http.Header{token: {"Bearer x"}}, malformed, []int{6111}},
		{"two tokens", http.Header{token: {bearer, bearer}}, malformed, []int{6111}},
		{"two tokens in one", http.Header{token: {bearer + ", " + bearer}}, malformed, []int{6111}},
		{"a good pair and a malformed token", http.Header{email: {mail}, key: {secret}, token: {"Bearer x"}}, malformed, []int{6111}},
		{"a good token and half a pair", http.Header{email: {mail}, token: {bearer}}, malformed, []int{6103}},

		{"pair and token of two users", http.Header{email: {mail}, key: {secret}, token: {"Bearer " + harness.Key("other's token")}}, malformed, nil},
		{"a pair and the operator's token", http.Header{email: {mail}, key: {secret}, token: {"Bearer " + operatorToken}}, malformed, nil},
		{"a good pair and an unknown token", http.Header{email: {mail}, key: {secret}, token: {"Bearer " + wrongSecret}}, "401/1000", nil},
		{"a wrong pair and a good token", http.Header{email: {mail}, key: {wrongSecret}, token: {bearer}}, "403/9103", nil},

		{"a pair", http.Header{email: {mail}, key: {secret}}, "200", nil},
		{"the address in another form", http.Header{email: {" Owner@A.TEST "}, key: {secret}}, "200", nil},
		{"a token", http.Header{token: {bearer}}, "200", nil},
		{"the scheme in another case", http.Header{token: {"bEARER " + harness.Key("own token")}}, "200", nil},
		{"pair and token of one user", http.Header{email: {mail}, key: {secret}, token: {bearer}}, "200", nil},
	}
	for _, test := range tests {
		for _, target := range []string{"/client/v4/user", "/client/v4/accounts/" + harness.ID("a")} {
			answer := raw(t, s.client, http.MethodGet, target, test.header, nil)
			if got := outcome(answer); got != test.want {
				t.Errorf("%s: got %s, want %s: %s", test.name, got, test.want, answer.Body)
			}
			if test.want != malformed {
				continue
			}
			var body struct {
				Errors []struct {
					Message string `json:"message"`
					Chain   []struct {
						Code    int    `json:"code"`
						Message string `json:"message"`
					} `json:"error_chain"`
				} `json:"errors"`
			}
			if err := json.Unmarshal(answer.Body, &body); err != nil || len(body.Errors) != 1 || body.Errors[0].Message != "Invalid request headers" {
				t.Fatalf("%s: got %s, %v", test.name, answer.Body, err)
			}
			var chain []int
			for _, item := range body.Errors[0].Chain {
				chain = append(chain, item.Code)
				if !strings.Contains(item.Message, blame[item.Code]) {
					t.Errorf("%s: %d does not name the header: %s", test.name, item.Code, item.Message)
				}
			}
			if !slices.Equal(chain, test.chain) {
				t.Errorf("%s: error_chain: got %v, want %v", test.name, chain, test.chain)
			}
		}
	}
	// Never from the query.
	for _, query := range []string{"api_key=" + secret, "X-Auth-Email=" + mail + "&X-Auth-Key=" + secret, "access_token=" + harness.Key("own token")} {
		if got := outcome(raw(t, s.client, http.MethodGet, "/client/v4/user?"+query, nil, nil)); got != missing {
			t.Errorf("credentials in the query: got %s, want %s", got, missing)
		}
	}
}

// rawRequests writes what no client library writes: the answer is the
// envelope, or net/http's own refusal, and the next connection is served.
func (s *site) rawRequests(t *testing.T) {
	credentials := "X-Auth-Email: owner@a.test\r\nX-Auth-Key: " + harness.Key("owner@a.test") + "\r\n"
	for name, test := range map[string]struct {
		text   string
		status int
		code   int // 0: net/http's refusal, in its own words
	}{
		"OPTIONS *":              {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, 7000},
		"absolute form":          {"GET http://evil.test/client/v4/user HTTP/1.1\r\nHost: x\r\n" + credentials + "\r\n", 200, 0},
		"HTTP/1.0":               {"GET /client/v4/nothing HTTP/1.0\r\n\r\n", 404, 7000},
		"no host":                {"GET /client/v4/user HTTP/1.1\r\n\r\n", 400, 0},
		"two hosts":              {"GET /client/v4/user HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 0},
		"no such version":        {"GET /client/v4/user HTTP/9.9\r\nHost: x\r\n\r\n", 505, 0},
		"a NUL in a header":      {"GET /client/v4/user HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n", 400, 0},
		"two lengths":            {"PATCH /client/v4/user HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, 0},
		"a length below nothing": {"PATCH /client/v4/user HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, 0},
		"an unknown encoding":    {"PATCH /client/v4/user HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n", 501, 0},
		"a broken chunk":         {"PATCH /client/v4/user HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + credentials + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, 1002},
		"no HTTP":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := rawText(t, s, test.text)
			if status != test.status {
				t.Errorf("got %d %s, want %d", status, body, test.status)
			}
			if test.code != 0 && !strings.Contains(body, fmt.Sprintf(`{"result":null,"success":false,"errors":[{"code":%d,`, test.code)) {
				t.Errorf("got %s, want the envelope with %d", body, test.code)
			}
		})
	}
	s.as("owner@a.test").OK(t, http.MethodGet, "/user", nil)
}

// rawText writes bytes to the server and reads the answer.
func rawText(t *testing.T, s *site, text string) (status int, body string) {
	t.Helper()
	dialer := net.Dialer{Timeout: time.Minute}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// clientsThatBreakTheSchema does what published clients do beyond the
// upstream's schema (the contract's README names them): they are served.
func (s *site) clientsThatBreakTheSchema(t *testing.T) {
	owner := s.as("owner@a.test")
	sdk := owner.Exempt("a published client breaks the schema so")
	account := harness.ID("a")

	page := sdk.OK(t, http.MethodGet, "/accounts/"+account+"/roles?per_page=100", nil)
	if len(page.Rows(t)) < 60 || page.ResultInfo.PerPage != 100 {
		t.Errorf("roles?per_page=100: got %d rows of %d", len(page.Rows(t)), page.ResultInfo.TotalCount)
	}
	if got := sdk.OK(t, http.MethodPut, "/accounts/"+account, json.RawMessage(`{"name":"renamed","type":null}`)).Row(t); got.Name != "renamed" {
		t.Errorf("PUT account with type null and no id: got %+v", got)
	}
	colleague := "/accounts/" + account + "/members/" + rowID("a", "colleague@a.test")
	for _, body := range []string{
		`{"roles":[{"id":"` + manager + `"}]}`, `{"roles":["` + viewer + `"]}`, `{"roles":[{"id":"` + manager + `","name":null,"permissions":null}]}`,
	} {
		sdk.OK(t, http.MethodPut, colleague, json.RawMessage(body))
	}
	// What was read is sent back whole.
	for _, path := range []string{colleague, "/accounts/" + account} {
		read := owner.OK(t, http.MethodGet, path, nil)
		if got := sdk.OK(t, http.MethodPut, path, read.Result); string(got.Result) != string(read.Result) {
			t.Errorf("PUT %s of what was read: got %s, want %s", path, got.Result, read.Result)
		}
	}
	for _, roles := range []string{`["` + viewer + `"]`, `[{"id":"` + viewer + `"}]`} {
		sdk.OK(t, http.MethodPost, members("a"), json.RawMessage(`{"email":"sdk@fresh.test","status":null,"roles":`+roles+`}`))
	}
	both := owner
	both.Token = harness.Key("own token")
	both.OK(t, http.MethodGet, "/user", nil)
	verified := both.OK(t, http.MethodGet, "/user/tokens/verify", nil)
	if len(verified.Messages) != 1 || verified.Messages[0].Code != 10000 {
		t.Errorf("tokens/verify: got %s, want the message 10000", verified.Body)
	}
	expectOutcome(t, sdk, http.MethodPost, members("a"),
		json.RawMessage(`{"email":"p@fresh.test","roles":["`+viewer+`"],"policies":[{"access":"allow"}]}`), "400/1001")
	sdk.OK(t, http.MethodGet, "/memberships?unknown=1&unknown=2&account.name=renamed", nil)
}

// servedDocument holds that what describes the server is what all of these
// tests believe.
func (s *site) servedDocument(t *testing.T) {
	want, err := os.ReadFile(filepath.Join(harness.Root(), "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := raw(t, s.client, http.MethodGet, "/openapi.yaml", nil, nil); string(got.Body) != string(want) {
		t.Errorf("/openapi.yaml: got %d bytes, want the document's %d", len(got.Body), len(want))
	}
}
