package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// betterAuth is better-auth's organization plugin, behind its own handler for
// Node's HTTP server. What runs there is in peers/betterauth.
type betterAuth struct {
	folder string // of this checkout
	dir    string // where it is installed
}

func (*betterAuth) name() string { return "better-auth" }

func (*betterAuth) setups() []setup {
	// One process with a driver that does not yield hides what two of them show.
	return []setup{
		{name: "defaults"},
		{name: "defaults, two processes", processes: 2},
		{name: "with `cancelPendingInvitationsOnReInvite` and a `beforeAcceptInvitation` hook, two processes", strict: true, processes: 2},
	}
}

func (*betterAuth) limits() limits { return limits{inviting: true, accepting: true} }

// build installs it beside the databases and not in the checkout, where the
// go command would look into node_modules. It is taken again while its lock
// file stays the same.
func (b *betterAuth) build(ctx context.Context, dir string) error {
	b.dir = filepath.Join(filepath.Dir(dir), "betterauth")
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.ReadFile(filepath.Join(b.folder, "package-lock.json"))
	if err != nil {
		return err
	}
	stamp := filepath.Join(b.dir, "installed")
	old, err := os.ReadFile(stamp)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	files, err := os.ReadDir(b.folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(b.folder, file.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.dir, file.Name()), text, 0o600); err != nil {
			return err
		}
	}
	if bytes.Equal(old, lock) {
		return nil
	}
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = b.dir
	// Its C is compiled here: what npm would fetch elsewhere is nobody's to check.
	install.Env = append(os.Environ(), "npm_config_build_from_source=true")
	if err := runs(install); err != nil {
		return err
	}
	return os.WriteFile(stamp, lock, 0o600)
}

func (b *betterAuth) seed(ctx context.Context, dir string, p population, _ setup) (seeded, error) {
	return seedByFile(dir, p, func(from, to string) error {
		return runs(exec.CommandContext(ctx, "node", filepath.Join(b.dir, "seed.mjs"), filepath.Join(dir, "auth.db"), from, to))
	})
}

// seedByFile writes a population, lets a program read it, and reads what that made.
func seedByFile(dir string, p population, run func(from, to string) error) (seeded, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return seeded{}, err
	}
	from, to := filepath.Join(dir, "population.json"), filepath.Join(dir, "seeded.json")
	if err := os.WriteFile(from, text, 0o600); err != nil {
		return seeded{}, err
	}
	if err := run(from, to); err != nil {
		return seeded{}, err
	}
	if text, err = os.ReadFile(to); err != nil {
		return seeded{}, err
	}
	var s seeded
	return s, json.Unmarshal(text, &s)
}

func (b *betterAuth) start(ctx context.Context, log, dir string, p population, s setup) (*server, error) {
	settings := fmt.Sprintf(`{"limit":%d,"strict":%t}`, p.Limit, s.strict)
	return startServer(ctx, log, "node", func(addr string) []string {
		return []string{filepath.Join(b.dir, "server.mjs"), addr, filepath.Join(dir, "auth.db"), settings}
	})
}

// credential is the cookie of a session, and the origin that goes with it.
func (*betterAuth) credential(s seeded, user int, addr string) []string {
	return []string{"Cookie", "better-auth.session_token=" + s.Credentials[user], "Origin", "http://" + addr}
}

const organizations = "/api/auth/organization"

func (*betterAuth) read(invite string) ask {
	return ask{method: "GET", path: organizations + "/get-invitation" + query("id", invite)}
}

func (*betterAuth) invite(s seeded, account int, email, role string, _ int) ask {
	body := fmt.Sprintf(`{"email":%q,"role":%q,"organizationId":%q}`, email, role, s.Accounts[account])
	return ask{"POST", organizations + "/invite-member", body}
}

func (*betterAuth) accept(invite string) ask {
	return ask{"POST", organizations + "/accept-invitation", fmt.Sprintf(`{"invitationId":%q}`, invite)}
}

func (*betterAuth) remove(s seeded, account int, member string) ask {
	body := fmt.Sprintf(`{"memberIdOrEmail":%q,"organizationId":%q}`, member, s.Accounts[account])
	return ask{"POST", organizations + "/remove-member", body}
}

func (*betterAuth) pending(s seeded, account int) ask {
	return ask{method: "GET", path: organizations + "/list-invitations" + query("organizationId", s.Accounts[account])}
}

func (*betterAuth) roster(s seeded, account int) ask {
	return ask{method: "GET", path: organizations + "/list-members" + query("organizationId", s.Accounts[account])}
}

func (*betterAuth) invited(body []byte) (string, error) {
	var answer struct {
		ID string `json:"id"`
	}
	return answer.ID, json.Unmarshal(body, &answer)
}

func (*betterAuth) pendingIn(body []byte) (int, error) {
	var answer []struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, err
	}
	n := 0
	for _, invitation := range answer {
		if invitation.Status == statusPending {
			n++
		}
	}
	return n, nil
}

func (*betterAuth) rolesIn(body []byte) ([]string, error) {
	var answer struct {
		Members []struct {
			Role string `json:"role"`
		} `json:"members"`
		Total int `json:"total"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	// It shows no more members than the limit allows, however many there are.
	roles := make([]string, max(answer.Total, len(answer.Members)))
	for i, member := range answer.Members {
		roles[i] = member.Role
	}
	return roles, nil
}
