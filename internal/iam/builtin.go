package iam

import (
	_ "embed" // for builtin.json
	"encoding/json"
	"slices"
	"sync"
)

//go:embed builtin.json
var builtinJSON []byte

// Built-in roles carry the names and public ids of the upstream wire; the
// descriptions and areas are ours. They are data of the program, not of a
// database: every database has the same.
//
//nolint:gochecknoglobals // read once, never changed
var builtinRoles = sync.OnceValue(func() []Role {
	var rows []struct {
		ID          ID       `json:"id"`
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Read        []string `json:"read"`
		Write       []string `json:"write"`
	}
	if err := json.Unmarshal(builtinJSON, &rows); err != nil {
		panic("iam: builtin.json: " + err.Error())
	}
	roles := make([]Role, len(rows))
	for i, row := range rows {
		permissions := Permissions{}
		for _, area := range row.Read {
			permissions[area] |= Read
		}
		for _, area := range row.Write {
			permissions[area] |= Read | Write
		}
		roles[i] = Role{ID: row.ID, Name: row.Name, Description: row.Description, Permissions: permissions}
	}
	return roles
})

// BuiltinRoles lists the roles that every database has.
func BuiltinRoles() []Role { return slices.Clone(builtinRoles()) }

// BuiltinRole is the built-in role of that id.
func BuiltinRole(id ID) (Role, bool) { return find(builtinRoles(), id) }
