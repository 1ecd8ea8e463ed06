package store

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"hither/internal/iam"
)

// Where an erasure looks for what no index leads to it goes through a table, once:
// whoever erases a person does not do it every minute.

// EraseFacts implements iam.Tx. With the roles for itself the transaction has no
// other that writes beside it, and those that began before it are through: rows
// that it counts are those that it ends, and what the user did itself is visible.
func (t *tx) EraseFacts(userID iam.ID, addresses []string) (iam.EraseFacts, error) {
	if err := t.lockRoles(); err != nil {
		return iam.EraseFacts{}, err
	}
	user, err := t.UserFacts(userID)
	if err != nil {
		return iam.EraseFacts{}, err
	}
	facts := iam.EraseFacts{UserFacts: user}
	for _, address := range append(slices.Clone(addresses), user.User.Email) {
		mailbox := iam.Mailbox(address)
		local, domain, _ := strings.Cut(mailbox, "@")
		err := t.query(`SELECT u.email FROM users u /* of one person */ WHERE u.id <> $1 AND (u.email = $2 OR u.email LIKE $3 ESCAPE '!')`,
			[]any{string(userID), mailbox, unlike(local) + "+%@" + unlike(domain)}, func(r row) error {
				var other string
				if err := r.Scan((*text)(&other)); err != nil {
					return fmt.Errorf("scan an address: %w", err)
				}
				facts.Others = append(facts.Others, other)
				return nil
			})
		if err != nil {
			return iam.EraseFacts{}, fmt.Errorf("look for others with an address: %w", err)
		}
	}
	return facts, nil
}

// unlike is text that LIKE takes as it is, with ! as its escape.
func unlike(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}

// CloseUser implements iam.Tx.
func (t *tx) CloseUser(e iam.Erasure, entry iam.AuditEntry) (int, error) {
	entry.UserID = e.UserID
	remove, cancel := entry, entry
	remove.Action, cancel.Action = iam.MemberRemove, iam.InviteCancel
	ended, err := t.endAll(remove, iam.Accepted, iam.Removed, `m.user_id`, string(e.UserID))
	for _, had := range e.Addresses {
		if err != nil {
			break
		}
		if had.Passed {
			continue // it is for who has the address now
		}
		var n int
		n, err = t.endAll(cancel, iam.Pending, iam.Canceled, `m.email`, had.Address)
		ended += n
	}
	if err != nil {
		return 0, err
	}
	for _, statement := range []string{
		`UPDATE users SET suspended = 1, verified = 0, operator = 0, two_factor = 0, own_factor = 0 WHERE id = $1`,
		`DELETE FROM factors /* of one person */ WHERE user_id = $1`,
		`DELETE FROM recovery_codes WHERE user_id = $1`,
		`DELETE FROM identities WHERE user_id = $1`,
		`UPDATE user_keys SET disabled = 1, name = '' WHERE user_id = $1`,
		`UPDATE tokens SET disabled = 1, name = '' WHERE user_id = $1`,
		`UPDATE sessions SET ended_on = CASE WHEN ended_on = 0 THEN seen_on ELSE ended_on END, remote_addr = '', agent = '' /* of one person */
			WHERE user_id = $1`,
	} {
		if _, err := t.exec(statement, string(e.UserID)); err != nil {
			return 0, fmt.Errorf("close user: %w", err)
		}
	}
	if err := t.forget(e); err != nil {
		return 0, err
	}
	return ended, t.Record(entry)
}

