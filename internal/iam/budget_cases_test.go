package iam_test

import (
	"testing"
	"time"

	"hither/internal/iam"
)

// KF-61: beyond the budget inviting is refused until the stretch is over, which
// is audited; what is refused for another reason, and a direct add, costs none.
func TestBeyondTheBudgetInvitingIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	service := s.WithMailing(iam.Mailing{Enabled: true, Budgets: iam.Budgets{AccountDay: 2}})
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	invite := func(email string, direct bool) error {
		_, err := service.Invite(t.Context(), operator, account, iam.InviteRequest{
			Email: email, RoleIDs: []iam.ID{iam.SuperAdministrator}, Direct: direct,
		})
		return err
	}
	for _, email := range []string{"a@example.com", "b@example.com"} {
		if err := invite(email, false); err != nil {
			t.Errorf("inviting %s: got %v, want it done", email, err)
		}
	}
	if err := invite("c@example.com", false); iam.KindOf(err) != iam.BudgetSpent {
		t.Fatalf("the third: got %v, want it refused as BudgetSpent", err)
	}
	if err := invite("a@example.com", false); err != nil {
		t.Errorf("inviting again, which sends nothing: got %v, want it answered", err)
	}
	if err := invite("d@example.com", true); err != nil {
		t.Errorf("adding directly: got %v, want it done", err)
	}
	entries := must(s.store.Audit(t.Context(), account, 0, 100))(t)
	denials := 0
	for _, entry := range entries {
		if entry.Denied == "budget_spent" && entry.Action == iam.InviteCreate {
			denials++
		}
	}
	if denials != 1 {
		t.Errorf("denials in the audit log: got %d, want 1 of %+v", denials, entries)
	}
	s.clock.Add((24 * time.Hour).Microseconds())
	if err := invite("c@example.com", false); err != nil {
		t.Errorf("the next day: got %v, want it done", err)
	}
}
