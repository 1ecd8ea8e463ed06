package main

import (
	"testing"

	"hither/internal/iam"
)

// invited is the address that withMail invites.
const invited = "grace+list@example.com"

// withMail is a filled desk with an invitation that waits to be mailed, and the
// ids of its row and its message.
func withMail(t *testing.T) (d desk, row iam.ID, message string) {
	t.Helper()
	d, made := newFilledDesk(t)
	account, _ := made["account_id"].(string)
	db := d.open()
	service := db.service.WithMailing(iam.Mailing{Enabled: true})
	got, err := service.Invite(t.Context(), operator(), iam.ID(account), iam.InviteRequest{Email: invited, RoleIDs: []iam.ID{iam.SuperAdministrator}})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.SuppressRecipient(t.Context(), iam.Actor{}, got.Member.ID, true); err != nil {
		t.Fatal(err)
	}
	return d, got.Member.ID, string(got.Member.ID) + "-invitation-1"
}

// TestRemoveMemberNotifies: who is invited hears that it is withdrawn, once, where that
// is asked for; a member is not removed by mail.
func TestRemoveMemberNotifies(t *testing.T) {
	t.Parallel()
	for notify, want := range map[string]string{"--notify": "withdrawn", "--json": ""} {
		d, row, message := withMail(t)
		d.refused("this member accepted already, and hears nothing of its end by mail", "account", "remove-member", "Engines", "ada@example.com", "--force", "--notify")
		d.ok("account", "remove-member", "Engines", string(row), notify)
		kinds := ""
		for _, queued := range d.objects("outbox", "list", "--json") {
			if queued["id"] != message {
				kinds += queued["kind"].(string)
			}
		}
		if kinds != want {
			t.Errorf("%s: got the messages %q, want %q", notify, kinds, want)
		}
	}
}

func TestOutboxCommands(t *testing.T) {
	t.Parallel()
	d, row, message := withMail(t)
	listed := func(args ...string) []map[string]any {
		return d.objects(append([]string{"outbox", "list", "--json"}, args...)...)
	}
	waiting := listed()
	if len(waiting) != 1 || waiting[0]["id"] != message || waiting[0]["state"] != "queued" || waiting[0]["recipient"] != invited ||
		waiting[0]["membership_id"] != string(row) || waiting[0]["attempts"] != 0.0 {
		t.Fatalf("outbox list: got %v, want %s queued", waiting, message)
	}
	if got := listed("--state", "deferred"); len(got) != 0 {
		t.Errorf("outbox list --state deferred: got %v, want none", got)
	}
	shown := d.object("outbox", "show", message, "--json")
	if history, ok := shown["history"].([]any); shown["id"] != message || !ok || len(history) != 0 {
		t.Errorf("outbox show: got %v, want it with a history of nothing", shown)
	}
	d.refused("there is no message \"none\"", "outbox", "show", "none")
	if got := d.object("outbox", "drop", message, "--json"); got["state"] != "dropped" || got["ended_on"] == nil {
		t.Errorf("outbox drop: got %v, want it dropped", got)
	}
	d.refused("this message is dropped already", "outbox", "drop", message)
	if got := listed("--state", "dropped"); len(got) != 1 || len(listed()) != 0 {
		t.Errorf("outbox list --state dropped: got %v, want the one", got)
	}
	if got := d.object("outbox", "retry", message, "--json"); got["state"] != "queued" || got["ended_on"] != nil {
		t.Errorf("outbox retry: got %v, want it queued", got)
	}
	d.refused("there is no message \"none\"; `hither outbox list` shows", "outbox", "retry", "none")
	d.refused(`"lost" is none of queued, deferred`, "outbox", "list", "--state", "lost")
	d.refused("--limit must be 1 at least", "outbox", "list", "--limit", "0")

	silent := d.objects("outbox", "silent", "--json")
	if len(silent) != 1 || silent[0]["mailbox"] != "grace@example.com" || silent[0]["account_id"] != nil {
		t.Errorf("outbox silent: got %v, want the mailbox, of all accounts", silent)
	}
	d.refused("wants none of what this would lift", "outbox", "lift", invited, "--account", string(row))
	d.ok("outbox", "lift", invited)
	if got := d.objects("outbox", "silent", "--json"); len(got) != 0 {
		t.Errorf("outbox silent after outbox lift: got %v, want none", got)
	}
}
