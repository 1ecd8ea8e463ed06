package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/test/harness"
)

// longFields sends every text at its limit, one character above it and far above,
// in characters of one byte and of more: 1001, which names the field (KF-63).
func (s *site) longFields(t *testing.T) {
	account := "/accounts/" + harness.ID("a")
	fields := []struct {
		as, method, path, pointer string
		limit                     int
		body                      func(text string) object
	}{
		{"owner@a.test", "PATCH", "/user", "/first_name", 60, func(s string) object { return object{"first_name": s} }},
		{"owner@a.test", "PATCH", "/user", "/last_name", 60, func(s string) object { return object{"last_name": s} }},
		{"owner@a.test", "PATCH", "/user", "/telephone", 20, func(s string) object { return object{"telephone": s} }},
		{"owner@a.test", "PATCH", "/user", "/country", 30, func(s string) object { return object{"country": s} }},
		{"owner@a.test", "PATCH", "/user", "/zipcode", 20, func(s string) object { return object{"zipcode": s} }},
		{"owner@a.test", "PUT", account, "/name", 100, func(s string) object { return object{"name": s} }},
		{"owner@a.test", "PUT", account, "/settings/abuse_contact_email", 254, func(s string) object {
			return object{"name": "a", "settings": object{"abuse_contact_email": s}}
		}},
		{"operator", "POST", "/accounts", "/name", 100, func(s string) object { return object{"name": s} }},
	}
	for _, field := range fields {
		client := odd(s.whoever(field.as))
		for _, letter := range []string{"x", "é", "🂡"} {
			expectOutcome(t, client, field.method, field.path, field.body(strings.Repeat(letter, field.limit)), "200")
			for _, n := range []int{field.limit + 1, 10_000} {
				answer := expectOutcome(t, client, field.method, field.path, field.body(strings.Repeat(letter, n)), "400/1001")
				if len(answer.Errors) != 1 || answer.Errors[0].Source.Pointer != field.pointer || len(answer.Body) > 1000 {
					t.Errorf("KF-63: %d characters at %s: got %s, want the field named, briefly", n, field.pointer, answer.Body)
				}
			}
		}
		for _, text := range []string{"a\nb", "a\x00b", "a\u2028b", "a\u202eb", "\x7f"} {
			expectOutcome(t, client, field.method, field.path, field.body(text), "400/1001")
		}
	}
	// An address has 90 bytes, 64 of them before the @.
	for _, form := range []struct{ path, field string }{{members("a"), "email"}, {invites("a"), "invited_member_email"}} {
		domain := strings.Repeat("d", 40) + ".test"
		for local, want := range map[int]string{90 - 1 - len(domain): "200", 90 - len(domain): "400/1001", 5000: "400/1001"} {
			body := object{form.field: strings.Repeat("l", local) + "@" + domain, "roles": []string{viewer}}
			answer := expectOutcome(t, odd(s.as("owner@a.test")), http.MethodPost, form.path, body, want)
			if want != "200" && answer.Errors[0].Source.Pointer != "/"+form.field {
				t.Errorf("KF-63: a long address: got %s, want %s named", answer.Body, form.field)
			}
		}
		for local, want := range map[int]string{65: "400/1001", 64: "200"} {
			body := object{form.field: strings.Repeat("m", local) + "@d.test", "roles": []string{viewer}}
			expectOutcome(t, odd(s.as("owner@a.test")), http.MethodPost, form.path, body, want)
		}
	}
}

// manyRoles holds the bound of a list: 50 of one member (KF-63).
func (s *site) manyRoles(t *testing.T) {
	owner := s.as("owner@a.test")
	var all []string
	for _, role := range owner.OK(t, http.MethodGet, "/accounts/"+harness.ID("a")+"/roles?per_page=100", nil).Rows(t) {
		if role.ID != harness.SuperAdministrator {
			all = append(all, role.ID)
		}
	}
	many := func(n int) []string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = all[i%len(all)]
		}
		return ids
	}
	for _, request := range []struct {
		method, path string
		fields       object
	}{
		{http.MethodPost, members("a"), object{"email": "many@fresh.test"}},
		{http.MethodPost, invites("a"), object{"invited_member_email": "manyolder@fresh.test"}},
		{http.MethodPut, members("a") + "/" + rowID("a", "colleague@a.test"), object{}},
		{http.MethodPatch, invites("a") + "/" + rowID("a", "guest@a.test"), object{}},
	} {
		for _, test := range []struct {
			n    int
			want string
		}{{0, "400/1001"}, {51, "400/1001"}, {1000, "400/1001"}, {10_000, "400/1001"}, {50, "200"}} {
			request.fields["roles"] = many(test.n)
			answer := expectOutcome(t, odd(owner), request.method, request.path, request.fields, test.want)
			if test.want != "200" && (len(answer.Errors) != 1 || answer.Errors[0].Source.Pointer != "/roles") {
				t.Errorf("KF-63: %s %s with %d roles: got %s, want /roles named", request.method, request.path, test.n, answer.Body)
			}
		}
	}
}

