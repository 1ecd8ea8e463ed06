package main

import (
	"strings"
	"testing"
)

// TestKeyCommands checks each command against a server that has the database
// open all the while.
func TestKeyCommands(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	db := d.open()
	works := func(key any) bool {
		_, err := d.actor(db, keyHeaders("ada@example.com", key)...)
		return err == nil
	}

	added := d.object("key", "add", "ada@example.com", "--name", "laptop", "--json")
	if added["name"] != "laptop" || !works(added["secret"]) {
		t.Errorf("add: got %v, want a key that works", added)
	}
	rotated := d.object("key", "rotate", "ada@example.com", added["id"].(string), "--json")
	if rotated["name"] != "laptop" || !works(rotated["secret"]) || works(added["secret"]) {
		t.Errorf("rotate: got %v, want it to work instead of the old one", rotated)
	}
	d.refused("is disabled already", "key", "rotate", "ada@example.com", added["id"].(string))
	d.ok("user", "add", "eve@example.com")
	d.refused("eve@example.com has no key", "key", "rotate", "eve@example.com", rotated["id"].(string))

	d.ok("key", "disable", rotated["id"].(string))
	if works(rotated["secret"]) || !works(made["key"]) {
		t.Error("disable: want this key refused and the other one to work")
	}
	d.refused(`there is no key "no-such"`, "key", "disable", "no-such")
	list := d.ok("key", "list", "ada@example.com")
	if n := strings.Count(list, "laptop"); n != 2 || strings.Contains(list, added["secret"].(string)) {
		t.Errorf("list: got\n%s\nwant both keys of that name and no secret", list)
	}
}

func TestTokenCommands(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	db := d.open()
	works := func(token any) bool {
		_, err := d.actor(db, tokenHeaders(token)...)
		return err == nil
	}

	added := d.object("token", "add", "--user", "ada@example.com", "--name", "ci", "--expires", "30d", "--json")
	if actor, err := d.actor(db, tokenHeaders(added["secret"])...); err != nil || actor.User.Email != "ada@example.com" || actor.Operator() {
		t.Errorf("add --user: got %+v, %v", actor, err)
	}
	rotated := d.object("token", "rotate", added["id"].(string), "--user", "ada@example.com", "--json")
	if rotated["name"] != "ci" || rotated["expires_on"] != added["expires_on"] || !works(rotated["secret"]) || works(added["secret"]) {
		t.Errorf("rotate: got %v, want it to work instead of %v", rotated, added)
	}
	d.ok("token", "revoke", rotated["id"].(string))
	if works(rotated["secret"]) {
		t.Error("a revoked token still works")
	}
	d.refused("there is no token", "token", "revoke", strings.Repeat("0", 32))

	operators := d.objects("token", "list", "--operator", "--json")
	if len(operators) != 1 || operators[0]["name"] != "init" || operators[0]["of"] != "operator" {
		t.Errorf("list --operator: got %v, want the one of init", operators)
	}
	again := d.object("token", "add", "--operator", "--expires", "2099-01-01T00:00:00Z", "--json")
	if actor, err := d.actor(db, tokenHeaders(again["secret"])...); err != nil || !actor.Operator() || again["expires_on"] != "2099-01-01T00:00:00Z" {
		t.Errorf("add --operator: got %v, %+v, %v", again, actor, err)
	}
	if !works(made["operator_token"]) {
		t.Error("the token of init no longer works")
	}
	d.refused("--user", "token", "list")
	d.refused("can't be used together", "token", "list", "--operator", "--user", "ada@example.com")
}
