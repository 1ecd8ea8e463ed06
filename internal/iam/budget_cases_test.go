package iam_test

import (
	"slices"
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

// KF-62: whose invitations nobody accepts may not go on inviting; each who accepts
// makes room for one more, and for the place it leaves.
func TestOpenInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	service := s.WithMailing(iam.Mailing{Enabled: true, Budgets: iam.Budgets{Open: 2}})
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	rows := map[string]iam.ID{}
	invite := func(email string) error {
		invited, err := service.Invite(t.Context(), operator, account, iam.InviteRequest{Email: email, RoleIDs: []iam.ID{iam.SuperAdministrator}})
		rows[email] = invited.Member.ID
		return err
	}
	want := func(spent bool, emails ...string) {
		t.Helper()
		for _, email := range emails {
			if err := invite(email); (iam.KindOf(err) == iam.BudgetSpent) != spent || !spent && err != nil {
				t.Errorf("inviting %s: got %v, want it refused: %t", email, err, spent)
			}
		}
	}
	preview := func() []string {
		t.Helper()
		bulk := must(service.PreviewBulk(t.Context(), operator, account, []iam.BulkRow{
			{Number: 1, Line: 1, Email: "x@example.com", Roles: []string{string(iam.SuperAdministrator)}, Outcome: iam.BulkWaiting},
			{Number: 2, Line: 2, Email: "y@example.com", Roles: []string{string(iam.SuperAdministrator)}, Outcome: iam.BulkWaiting},
		}))(t)
		return []string{string(bulk.Rows[0].Outcome), string(bulk.Rows[1].Outcome)}
	}
	want(false, "a@example.com")
	if got := preview(); !slices.Equal(got, []string{"would_invite", "refused"}) {
		t.Errorf("a preview where one may be open still: got %q", got)
	}
	want(false, "b@example.com", "b@example.com")
	want(true, "c@example.com")
	guest := s.user(t, "a@example.com")
	must(s.AnswerInvitation(t.Context(), iam.Actor{Kind: iam.ByUser, User: guest}, rows["a@example.com"], iam.Accepted))(t)
	want(false, "c@example.com", "d@example.com")
	want(true, "e@example.com")
	if err := s.CancelInvitation(t.Context(), operator, account, rows["c@example.com"], false); err != nil {
		t.Fatal(err)
	}
	want(false, "e@example.com")
}
