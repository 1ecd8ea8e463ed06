package api

import "hither/internal/iam"

// grant is what is allowed in an area. edit says the same as write, for older
// clients.
type grant struct {
	Read  bool `json:"read"`
	Write bool `json:"write"`
	Edit  bool `json:"edit"`
}

type permissions map[string]grant

func permissionsOf(from iam.Permissions) permissions {
	out := make(permissions, len(from))
	for area, access := range from {
		write := access&iam.Write != 0
		out[area] = grant{Read: access&iam.Read != 0, Write: write, Edit: write}
	}
	return out
}

// roleInfo is a role; P is permissions, or on older paths a list of scopes.
type roleInfo[P any] struct {
	ID          iam.ID `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Permissions P      `json:"permissions"`
}

func roleOf(r iam.Role) roleInfo[permissions] {
	return roleInfo[permissions]{r.ID, r.Name, r.Description, permissionsOf(r.Permissions)}
}

func (a *wire) held(r iam.Role) heldRole { return heldRole{r, &a.roleForms} }

func olderRoleOf(r iam.Role) roleInfo[[]string] {
	return roleInfo[[]string]{r.ID, r.Name, r.Description, r.Permissions.Scopes()}
}

func roleName(r iam.Role) string { return r.Name }

func listRoles(x *exchange) (answer, error) { return pageOfRoles(x, "account_id", roleOf) }

func listOrganizationRoles(x *exchange) (answer, error) {
	return pageOfRoles(x, "organization_id", olderRoleOf)
}

func pageOfRoles[Wire any](x *exchange, accountID string, of func(iam.Role) Wire) (answer, error) {
	params := x.query()
	request := params.page(maxRolePage)
	if params.err != nil {
		return answer{}, params.err
	}
	page, err := x.Service.Roles(x.r.Context(), x.actor, x.id(accountID), request)
	if err != nil {
		return answer{}, err
	}
	return list(page, request, of), nil
}

func readRole(x *exchange) (answer, error) {
	role, err := x.Service.Role(x.r.Context(), x.actor, x.id("account_id"), x.id("role_id"))
	if err != nil {
		return answer{}, err
	}
	return one(roleOf(role)), nil
}
