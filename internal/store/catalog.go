package store

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"hither/internal/iam"
)

// Rows name roles by id; what these roles are is in the program (built in) and
// in the table of roles. Roles of every account are kept in memory together
// with the version of the table that they are of. Every statement that reads
// role ids reads the present version too, so that no row is ever judged by
// roles of another moment, whichever process changed them.

// roleSet are the roles of every account as of one version. It is immutable.
type roleSet struct {
	version int64
	catalog *iam.Catalog
	dropped map[iam.ID]iam.Role // nobody can be given them; ended rows name them
}

// roleCache holds the newest committed set that was read.
type roleCache struct{ latest atomic.Pointer[roleSet] }

// offer keeps a set unless a newer one is kept already.
func (c *roleCache) offer(set *roleSet) {
	for {
		current := c.latest.Load()
		if current != nil && current.version >= set.version {
			return
		}
		if c.latest.CompareAndSwap(current, set) {
			return
		}
	}
}

// maxRoleReloads bounds how often a read starts over because roles changed
// between its statements.
const maxRoleReloads = 10

var errRolesMoved = errors.New("roles changed meanwhile")

func isRolesMoved(err error) bool { return errors.Is(err, errRolesMoved) }

func errRolesMove() error {
	return &iam.Error{Kind: iam.Unavailable, Message: "the roles are being changed; try again", Err: errRolesMoved}
}

// view is a session that knows roles: of a read, or of a transaction.
type view struct {
	session
	cache *roleCache
	// uncommitted marks a transaction's view: what it reads may never be, so
	// it keeps that to itself.
	uncommitted bool
	set         *roleSet
}

// rolesVersion reads the present version of the roles.
func (v *view) rolesVersion() (int64, error) {
	var version int64
	err := one(v, `SELECT roles_version FROM instance`, nil, (*number)(&version))
	return version, err
}

// at is the set of a version.
func (v *view) at(version int64) (*roleSet, error) {
	if v.set != nil && v.set.version == version {
		return v.set, nil
	}
	if set := v.cache.latest.Load(); set != nil && set.version == version {
		v.set = set
		return set, nil
	}
	set, err := v.loadRoles()
	if err != nil {
		return nil, err
	}
	v.set = set
	if !v.uncommitted {
		v.cache.offer(set)
	}
	if set.version != version {
		return nil, errRolesMoved
	}
	return set, nil
}

func (v *view) loadRoles() (*roleSet, error) {
	set := &roleSet{dropped: map[iam.ID]iam.Role{}}
	var defined []iam.Role
	err := v.query(`SELECT i.roles_version, r.dropped_on, `+roleColumns+`
		FROM instance i LEFT JOIN roles r ON r.account_id IS NULL`, nil, func(r row) error {
		role, dropped, err := scanVersionedRole(r, &set.version)
		switch {
		case err != nil:
			return err
		case role.ID == "": // there are none
		case dropped:
			set.dropped[role.ID] = role
		default:
			defined = append(defined, role)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load roles: %w", err)
	}
	set.catalog = iam.NewCatalog(defined)
	return set, nil
}

// ownRoles reads the roles of one account, the dropped ones apart.
func (v *view) ownRoles(version int64, accountID iam.ID) (current []iam.Role, dropped map[iam.ID]iam.Role, err error) {
	now := version
	dropped = map[iam.ID]iam.Role{}
	err = v.query(`SELECT i.roles_version, r.dropped_on, `+roleColumns+`
		FROM instance i JOIN roles r ON r.account_id = $1`, []any{string(accountID)}, func(r row) error {
		role, gone, err := scanVersionedRole(r, &now)
		switch {
		case err != nil:
			return err
		case gone:
			dropped[role.ID] = role
		default:
			current = append(current, role)
		}
		return nil
	})
	if err == nil && now != version {
		err = errRolesMoved
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the account's roles: %w", err)
	}
	return current, dropped, nil
}

// catalogOf is what members of an account may hold. own says that the account
// has roles of its own.
func (v *view) catalogOf(version int64, accountID iam.ID, own bool) (*iam.Catalog, error) {
	set, err := v.at(version)
	if err != nil || !own {
		return catalogOrNil(set), err
	}
	roles, _, err := v.ownRoles(version, accountID)
	if err != nil {
		return nil, err
	}
	return set.catalog.With(roles), nil
}

func catalogOrNil(set *roleSet) *iam.Catalog {
	if set == nil {
		return nil
	}
	return set.catalog
}

// resolve turns the role ids of rows, read at a version, into roles. An id
// that names nothing is an error: dropping it would change what a row may do.
func (v *view) resolve(version int64, rows ...*membershipRow) error {
	var set *roleSet
	own := map[iam.ID]map[iam.ID]iam.Role{}
	for _, m := range rows {
		if m == nil || m.ID == "" {
			continue // an outer join found none
		}
		if set == nil {
			var err error
			if set, err = v.at(version); err != nil {
				return err
			}
		}
		m.Roles = make([]iam.Role, 0, strings.Count(m.roles, " ")+1)
		for id := range strings.SplitSeq(m.roles, " ") {
			role, err := v.find(set, own, m.AccountID, iam.ID(id))
			if err != nil {
				return fmt.Errorf("membership %s: %w", m.ID, err)
			}
			m.Roles = append(m.Roles, role)
		}
	}
	return nil
}

func (v *view) find(set *roleSet, own map[iam.ID]map[iam.ID]iam.Role, accountID, id iam.ID) (iam.Role, error) {
	if role, ok := set.catalog.Find(accountID, id); ok {
		return role, nil
	}
	if role, ok := set.dropped[id]; ok {
		return role, nil
	}
	if own[accountID] == nil {
		current, byID, err := v.ownRoles(set.version, accountID)
		if err != nil {
			return iam.Role{}, err
		}
		for _, role := range current {
			byID[role.ID] = role
		}
		own[accountID] = byID
	}
	if role, ok := own[accountID][id]; ok {
		return role, nil
	}
	return iam.Role{}, fmt.Errorf("role %s does not exist", id)
}
