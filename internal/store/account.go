package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

const accountColumns = `a.id, a.name, a.type, a.enforce_twofactor, a.abuse_contact_email, a.invite_lifetime,
	a.invite_domains, a.member_limit, a.suspended, a.needs_super_admin, a.created_on`

// accountRow is an account as it is kept: its lifetime in microseconds.
type accountRow struct {
	iam.Account
	lifetime int64
}

func (a *accountRow) dest(to []any) []any {
	return append(to,
		(*text)(&a.ID), (*text)(&a.Name), (*text)(&a.Type), (*flag)(&a.EnforceTwoFactor), (*text)(&a.AbuseContactEmail),
		(*number)(&a.lifetime), (*text)(&a.InviteDomains), (*count)(&a.MemberLimit),
		(*flag)(&a.Suspended), (*flag)(&a.NeedsSuperAdmin), (*stamp)(&a.CreatedOn))
}

func (a *accountRow) account() iam.Account {
	a.InviteLifetime = time.Duration(a.lifetime) * time.Microsecond
	return a.Account
}

// Access implements iam.Store.
func (s *Store) Access(ctx context.Context, accountID, userID iam.ID) (iam.Account, *iam.Membership, error) {
	type access struct {
		account iam.Account
		own     *iam.Membership
	}
	a, err := read(ctx, s, func(v *view) (access, error) {
		account, own, _, err := v.access(accountID, userID, s.now())
		return access{account, own}, err
	})
	return a.account, a.own, err
}

// AccountFacts implements iam.Tx.
func (t *tx) AccountFacts(accountID iam.ID, actor iam.Actor) (iam.AccountFacts, error) {
	if err := t.lockAccount(accountID); err != nil {
		return iam.AccountFacts{}, err
	}
	account, own, roles, err := t.access(accountID, actor.User.ID, t.now)
	if err != nil {
		return iam.AccountFacts{}, err
	}
	catalog, err := t.catalogOf(roles.version, accountID, roles.own)
	if err != nil {
		return iam.AccountFacts{}, err
	}
	return iam.AccountFacts{Account: account, Own: own, Catalog: catalog}, nil
}

// rolesOf says of which version the roles of a row are, and whether its
// account has roles of its own.
type rolesOf struct {
	version int64
	own     bool
}

const rolesOfColumns = `(SELECT i.roles_version FROM instance i), ` + hasOwnRoles

// access reads an account and the accepted membership of a user in it.
func (v *view) access(accountID, userID iam.ID, now time.Time) (iam.Account, *iam.Membership, rolesOf, error) {
	var (
		roles   rolesOf
		account accountRow
		own     membershipRow
	)
	dest := destinations((*number)(&roles.version), (*flag)(&roles.own))
	err := one(v, `SELECT `+rolesOfColumns+`, `+accountColumns+`, `+membershipColumns+`
		FROM accounts a LEFT JOIN memberships m ON m.account_id = a.id AND m.user_id = $1 AND m.status = 'accepted'
			AND `+lasting("m", "$2")+`
		WHERE a.id = $3 AND a.deleted_on = 0`,
		[]any{string(userID), toMicros(now), string(accountID)}, own.dest(account.dest(dest))...)
	if err == nil {
		err = v.resolve(roles.version, &own)
	}
	if err != nil {
		return iam.Account{}, nil, roles, fmt.Errorf("read account: %w", err)
	}
	return account.account(), own.orNil(), roles, nil
}

