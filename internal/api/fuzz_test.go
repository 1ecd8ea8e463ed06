package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hither/internal/api"
	"hither/internal/iam"
)

// fuzzed is a world for a fuzz target, and how it asks: whatever is asked, the
// answer is an envelope (or one of the bare ids), never a redirect, never a
// failure of ours.
func fuzzed(f *testing.F) func(t *testing.T, r *http.Request) reply {
	f.Helper()
	w := newWorld(f, twoTenants())
	return func(t *testing.T, r *http.Request) reply {
		t.Helper()
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r)
		text := recorder.Body.Bytes()
		out := reply{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
		if out.status >= 500 || out.status >= 300 && out.status < 400 {
			t.Fatalf("%s %q: %d: %s", r.Method, r.URL, out.status, text)
		}
		file := out.status == http.StatusOK && out.header.Get("Content-Disposition") != ""
		if r.URL.Path == "/openapi.yaml" && out.status == http.StatusOK || r.Method == http.MethodHead || file {
			return out
		}
		var shape map[string]json.RawMessage
		if err := json.Unmarshal(text, &shape); err != nil {
			t.Fatalf("%s %q: %v: %q", r.Method, r.URL, err, text)
		}
		for _, key := range []string{"result", "success", "errors", "messages"} {
			if _, there := shape[key]; !there && len(shape) > 1 {
				t.Fatalf("%s %q: no %s: %s", r.Method, r.URL, key, text)
			}
		}
		if err := readReply(text, &out); err != nil {
			t.Fatalf("%s %q: %v: %s", r.Method, r.URL, err, text)
		}
		if out.status >= 400 && (out.Success || out.code() < 1000) {
			t.Fatalf("%s %q: a refusal like a success: %s", r.Method, r.URL, text)
		}
		return out
	}
}

// written are the routes that read a body, with the ids of twoTenants; an
// input picks one by number.
func written() []api.Route {
	var routes []api.Route
	for _, route := range api.Routes() {
		if route.Method == http.MethodPost || route.Method == http.MethodPut || route.Method == http.MethodPatch {
			routes = append(routes, route)
		}
	}
	return routes
}

