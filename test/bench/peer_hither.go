package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"hither/internal/iam"
)

// hitherPeer is hither, filled by hither import.
type hitherPeer struct{ program string }

func (*hitherPeer) name() string { return "hither" }

func (*hitherPeer) setups() []setup {
	return []setup{{name: "as it comes"}, {name: "as it comes, two processes", processes: 2}}
}

func (*hitherPeer) limits() limits { return limits{inviting: true, members: true} }

func (h *hitherPeer) build(ctx context.Context, dir string) error {
	p, err := build(ctx, dir)
	h.program = p.hither
	return err
}

// The roles beside the owner's, which is the built-in Super Administrator.
var hitherRoles = map[string]string{
	roleOwner:  string(iam.SuperAdministrator),
	roleAdmin:  "0000000000007000800000000000ad00",
	roleMember: "0000000000007000800000000000be00",
}

// hitherImport is an import file, as docs/import.md describes it.
type hitherImport struct {
	Users       []map[string]any `json:"users,omitempty"`
	Accounts    []map[string]any `json:"accounts,omitempty"`
	Roles       []map[string]any `json:"roles,omitempty"`
	Memberships []map[string]any `json:"memberships,omitempty"`
}

// rowsPerImport keeps a file to what one transaction writes quickly.
const rowsPerImport = 1000

func (h *hitherPeer) seed(ctx context.Context, dir string, p population, _ setup) (seeded, error) {
	s := seeded{Version: "this checkout", Durability: "journal_mode=wal, synchronous=FULL, in groups"}
	file := hitherImport{Roles: []map[string]any{
		{"id": hitherRoles[roleAdmin], "name": roleAdmin, "permissions": map[string]any{"members": "write", "organization": "write"}},
		{"id": hitherRoles[roleMember], "name": roleMember, "permissions": map[string]any{"organization": "read"}},
	}}
	for n, email := range p.Users {
		sum := sha256.Sum256(fmt.Appendf(nil, "key of peer user %d", n))
		id, key := string(rowID(userKind, n)), hex.EncodeToString(sum[:])[:37]
		s.Users, s.Credentials = append(s.Users, email), append(s.Credentials, key)
		file.Users = append(file.Users, map[string]any{"id": id, "email": email, "first_name": "Member", "keys": []string{key}})
	}
	for n, name := range p.Accounts {
		id := string(rowID(accountKind, n))
		s.Accounts = append(s.Accounts, id)
		file.Accounts = append(file.Accounts, map[string]any{"id": id, "name": name, "settings": map[string]any{"member_limit": p.Limit}})
	}
	if err := h.load(ctx, dir, file); err != nil {
		return seeded{}, err
	}
	for part := range slices.Chunk(p.Rows, rowsPerImport) {
		file = hitherImport{}
		for _, r := range part {
			id := string(rowID(memberKind, len(s.Members)))
			s.Members, s.Invites = append(s.Members, id), append(s.Invites, id)
			membership := map[string]any{
				"id": id, "account": s.Accounts[r.Account], "email": p.Users[r.User], "status": r.Status, "roles": []string{hitherRoles[r.Role]},
			}
			if r.By != nobody {
				membership["invited_by"], membership["expires_on"] = p.Users[r.By], "2099-01-01T00:00:00Z"
			}
			file.Memberships = append(file.Memberships, membership)
		}
		if err := h.load(ctx, dir, file); err != nil {
			return seeded{}, err
		}
	}
	return s, nil
}

func (h *hitherPeer) load(ctx context.Context, dir string, file hitherImport) error {
	text, err := json.Marshal(file)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "import.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	return runs(exec.CommandContext(ctx, h.program, "import", "--data", hitherDatabase(dir), path))
}

func hitherDatabase(dir string) string { return filepath.Join(dir, "hither.db") }

func (h *hitherPeer) start(ctx context.Context, log, dir string, _ population, _ setup) (*server, error) {
	return startServer(ctx, log, h.program, func(addr string) []string {
		return []string{"serve", "--listen", addr, "--rate-limit=off", "--address-rate-limit=off", "--data", hitherDatabase(dir)}
	})
}

func (*hitherPeer) credential(s seeded, user int, _ string) []string {
	return []string{"X-Auth-Email", s.Users[user], "X-Auth-Key", s.Credentials[user]}
}

func (*hitherPeer) read(invite string) ask {
	return ask{method: "GET", path: "/client/v4/user/invites/" + invite}
}

func (*hitherPeer) invite(s seeded, account int, email, role string, _ int) ask {
	body := fmt.Sprintf(`{"email":%q,"roles":[%q]}`, email, hitherRoles[role])
	return ask{"POST", "/client/v4/accounts/" + s.Accounts[account] + "/members", body}
}

func (*hitherPeer) accept(invite string) ask {
	return ask{"PATCH", "/client/v4/user/invites/" + invite, `{"status":"accepted"}`}
}

func (*hitherPeer) remove(s seeded, account int, member string) ask {
	return ask{method: "DELETE", path: "/client/v4/accounts/" + s.Accounts[account] + "/members/" + member}
}

func (*hitherPeer) pending(s seeded, account int) ask {
	return ask{method: "GET", path: "/client/v4/accounts/" + s.Accounts[account] + "/members?per_page=50&status=pending"}
}

func (*hitherPeer) roster(s seeded, account int) ask {
	return ask{method: "GET", path: "/client/v4/accounts/" + s.Accounts[account] + "/members?per_page=50&status=accepted"}
}

func (*hitherPeer) invited(body []byte) (string, error) {
	var answer struct {
		Result struct {
			ID string `json:"id"`
		} `json:"result"`
	}
	return answer.Result.ID, json.Unmarshal(body, &answer)
}

func (h *hitherPeer) pendingIn(body []byte) (int, error) {
	roles, err := h.rolesIn(body)
	return len(roles), err
}

func (*hitherPeer) rolesIn(body []byte) ([]string, error) {
	var answer struct {
		Result []struct {
			Roles []struct {
				Name string `json:"name"`
			} `json:"roles"`
		} `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var found []string
	for _, member := range answer.Result {
		if len(member.Roles) != 1 {
			return nil, fmt.Errorf("a member has %d roles, want 1: %s", len(member.Roles), body)
		}
		name := member.Roles[0].Name
		if strings.HasPrefix(name, "Super Administrator") {
			name = roleOwner
		}
		found = append(found, name)
	}
	return found, nil
}

// runs waits for a command to end; what it said goes into the error.
func runs(command *exec.Cmd) error {
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command.Args, " "), err, out)
	}
	return nil
}
