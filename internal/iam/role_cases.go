package iam

import (
	"context"
	"fmt"
)

// OriginFile marks roles of the operator's role file, OriginImport those of an
// import.
const (
	OriginFile   = "file"
	OriginImport = "import"
)

// SyncRoles makes the roles of an origin exactly the given ones. One that is
// dropped while a pending or accepted member still holds it is refused, by
// name, and then nothing changes.
func (s *Service) SyncRoles(ctx context.Context, actor Actor, origin string, roles []Role) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	roles, err := checkRoles(roles)
	if err != nil {
		return err
	}
	operation := s.newID()
	_, err = write(ctx, s, actor.Entry(operation, RoleDefine, "", ""), func(tx Tx, _ *AuditEntry) (struct{}, error) {
		defined, err := tx.DefinedRoles(origin)
		if err != nil {
			return struct{}{}, err
		}
		for _, old := range defined {
			if _, kept := find(roles, old.ID); kept {
				continue
			}
			if err := dropRole(tx, actor, operation, old); err != nil {
				return struct{}{}, err
			}
		}
		for _, role := range roles {
			if old, ok := find(defined, role.ID); ok && equalRole(old, role) {
				continue
			}
			if err := defineRole(tx, actor, operation, origin, role); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// checkRoles returns the roles with their texts trimmed, each id once.
func checkRoles(roles []Role) ([]Role, error) {
	checked := make([]Role, 0, len(roles))
	for _, given := range roles {
		role, err := CheckDefinedRole(given)
		if err != nil {
			return nil, err
		}
		if _, twice := find(checked, role.ID); twice {
			return nil, invalid("/id", "role %q is defined twice", role.ID)
		}
		checked = append(checked, role)
	}
	return checked, nil
}

func find(roles []Role, id ID) (Role, bool) {
	for _, role := range roles {
		if role.ID == id {
			return role, true
		}
	}
	return Role{}, false
}

func defineRole(tx Tx, actor Actor, operation, origin string, role Role) error {
	if role.AccountID != "" {
		if _, err := tx.AccountFacts(role.AccountID, actor); err != nil {
			return missing(err, invalid("/account", "role %q: account %s does not exist", role.Name, role.AccountID))
		}
	}
	entry := actor.Entry(operation+"-"+string(role.ID), RoleDefine, role.AccountID, role.ID)
	entry.After = roleSnapshot(role)
	err := tx.InsertRole(role, origin, entry)
	return taken(err, "/id", fmt.Sprintf("role %q is defined elsewhere or for another account already", role.ID))
}

func dropRole(tx Tx, actor Actor, operation string, role Role) error {
	holders, err := tx.RoleHolders(role.ID)
	if err != nil {
		return err
	}
	if holders > 0 {
		return invalid("/id", "role %q (%s) is still held by %d member(s) or invitation(s) and cannot be dropped; give them another role first", role.Name, role.ID, holders)
	}
	entry := actor.Entry(operation+"-"+string(role.ID), RoleDrop, role.AccountID, role.ID)
	entry.Before = roleSnapshot(role)
	return tx.DropRole(role.ID, entry)
}

// DropRole ends a defined role that nobody holds.
func (s *Service) DropRole(ctx context.Context, actor Actor, id ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	operation := s.newID()
	entry := actor.Entry(operation, RoleDrop, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, _ *AuditEntry) (struct{}, error) {
		for _, origin := range []string{OriginFile, OriginImport} {
			defined, err := tx.DefinedRoles(origin)
			if err != nil {
				return struct{}{}, err
			}
			for _, role := range defined {
				if role.ID == id {
					return struct{}{}, dropRole(tx, actor, operation, role)
				}
			}
		}
		return struct{}{}, notFound("role")
	})
	return err
}

// AddRole defines one more role, or replaces it.
func (s *Service) AddRole(ctx context.Context, actor Actor, role Role) (Role, error) {
	if err := mustOperate(actor); err != nil {
		return Role{}, err
	}
	if role.ID == "" {
		role.ID = s.drawID()
	}
	role, err := CheckDefinedRole(role)
	if err != nil {
		return Role{}, err
	}
	operation := s.newID()
	return write(ctx, s, actor.Entry(operation, RoleDefine, role.AccountID, role.ID), func(tx Tx, _ *AuditEntry) (Role, error) {
		return role, defineRole(tx, actor, operation, OriginImport, role)
	})
}

// CheckDefinedRole is CheckRole for a role that is not built in.
func CheckDefinedRole(role Role) (Role, error) {
	role, err := CheckRole(role)
	if err != nil {
		return Role{}, err
	}
	if _, builtin := BuiltinRole(role.ID); builtin {
		return Role{}, invalid("/id", "role %q is built in and cannot be redefined", role.ID)
	}
	return role, nil
}

func equalRole(a, b Role) bool {
	return a.AccountID == b.AccountID && a.Name == b.Name && a.Description == b.Description &&
		a.Permissions.Within(b.Permissions) && b.Permissions.Within(a.Permissions)
}

func roleSnapshot(r Role) string {
	return encode(struct {
		Name        string   `json:"name"`
		AccountID   ID       `json:"account_id,omitempty"`
		Permissions []string `json:"permissions"`
	}{r.Name, r.AccountID, r.Permissions.Scopes()})
}