// Accounts implements iam.Store.
func (s *Store) Accounts(ctx context.Context, userID iam.ID, query iam.AccountQuery) (iam.Page[iam.Account], error) {
	return snapshot(ctx, s, func(v *view) (iam.Page[iam.Account], error) {
		var from builder
		if userID == "" {
			from.add(` FROM accounts a WHERE a.deleted_on = 0`)
		} else {
			from.add(` FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
				WHERE m.user_id = `, from.arg(string(userID)), ` AND m.status = 'accepted' AND `, lasting("m", from.arg(toMicros(s.now()))))
		}
		if query.Name != "" {
			from.add(` AND a.name = `, from.arg(query.Name))
		}
		total, err := v.countAccounts(&from, userID == "" && query.Name == "")
		if err != nil {
			return iam.Page[iam.Account]{}, fmt.Errorf("count accounts: %w", err)
		}
		list := iam.Page[iam.Account]{Total: total}
		order := ` ORDER BY a.name` + direction(query.Descending) + `, a.id` + direction(query.Descending)
		limit := ` LIMIT ` + from.arg(query.Size) + ` OFFSET ` + from.arg(query.Offset())
		err = v.query(`SELECT `+accountColumns+`
			FROM (SELECT a.id`+from.String()+order+limit+`) page JOIN accounts a ON a.id = page.id`+order, from.args, func(r row) error {
			var a accountRow
			if err := r.Scan(a.dest(nil)...); err != nil {
				return fmt.Errorf("scan account: %w", err)
			}
			list.Items = append(list.Items, a.account())
			return nil
		})
		if err != nil {
			return iam.Page[iam.Account]{}, fmt.Errorf("list accounts: %w", err)
		}
		return list, nil
	})
}

func (v *view) countAccounts(from *builder, all bool) (int, error) {
	if all {
		return v.total("accounts")
	}
	var total int
	err := one(v, `SELECT count(*)`+from.String(), from.args, (*count)(&total))
	return total, err
}

func direction(descending bool) string {
	if descending {
		return ` DESC`
	}
	return ``
}

// InsertAccount implements iam.Tx.
func (t *tx) InsertAccount(a iam.Account, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO accounts (id, name, type, enforce_twofactor, abuse_contact_email, invite_lifetime,
			invite_domains, member_limit, suspended, needs_super_admin, created_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		string(a.ID), a.Name, string(a.Type), bit(a.EnforceTwoFactor), a.AbuseContactEmail, a.InviteLifetime.Microseconds(),
		string(a.InviteDomains), a.MemberLimit, bit(a.Suspended), bit(a.NeedsSuperAdmin), toMicros(a.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert account: %w", err)
	}
	if err := t.addTotal("accounts"); err != nil {
		return err
	}
	return t.Record(entry)
}

// UpdateAccount implements iam.Tx.
func (t *tx) UpdateAccount(a iam.Account, entry iam.AuditEntry) error {
	n, err := t.exec(`UPDATE accounts SET name = $1, type = $2, enforce_twofactor = $3, abuse_contact_email = $4,
			invite_lifetime = $5, invite_domains = $6, member_limit = $7, suspended = $8, needs_super_admin = $9
		WHERE id = $10 AND deleted_on = 0`,
		a.Name, string(a.Type), bit(a.EnforceTwoFactor), a.AbuseContactEmail, a.InviteLifetime.Microseconds(),
		string(a.InviteDomains), a.MemberLimit, bit(a.Suspended), bit(a.NeedsSuperAdmin), string(a.ID))
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("update account: %w", err)
	}
	return t.Record(entry)
}

// DeleteAccount implements iam.Tx. Pending rows that are due end as expired:
// that is what they read as. However many rows there are, the statements are
// as few.
func (t *tx) DeleteAccount(accountID iam.ID, entry iam.AuditEntry) error {
	if err := t.lockAccount(accountID); err != nil {
		return err
	}
	now := toMicros(t.now)
	n, err := t.exec(`UPDATE accounts SET deleted_on = $1 WHERE id = $2 AND deleted_on = 0`, now, string(accountID))
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err == nil {
		_, err = t.exec(`UPDATE totals SET n = n - 1 WHERE name = 'accounts'`)
	}
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	if _, err := t.exec(endWebhooks+`account_id = $3`, now, []byte{}, string(accountID)); err != nil {
		return fmt.Errorf("end an account's webhooks: %w", err)
	}
	if _, err := t.expire(accountID, func(*builder) {}); err != nil {
		return err
	}
	for _, end := range []struct {
		from, to iam.Status
		action   iam.Action
	}{{iam.Pending, iam.Canceled, iam.InviteCancel}, {iam.Accepted, iam.Removed, iam.MemberRemove}} {
		each := entry
		each.Action = end.action
		_, err := t.endRows(each, end.to, func(b *builder) {
			b.add(`m.account_id = `, b.arg(string(accountID)), ` AND m.status = `, b.arg(string(end.from)))
		})
		if err != nil {
			return err
		}
	}
	if err := t.recount(accountID); err != nil {
		return err
	}
	return t.Record(entry)
}
