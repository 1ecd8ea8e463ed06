package dataset

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// membership is a row whose roles are yet to be found.
type membership struct {
	iam.ImportMembership
	roles []reference
}

// reference names a role by id or name.
type reference struct {
	line int
	text string
}

func newMembership(line int) membership {
	return membership{ImportMembership: iam.ImportMembership{Line: line}}
}

func membershipFields() []field[membership] {
	type row = membership
	return []field[row]{
		{name: "id", read: into(func(m *row) *iam.ID { return &m.ID }, rowID)},
		{name: "account", required: true, read: into(func(m *row) *iam.ID { return &m.AccountID }, rowID)},
		{name: "email", required: true, read: into(func(m *row) *string { return &m.Email }, email)},
		{name: "status", read: into(func(m *row) *iam.Status { return &m.Status },
			oneOf(iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled, iam.Left, iam.Removed))},
		{name: "roles", required: true, read: into(func(m *row) *[]reference { return &m.roles }, references)},
		{name: "invited_by", read: into(func(m *row) *string { return &m.InvitedBy }, text)},
		{name: "grantor", read: into(func(m *row) *string { return &m.Grantor }, email)},
		{name: "invited_on", read: into(func(m *row) *time.Time { return &m.InvitedOn }, moment)},
		{name: "expires_on", read: into(func(m *row) *time.Time { return &m.ExpiresOn }, moment)},
		{name: "membership_expires_on", read: into(func(m *row) *time.Time { return &m.EndsOn }, moment)},
		{name: "answered_on", read: into(func(m *row) *time.Time { return &m.AnsweredOn }, moment)},
	}
}

func references(r *reader, path string, n *yaml.Node) ([]reference, bool) {
	refs, ok := list(func(r *reader, path string, n *yaml.Node) (reference, bool) {
		s, ok := word(r, path, n)
		return reference{line: n.Line, text: strings.TrimSpace(s)}, ok
	})(r, path, n)
	if ok && len(refs) == 0 {
		r.problemf(n.Line, path, "must name at least one role, by id or name")
	}
	return refs, ok
}

// resolveRoles finds the roles that memberships name: those of the file and the
// built-in ones by name or id, those of the database by id.
func (r *reader) resolveRoles(rows []membership, defined []iam.ImportRole) []iam.ImportMembership {
	byName := make(map[string][]iam.Role)
	for _, role := range iam.BuiltinRoles() {
		byName[role.Name] = append(byName[role.Name], role)
	}
	for _, row := range defined {
		byName[row.Name] = append(byName[row.Name], row.Role)
	}
	resolved := make([]iam.ImportMembership, len(rows))
	for i, row := range rows {
		resolved[i] = row.ImportMembership
		resolved[i].RoleIDs = make([]iam.ID, len(row.roles))
		for j, ref := range row.roles {
			resolved[i].RoleIDs[j] = r.resolveRole(row.AccountID, j, ref, byName)
		}
	}
	return resolved
}

func (r *reader) resolveRole(account iam.ID, at int, ref reference, byName map[string][]iam.Role) iam.ID {
	if id, ok := iam.ParseID(ref.text); ok {
		return id
	}
	var found []string
	for _, role := range byName[ref.text] {
		if role.AccountID == "" || role.AccountID == account {
			found = append(found, string(role.ID))
		}
	}
	path := join("roles", strconv.Itoa(at))
	switch len(found) {
	case 1:
		return iam.ID(found[0])
	case 0:
		r.problemf(ref.line, path, "no role %q, neither built in nor in this file for this account; name one that the database has by its id",
			shorten(ref.text))
	default:
		r.problemf(ref.line, path, "%q names more than one role; use an id: %s", shorten(ref.text), strings.Join(found, ", "))
	}
	return ""
}
