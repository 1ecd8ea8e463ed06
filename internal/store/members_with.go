package store

import (
	"fmt"

	"hither/internal/iam"
)

// holdersPage is how many rows MembersWith reads at once.
const holdersPage = 200

// MembersWith implements iam.Tx. What is needed may come together of several roles,
// so whoever holds one that has a part of it is looked at.
func (t *tx) MembersWith(accountID iam.ID, need iam.Permissions, limit int) ([]iam.Membership, error) {
	version, err := t.rolesVersion()
	if err != nil {
		return nil, fmt.Errorf("read the version of roles: %w", err)
	}
	catalog, err := t.catalogOf(version, accountID, true)
	if err != nil {
		return nil, err
	}
	parts := []iam.ID{iam.SuperAdministrator} // it allows everything, areas of nobody's role too
	for _, role := range catalog.Visible(accountID) {
		for area, access := range need {
			if role.Permissions[area]&access != 0 {
				parts = append(parts, role.ID)
				break
			}
		}
	}
	var found []iam.Membership
	for after := iam.ID(""); ; {
		page, err := t.holders(accountID, parts, after)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			if iam.RightsOf(m.Roles).Have(need) {
				found = append(found, m)
			}
			if len(found) == limit {
				return found, nil
			}
		}
		if len(page) < holdersPage {
			return found, nil
		}
		after = page[len(page)-1].ID
	}
}

// holders are members of an account who can act and hold one of some roles, behind
// the one of an id.
func (t *tx) holders(accountID iam.ID, roles []iam.ID, after iam.ID) ([]iam.Membership, error) {
	var b builder
	b.add(`SELECT (SELECT i.roles_version FROM instance i), `, membershipColumns, `
		FROM memberships m JOIN users u ON u.id = m.user_id AND u.suspended = 0
		WHERE m.account_id = `, b.arg(string(accountID)), ` AND m.status = 'accepted' AND m.id > `, b.arg(string(after)), `
		AND `, lasting("m", b.arg(toMicros(t.now))), ` AND (`)
	for i, role := range roles {
		if i > 0 {
			b.add(` OR `)
		}
		b.add(`m.roles LIKE '%' || `, b.arg(string(role)), ` || '%'`)
	}
	b.add(`) ORDER BY m.id LIMIT `, b.arg(holdersPage))
	var (
		version int64
		rows    []*membershipRow
	)
	err := t.query(b.String(), b.args, func(r row) error {
		var m membershipRow
		if err := r.Scan(m.dest(destinations((*number)(&version)))...); err != nil {
			return fmt.Errorf("scan membership: %w", err)
		}
		rows = append(rows, &m)
		return nil
	})
	if err == nil {
		err = t.resolve(version, rows...)
	}
	if err != nil {
		return nil, fmt.Errorf("list who holds roles: %w", err)
	}
	members := make([]iam.Membership, len(rows))
	for i, m := range rows {
		members[i] = m.Membership
	}
	return members, nil
}
