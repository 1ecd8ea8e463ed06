package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// Record implements iam.Tx: every write ends with it. ErrDuplicate means that
// the operation took place already.
func (t *tx) Record(entry iam.AuditEntry) error {
	record := t.recorded(entry)
	if _, err := t.exec(record.text, record.args...); err != nil {
		return fmt.Errorf("record %s: %w", entry.Action, err)
	}
	return nil
}

// recordedColumns are what a transaction writes of an audit row.
const recordedColumns = `operation_id, at, actor, actor_id, actor_email, credential, action, denied,
	account_id, target_id, state_before, state_after, remote_addr, request_id, means, user_id, shown, sequence`

// recorded is the statement of Record. The transaction is known by its operation
// from then on.
func (t *tx) recorded(entry iam.AuditEntry) statement {
	t.operation = entry.OperationID
	if entry.UserID == entry.ActorID {
		entry.UserID = "" // it is in the log as the actor's
	}
	return statement{`INSERT INTO audit (` + recordedColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`, []any{
		entry.OperationID, toMicros(t.now), string(entry.Actor), string(entry.ActorID), entry.ActorEmail,
		string(entry.Credential), string(entry.Action), entry.Denied, string(entry.AccountID), string(entry.TargetID),
		entry.Before, entry.After, entry.RemoteAddr, entry.RequestID, string(entry.Means), string(entry.UserID), int64(entry.Shown()),
		entry.Sequence,
	}}
}

// recordEach writes one audit row for each membership m that meets condition:
// entry, with an operation id of its own and the states in which m is and
// will be.
func (t *tx) recordEach(entry iam.AuditEntry, becomes iam.Status, condition func(b *builder)) error {
	var b builder
	b.add(`INSERT INTO audit (`+recordedColumns+`)
		SELECT CAST(`, b.arg(entry.OperationID), ` AS TEXT) || '-' || m.id, CAST(`, b.arg(toMicros(t.now)), ` AS BIGINT)`)
	text := func(value string) string { return `CAST(` + b.arg(value) + ` AS TEXT)` }
	for _, value := range []string{
		string(entry.Actor), string(entry.ActorID), entry.ActorEmail, string(entry.Credential), string(entry.Action), entry.Denied,
	} {
		b.add(`, `, text(value))
	}
	b.add(`, m.account_id, m.id, `, stateJSON("m.status"), `, `, stateJSON(text(string(becomes))))
	b.add(`, `, text(entry.RemoteAddr), `, `, text(entry.RequestID), `, `, text(string(entry.Means)))
	b.add(`, CASE WHEN m.user_id IS NULL OR m.user_id = `, text(string(entry.ActorID)), ` THEN '' ELSE m.user_id END`)
	b.add(`, CAST(`, b.arg(int64(entry.Shown())), ` AS BIGINT), m.revision + 2 FROM memberships m WHERE `)
	condition(&b)
	b.add(` ORDER BY m.id`)
	if _, err := t.exec(b.String(), b.args...); err != nil {
		return fmt.Errorf("record %s: %w", entry.Action, err)
	}
	return nil
}

// stateJSON is a membership in a state as audit rows hold it, made by the
// database. Nothing in it needs escaping: ids, and canonical addresses.
func stateJSON(status string) string {
	return `'{"status":"' || ` + status + ` || '","email":"' || m.email || '"' ||
		CASE WHEN m.user_id IS NULL THEN '' ELSE ',"user_id":"' || m.user_id || '"' END ||
		',"roles":["' || replace(m.roles, ' ', '","') || '"]}'`
}

const auditColumns = `e.seq, e.operation_id, e.at, e.actor, e.actor_id, e.actor_email, e.credential, e.means, e.action,
	e.denied, e.account_id, e.target_id, e.user_id, e.state_before, e.state_after, e.remote_addr, e.request_id, e.sequence`

func auditDest(e *iam.AuditEntry) []any {
	return []any{
		(*number)(&e.Seq), (*text)(&e.OperationID), (*stamp)(&e.At), (*text)(&e.Actor), (*text)(&e.ActorID),
		(*text)(&e.ActorEmail), (*text)(&e.Credential), (*text)(&e.Means), (*text)(&e.Action), (*text)(&e.Denied),
		(*text)(&e.AccountID), (*text)(&e.TargetID), (*text)(&e.UserID), (*text)(&e.Before), (*text)(&e.After),
		(*text)(&e.RemoteAddr), (*text)(&e.RequestID), (*number)(&e.Sequence),
	}
}

// entries are the rows of a statement that selects what auditDest takes.
func (v *view) entries(statement string, args []any) ([]iam.AuditEntry, error) {
	var entries []iam.AuditEntry
	err := v.query(statement, args, func(r row) error {
		var e iam.AuditEntry
		if err := r.Scan(auditDest(&e)...); err != nil {
			return fmt.Errorf("scan audit row: %w", err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list audit rows: %w", err)
	}
	return entries, nil
}

// Audit implements iam.Store.
func (s *Store) Audit(ctx context.Context, accountID iam.ID, after int64, limit int) ([]iam.AuditEntry, error) {
	return read(ctx, s, func(v *view) ([]iam.AuditEntry, error) {
		return v.entries(`SELECT `+auditColumns+` FROM audit e WHERE e.account_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`,
			[]any{string(accountID), after, limit})
	})
}
