package e2e_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

// auditRow is what these tests look at of a row.
type auditRow struct {
	ID     string `json:"id"`
	Action struct {
		Type   string `json:"type"`
		Result bool   `json:"result"`
	} `json:"action"`
	Actor struct {
		ID    string `json:"id"`
		Email string `json:"email"`
		IP    string `json:"ip"`
		Type  string `json:"type"`
	} `json:"actor"`
	Interface string            `json:"interface"`
	Metadata  map[string]string `json:"metadata"`
	NewValue  string            `json:"newValue"`
	Owner     struct {
		ID string `json:"id"`
	} `json:"owner"`
	Resource struct {
		ID string `json:"id"`
	} `json:"resource"`
}

// auditOf reads a log as its pagers do: until a page is empty.
func auditOf(t testing.TB, client harness.Client, path string) []auditRow {
	t.Helper()
	var all []auditRow
	for page := 1; ; page++ {
		answer := client.OK(t, http.MethodGet, fmt.Sprintf("%s?direction=asc&per_page=4&page=%d", path, page), nil)
		var rows []auditRow
		if err := json.Unmarshal(answer.Result, &rows); err != nil {
			t.Fatalf("%v: %s", err, answer.Body)
		}
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
	}
}

func actionsOf(rows []auditRow) []string {
	var actions []string
	for _, row := range rows {
		actions = append(actions, row.Action.Type)
	}
	return actions
}

// TestAuditLogs walks a membership over the real server and reads it back on every
// route: what the account sees, what each user sees, and what neither does.
func TestAuditLogs(t *testing.T) {
	t.Parallel()
	seed := newSeed()
	for _, email := range []string{"owner@a.test", "owner@b.test", "guest@c.test", "other@d.test"} {
		person(seed, harness.SeedUser{Email: email})
	}
	seed.Member("a", "owner@a.test", harness.SuperAdministrator).Member("b", "owner@b.test", harness.SuperAdministrator)
	seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: harness.ID("a"), Name: "A"}, harness.SeedAccount{ID: harness.ID("b"), Name: "B"})
	s := newSite(t, seed)
	a, b, guest := harness.ID("a"), harness.ID("b"), s.as("guest@c.test")
	owner := s.as("owner@a.test")
	before := len(auditOf(t, owner, "/accounts/"+a+"/audit_logs"))

	row := owner.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "guest@c.test", "roles": []string{viewer}}).Row(t)
	guest.OK(t, http.MethodPatch, "/user/invites/"+row.ID, object{"status": "accepted"})
	owner.OK(t, http.MethodPut, "/accounts/"+a+"/members/"+row.ID, object{"roles": []string{harness.MinimalAccess}})
	guest.Refused(t, http.MethodDelete, "/accounts/"+a+"/members/"+row.ID, nil, http.StatusForbidden, 9109)
	guest.OK(t, http.MethodDelete, "/memberships/"+row.ID, nil)
	s.as("other@d.test").Refused(t, http.MethodDelete, "/accounts/"+a, nil, http.StatusNotFound, 7003)
	s.operator().OK(t, http.MethodPut, "/accounts/"+a, object{"name": "Renamed"})

	log := auditOf(t, owner, "/accounts/"+a+"/audit_logs")[before:]
	want := []string{"invite.create", "invite.accept", "member.edit", "member.remove", "member.leave", "account.delete", "account.edit"}
	if !slices.Equal(actionsOf(log), want) {
		t.Fatalf("the account's log: got %v, want %v", actionsOf(log), want)
	}
	for i, email := range []string{"owner@a.test", "guest@c.test", "owner@a.test", "guest@c.test", "guest@c.test", "", ""} {
		shown := log[i].Actor.ID != "" && log[i].Actor.IP == "127.0.0.1"
		if log[i].Actor.Email != email || shown != (email != "") || log[i].Owner.ID != a {
			t.Errorf("KF-47: row %d (%s): got actor %+v, want %q", i, log[i].Action.Type, log[i].Actor, email)
		}
	}
	if log[3].Action.Result || log[3].Metadata["refused"] != "forbidden" || log[6].Actor.Type != "admin" {
		t.Errorf("what was refused, and what the operator did: %+v, %+v", log[3], log[6])
	}
	if older := auditOf(t, owner, "/organizations/"+a+"/audit_logs")[before:]; !slices.Equal(actionsOf(older), want) {
		t.Errorf("the older path: got %v", actionsOf(older))
	}
	// The user's own log: what it did, also where it belongs no longer, and what was
	// done to it, without who did.
	mine := auditOf(t, guest, "/user/audit_logs")
	mine = mine[slices.IndexFunc(mine, func(r auditRow) bool { return r.Action.Type == "invite.accept" }):]
	if got := actionsOf(mine); !slices.Equal(got, []string{"invite.accept", "member.edit", "member.remove", "member.leave"}) {
		t.Errorf("the guest's log: got %v", got)
	}
	if mine[1].Actor.ID != "" || mine[1].Actor.Email != "" || mine[1].Actor.IP != "" || mine[1].Actor.Type != "user" {
		t.Errorf("KF-46: what the owner did tells who: %+v", mine[1].Actor)
	}
	// Nobody else's log knows of any of it.
	for who, path := range map[string]string{"owner@b.test": "/accounts/" + b + "/audit_logs", "other@d.test": "/user/audit_logs"} {
		for _, other := range auditOf(t, s.as(who), path) {
			if slices.ContainsFunc(log, func(r auditRow) bool { return r.ID == other.ID }) && other.Action.Type != "account.delete" {
				t.Errorf("%s of %s has %+v of another account", path, who, other)
			}
		}
	}
	// Who may no longer read is refused at the next request, and a page by cursor ends.
	var page struct {
		Info struct {
			Cursor string `json:"cursor"`
		} `json:"result_info"`
	}
	answer := owner.OK(t, http.MethodGet, "/accounts/"+a+"/logs/audit?limit=2", nil)
	if err := json.Unmarshal(answer.Body, &page); err != nil || page.Info.Cursor == "" {
		t.Errorf("no cursor: %v %s", err, answer.Body)
	}
	guest.Refused(t, http.MethodGet, "/accounts/"+a+"/audit_logs", nil, http.StatusNotFound, 7003)
	s.operator().OK(t, http.MethodGet, "/accounts/"+a+"/logs/audit?cursor="+page.Info.Cursor, nil)
}

