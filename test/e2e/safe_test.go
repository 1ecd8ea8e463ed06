package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// TestSafeMethodsChangeNothing sends GET, HEAD and OPTIONS to every path of the
// document, as everybody, with everything by which other products let a safe
// method act: the database is the same afterwards, to the last audit row and
// the last invitation that is due (KF-67's rule on the wire).
func TestSafeMethodsChangeNothing(t *testing.T) {
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	invited(seed, "a", "late@a.test", "owner@a.test", viewer)
	seed.User("late@a.test").User("stranger@who.test")
	s := newSite(t, seed)
	s.overdue(t, rowID("a", "late@a.test"))
	// On PostgreSQL who reads events gives those that are committed their positions
	// first: done once, there is nothing left to give.
	s.as("owner@a.test").OK(t, http.MethodGet, "/accounts/"+harness.ID("a")+"/events", nil)
	before := s.content(t)
	headers := []http.Header{
		nil,
		{"X-Http-Method-Override": {"DELETE"}, "X-Method-Override": {"DELETE"}, "X-Http-Method": {"PATCH"}},
		{"User-Agent": {"Mozilla/5.0 (compatible; SafeLinks)"}, "Purpose": {"prefetch"}, "Sec-Purpose": {"prefetch"}, "X-Moz": {"prefetch"}},
		{"Content-Type": {"application/json"}, "Origin": {"http://evil.test"}, "Access-Control-Request-Method": {"DELETE"}},
	}
	asked, n := map[string]bool{}, 0
	for _, client := range []harness.Client{s.client, s.operator(), s.as("owner@a.test"), s.as("guest@a.test"), s.as("late@a.test"), s.as("stranger@who.test")} {
		for _, o := range operations(t) {
			for _, row := range []string{"guest@a.test", "late@a.test", "colleague@a.test"} {
				account, id := harness.ID("a"), rowID("a", row)
				path := o.at(map[string]string{
					"account_id": account, "organization_id": account, "role_id": viewer, "member_id": id, "membership_id": id, "invite_id": id,
				})
				key := client.Email + client.Token + path
				if asked[key] {
					continue
				}
				asked[key] = true
				for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
					n++
					header, target, body := headers[n%len(headers)], "/client/v4"+path, ""
					if header != nil {
						target += "?_method=DELETE&method=PATCH&status=accepted&confirm=1"
					}
					if header.Get("Content-Type") != "" {
						body = `{"status":"accepted","_method":"DELETE"}`
					}
					answer := raw(t, client, method, target, header, strings.NewReader(body))
					if answer.HTTPStatus >= http.StatusInternalServerError || method == http.MethodOptions && answer.HTTPStatus != http.StatusMethodNotAllowed {
						t.Errorf("%s %s: got %s: %s", method, target, outcome(answer), answer.Body)
					}
					if got := answer.Header.Values("Access-Control-Allow-Origin"); len(got) > 0 {
						t.Errorf("%s %s: lets pages of others read: %v", method, target, got)
					}
				}
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.yaml", "/", "/metrics"} {
		raw(t, s.client, http.MethodGet, path, nil, nil)
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("safe methods changed the database:\n%s", strings.Join(changes, "\n"))
	}
	if want := fmt.Sprint(len(before)); len(before) < 20 {
		t.Errorf("rows of the database: got %s, want what was seeded", want)
	}
}
