package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestAccountCommands(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	added := d.object("account", "add", "Motors", "--type", "enterprise", "--json")
	id := added["id"].(string)
	if added["type"] != "enterprise" || added["default_invite_lifetime"] != 604800.0 || added["suspended"] != false {
		t.Errorf("add: got %v", added)
	}
	set := d.object("account", "set", id, "--name", "Motors, Ltd.", "--member-limit", "2", "--suspend", "--enforce-two-factor",
		"--default-invite-lifetime", "72h", "--abuse-contact", "abuse@example.com", "--invite-domains", "B.example, *.a.example", "--json")
	if set["name"] != "Motors, Ltd." || set["member_limit"] != 2.0 || set["suspended"] != true || set["enforce_twofactor"] != true ||
		set["default_invite_lifetime"] != 259200.0 || set["abuse_contact_email"] != "abuse@example.com" {
		t.Errorf("set: got %v", set)
	}
	if domains := fmt.Sprint(set["invite_domains"]); domains != "[*.a.example b.example]" {
		t.Errorf("set: invites %s", domains)
	}
	set = d.object("account", "set", "Motors, Ltd.", "--invite-domains=", "--resume", "--no-enforce-two-factor", "--member-limit=0", "--abuse-contact=", "--json")
	if set["suspended"] != false || set["enforce_twofactor"] != false || set["member_limit"] != 0.0 || set["abuse_contact_email"] != "" {
		t.Errorf("set back: got %v", set)
	}
	if list := d.ok("account", "list"); !strings.Contains(list, "Engines") || !strings.Contains(list, "Motors, Ltd.") {
		t.Errorf("list: got\n%s", list)
	}

	d.refused(`"Motors, Ltd.", with 0 member(s) and invitation(s), for good; --yes does it`, "account", "delete", id)
	d.ok("account", "delete", id, "--yes")
	d.refused("there is no account", "account", "show", id)
}

func TestAccountBrand(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	set := d.object("account", "brand", "Engines", "--name", "Engine Works", "--color", "#AA3300", "--logo", "https://logos.example.com/e.png",
		"--locale", "de", "--json")
	if set["brand_name"] != "Engine Works" || set["brand_color"] != "#aa3300" || set["brand_logo"] != "https://logos.example.com/e.png" || set["locale"] != "de" {
		t.Errorf("brand: got %v", set)
	}
	if shown := d.object("account", "brand", "Engines", "--json"); shown["brand_name"] != "Engine Works" {
		t.Errorf("shown: got %v", shown)
	}
	if set := d.object("account", "brand", "Engines", "--color", "", "--json"); set["brand_color"] != "" || set["brand_name"] != "Engine Works" {
		t.Errorf("taken away: got %v", set)
	}
	d.refused("must be a color of the form #rrggbb", "account", "brand", "Engines", "--color", "red")
	d.refused("there is no account", "account", "brand", "none")
}

func TestMemberCommands(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	added := d.object("account", "add-member", "Engines", "Grace@example.com", "--role", "DNS",
		"--role", "SSL/TLS, Caching, Performance, Page Rules, and Customization", "--json")
	if added["email"] != "grace@example.com" || added["status"] != "accepted" || len(added["roles"].([]any)) != 2 {
		t.Errorf("add-member: got %v", added)
	}
	d.refused("is a member of the account already", "account", "add-member", "Engines", "grace@example.com", "--role", "DNS")
	if members := d.objects("account", "members", "Engines", "--json"); len(members) != 2 {
		t.Errorf("members: got %v, want two", members)
	}
	if shown := d.object("account", "show", "Engines", "--json"); shown["accepted_members"] != 2.0 || shown["pending_members"] != 0.0 {
		t.Errorf("show: got %v", shown)
	}
	d.ok("account", "remove-member", "Engines", "grace@example.com")

	d.refused("last active Super Administrator", "account", "remove-member", "Engines", "ada@example.com")
	d.ok("account", "remove-member", "Engines", "ada@example.com", "--force")
	if shown := d.object("account", "show", "Engines", "--json"); shown["accepted_members"] != 0.0 || shown["needs_super_administrator"] != true {
		t.Errorf("after --force: got %v, want it empty and flagged", shown)
	}
	d.ok("account", "add-member", "Engines", "ada@example.com", "--role", "Super Administrator - All Privileges")
	if shown := d.object("account", "show", "Engines", "--json"); shown["needs_super_administrator"] != false {
		t.Errorf("after appointing one: got %v, want the flag taken off", shown)
	}
}
