package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hither/internal/iam"
)

const (
	membersOfB = "/accounts/" + string(tenantB) + "/members"
	invitesOfB = "/organizations/" + string(tenantB) + "/invites"
)

// TestMembersAndInvitesAsFiles reads lists of several chunks whole, in both forms,
// and holds them to what the lists show page by page.
func TestMembersAndInvitesAsFiles(t *testing.T) {
	t.Parallel()
	const rows = 1003
	data := twoTenants()
	for i := range rows {
		id := iam.ID(fmt.Sprintf("cccc%028x", i))
		data.Memberships = append(data.Memberships, asked(id, tenantB, fmt.Sprintf("p%04d@example.com", i), ownerB.email, iam.SuperAdministrator))
	}
	formula := user("dddd00000000000000000000000000fe", "named@example.com")
	formula.FirstName, formula.LastName = `=HYPERLINK("http://evil.example")`, "@SUM(A1);=1"
	data.Users = append(data.Users, formula)
	data.Memberships = append(data.Memberships, joined("dddd00000000000000000000000000fd", tenantB, formula.Email, iam.SuperAdministrator))
	w := newWorld(t, data)

	for path, c := range map[string]struct {
		name, email string
		rows        int // of them the account has
	}{
		membersOfB: {"members", "email", rows + 3},
		invitesOfB: {"invites", "invited_member_email", rows + 1},
	} {
		kind, text := w.file(t, ownerB, path+"?format=csv&per_page=5&page=7")
		lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || kind != "text/csv; charset=utf-8; header=present" || len(lines) != 1+c.rows {
			t.Fatalf("%s: %q, %d lines, %v, want %d", c.name, kind, len(lines), err, 1+c.rows)
		}
		at := slices.Index(lines[0], c.email)
		kind, text = w.file(t, ownerB, path+"?format=jsonl")
		parts := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if kind != "application/x-ndjson; charset=utf-8" || len(parts) != c.rows {
			t.Fatalf("%s: %q, %d objects, want %d", c.name, kind, len(parts), c.rows)
		}
		seen := map[string]bool{}
		for i, part := range parts {
			var row map[string]any
			if err := json.Unmarshal([]byte(part), &row); err != nil || row["id"] != lines[i+1][0] || row[c.email] != lines[i+1][at] {
				t.Fatalf("%s: line %d is %s, %v, and as CSV %q", c.name, i, part, err, lines[i+1])
			}
			seen[lines[i+1][0]] = true
		}
		if len(seen) != c.rows {
			t.Errorf("%s: %d different rows, want %d", c.name, len(seen), c.rows)
		}
		for _, refused := range []string{"?format=xlsx", "?format=csv&order=user.email", "?format=csv&asked=true"} {
			if strings.Contains(refused, "order") != (c.name == "members") && !strings.Contains(refused, "xlsx") {
				continue
			}
			w.bad(t, ownerB, http.MethodGet, path+refused, "").want(t, 400, 1001)
		}
		w.do(t, guest, http.MethodGet, path+"?format=csv", "").want(t, 404, 7003)
	}

	_, text := w.file(t, ownerB, membersOfB+"?format=csv&status=accepted")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Fatalf("accepted: %q, %v", lines, err)
	}
	line := lines[2]
	if line[1] != formula.Email || line[5] != "'"+formula.FirstName || line[6] != "'@SUM(A1);'=1" {
		t.Errorf("the line of a name that is a formula is %q", line)
	}
}