// TestAuditExport reads more rows than one read gives as files over the real
// server, and finds each of them once.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("a", "owner@a.test")
	s := newSite(t, seed)
	owner, path := s.as("owner@a.test"), "/accounts/"+harness.ID("a")
	const invitations = 620
	together(8, func(worker int) {
		for i := worker; i < invitations; i += 8 {
			ask(t, owner, http.MethodPost, path+"/members", object{"email": fmt.Sprintf("+%d@x.test", i), "roles": []string{harness.MinimalAccess}})
		}
	})
	fetch := func(query string) (string, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, owner.URL+"/client/v4"+path+"/audit_logs?action.type=invite.create&"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Auth-Email", owner.Email)
		request.Header.Set("X-Auth-Key", owner.Key)
		response, err := owner.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v: %.300s", query, response.StatusCode, err, body)
		}
		return response.Header.Get("Content-Type"), string(body)
	}
	_, text := fetch("export=true")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) != invitations+1 {
		t.Fatalf("CSV: %d lines, %v, want %d and the names", len(lines), err, invitations)
	}
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		seen[line[0]] = true
	}
	if len(seen) != invitations {
		t.Errorf("CSV: %d different rows, want %d", len(seen), invitations)
	}
	kind, text := fetch("format=jsonl&direction=asc")
	if rows := strings.Count(text, "\n"); rows != invitations || !strings.HasPrefix(kind, "application/x-ndjson") {
		t.Errorf("JSON lines: %d, %s, want %d", rows, kind, invitations)
	}
}
