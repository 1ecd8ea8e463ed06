package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

func newRole(line int) iam.ImportRole { return iam.ImportRole{Line: line} }

func roleFields() []field[iam.ImportRole] {
	type row = iam.ImportRole
	return []field[row]{
		{name: "id", read: into(func(role *row) *iam.ID { return &role.ID }, rowID)},
		{name: "account", read: into(func(role *row) *iam.ID { return &role.AccountID }, rowID)},
		{name: "name", required: true, read: into(func(role *row) *string { return &role.Name }, text)},
		{name: "description", read: into(func(role *row) *string { return &role.Description }, text)},
		{name: "permissions", required: true, read: into(func(role *row) *iam.Permissions { return &role.Permissions }, permissions)},
	}
}

// permissions reads what a role may do by area.
func permissions(r *reader, path string, n *yaml.Node) (iam.Permissions, bool) {
	if !r.is(path, n, tagMapping) {
		return nil, false
	}
	allowed := make(iam.Permissions, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		area, value := n.Content[i], n.Content[i+1]
		if area.Kind != yaml.ScalarNode {
			r.is(path, area, tagText)
			continue
		}
		at := join(path, shorten(area.Value))
		if _, twice := allowed[area.Value]; twice {
			r.problemf(area.Line, at, "stands here twice")
		}
		allowed[area.Value] = r.access(at, value)
	}
	return allowed, true
}

// access reads read, write or a list of them. Who may write may read.
func (r *reader) access(path string, n *yaml.Node) iam.Access {
	if n.Kind == yaml.SequenceNode && n.Anchor == "" {
		var both iam.Access
		for _, item := range n.Content {
			both |= r.accessWord(path, item)
		}
		if len(n.Content) == 0 {
			r.problemf(n.Line, path, "must be read, write or [read, write]; leave the area out to allow nothing")
		}
		return both
	}
	return r.accessWord(path, n)
}

func (r *reader) accessWord(path string, n *yaml.Node) iam.Access {
	word, ok := oneOf("read", "write")(r, path, n)
	switch {
	case !ok:
		return 0
	case word == "read":
		return iam.Read
	}
	return iam.Read | iam.Write
}

// deriveID names a role that the file gives no id by its account and name, so
// that the same file names it the same each time.
func deriveID(role *iam.Role) {
	role.Name = strings.TrimSpace(role.Name)
	if role.ID != "" || role.Name == "" {
		return
	}
	sum := sha256.Sum256([]byte("role\x00" + string(role.AccountID) + "\x00" + role.Name))
	role.ID = iam.ID(hex.EncodeToString(sum[:16]))
}

// definedRoles checks the roles of a role file as an import would.
func (r *reader) definedRoles(rows []iam.ImportRole) []iam.Role {
	roles := make([]iam.Role, 0, len(rows))
	lines := make(map[iam.ID]int, len(rows))
	for _, row := range rows {
		if row.ID == "" || len(row.Permissions) == 0 && len(r.problems) > 0 {
			continue // said already
		}
		role, err := iam.CheckDefinedRole(row.Role)
		if refusal := (*iam.Error)(nil); errors.As(err, &refusal) {
			r.problemf(row.Line, strings.TrimPrefix(refusal.Field, "/"), "%s", refusal.Message)
		}
		if line, twice := lines[row.ID]; twice {
			r.problemf(row.Line, "id", "is that of line %d too; a role without an id has one by its name", line)
		}
		lines[row.ID] = row.Line
		roles = append(roles, role)
	}
	return roles
}
