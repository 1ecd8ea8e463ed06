package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hither/internal/iam"
)

// roleCommands are `hither role …`.
type roleCommands struct {
	List roleListCommand `cmd:"" help:"List roles: built in, from the server's role file, and added."`
	Add  roleAddCommand  `cmd:"" help:"Add a role, or replace the added one of the same id."`
	Drop roleDropCommand `cmd:"" help:"Drop an added role that nobody holds."`
}

// Where roles come from, in the words of the command line.
const (
	originBuiltin = "built-in"
	originFile    = "file"
	originAdded   = "added"
)

// definedRole is a role and where it comes from.
type definedRole struct {
	iam.Role
	origin string
}

func roleRecord(r definedRole) record {
	allowed := make(map[string]string, len(r.Permissions))
	for area, access := range r.Permissions {
		allowed[area] = "read"
		if access&iam.Write != 0 {
			allowed[area] = "write"
		}
	}
	return record{
		{"id", r.ID},
		{"name", r.Name},
		{"account_id", r.AccountID},
		{"origin", r.origin},
		{"description", r.Description},
		{"permissions", allowed},
	}
}

// definedRoles lists every role, of all accounts.
func (s session) definedRoles(ctx context.Context) ([]definedRole, error) {
	return iam.Update(ctx, s.store, func(tx iam.Tx) ([]definedRole, error) {
		var all []definedRole
		for _, from := range []struct{ origin, word string }{{iam.OriginFile, originFile}, {iam.OriginImport, originAdded}} {
			roles, err := tx.DefinedRoles(from.origin)
			if err != nil {
				return nil, err
			}
			for _, role := range roles {
				all = append(all, definedRole{role, from.word})
			}
		}
		return all, nil
	})
}

type roleListCommand struct {
	admin
	Account string `help:"Only what members of this account may hold, by id or name." placeholder:"ACCOUNT"`
	Defined bool   `help:"Leave out the built-in ones."`
}

// Run prints roles.
func (c *roleListCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		roles, err := s.definedRoles(ctx)
		if err != nil {
			return err
		}
		if !c.Defined {
			for _, role := range iam.BuiltinRoles() {
				roles = append(roles, definedRole{role, originBuiltin})
			}
		}
		if c.Account != "" {
			account, err := s.account(ctx, c.Account)
			if err != nil {
				return err
			}
			roles = slices.DeleteFunc(roles, func(r definedRole) bool { return r.AccountID != "" && r.AccountID != account.ID })
		}
		slices.SortStableFunc(roles, func(a, b definedRole) int { return strings.Compare(a.Name, b.Name) })
		records := make([]record, len(roles))
		for i, role := range roles {
			records[i] = roleRecord(role)
		}
		return s.list(records, "id", "name", "account_id", "origin")
	})
}

type roleAddCommand struct {
	admin
	Name        string            `arg:"" help:"The role's name."`
	ID          string            `help:"Its id, 32 hex characters; a fresh one unless given." name:"id" placeholder:"ID"`
	Account     string            `help:"The one account whose members may hold it, by id or name; all may unless given." placeholder:"ACCOUNT"`
	Description string            `placeholder:"TEXT"`
	Permission  map[string]string `help:"What it allows in an area: read, or write, which includes read. May be given more than once." placeholder:"AREA=read|write" required:""`
}

// Run adds a role.
func (c *roleAddCommand) Run(ctx context.Context, s streams) error {
	role := iam.Role{ID: iam.ID(c.ID), Name: c.Name, Description: c.Description, Permissions: iam.Permissions{}}
	for area, access := range c.Permission {
		switch access {
		case "read":
			role.Permissions[area] = iam.Read
		case "write":
			role.Permissions[area] = iam.Read | iam.Write
		default:
			return usageError{fmt.Sprintf("--permission: %s=%s must be %s=read or %s=write", area, access, area, area)}
		}
	}
	return c.run(ctx, s, func(s session) error {
		if c.Account != "" {
			account, err := s.account(ctx, c.Account)
			if err != nil {
				return err
			}
			role.AccountID = account.ID
		}
		added, err := s.service.AddRole(ctx, s.actor, role)
		if err != nil {
			return err
		}
		return s.one(roleRecord(definedRole{added, originAdded}))
	})
}

type roleDropCommand struct {
	admin
	Role string `arg:"" help:"Id or name."`
}

// Run drops a role. One of the role file is dropped by taking it out of the
// file: the next start would bring it back.
func (c *roleDropCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		defined, err := s.definedRoles(ctx)
		if err != nil {
			return err
		}
		role, err := only(defined, "role", c.Role, fmt.Errorf("there is no added role %q; `hither role list --defined` shows all", c.Role),
			func(r definedRole) (iam.ID, bool) { return r.ID, r.Name == c.Role || string(r.ID) == c.Role })
		if err != nil {
			return err
		}
		if role.origin == originFile {
			return fmt.Errorf("role %q comes from the file of `hither serve --roles`; take it out there and start the server anew", role.Name)
		}
		if err := s.service.DropRole(ctx, s.actor, role.ID); err != nil {
			return err
		}
		if s.json {
			return writeJSON(s.out, record{{"id", role.ID}, {"name", role.Name}})
		}
		return s.say("dropped role %s, %q", role.ID, role.Name)
	})
}
