package iam_test

import (
	"slices"
	"strings"
	"testing"

	"hither/internal/iam"
)

// KF-2, KF-75: a domain is compared by whole labels, in one form.
func TestInviteDomainsAllow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		domains string
		email   string
		allowed bool
	}{
		{"", "x@anything.example", true},
		{"example.com", "x@example.com", true},
		{"example.com", "x@EXAMPLE.com", true},
		{"EXAMPLE.com", "x@example.com", true},
		{"example.com", "x@evil-example.com", false},
		{"example.com", "x@example.com.evil.org", false},
		{"example.com", "x@sub.example.com", false},
		{"example.com", "x@example.co", false},
		{"example.com", "example.com@evil.org", false},
		{"*.example.com", "x@example.com", false},
		{"*.example.com", "x@sub.example.com", true},
		{"*.example.com", "x@a.b.example.com", true},
		{"*.example.com", "x@evil-example.com", false},
		{"*.example.com", "x@sub.example.com.evil.org", false},
		{"example.com *.example.com", "x@example.com", true},
		{"example.com *.example.com", "x@sub.example.com", true},
		{"bücher.example", "x@xn--bcher-kva.example", true},
		{"xn--bcher-kva.example", "x@BÜCHER.example", true},
		{"bücher.example", "x@bucher.example", false},
		{"example.com", "x@example。com", true},  // the ideographic dot is one
		{"example.com", "x@exаmple.com", false}, // a Cyrillic а
	} {
		domains, err := iam.NewInviteDomains("", strings.Fields(test.domains))
		if err != nil {
			t.Errorf("%q: %v", test.domains, err)
		}
		email, err := iam.CanonicalEmail(test.email)
		if err != nil {
			t.Errorf("%q: %v", test.email, err)
		}
		if got := domains.Allow(email); got != test.allowed {
			t.Errorf("%q allows %s: %v, want %v", test.domains, test.email, got, test.allowed)
		}
	}
	// What would be compared as something else is no address at all.
	for _, email := range []string{"x@example.com.", "x@evil.org@example.com", `"x@example.com"@evil.org`, `"x"@example.com`, "x@.example.com"} {
		if got, err := iam.CanonicalEmail(email); err == nil {
			t.Errorf("%s is the address %s", email, got)
		}
	}
}

func TestNewInviteDomains(t *testing.T) {
	t.Parallel()
	got, err := iam.NewInviteDomains("/x", []string{" b.example ", "*.A.example", "BÜCHER.example", "b.example"})
	if want := []string{"*.a.example", "b.example", "xn--bcher-kva.example"}; err != nil || !slices.Equal(got.List(), want) {
		t.Errorf("got %v, %v, want %v", got.List(), err, want)
	}
	for _, domain := range []string{
		"", "*", "*.", "com", "*.com", ".example.com", "example.com.", "*.example.com.", "*.*.example.com", "sub.*.example.com",
		"x@example.com", "@example.com", "a b.example", "exa_mple.com", "example..com", strings.Repeat("a", 64) + ".example", "example.com,example.org",
	} {
		_, err := iam.NewInviteDomains("/x", []string{"example.com", domain})
		if field := fieldOf(err); field != "/x/1" {
			t.Errorf("%q: %v, blames %q", domain, err, field)
		}
	}
	_, err = iam.NewInviteDomains("/x", make([]string, iam.MaxInviteDomains+1))
	if field := fieldOf(err); field != "/x" {
		t.Errorf("too many: %v, blames %q", err, field)
	}
}

func fieldOf(err error) string {
	if refusal, ok := err.(*iam.Error); ok { //nolint:errorlint // as it is returned
		return refusal.Field
	}
	return ""
}

// An import holds pending rows to the account's domains, and to those that it
// brings; who is a member already stays one.
func TestImportHoldsInviteDomains(t *testing.T) {
	t.Parallel()
	s := open(t)
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	must(s.EditAccount(t.Context(), operator, account, iam.AccountEdit{InviteDomains: &[]string{"example.org"}}))(t)
	brought := iam.ImportAccount{Account: iam.Account{ID: rowID, Name: "Brought", InviteDomains: "example.org"}}
	guest := s.user(t, "guest@example.com")
	for _, test := range []struct {
		name     string
		account  iam.ID
		accounts []iam.ImportAccount
		status   iam.Status
		refused  bool
	}{
		{"pending", account, nil, iam.Pending, true},
		{"pending, with its account", rowID, []iam.ImportAccount{brought}, iam.Pending, true},
		{"accepted, with its account", rowID, []iam.ImportAccount{brought}, iam.Accepted, false},
		{"accepted", account, nil, iam.Accepted, false},
	} {
		row := iam.ImportMembership{AccountID: test.account, Email: guest.Email, Status: test.status, RoleIDs: []iam.ID{iam.SuperAdministrator}}
		err := s.Import(t.Context(), operator, iam.Dataset{Accounts: test.accounts, Memberships: []iam.ImportMembership{row}}, nil)
		if said := err != nil && strings.Contains(err.Error(), "certain domains only"); said != test.refused || (err != nil) != test.refused {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}
