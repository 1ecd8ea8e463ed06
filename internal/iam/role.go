package iam

import (
	"maps"
	"slices"
	"strings"
)

// Access is what a role may do in an area.
type Access uint8

// The two kinds of access; a role may hold both.
const (
	Read  Access = 1
	Write Access = 2
)

// AreaMembers is the area whose Write allows managing members, AreaAccount the
// one whose Write allows changing the account's settings, AreaAudit the one whose
// Read shows its audit log.
const (
	AreaMembers = "members"
	AreaAccount = "organization"
	AreaAudit   = "audit_logs"
)

// Permissions say what is allowed by area. An area is a name of the product
// that hither stands beside ("dns", "documents"); only AreaMembers, AreaAccount
// and AreaAudit mean something to hither itself.
type Permissions map[string]Access

// Within reports whether everything that p allows is allowed by q too.
func (p Permissions) Within(q Permissions) bool {
	for area, access := range p {
		if access&^q[area] != 0 {
			return false
		}
	}
	return true
}

// Scopes lists what p allows as "#area:read" and "#area:edit", sorted; the
// older paths of the wire write permissions so.
func (p Permissions) Scopes() []string {
	scopes := make([]string, 0, 2*len(p))
	for _, area := range slices.Sorted(maps.Keys(p)) {
		if p[area]&Read != 0 {
			scopes = append(scopes, "#"+area+":read")
		}
		if p[area]&Write != 0 {
			scopes = append(scopes, "#"+area+":edit")
		}
	}
	return scopes
}

// SuperAdministrator is the public id of the built-in role that has all
// permissions, also those of areas that other roles bring along.
const SuperAdministrator ID = "33666b9c79b9a5273fc7344ff42f953d"

// Role is a named set of permissions. AccountID is "" for a role of every
// account.
type Role struct {
	ID          ID
	AccountID   ID
	Name        string
	Description string
	Permissions Permissions
}

// All reports whether the role has every permission there is.
func (r Role) All() bool { return r.ID == SuperAdministrator }

// Bounds of a role's fields.
const (
	MaxRoleName        = 120
	MaxRoleDescription = 500
	MaxArea            = 64
	MaxAreas           = 200
	MaxRolesPerMember  = 50
)

// CheckRole returns the role with its texts trimmed, or which field is wrong.
func CheckRole(r Role) (Role, error) {
	var err error
	if _, ok := ParseID(string(r.ID)); !ok {
		return Role{}, invalid("/id", "must be 32 lower-case hex characters")
	}
	if r.Name, err = line("/name", r.Name, MaxRoleName); err != nil {
		return Role{}, err
	}
	if r.Name == "" {
		return Role{}, invalid("/name", "is required: 1 to %d characters", MaxRoleName)
	}
	if r.Description, err = line("/description", r.Description, MaxRoleDescription); err != nil {
		return Role{}, err
	}
	if len(r.Permissions) == 0 || len(r.Permissions) > MaxAreas {
		return Role{}, invalid("/permissions", "must name 1 to %d areas", MaxAreas)
	}
	for area, access := range r.Permissions {
		if !validArea(area) {
			return Role{}, invalid("/permissions", "area %q must be 1 to %d of a-z, 0-9 and _", area, MaxArea)
		}
		if access == 0 || access > Read|Write {
			return Role{}, invalid("/permissions", "area %q must allow read, write or both", area)
		}
	}
	return r, nil
}

func validArea(area string) bool {
	return area != "" && len(area) <= MaxArea && strings.Trim(area, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Catalog is the set of roles that exist. It is immutable once made.
type Catalog struct {
	roles []Role // sorted by name, then id
	byID  map[ID]Role
}

// NewCatalog makes a catalog of the built-in roles and the given ones. The
// Super Administrator's permissions are all areas of the catalog.
func NewCatalog(defined []Role) *Catalog {
	roles := append(BuiltinRoles(), defined...)
	every := Permissions{}
	for _, role := range roles {
		for area := range role.Permissions {
			every[area] = Read | Write
		}
	}
	catalog := &Catalog{roles: roles, byID: make(map[ID]Role, len(roles))}
	for i, role := range roles {
		if role.All() {
			roles[i].Permissions = every
		}
		catalog.byID[role.ID] = roles[i]
	}
	slices.SortFunc(roles, func(a, b Role) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return catalog
}

// With returns a catalog that has the given roles too.
func (c *Catalog) With(more []Role) *Catalog {
	if len(more) == 0 {
		return c
	}
	var defined []Role
	for _, role := range c.roles {
		if _, builtin := BuiltinRole(role.ID); !builtin {
			defined = append(defined, role)
		}
	}
	return NewCatalog(append(defined, more...))
}

// Find is the role of that id, if members of the account may hold it.
func (c *Catalog) Find(accountID, id ID) (Role, bool) {
	role, ok := c.byID[id]
	if !ok || (role.AccountID != "" && role.AccountID != accountID) {
		return Role{}, false
	}
	return role, true
}

// Visible lists the roles that members of the account may hold, by name.
func (c *Catalog) Visible(accountID ID) []Role {
	visible := make([]Role, 0, len(c.roles))
	for _, role := range c.roles {
		if role.AccountID == "" || role.AccountID == accountID {
			visible = append(visible, role)
		}
	}
	return visible
}

// Rights are what somebody may do in one account.
type Rights struct {
	All         bool // Super Administrator, operator token or command line
	Permissions Permissions
}

// RightsOf adds up what the roles allow. Nobody may change the result: of a
// single role, which most have, it is the role's own map.
func RightsOf(roles []Role) Rights {
	if len(roles) == 1 && roles[0].Permissions != nil {
		return Rights{All: roles[0].All(), Permissions: roles[0].Permissions}
	}
	rights := Rights{Permissions: Permissions{}}
	for _, role := range roles {
		rights.All = rights.All || role.All()
		for area, access := range role.Permissions {
			rights.Permissions[area] |= access
		}
	}
	return rights
}

// May reports whether the rights allow the access in the area.
func (r Rights) May(area string, access Access) bool {
	return r.All || r.Permissions[area]&access == access
}

// Have reports whether the rights allow all that is needed.
func (r Rights) Have(need Permissions) bool { return r.All || need.Within(r.Permissions) }

// Cover reports whether everything that the roles allow is within the rights:
// the role ceiling.
func (r Rights) Cover(roles []Role) bool {
	if r.All {
		return true
	}
	for _, role := range roles {
		if role.All() || !role.Permissions.Within(r.Permissions) {
			return false
		}
	}
	return true
}

// MayGrant reports whether the rights allow giving, keeping or taking the
// roles: managing members, within the ceiling.
func (r Rights) MayGrant(roles []Role) bool {
	return r.May(AreaMembers, Write) && r.Cover(roles)
}