// endAll ends the rows of a state in which a column has a value, in all accounts.
func (t *tx) endAll(entry iam.AuditEntry, from, to iam.Status, column, value string) (int, error) {
	condition := func(b *builder) { b.add(column, ` = `, b.arg(value), ` AND m.status = '`, string(from), `'`) }
	var b builder
	b.add(`SELECT m.account_id, m.invited, count(*) FROM memberships m WHERE `)
	condition(&b)
	b.add(` GROUP BY m.account_id, m.invited`)
	held := map[seats]int64{}
	err := t.query(b.String(), b.args, func(r row) error {
		seat, n := seats{status: from}, int64(0)
		if err := r.Scan((*text)(&seat.accountID), (*flag)(&seat.invited), (*number)(&n)); err != nil {
			return fmt.Errorf("scan a count: %w", err)
		}
		held[seat] = n
		return nil
	})
	if err != nil || len(held) == 0 {
		return 0, err
	}
	n, err := t.endRows(entry, to, condition)
	if err != nil {
		return 0, err
	}
	for seat, rows := range held {
		if err := t.move(seat, seats{seat.accountID, to, seat.invited}, rows); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// forget takes a person out of the rows of others, and of no one. Rows that others
// change meanwhile change from what they are now: their revisions rise.
func (t *tx) forget(e iam.Erasure) error {
	id := string(e.UserID)
	statements := []statement{
		{`UPDATE memberships SET email = $1, first_name = '', last_name = '', locale = '', note = '', revision = revision + 1 /* of one person */
			WHERE user_id = $2`, []any{e.Instead, id}},
		{`UPDATE delivery_steps SET words = '' /* of one person */ WHERE words <> ''
			AND delivery_id IN (SELECT d.id FROM deliveries d WHERE d.user_id = $1)`, []any{id}},
		{`UPDATE deliveries SET recipient = $1` + unsent + ` WHERE user_id = $3`, []any{e.Instead, toMicros(t.now), id}},
		{`DELETE FROM challenges /* of one person */ WHERE user_id = $1`, []any{id}},
	}
	for _, had := range e.Addresses {
		more, err := t.forgetAddress(e, had)
		if err != nil {
			return err
		}
		statements = append(statements, more...)
	}
	for _, mailbox := range e.Mailboxes {
		statements = append(statements, statement{`DELETE FROM suppressions WHERE recipient = $1`, []any{mailbox}})
	}
	statements = append(statements,
		statement{`UPDATE bulks SET remote_addr = '' /* of one person */ WHERE user_id = $1`, []any{id}},
		statement{`UPDATE bulk_rows SET note = '' /* of one person */ WHERE note <> '' AND bulk_id IN
			(SELECT b.id FROM bulks b WHERE b.user_id = $1)`, []any{id}},
		// Rows that waited do so no more.
		statement{`UPDATE bulks SET waiting = (SELECT count(*) FROM bulk_rows r WHERE r.bulk_id = bulks.id AND r.outcome = 'waiting'),
			refused = (SELECT count(*) FROM bulk_rows r WHERE r.bulk_id = bulks.id AND r.outcome = 'refused') /* of one person */
			WHERE ended_on = 0`, nil})
	for _, s := range statements {
		if _, err := t.exec(s.text, s.args...); err != nil {
			return fmt.Errorf("forget a person: %w", err)
		}
	}
	return nil
}

// erasedRow is what is said of a row of a bulk whose address was erased before its
// turn.
const erasedRow = "the person with this address was erased meanwhile"

// unsent are the assignments that leave nothing of a message, and end it by $2.
const unsent = `, words = '', detail = '' /* of one person */, state = CASE WHEN ended_on = 0 THEN 'dropped' ELSE state END,
	ended_on = CASE WHEN ended_on = 0 THEN $2 ELSE ended_on END`

// forgetAddress is what has an address and names no user: of one that was passed
// on, what is from before.
func (t *tx) forgetAddress(e iam.Erasure, had iam.HadAddress) ([]statement, error) {
	until := int64(math.MaxInt64)
	if had.Passed {
		until = toMicros(had.Told)
	}
	encoded, err := json.Marshal(had.Address) // as it stands in a kept outcome, and in no longer address
	if err != nil {
		return nil, fmt.Errorf("encode an address: %w", err)
	}
	statements := []statement{
		{`UPDATE memberships SET email = $1, locale = '', note = '', revision = revision + 1 /* of one person */
			WHERE email = $2 AND user_id IS NULL AND status <> 'pending' AND created_on <= $3`, []any{e.Instead, had.Address, until}},
		{`UPDATE memberships SET invited_by = $1, note = '', revision = revision + 1 /* of one person */
			WHERE invited_by = $2 AND invited_on <= $3`, []any{e.Instead, had.Address, until}},
		{
			`UPDATE delivery_steps SET words = '' /* of one person */ WHERE words <> '' AND delivery_id IN
				(SELECT d.id FROM deliveries d WHERE d.recipient = $1 AND d.user_id = '' AND d.created_on <= $2)`, []any{had.Address, until},
		},
		{
			`UPDATE deliveries SET recipient = $1` + unsent + ` WHERE recipient = $3 AND user_id = '' AND created_on <= $4`,
			[]any{e.Instead, toMicros(t.now), had.Address, until},
		},
		{
			`UPDATE bulk_rows SET email = $1, locale = '', note = '' /* of one person */,
				reason = CASE WHEN outcome = 'waiting' THEN 'invalid' ELSE reason END,
				field = CASE WHEN outcome = 'waiting' THEN '/email' ELSE field END,
				message = CASE WHEN outcome = 'waiting' THEN $2 ELSE message END,
				outcome = CASE WHEN outcome = 'waiting' THEN 'refused' ELSE outcome END
			WHERE email = $3 AND bulk_id IN (SELECT b.id FROM bulks b WHERE b.created_on <= $4)`,
			[]any{e.Instead, erasedRow, had.Address, until},
		},
		{
			`DELETE FROM challenges /* of one person */ WHERE email = $1 AND user_id IS NULL AND created_on <= $2`,
			[]any{had.Address, until},
		},
		{
			`DELETE FROM idempotency /* of one person */ WHERE replace(outcome, $1, '') <> outcome AND created_on <= $2`,
			[]any{string(encoded), until},
		},
	}
	if !had.Passed {
		statements = append(statements, statement{
			`UPDATE accounts SET abuse_contact_email = '' /* of one person */ WHERE lower(abuse_contact_email) = $1`, []any{had.Address},
		})
	}
	return statements, nil
}

// EraseUser implements iam.Tx.
func (t *tx) EraseUser(e iam.Erasure) error {
	if err := t.lockRoles(); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE users SET email = $1, first_name = '', last_name = '', telephone = '', country = '', zipcode = '', locale = '',
		verified = 0, suspended = 1, operator = 0, two_factor = 0 WHERE id = $2`, e.Instead, string(e.UserID))
	if err != nil {
		return fmt.Errorf("erase user: %w", err)
	}
	return nil
}

// RewriteAudit implements iam.Tx. Where others rewrite beside it, for another person
// in the same rows, the rows to change are read once more when they are held.
func (t *tx) RewriteAudit(part iam.AuditPart, clean func(entry *iam.AuditEntry) bool) (iam.AuditRewrite, error) {
	result := iam.AuditRewrite{Last: part.After}
	var b builder
	b.add(`SELECT `+auditColumns+` FROM audit e WHERE e.seq > `, b.arg(part.After))
	if id := string(part.UserID); id != "" {
		b.add(` AND (e.actor = 'user' AND e.actor_id = `, b.arg(id), ` OR e.user_id <> '' AND e.user_id = `, b.arg(id), `)`)
	}
	b.add(` ORDER BY e.seq LIMIT `, b.arg(part.Limit))
	entries, err := t.entries(b.String(), b.args)
	if err != nil || len(entries) == 0 {
		return result, err
	}
	result.Last = entries[len(entries)-1].Seq
	changed := changing(entries, clean)
	if t.locks != nil && len(changed) > 0 {
		if entries, err = t.holdAudit(changed); err != nil {
			return result, err
		}
		changed = changing(entries, clean)
	}
	for _, e := range changed {
		_, err := t.exec(`UPDATE audit SET actor_email = $1, remote_addr = $2, state_before = $3, state_after = $4 WHERE seq = $5`,
			e.ActorEmail, e.RemoteAddr, e.Before, e.After, e.Seq)
		if err != nil {
			return result, fmt.Errorf("rewrite an audit row: %w", err)
		}
	}
	result.Changed = len(changed)
	return result, nil
}

// changing are the rows that clean changed.
func changing(entries []iam.AuditEntry, clean func(entry *iam.AuditEntry) bool) []iam.AuditEntry {
	var changed []iam.AuditEntry
	for _, entry := range entries {
		if clean(&entry) {
			changed = append(changed, entry)
		}
	}
	return changed
}

// holdAudit holds audit rows, and reads them as they are then. It is PostgreSQL's
// alone, which takes a list as one parameter.
func (t *tx) holdAudit(entries []iam.AuditEntry) ([]iam.AuditEntry, error) {
	numbers := make([]string, len(entries))
	for i, e := range entries {
		numbers[i] = strconv.FormatInt(e.Seq, 10)
	}
	return t.entries(`SELECT `+auditColumns+` FROM audit e
		WHERE e.seq = ANY (CAST(CAST($1 AS TEXT) AS BIGINT[])) ORDER BY e.seq FOR NO KEY UPDATE`,
		[]any{"{" + strings.Join(numbers, ",") + "}"})
}
