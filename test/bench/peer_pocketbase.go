package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pocketBase is an application on PocketBase: collections, rules and hooks.
// What runs there is in peers/pocketbase, a module of its own.
type pocketBase struct {
	folder  string // of this checkout
	program string
}

func (*pocketBase) name() string { return "PocketBase" }

func (*pocketBase) setups() []setup {
	return []setup{{name: "rules and hooks"}, {name: "with a unique index, a transaction, one rule more", strict: true}}
}

func (*pocketBase) limits() limits { return limits{accepting: true} }

func (p *pocketBase) build(ctx context.Context, dir string) error {
	p.program = filepath.Join(dir, "pocketbase")
	command := exec.CommandContext(ctx, "go", "build", "-C", p.folder, "-o", p.program, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	return runs(command)
}

func pocketBaseFlags(dir string, s setup) []string {
	return []string{"--dir", filepath.Join(dir, "pb_data"), fmt.Sprintf("--strict=%t", s.strict)}
}

func (p *pocketBase) seed(ctx context.Context, dir string, of population, s setup) (seeded, error) {
	return seedByFile(dir, of, func(from, to string) error {
		return runs(exec.CommandContext(ctx, p.program, append([]string{"seed", from, to}, pocketBaseFlags(dir, s)...)...))
	})
}

func (p *pocketBase) start(ctx context.Context, log, dir string, _ population, s setup) (*server, error) {
	return startServer(ctx, log, p.program, func(addr string) []string {
		return append([]string{"serve", "--http", addr}, pocketBaseFlags(dir, s)...)
	})
}

func (*pocketBase) credential(s seeded, user int, _ string) []string {
	return []string{"Authorization", s.Credentials[user]}
}

const (
	inviteRecords = "/api/collections/invites/records"
	memberRecords = "/api/collections/members/records"
)

func (*pocketBase) read(invite string) ask {
	return ask{method: "GET", path: inviteRecords + "/" + invite}
}

func (*pocketBase) invite(s seeded, account int, email, role string, by int) ask {
	body := fmt.Sprintf(`{"account":%q,"email":%q,"role":%q,"status":"pending","invited_by":%q}`, s.Accounts[account], email, role, s.Users[by])
	return ask{"POST", inviteRecords, body}
}

func (*pocketBase) accept(invite string) ask {
	return ask{"PATCH", inviteRecords + "/" + invite, `{"status":"accepted"}`}
}

func (*pocketBase) remove(_ seeded, _ int, member string) ask {
	return ask{method: "DELETE", path: memberRecords + "/" + member}
}

func (*pocketBase) pending(s seeded, account int) ask {
	filter := fmt.Sprintf("account = '%s' && status = 'pending'", s.Accounts[account])
	return ask{method: "GET", path: inviteRecords + query("perPage", "100", "filter", filter)}
}

func (*pocketBase) roster(s seeded, account int) ask {
	return ask{method: "GET", path: memberRecords + query("perPage", "100", "filter", fmt.Sprintf("account = '%s'", s.Accounts[account]))}
}

func (*pocketBase) invited(body []byte) (string, error) {
	var answer struct {
		ID string `json:"id"`
	}
	return answer.ID, json.Unmarshal(body, &answer)
}

func (p *pocketBase) pendingIn(body []byte) (int, error) {
	roles, err := p.rolesIn(body)
	return len(roles), err
}

func (*pocketBase) rolesIn(body []byte) ([]string, error) {
	var answer struct {
		Items []struct {
			Role string `json:"role"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	roles := make([]string, len(answer.Items))
	for i, item := range answer.Items {
		roles[i] = item.Role
	}
	return roles, nil
}
