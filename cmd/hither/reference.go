package main

import (
	"context"
	"fmt"
	"strings"

	"hither/internal/iam"
)

// user finds whom an argument names, by id or address.
func (s session) user(ctx context.Context, name string) (iam.User, error) {
	user, err := s.service.User(ctx, s.actor, name)
	switch iam.KindOf(err) {
	case iam.NotFound:
		return iam.User{}, fmt.Errorf("there is no user %q; `hither user list` shows all", name)
	case iam.Invalid:
		return iam.User{}, fmt.Errorf("%q names no user: give an id or an address", name)
	default:
		return user, err
	}
}

// account finds the one that an argument names, by id or name.
func (s session) account(ctx context.Context, name string) (iam.Account, error) {
	if id, ok := iam.ParseID(name); ok {
		account, err := s.service.Account(ctx, s.actor, id)
		if iam.KindOf(err) == iam.AccountNotFound {
			err = noAccount(name)
		}
		return account, err
	}
	accounts, err := every(func(page iam.PageRequest) (iam.Page[iam.Account], error) {
		return s.service.Accounts(ctx, s.actor, iam.AccountQuery{PageRequest: page, Name: name})
	})
	if err != nil {
		return iam.Account{}, err
	}
	return only(accounts, "account", name, noAccount(name),
		func(a iam.Account) (iam.ID, bool) { return a.ID, a.Name == name })
}

func noAccount(name string) error {
	return fmt.Errorf("there is no account %q; `hither account list` shows all", name)
}

// roles finds the roles that flags name, by id or name, among those that
// members of the account may hold.
func (s session) roles(ctx context.Context, account iam.ID, names []string) ([]iam.ID, error) {
	visible, err := every(func(page iam.PageRequest) (iam.Page[iam.Role], error) {
		return s.service.Roles(ctx, s.actor, account, page)
	})
	if err != nil {
		return nil, err
	}
	ids := make([]iam.ID, len(names))
	for i, name := range names {
		role, err := findRole(visible, name)
		if err != nil {
			return nil, fmt.Errorf("--role: %w", err)
		}
		ids[i] = role.ID
	}
	return ids, nil
}

func findRole(roles []iam.Role, name string) (iam.Role, error) {
	return only(roles, "role", name, fmt.Errorf("there is no role %q; `hither role list` shows all", name),
		func(r iam.Role) (iam.ID, bool) { return r.ID, r.Name == name || string(r.ID) == name })
}

// member finds a member or invitation of an account, by id or address.
func (s session) member(ctx context.Context, account iam.Account, name string) (iam.ID, error) {
	if id, ok := iam.ParseID(name); ok {
		return id, nil
	}
	email, err := iam.CanonicalEmail(name)
	if err != nil {
		return "", fmt.Errorf("%q names no member: give an id or an address", name)
	}
	page, err := s.service.Members(ctx, s.actor, account.ID, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 1}, Email: email})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		return "", fmt.Errorf("%s is neither a member of %q nor invited; `hither account members` shows all", email, account.Name)
	}
	return page.Items[0].ID, nil
}

// only is the one row that matches.
func only[T any](rows []T, noun, name string, none error, match func(T) (iam.ID, bool)) (T, error) {
	var (
		found T
		ids   []string
	)
	for _, row := range rows {
		if id, ok := match(row); ok {
			found, ids = row, append(ids, string(id))
		}
	}
	var zero T
	switch len(ids) {
	case 0:
		return zero, none
	case 1:
		return found, nil
	}
	return zero, fmt.Errorf("more than one %s is named %q; use an id: %s", noun, name, strings.Join(ids, ", "))
}
