package api

import (
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// An account's members and its invites as files, all of them that a list would
// show page by page, in the order in which they were made.

// orderOfFile refuses another one: to sort a file would be to hold it in memory.
const orderOfFile = "is for pages; a file comes in the order in which its rows were made, to be sorted by who has it"

func (x *exchange) membersFile(format string, query iam.MemberQuery) (answer, error) {
	query.PageRequest = iam.PageRequest{Number: 1, Size: exportChunk}
	read := func() ([]iam.Member, error) {
		page, err := x.Service.Members(x.r.Context(), x.actor, x.id("account_id"), query)
		return page.Items, err
	}
	rows, err := read()
	if err != nil {
		return answer{}, err
	}
	return answer{file: &fileOf[iam.Member]{
		name: "members", format: format, rows: rows,
		after: func(last iam.Member) ([]iam.Member, error) {
			query.After = last.ID
			return read()
		},
		columns: []string{
			"id", "email", "status", "roles", "user_id", "first_name", "last_name", "two_factor_authentication_enabled",
			"invited_by", "invited_on", "expires_on", "membership_expires_on", "needs_confirmation",
		},
		cells:  func(m iam.Member) []string { return memberCells(x.member(m)) },
		object: func(m iam.Member) any { return x.member(m) },
	}}, nil
}

func memberCells(m memberInfo) []string {
	line := []string{
		string(m.ID), m.Email, string(m.Status), strings.Join(each(m.Roles, func(role heldRole) string { return role.Name }), ", "),
		"", "", "", "", text(m.InvitedBy), when(m.InvitedOn), when(m.ExpiresOn), when(m.MembershipEndsOn), yes(m.NeedsConfirmation),
	}
	if user, ok := m.User.(memberUser); ok {
		copy(line[4:], []string{string(user.ID), text(user.FirstName), text(user.LastName), strconv.FormatBool(user.TwoFactor)})
	}
	return line
}

func (x *exchange) invitesFile(format string, query iam.InvitationQuery) (answer, error) {
	query.PageRequest = iam.PageRequest{Number: 1, Size: exportChunk}
	read := func() (iam.Account, []iam.Member, error) {
		of, page, err := x.Service.AccountInvitations(x.r.Context(), x.actor, x.id("organization_id"), query)
		return of, page.Items, err
	}
	of, rows, err := read()
	if err != nil {
		return answer{}, err
	}
	object := func(m iam.Member) organizationInvite { return organizationInviteOf(m, of, x.Now()) }
	return answer{file: &fileOf[iam.Member]{
		name: "invites", format: format, rows: rows,
		after: func(last iam.Member) (rows []iam.Member, err error) {
			query.After = last.ID
			of, rows, err = read()
			return rows, err
		},
		columns: []string{
			"id", "invited_member_email", "invited_member_id", "status", "roles", "invited_by", "invited_on", "expires_on",
			"membership_expires_on", "needs_confirmation", "asked_on",
		},
		cells:  func(m iam.Member) []string { return inviteCells(object(m)) },
		object: func(m iam.Member) any { return object(m) },
	}}, nil
}

func inviteCells(i organizationInvite) []string {
	member := ""
	if i.InvitedMemberID != nil {
		member = string(*i.InvitedMemberID)
	}
	return []string{
		string(i.ID), i.InvitedMemberEmail, member, string(i.Status),
		strings.Join(each(i.Roles, func(role roleInfo[[]string]) string { return role.Name }), ", "),
		i.InvitedBy, when(&i.InvitedOn), when(&i.ExpiresOn), when(i.MembershipEndsOn), yes(i.NeedsConfirmation), when(i.AskedOn),
	}
}

// Cells of what may be missing.

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func when(m *moment) string {
	if m == nil || time.Time(*m).IsZero() {
		return ""
	}
	return time.Time(*m).UTC().Format(time.RFC3339Nano)
}

func yes(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