func FuzzBody(f *testing.F) {
	ask := fuzzed(f)
	routes := written()
	for i := range routes {
		f.Add(uint8(i), cell{route: routes[i], role: iam.SuperAdministrator}.body())
	}
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"accepted"`, `{"status":["accepted"]}`, `{"status":"accepted","status":"rejected"}`, `{"roles":[{"id":1}]}`,
		`{"name":"x","settings":{"member_limit":1e400,"default_invite_lifetime":-0}}`, `{"first_name":"\ud800\u0000"}`, "{\"first_name\":\"\xff\"}",
		strings.Repeat("[", 10000), `{"email":"a@b.c","roles":["05784afa30c1afe1440e79d9351c7430"],"expires_on":"9999-12-31T23:59:59.999999999Z"}`,
		`{"email":"ı@ſ.ﬁ","roles":[],"policies":{}}`,
	} {
		f.Add(uint8(0), body)
		f.Add(uint8(3), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		route := routes[int(which)%len(routes)]
		target := api.Prefix + cell{route: route, account: tenantB, own: pendB, ownIn: tenantB, invite: pendB}.path()
		who := ownerB
		if route.Need == api.User {
			who = guest
		}
		r := httptest.NewRequestWithContext(t.Context(), route.Method, target, strings.NewReader(body))
		r.Header = who.headers()
		r.Header.Set("Content-Type", kindOf(body))
		got := ask(t, r)
		if kindOf(body) != "application/json" {
			return // see FuzzBulk
		}
		// What encoding/json doesn't take is not taken, but for no body at all where
		// everything in it may be left out.
		optional := body == "" && slices.ContainsFunc([]string{"/resend", "/renew", "/confirm", "/link", "/rotate"}, func(end string) bool {
			return strings.HasSuffix(route.Pattern, end)
		})
		if !json.Valid([]byte(body)) && !optional && got.status < 400 {
			t.Fatalf("%s %s: %q was taken: %s", route.Method, target, body, got.body)
		}
	})
}

func FuzzAuth(f *testing.F) {
	ask := fuzzed(f)
	f.Add("owner-b@example.com", keyOf("owner-b@example.com"), "", uint8(3))
	f.Add("OWNER-B@example.com ", keyOf("owner-b@example.com"), "", uint8(3))
	f.Add("", "", "Bearer Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY", uint8(4))
	f.Add("", "", "bearer  x", uint8(4))
	f.Add("x", "x", "x", uint8(7))
	f.Add("", "", "", uint8(0))
	f.Add("a@b.c\r\nX: y", "\x00", "Basic dXNlcjpwYXNz", uint8(7))
	f.Add("owner-a@example.com", keyOf("owner-b@example.com"), "", uint8(11))
	f.Fuzz(func(t *testing.T, email, key, token string, shown uint8) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, api.Prefix+"/user", nil)
		for i, header := range []struct{ name, value string }{{"X-Auth-Email", email}, {"X-Auth-Key", key}, {"Authorization", token}} {
			for n := range 2 { // the upper bits show a header twice
				if shown>>(i+3*n)&1 == 1 {
					r.Header.Add(header.name, header.value)
				}
			}
		}
		got := ask(t, r)
		if got.status != http.StatusOK {
			return
		}
		// Whoever gets in showed a key that is somebody's, and is that somebody.
		if me := got.row(t); key != keyOf(me.Email) || shown&0o11 != 0o1 && shown&0o11 != 0o10 {
			t.Fatalf("%q, %q, %q (%b) is %s", email, key, token, shown, me.Email)
		}
	})
}

// FuzzIdempotencyKey sends a request twice under keys of any form: it is refused
// twice, or takes place once.
func FuzzIdempotencyKey(f *testing.F) {
	ask := fuzzed(f)
	for _, key := range []string{
		"", " ", "k", "8e03978e-40d5-43dd-bc93-6894a57f9324", `"quoted"`, "a\tb", "a\r\nX: y", "\x00", "\x7f", "\xff", "schlüssel", "🦊",
		strings.Repeat("k", 255), strings.Repeat("k", 256), "'--", "%00", "null",
	} {
		f.Add(key, "", false)
		f.Add(key, key, true)
	}
	addresses := 0
	f.Fuzz(func(t *testing.T, key, second string, twice bool) {
		addresses++ // of one worker; each input invites another address
		body := fmt.Sprintf(`{"email":"%d@example.com","roles":["%s"]}`, addresses, iam.SuperAdministrator)
		send := func() reply {
			target := api.Prefix + "/accounts/" + string(tenantB) + "/members"
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
			r.Header = ownerB.headers()
			r.Header.Set("Content-Type", "application/json")
			r.Header["Idempotency-Key"] = []string{key}
			if twice {
				r.Header.Add("Idempotency-Key", second)
			}
			return ask(t, r)
		}
		first, again := send(), send()
		valid := !twice && len(key) >= 1 && len(key) <= 255 && strings.Trim(key, printable) == ""
		if !valid {
			if first.code() != 1001 || again.code() != 1001 {
				t.Fatalf("%q, %q (%v): got %s%s, want 1001", key, second, twice, first.body, again.body)
			}
			return
		}
		// Another input may have had the same key.
		if first.code() == 1213 && again.body == first.body {
			return
		}
		if first.status != http.StatusOK || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
			t.Fatalf("%q: got %s%s, want the same twice", key, first.body, again.body)
		}
	})
}

// printable is all of ASCII that is.
const printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

func FuzzID(f *testing.F) {
	ask := fuzzed(f)
	for _, id := range []string{
		string(pendB), string(tenantB), string(noRow), "", "x", "..", ".", "%2e%2e", "a/b", "%2f", "\x00", "'--", "🦊",
		"BBBB0000000000000000000000000003", strings.Repeat("0", 33), "/user", "?status=x", "#x", "*", "{invite_id}",
	} {
		f.Add(uint8(0), id, id)
		f.Add(uint8(9), id, string(pendB))
	}
	routes := api.Routes()
	f.Fuzz(func(t *testing.T, which uint8, first, second string) {
		route := routes[int(which)%len(routes)]
		segments := strings.Split(route.Pattern, "/")
		ids := []string{first, second}
		for i, segment := range segments {
			if strings.HasPrefix(segment, "{") {
				segments[i] = ids[0]
				ids = ids[len(ids)-1:] // there may be a third
			}
		}
		path := strings.Join(segments, "/")
		method := route.Method
		if method != http.MethodGet {
			method = http.MethodHead // the world stays as it is
		}
		for _, u := range []*url.URL{{Path: path}, {Path: path, RawPath: path}} {
			r := &http.Request{Method: method, URL: u, Header: ownerB.headers(), Body: http.NoBody, Host: "hither.test", RequestURI: path}
			got := ask(t, r.WithContext(t.Context()))
			_, firstOK := iam.ParseID(first)
			_, secondOK := iam.ParseID(second)
			if strings.Count(route.Pattern, "{") >= 2 && (!firstOK || !secondOK) && got.status < 400 {
				t.Fatalf("%s %q: %d: %s", method, path, got.status, got.body)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	ask := fuzzed(f)
	for i, query := range []string{
		"", "page=1&per_page=20", "page=99999999999999999999", "page=-1", "per_page=0x10", "order=user.email&direction=desc", "direction=up",
		"status=pending&status=accepted", "email=a%40b.c", "name=%00", "name=%ff", "account.name=A&name=B", "match=any&name=A&status=member", "a;b", "%zz", "&&==",
		"per_page=100", "status=&order=", "page=1&page=1", "order=id;drop table users", "asked=true", "asked=1",
		"since=2026-01-01&before=9999-12-31T23:59:59Z&actor.ip=10.0.0.0/8", "export=true", "format=jsonl&since=-1", "cursor=LTEuMQ&limit=7&id.not=x", "actor.ip=::/0",
	} {
		f.Add(uint8(i), query)
	}
	var lists []api.Route
	for _, route := range api.Routes() {
		if route.Method == http.MethodGet && !strings.HasSuffix(route.Pattern, "}") && route.Need != api.Public {
			lists = append(lists, route)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, query string) {
		route := lists[int(which)%len(lists)]
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, api.Prefix+cell{route: route, account: tenantB}.path(), nil)
		r.URL.RawQuery = query
		r.Header = ownerB.headers()
		got := ask(t, r)
		if strings.HasSuffix(route.Pattern, "/logs/audit") || strings.HasSuffix(route.Pattern, "/events") || strings.HasSuffix(route.Pattern, "/deliveries") {
			return // they have a cursor, and no pages
		}
		if got.status == http.StatusOK && strings.HasPrefix(strings.TrimSpace(string(got.Result)), "[") {
			if got.Info.Page < 1 || got.Info.Count != len(got.rows(t)) || got.Info.Count > got.Info.PerPage {
				t.Fatalf("%s?%s: result_info %+v with %d rows", route.Pattern, query, got.Info, len(got.rows(t)))
			}
		}
	})
}

// KF-63: a body without end costs no more memory than one at the limit.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	endless := &counted{Reader: io.MultiReader(strings.NewReader(`{"first_name":"`), repeated('x'))}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, api.Prefix+"/user", endless)
	r.Header = guest.headers()
	r.Header.Set("Content-Type", "application/json")
	check(t, r, send(w.handler, r), wants{status: 413, code: 1002})
	if endless.read > 2*api.MaxBody {
		t.Errorf("%d bytes were read of a body that may have %d", endless.read, api.MaxBody)
	}
	// One that says so itself is not even begun.
	r.ContentLength, endless.read = 1<<30, 0
	check(t, r, send(w.handler, r), wants{status: 413, code: 1002})
	if endless.read > 0 {
		t.Errorf("%d bytes were read of a body that says that it is too long", endless.read)
	}
}

type counted struct {
	io.Reader

	read int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// repeated is a reader of the same byte without end.
type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte{byte(r)}, len(p))), nil
}
