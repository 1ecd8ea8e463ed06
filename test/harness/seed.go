package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Seed is an import file, as docs/import.md describes it.
type Seed struct {
	Users       []SeedUser       `json:"users,omitempty"`
	Accounts    []SeedAccount    `json:"accounts,omitempty"`
	Roles       []SeedRole       `json:"roles,omitempty"`
	Memberships []SeedMembership `json:"memberships,omitempty"`
	Tokens      []SeedToken      `json:"tokens,omitempty"`
}

// SeedUser is a user; its key is Key(Email) unless Keys says otherwise.
type SeedUser struct {
	ID        string   `json:"id,omitempty"`
	Email     string   `json:"email"`
	Verified  *bool    `json:"verified,omitempty"`
	FirstName string   `json:"first_name,omitempty"`
	Locale    string   `json:"locale,omitempty"`
	TwoFactor bool     `json:"two_factor,omitempty"`
	Operator  bool     `json:"operator,omitempty"`
	Keys      []string `json:"keys"`
}

// SeedAccount is an account.
type SeedAccount struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Settings  *SeedSettings `json:"settings,omitempty"`
	Suspended bool          `json:"suspended,omitempty"`
}

// SeedSettings are an account's settings.
type SeedSettings struct {
	EnforceTwoFactor bool `json:"enforce_twofactor,omitempty"`
	MemberLimit      int  `json:"member_limit,omitempty"`
}

// SeedRole is a role of every account, or of one.
type SeedRole struct {
	ID          string              `json:"id"`
	Account     string              `json:"account,omitempty"`
	Name        string              `json:"name"`
	Description string              `json:"description,omitempty"`
	Permissions map[string][]string `json:"permissions"`
}

// SeedMembership is a row in any state.
type SeedMembership struct {
	ID        string   `json:"id,omitempty"`
	Account   string   `json:"account"`
	Email     string   `json:"email"`
	Status    string   `json:"status,omitempty"`
	Roles     []string `json:"roles"`
	InvitedBy string   `json:"invited_by,omitempty"`
	Grantor   string   `json:"grantor,omitempty"`
	InvitedOn string   `json:"invited_on,omitempty"`
	ExpiresOn string   `json:"expires_on,omitempty"`
}

// SeedToken is a bearer token; User "" makes it the operator's.
type SeedToken struct {
	ID     string `json:"id,omitempty"`
	User   string `json:"user,omitempty"`
	Name   string `json:"name"`
	Secret string `json:"secret"`
}

// Roles that every database has, and that tests name often.
const (
	SuperAdministrator = "33666b9c79b9a5273fc7344ff42f953d"
	Administrator      = "05784afa30c1afe1440e79d9351c7430"
	ReadOnly           = "f2b20eaa1a5d4af42b53ac16238c99c7"
	MinimalAccess      = "5c35d2bf3a545e6b7560b826c0d23c39"
)

// Key is the key of a seeded user: 37 hex characters that follow from a name.
func Key(name string) string { return digest("key " + name)[:37] }

// ID is an id that follows from a name.
func ID(name string) string { return digest("id " + name)[:32] }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// User adds a verified user with its key.
func (s *Seed) User(email string) *Seed {
	s.Users = append(s.Users, SeedUser{Email: email, Keys: []string{Key(email)}})
	return s
}

// Account adds an account with its first Super Administrator, a new user.
func (s *Seed) Account(name, admin string) *Seed {
	s.User(admin)
	s.Accounts = append(s.Accounts, SeedAccount{ID: ID(name), Name: name})
	return s.Member(name, admin, SuperAdministrator)
}

// Member adds an accepted member, whose user must be there.
func (s *Seed) Member(account, email string, roles ...string) *Seed {
	s.Memberships = append(s.Memberships, SeedMembership{
		ID: ID(account + " " + email), Account: ID(account), Email: email, Roles: roles,
	})
	return s
}

// Write writes the seed as a file and returns its path.
func (s *Seed) Write(t testing.TB) string {
	t.Helper()
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
