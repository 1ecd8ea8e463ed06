package iam

import "testing"

// Who an account sees in its log: members whole, whoever answers an invitation by
// its address, whoever only tried its ids and the operator's programs not at all.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		actor  ActorKind
		action Action
		denied string
		want   Shown
	}{
		{ByUser, InviteCreate, "", ShowsAll},
		{ByUser, InviteCreate, "forbidden", ShowsAll},
		{ByUser, InviteCreate, "account_not_found", ShowsKind},
		{ByUser, MemberEdit, "not_found", ShowsAll}, // a member, with an id of nobody
		{ByUser, InviteAccept, "", ShowsAll},        // a member from now on
		{ByUser, InviteAccept, "grantor_lost", ShowsAddress},
		{ByUser, InviteAccept, "two_factor_required", ShowsAddress},
		{ByUser, InviteAccept, "not_found", ShowsKind}, // an invitation of somebody else's
		{ByUser, InviteAccept, "mismatch", ShowsKind},  // or its link
		{ByUser, InviteReject, "", ShowsAddress},
		{ByUser, InviteReject, "not_found", ShowsKind},
		{ByUser, InviteReject, "mismatch", ShowsKind},
		{ByUser, InviteSnooze, "", ShowsAddress},
		{ByUser, InviteAskLink, "", ShowsAddress},
		{ByUser, MemberLeave, "", ShowsAll},
		{ByUser, MemberLeave, "last_super_admin", ShowsAll},
		{ByUser, MemberLeave, "not_found", ShowsKind},
		{ByOperator, InviteCreate, "", ShowsKind},
		{ByCommandLine, Import, "", ShowsKind},
		{ByVisitor, InviteReject, "", ShowsKind},
		{"", InviteExpire, "", ShowsKind},
	} {
		entry := AuditEntry{Actor: test.actor, Action: test.action, Denied: test.denied}
		if got := entry.Shown(); got != test.want {
			t.Errorf("%s by %q, refused %q: got %d, want %d", test.action, test.actor, test.denied, got, test.want)
		}
	}
}

func TestActionIsNounAndVerb(t *testing.T) {
	t.Parallel()
	for action, want := range map[Action][2]string{
		InviteSnooze: {"invite", "remind_later"}, SignInAsk: {"sign_in", "ask"}, Import: {"import", "import"},
	} {
		if got := [2]string{action.Noun(), action.Verb()}; got != want {
			t.Errorf("%s: got %q, want %q", action, got, want)
		}
	}
}