const maxBody = 1 << 20

// padded is a body of n bytes.
func padded(body object, n int) json.RawMessage {
	text := jsonOf(body)
	return json.RawMessage(text + strings.Repeat(" ", n-len(text)))
}

// largeBodies sends bodies of one byte more than the limit to every operation
// that takes one: 413 with the envelope, and no effect (KF-63).
func (s *site) largeBodies(t *testing.T) {
	before := s.content(t, "audit")
	for _, request := range bodies() {
		client := odd(s.whoever(request.as))
		for _, n := range []int{maxBody + 1, 3 * maxBody} {
			expectOutcome(t, client, request.method, request.path, padded(request.body, n), "413/1002")
		}
		// Of unknown length.
		answer := raw(t, client, request.method, "/client/v4"+request.path, http.Header{"Content-Type": {"application/json"}},
			io.MultiReader(bytes.NewReader(padded(request.body, maxBody)), strings.NewReader(" ")))
		if outcome(answer) != "413/1002" {
			t.Errorf("KF-63: %s %s, chunked: got %s, want 413/1002", request.method, request.path, outcome(answer))
		}
	}
	s.unchanged(t, before, "bodies that are too large")
}

// fullBodies sends bodies of exactly the limit: they are taken.
func (s *site) fullBodies(t *testing.T) {
	for _, request := range bodies() {
		if strings.HasPrefix(request.path, "/memberships/") || strings.HasPrefix(request.path, "/organizations/") {
			continue // answered and invited already
		}
		expectOutcome(t, odd(s.whoever(request.as)), request.method, request.path, padded(request.body, maxBody), "200")
	}
}

