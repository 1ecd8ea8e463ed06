package main

import (
	"strings"
	"testing"
)

func TestUserCommands(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	added := d.object("user", "add", "Grace@Example.com", "--unverified", "--first-name", "Grace", "--json")
	if added["email"] != "grace@example.com" || added["verified"] != false || added["operator"] != false || added["last_name"] != "" {
		t.Errorf("add: got %v", added)
	}
	set := d.object("user", "set", "grace@example.com", "--verified", "--two-factor", "--operator", "--json")
	if set["verified"] != true || set["two_factor"] != true || set["operator"] != true {
		t.Errorf("set: got %v, want all true", set)
	}
	set = d.object("user", "set", added["id"].(string), "--unverified", "--no-operator", "--json")
	if set["verified"] != false || set["two_factor"] != true || set["operator"] != false {
		t.Errorf("set: got %v, want two_factor alone left", set)
	}
	shown := d.object("user", "show", "ada@example.com", "--json")
	if memberships := shown["memberships"].([]any); len(memberships) != 1 || memberships[0].(map[string]any)["account"] != "Engines" {
		t.Errorf("show: got %v, want one membership", shown)
	}
	lines := strings.Split(strings.TrimSpace(d.ok("user", "list")), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "ID ") || strings.Index(lines[0], "EMAIL") != strings.Index(lines[1], "ada@") {
		t.Errorf("list: got\n%s\nwant an aligned table of two", strings.Join(lines, "\n"))
	}
}

// TestDisableUser holds that a server which has the database open refuses a
// disabled user at once, and that the last Super Administrator is protected.
func TestDisableUser(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	db := d.open()
	credentials := keyHeaders(made["email"], made["key"])

	d.refused("last active Super Administrator", "user", "disable", "ada@example.com")
	d.refused("--force does it all the same and flags the account", "user", "disable", "ada@example.com")
	if _, err := d.actor(db, credentials...); err != nil {
		t.Fatalf("after a refused disable: %v", err)
	}
	if got := d.object("user", "disable", "ada@example.com", "--force", "--json"); got["disabled"] != true {
		t.Errorf("disable --force: got %v", got)
	}
	if _, err := d.actor(db, credentials...); err == nil {
		t.Error("a disabled user's key still works")
	}
	if account := d.object("account", "show", "Engines", "--json"); account["needs_super_administrator"] != true {
		t.Errorf("account: got %v, want it flagged", account)
	}
	if got := d.object("user", "enable", "ada@example.com", "--json"); got["disabled"] != false {
		t.Errorf("enable: got %v", got)
	}
	if _, err := d.actor(db, credentials...); err != nil {
		t.Errorf("after enable: %v", err)
	}
	if account := d.object("account", "show", "Engines", "--json"); account["needs_super_administrator"] != false {
		t.Errorf("account: got %v, want the flag taken off", account)
	}
}
