package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDoctorFindsNoDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.finds(checkFail, "database", "there is none", "hither init", nil)
	if err := os.WriteFile(d.data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "database", "not hither's", "backup", nil)
	if err := os.WriteFile(d.data, []byte(strings.Repeat("garbage ", 999)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "database", "not hither's", "backup", nil)
	_ = os.Remove(d.data)
	d.sql(`CREATE TABLE users (id TEXT)`)
	if err := os.Chmod(d.data, 0o600); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "database", "not hither's", "backup", nil)
	d.finds(checkFail, "database", "is no file", "name a file", nil, "--data", filepath.Dir(d.data))
}

func TestDoctorFindsWideModes(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	if err := os.Chmod(d.data, 0o640); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "file mode", "is 0640", "chmod 600 "+d.data, nil)
}

func TestDoctorFindsMissingRights(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read and write everything")
	}
	d, _ := newFilledDesk(t)
	if err := os.Chmod(d.data, 0o400); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "file rights", "permission denied", "chown", nil)
	if err := os.Chmod(d.data, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(d.data)
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o700) })
	d.finds(checkFail, "folder", "permission denied", "let the server's user write", nil)
}

func TestDoctorFindsOtherSchemas(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.sql(`UPDATE goose_db_version SET is_applied = 0 WHERE version_id = 1`)
	d.finds(checkWarn, "schema", "0; it is brought up to 1", "back up", nil)
	d.sql(`UPDATE instance SET min_program = 99`)
	d.finds(checkFail, "schema", "made for a hither that knows schema 99", "run the newer hither", nil)
}

func TestDoctorFindsDamage(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.sql(`PRAGMA foreign_keys = off`, `INSERT INTO counts VALUES ('nobody', 'pending', 1, 1)`)
	d.finds(checkFail, "references", "counts → accounts", "backup", nil)
	d.sql(`DELETE FROM counts WHERE account_id = 'nobody'`, `PRAGMA journal_mode = delete`)
	d.finds(checkWarn, "journal", "delete, not wal", "start the server", nil)
	d.sql(`PRAGMA journal_mode = wal`, `PRAGMA writable_schema = on`,
		`UPDATE sqlite_schema SET sql = replace(sql, '(account_id, at, seq)', '(at, account_id, seq)') WHERE name = 'audit_account'`)
	d.finds(checkFail, "damage", "audit_account", "go back to a backup", nil, "--deep")
}

func TestDoctorFindsNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_ = d.open().store.Close()
	d.finds(checkFail, "users", "nobody can use the API", "hither init", nil)
}

func TestDoctorFindsUngovernedAccounts(t *testing.T) {
	t.Parallel()
	d, made := newFilledDesk(t)
	d.ok("account", "remove-member", "Engines", "ada@example.com", "--force")
	id, _ := made["account_id"].(string)
	d.finds(checkFail, "accounts", `"Engines" (`+id+`) has no active Super Administrator`, "hither account add-member "+id, nil)
	var many []string
	for i := range 11 {
		many = append(many, fmt.Sprintf(`INSERT INTO accounts (id, name, type, enforce_twofactor, abuse_contact_email, invite_lifetime,
			member_limit, suspended, needs_super_admin, created_on)
			SELECT printf('%%032d', %d), name, type, enforce_twofactor, abuse_contact_email, invite_lifetime, member_limit, suspended, 1,
			created_on FROM accounts WHERE id = '%s'`, i, id))
	}
	d.sql(many...)
	d.finds(checkFail, "accounts", "2 more", "hither account list", nil)
}

func TestDoctorFindsAWrongClock(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.sql(fmt.Sprintf(`UPDATE audit SET at = %d WHERE seq = 2`, time.Now().Add(time.Hour).UnixMicro()))
	d.finds(checkFail, "clock", "the database has a change of", "timedatectl", nil)
	d.sql(`UPDATE audit SET at = 1 WHERE seq = 2`)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(d.data, later, later); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "clock", "was written at", "timedatectl", nil)
}
