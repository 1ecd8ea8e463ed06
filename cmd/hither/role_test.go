package main

import (
	"testing"

	"hither/internal/iam"
)

func TestRoleCommands(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	added := d.object("role", "add", "Editor", "--permission", "documents=write", "--permission", "members=read", "--description", "Edits.", "--json")
	if allowed := added["permissions"].(map[string]any); len(allowed) != 2 || allowed["documents"] != "write" || allowed["members"] != "read" {
		t.Errorf("add: got %v", added)
	}
	scoped := d.object("role", "add", "Archivist", "--account", "Engines", "--permission", "archive=read", "--json")
	if scoped["account_id"] == nil {
		t.Errorf("add --account: got %v", scoped)
	}
	d.ok("account", "add", "Motors")
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--defined"}, 2},
		{[]string{"--defined", "--account", "Motors"}, 1},
		{[]string{"--defined", "--account", "Engines"}, 2},
	} {
		if roles := d.objects(append([]string{"role", "list", "--json"}, test.args...)...); len(roles) != test.want {
			t.Errorf("role list %q: got %v, want %d", test.args, roles, test.want)
		}
	}
	if roles := d.objects("role", "list", "--json"); len(roles) < 50 {
		t.Errorf("role list: got %d roles, want the built-in ones among them", len(roles))
	}

	d.ok("account", "add-member", "Engines", "grace@example.com", "--role", "Editor")
	d.refused(`role "Editor"`, "role", "drop", "Editor")
	d.refused("is still held by 1 member(s) or invitation(s) and cannot be dropped", "role", "drop", added["id"].(string))
	d.ok("account", "remove-member", "Engines", "grace@example.com")
	d.ok("role", "drop", "Editor")
	d.refused("there is no added role", "role", "drop", "Editor")
	d.refused("there is no added role", "role", "drop", "DNS")
}

// TestServerSeesRoles holds that a server which has the database open offers a
// role from the moment that it is added until it is dropped.
func TestServerSeesRoles(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	db := d.open()
	offered := func(id any) bool {
		_, err := db.service.Role(t.Context(), operator(), iam.ID(made["account_id"].(string)), iam.ID(id.(string)))
		return err == nil
	}
	added := d.object("role", "add", "Editor", "--permission", "documents=write", "--json")
	if !offered(added["id"]) {
		t.Error("the server doesn't offer an added role")
	}
	d.ok("role", "drop", "Editor")
	if offered(added["id"]) {
		t.Error("the server offers a dropped role")
	}
}