// endless is a body without an end, which counts what was read of it.
type endless struct {
	left int64
	read atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Load() >= e.left {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

var resident = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

// endlessBodies sends bodies of 1 GiB, some at once: the server takes a
// little of each, and its memory stays flat (KF-63).
func (s *site) endlessBodies(t *testing.T) {
	memory := func() float64 {
		found := resident.FindStringSubmatch(get(t, s.metricsURL(t)))
		if found == nil {
			t.Fatal("the metrics page does not say how much memory there is")
		}
		bytes, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	client := s.as("holder@corp.test")
	client.OK(t, http.MethodPatch, "/user", object{"first_name": "x"})
	before := memory()
	const clients, each, most = 8, 1 << 30, 32 << 20 // most: what fits into the buffers between the two
	var done sync.WaitGroup
	for range clients {
		done.Go(func() {
			body := &endless{left: each}
			answer, err := tryRaw(t.Context(), client, http.MethodPatch, "/client/v4/user", http.Header{"Content-Type": {"application/json"}}, body)
			if err != nil || outcome(answer) != "413/1002" {
				t.Errorf("KF-63: a body of 1 GiB: got %s, %v, want 413/1002", outcome(answer), err)
			}
			if got := body.read.Load(); got > most {
				t.Errorf("KF-63: of a body of 1 GiB %d bytes were taken, want a little", got)
			}
		})
	}
	done.Wait()
	if grown := memory() - before; grown > 512<<20 {
		t.Errorf("KF-63: memory grew by %.0f MiB over %d bodies of 1 GiB", grown/(1<<20), clients)
	}
	client.OK(t, http.MethodGet, "/user", nil)
}

// deepAndWideJSON sends small bodies that would become large trees (KF-63).
func (s *site) deepAndWideJSON(t *testing.T) {
	nested := func(opening, closing string, n int) string {
		return `{"x":` + strings.Repeat(opening, n) + "1" + strings.Repeat(closing, n) + `}`
	}
	for name, body := range map[string]string{
		"200,000 lists deep":               nested("[", "]", 200_000),
		"150,000 objects deep":             nested(`{"a":`, "}", 150_000),
		"40 lists deep":                    nested("[", "]", 40),
		"200,000 deep, never closed":       `{"x":` + strings.Repeat("[", 200_000),
		"300,000 values":                   `{"x":[` + strings.Repeat("1,", 300_000) + `1]}`,
		"100,000 keys":                     `{` + manyKeys(100_000) + `"x":1}`,
		"a number of 900,000 digits twice": `{"x":` + strings.Repeat("9", 900_000) + `,"x":1}`,
	} {
		if got := expectOutcome(t, odd(s.as("guest@a.test")), http.MethodPatch, "/user", json.RawMessage(body), "400/1002"); len(got.Body) > 1000 {
			t.Errorf("KF-63: %s: got an answer of %d bytes, want a short one", name, len(got.Body))
		}
	}
	for name, body := range map[string]string{
		"20 lists deep": nested("[", "]", 20), "50,000 values": `{"x":[` + strings.Repeat("1,", 50_000) + `1]}`,
		"a long number": `{"x":1e400}`, "a key of 900,000 letters": `{"` + strings.Repeat("k", 900_000) + `":1}`,
	} {
		if got := outcome(odd(s.as("guest@a.test")).Must(t, http.MethodPatch, "/user", json.RawMessage(body))); got != "200" {
			t.Errorf("%s, which nobody reads: got %s, want 200", name, got)
		}
	}
}

func manyKeys(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `"%x":1,`, i)
	}
	return text.String()
}

// pageNumbers asks every list for pages that no database has: an empty
// list or 1001, whatever the number (KF-63).
func (s *site) pageNumbers(t *testing.T) {
	account := harness.ID("a")
	lists := []string{
		"/memberships", "/accounts", "/user/organizations", "/accounts/" + account + "/members", "/accounts/" + account + "/roles",
		"/organizations/" + account + "/invites", "/organizations/" + account + "/roles",
	}
	client := odd(s.as("owner@a.test"))
	for _, list := range lists {
		for _, page := range []string{
			"2000", "10000000", "10000001", "1000000000000000000", "9223372036854775807", "9223372036854775808", "18446744073709551616",
			strings.Repeat("9", 200), "00000000000000000000000000002000",
		} {
			for _, size := range []string{"", "&per_page=50", "&per_page=5"} {
				answer := client.OK(t, http.MethodGet, list+"?page="+page+size, nil)
				if rows := answer.Rows(t); len(rows) != 0 || answer.ResultInfo.TotalCount == 0 {
					t.Errorf("KF-63: GET %s?page=%s: got %s, want no rows and the true total", list, page, answer.Body)
				}
			}
		}
		for _, query := range []string{
			"page=0", "page=-1", "page=-9223372036854775808", "page=1.5", "page=1e3", "page=", "page=%201", "page=x", "page=%D9%A3", "page=0x10",
			"page=+1", "page=1&page=2", "per_page=0", "per_page=4", "per_page=101", "per_page=1000000000000000000", "per_page=-5", "per_page=x",
			"per_page=", "per_page=5&per_page=6", "page=1;per_page=5", "page=%zz",
		} {
			answer := client.Must(t, http.MethodGet, list+"?"+query, nil)
			if outcome(answer) != "400/1001" || len(answer.Body) > 1000 {
				t.Errorf("KF-63: GET %s?%s: got %s, want 400/1001: %s", list, query, outcome(answer), answer.Body)
			}
		}
	}
}

// longPathsAndQueries sends long ids, paths and queries: the answer is what
// a short one gets, and short itself (KF-63).
func (s *site) longPathsAndQueries(t *testing.T) {
	long := strings.Repeat("a", 20_000)
	for target, want := range map[string]string{
		"/client/v4/user/invites/" + long: "404/7003", "/client/v4/" + long: "404/7000", "/client/v4/accounts/" + long + "/members": "404/7003",
		"/client/v4/user/invites/" + strings.Repeat("%41", 7_000): "404/7003", "/client/v4" + strings.Repeat("/a", 10_000): "404/7000",
		"/client/v4/memberships?name=" + long: "400/1001", "/client/v4/memberships?unknown=" + long: "200",
		"/client/v4/memberships?" + strings.Repeat("a=1&", 6_000): "200", "/client/v4/memberships?status=" + long: "400/1001",
		"/client/v4/accounts/" + harness.ID("a") + "/members?email=" + long: "400/1001",
	} {
		answer := raw(t, s.as("owner@a.test"), http.MethodGet, target, nil, nil)
		if outcome(answer) != want || want != "200" && len(answer.Body) > 2000 {
			t.Errorf("KF-63: GET %.60s…: got %s in %d bytes, want %s, briefly", target, outcome(answer), len(answer.Body), want)
		}
	}
	if strings.Contains(s.Log(), strings.Repeat("a", 300)) {
		t.Error("KF-63: a long path is in the log whole")
	}
}

// headerSize holds the limit of a request's headers: above it the answer is
// 431, and the connection ends (KF-63). net/http answers that by itself.
func (s *site) headerSize(t *testing.T) {
	status := func(bytes int) int {
		t.Helper()
		dialer := net.Dialer{Timeout: time.Minute}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		var head strings.Builder
		fmt.Fprintf(&head, "GET /client/v4/user HTTP/1.1\r\nHost: x\r\nX-Auth-Email: owner@a.test\r\nX-Auth-Key: %s\r\n", harness.Key("owner@a.test"))
		for i := 0; head.Len() < bytes-200; i++ {
			fmt.Fprintf(&head, "X-%d: %s\r\n", i, strings.Repeat("x", 100))
		}
		head.WriteString("\r\n")
		go func() { _, _ = io.WriteString(conn, head.String()) }() // the server may not read all of it
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("headers of %d bytes: %v", bytes, err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	for bytes, want := range map[int]int{2 << 10: 200, 28 << 10: 200, 40 << 10: 431, 4 << 20: 431} {
		if got := status(bytes); got != want {
			t.Errorf("KF-63: headers of %d bytes: got %d, want %d", bytes, got, want)
		}
	}
}
