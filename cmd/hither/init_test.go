package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"hither/internal/iam"
)

// TestInit holds that the secrets which init prints, once, are ones that a
// server takes, and that the database holds them hashed only (KF-43).
func TestInit(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	db := d.open()

	user, err := d.actor(db, keyHeaders(made["email"], made["key"])...)
	if err != nil || string(user.User.ID) != made["user_id"] || !user.User.Verified || user.Operator() {
		t.Errorf("the key: got %+v, %v; want the user %v without operator's rights", user, err, made["user_id"])
	}
	operator, err := d.actor(db, tokenHeaders(made["operator_token"])...)
	if err != nil || operator.Kind != iam.ByOperator {
		t.Errorf("the token: got %+v, %v; want the operator", operator, err)
	}
	own, err := db.service.MembershipIn(t.Context(), user, iam.ID(made["account_id"].(string)))
	if err != nil || own.Status != iam.Accepted || !own.SuperAdmin() || own.Account.Name != "Engines" || own.Invited {
		t.Errorf("the membership: got %+v, %v; want an accepted Super Administrator", own, err)
	}
	// KF-43: the database keeps nothing that gives them back.
	for _, file := range []string{d.data, d.data + "-wal"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{made["key"].(string), made["operator_token"].(string)} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds the secret %s", file, secret)
			}
		}
	}
}

func TestInitPrintsForPeople(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	out := d.ok("init", "--email", "ada@example.com", "--account", "Engines")
	found := regexp.MustCompile(`(?s)SECRETS, shown this once;.*key of ada@example\.com\s+([0-9a-f]{37})\n.*operator token\s+([\w-]{40})\n`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no secrets in\n%s", out)
	}
	if _, err := d.actor(d.open(), keyHeaders("ada@example.com", found[1])...); err != nil {
		t.Errorf("the key: %v", err)
	}
	if n := strings.Count(out, found[1]) + strings.Count(out, found[2]); n != 2 {
		t.Errorf("the secrets stand there %d times, want once each:\n%s", n, out)
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.refused("--email: must be an address", "init", "--email", "ada", "--account", "Engines")
	d.refused("--account: is required", "init", "--email", "ada@example.com", "--account", " ")
	d.refused("--account", "init", "--email", "ada@example.com")
	if _, err := os.Stat(d.data); err == nil {
		t.Error("a refused init made a database")
	}
	d.ok("init", "--email", "ada@example.com", "--account", "Engines")
	d.refused("this database has users already", "init", "--email", "eve@example.com", "--account", "Motors")
	if users := d.objects("user", "list", "--json"); len(users) != 1 {
		t.Errorf("users: got %v, want one", users)
	}
}
