// Package dataset reads the files by which rows come from outside: YAML or
// JSON, users, accounts, roles, memberships and tokens with ids given or not.
// docs/import.md describes the format.
//
// It checks all that a file says by itself, strictly and at once: an unknown
// field, a field twice, a wrong type or form, a role that nothing defines, each
// with its line. What rows say of each other and of the database is checked by
// iam's Import. It imports iam and a YAML parser that keeps line numbers, and
// knows no SQL and no HTTP.
package dataset

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// MaxSize is the largest file that is read, in bytes. The tree of a file takes
// some twenty times its size in memory.
const MaxSize = 64 << 20

// maxProblems bounds what is collected of a file that is wrong all over.
const maxProblems = 1000

// file is the whole document.
type file struct {
	users       []iam.ImportUser
	accounts    []iam.ImportAccount
	roles       []iam.ImportRole
	memberships []membership
	tokens      []iam.ImportToken
}

// Parse reads an import file. All that is wrong with it comes back as
// iam.Problems, by line.
func Parse(r io.Reader) (iam.Dataset, error) {
	var (
		f     file
		check reader
	)
	if err := parse(r, &check, fileFields(), &f); err != nil {
		return iam.Dataset{}, err
	}
	dataset := iam.Dataset{Roles: f.roles, Users: f.users, Accounts: f.accounts, Tokens: f.tokens}
	dataset.Memberships = check.resolveRoles(f.memberships, f.roles)
	if err := check.result(); err != nil {
		return iam.Dataset{}, err
	}
	return dataset, nil
}

// ParseRoles reads a role file: an import file that holds roles and nothing
// else. What is wrong comes back as iam.Problems.
func ParseRoles(r io.Reader) ([]iam.Role, error) {
	var (
		f     file
		check reader
	)
	if err := parse(r, &check, []field[file]{rolesField(true)}, &f); err != nil {
		return nil, err
	}
	roles := check.definedRoles(f.roles)
	if err := check.result(); err != nil {
		return nil, err
	}
	return roles, nil
}

// parse reads the document into f. It returns what keeps it from being read at
// all; what is wrong in it is left in check.
func parse[T any](r io.Reader, check *reader, fields []field[T], f *T) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if len(data) > MaxSize {
		return fmt.Errorf("the file is larger than %d MiB; split it, users and accounts first", MaxSize>>20)
	}
	data = plain(data)
	check.last = lineAt(data, len(data))
	root, err := document(data)
	if err != nil {
		return err
	}
	mapping(check, "", root, fields, f)
	return nil
}

func fileFields() []field[file] {
	users, accounts, memberships, tokens := userFields(), accountFields(), membershipFields(), tokenFields()
	return []field[file]{
		{name: "users", read: func(r *reader, path string, n *yaml.Node, f *file) {
			f.users = entries(r, path, n, users, newUser)
		}},
		{name: "accounts", read: func(r *reader, path string, n *yaml.Node, f *file) {
			f.accounts = entries(r, path, n, accounts, newAccount)
		}},
		rolesField(false),
		{name: "memberships", read: func(r *reader, path string, n *yaml.Node, f *file) {
			f.memberships = entries(r, path, n, memberships, newMembership)
		}},
		{name: "tokens", read: func(r *reader, path string, n *yaml.Node, f *file) {
			f.tokens = entries(r, path, n, tokens, newToken)
		}},
	}
}

// rolesField is required where a file without it would take every role away.
func rolesField(required bool) field[file] {
	fields := roleFields()
	return field[file]{name: "roles", required: required, read: func(r *reader, path string, n *yaml.Node, f *file) {
		f.roles = entries(r, path, n, fields, newRole)
		for i := range f.roles {
			deriveID(&f.roles[i].Role)
		}
	}}
}
