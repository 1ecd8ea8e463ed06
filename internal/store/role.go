package store

import (
	"context"
	"encoding/json"
	"fmt"

	"hither/internal/iam"
)

const roleColumns = `r.id, r.account_id, r.name, r.description, r.permissions`

func roleDest(role *iam.Role, permissions *string) []any {
	return []any{
		(*text)(&role.ID), (*text)(&role.AccountID), (*text)(&role.Name), (*text)(&role.Description), (*text)(permissions),
	}
}

// decodeRole fills in the permissions, which are kept as JSON: {"dns":3}.
func decodeRole(role *iam.Role, permissions string) error {
	if role.ID == "" {
		return nil // an outer join found none
	}
	if err := json.Unmarshal([]byte(permissions), &role.Permissions); err != nil {
		return fmt.Errorf("permissions of role %s: %w", role.ID, err)
	}
	return nil
}

// scanVersionedRole reads a version, whether the role was dropped, and the
// role.
func scanVersionedRole(r row, version *int64) (role iam.Role, dropped bool, err error) {
	var (
		permissions string
		droppedOn   int64
	)
	dest := append([]any{(*number)(version), (*number)(&droppedOn)}, roleDest(&role, &permissions)...)
	if err := r.Scan(dest...); err != nil {
		return role, false, fmt.Errorf("scan role: %w", err)
	}
	return role, droppedOn != 0, decodeRole(&role, permissions)
}

// Catalog implements iam.Store. For accountID "" it has the roles of every
// account.
func (s *Store) Catalog(ctx context.Context, accountID iam.ID) (*iam.Catalog, error) {
	return read(ctx, s, func(v *view) (*iam.Catalog, error) {
		if accountID == "" {
			version, err := v.rolesVersion()
			if err != nil {
				return nil, err
			}
			return v.catalogOf(version, "", false)
		}
		var (
			version int64
			own     bool
		)
		err := one(v, `SELECT i.roles_version, `+hasOwnRoles+`
			FROM instance i JOIN accounts a ON a.id = $1 AND a.deleted_on = 0`, []any{string(accountID)},
			(*number)(&version), (*flag)(&own))
		if err != nil {
			return nil, fmt.Errorf("read roles of account: %w", err)
		}
		return v.catalogOf(version, accountID, own)
	})
}

// hasOwnRoles says whether account a has roles of its own, which most do not:
// it spares their read.
const hasOwnRoles = `CASE WHEN EXISTS (SELECT 1 FROM roles r WHERE r.account_id = a.id AND r.dropped_on = 0) THEN 1 ELSE 0 END`

// DefinedRoles implements iam.Tx.
func (t *tx) DefinedRoles(origin string) ([]iam.Role, error) {
	if err := t.lockRoles(); err != nil {
		return nil, err
	}
	var roles []iam.Role
	err := t.query(`SELECT `+roleColumns+` FROM roles r WHERE r.origin = $1 AND r.dropped_on = 0 ORDER BY r.id`,
		[]any{origin}, func(r row) error {
			var (
				role        iam.Role
				permissions string
			)
			if err := r.Scan(roleDest(&role, &permissions)...); err != nil {
				return fmt.Errorf("scan role: %w", err)
			}
			if err := decodeRole(&role, permissions); err != nil {
				return err
			}
			roles = append(roles, role)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("list defined roles: %w", err)
	}
	return roles, nil
}

// RoleHolders implements iam.Tx. It reads every live row of the account, or of
// the whole database: dropping a role is rare, and an index would cost every
// invitation.
func (t *tx) RoleHolders(id iam.ID) (int, error) {
	if err := t.lockRoles(); err != nil {
		return 0, err
	}
	var holders int
	err := one(t, `SELECT count(*) FROM memberships m
		WHERE m.roles LIKE '%' || $1 || '%'
		AND ((m.status = 'accepted' AND (m.ends_on = 0 OR m.ends_on > $2))
			OR (m.status = 'pending' AND (m.expires_on = 0 OR m.expires_on > $2)))`,
		[]any{string(id), toMicros(t.now)}, (*count)(&holders))
	if err != nil {
		return 0, fmt.Errorf("count holders of role: %w", err)
	}
	return holders, nil
}

// InsertRole implements iam.Tx. An id that was dropped comes back only where
// it was: for the same account, from the same origin.
func (t *tx) InsertRole(role iam.Role, origin string, entry iam.AuditEntry) error {
	if err := t.lockRoles(); err != nil {
		return err
	}
	permissions, err := json.Marshal(role.Permissions)
	if err != nil {
		return fmt.Errorf("encode permissions: %w", err)
	}
	n, err := t.exec(`INSERT INTO roles (id, account_id, origin, name, description, permissions, dropped_on)
		VALUES ($1, $2, $3, $4, $5, $6, 0)
		ON CONFLICT (id) DO UPDATE SET
			name = excluded.name, description = excluded.description, permissions = excluded.permissions, dropped_on = 0
		WHERE roles.origin = excluded.origin AND COALESCE(roles.account_id, '') = COALESCE(excluded.account_id, '')`,
		string(role.ID), reference(role.AccountID), origin, role.Name, role.Description, string(permissions))
	if err == nil && n == 0 {
		err = iam.ErrDuplicate
	}
	if err != nil {
		return fmt.Errorf("insert role: %w", err)
	}
	return t.rolesChanged(entry)
}

// DropRole implements iam.Tx. The row stays, for rows that ended with it.
func (t *tx) DropRole(id iam.ID, entry iam.AuditEntry) error {
	if err := t.lockRoles(); err != nil {
		return err
	}
	n, err := t.exec(`UPDATE roles SET dropped_on = $1 WHERE id = $2 AND dropped_on = 0`, toMicros(t.now), string(id))
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("drop role: %w", err)
	}
	return t.rolesChanged(entry)
}

// rolesChanged makes every process that caches roles read them again.
func (t *tx) rolesChanged(entry iam.AuditEntry) error {
	t.uncommitted = true
	if _, err := t.exec(`UPDATE instance SET roles_version = roles_version + 1 WHERE id = 1`); err != nil {
		return fmt.Errorf("raise the version of roles: %w", err)
	}
	return t.Record(entry)
}
