package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// oldestEnded are the rows that ended by $1, the oldest $2 of them. A row that a
// message has yet to tell of stays until it did, or was given up.
const oldestEnded = ` FROM memberships d WHERE d.ended_on > 0 AND d.ended_on <= $1 AND NOT EXISTS (SELECT 1 FROM deliveries w
		WHERE w.account_id = d.account_id AND w.kind = 'expired' AND w.ended_on = 0 AND replace(w.detail, d.id, '') <> w.detail)
	ORDER BY d.ended_on, d.id LIMIT $2`

// Ended implements iam.Store.
func (s *Store) Ended(ctx context.Context, by time.Time, limit int) ([]iam.ID, error) {
	return read(ctx, s, func(v *view) ([]iam.ID, error) {
		var accounts []iam.ID
		seen := map[iam.ID]bool{}
		err := v.query(`SELECT d.account_id`+oldestEnded, []any{toMicros(by), limit}, func(r row) error {
			var id iam.ID
			if err := r.Scan((*text)(&id)); err != nil {
				return fmt.Errorf("scan id: %w", err)
			}
			if !seen[id] {
				seen[id], accounts = true, append(accounts, id)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list accounts of what ended: %w", err)
		}
		return accounts, nil
	})
}

// OldAudit implements iam.Store. It goes from account to account, by two steps into
// an index each: rows of one account stand in the order of their times there, and
// those of all do nowhere.
func (s *Store) OldAudit(ctx context.Context, before time.Time, limit int) ([]iam.ID, error) {
	return read(ctx, s, func(v *view) ([]iam.ID, error) {
		var accounts []iam.ID
		err := v.query(`WITH RECURSIVE owners (id) AS (SELECT min(d.account_id) FROM audit d
				UNION ALL SELECT (SELECT min(d.account_id) FROM audit d WHERE d.account_id > o.id) FROM owners o WHERE o.id IS NOT NULL)
			SELECT o.id FROM owners o WHERE o.id IS NOT NULL
				AND EXISTS (SELECT 1 FROM audit d WHERE d.account_id = o.id AND d.at < $1) LIMIT $2`,
			[]any{toMicros(before), limit}, func(r row) error {
				var id iam.ID
				if err := r.Scan((*text)(&id)); err != nil {
					return fmt.Errorf("scan id: %w", err)
				}
				accounts = append(accounts, id)
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("list accounts of old audit rows: %w", err)
		}
		return accounts, nil
	})
}

// DropAudit implements iam.Tx. Time says which rows are old, and not their numbers:
// rows that a clock gave a later time would stand before the others.
func (t *tx) DropAudit(accountID iam.ID, before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM audit WHERE seq IN
		(SELECT d.seq FROM audit d WHERE d.account_id = $1 AND d.at < $2 ORDER BY d.at LIMIT $3`+t.besideOthers()+`)`,
		string(accountID), toMicros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("drop audit rows: %w", err)
	}
	return int(n), nil
}

// DropEnded implements iam.Tx.
func (t *tx) DropEnded(accountID iam.ID, by time.Time, limit int) (int, error) {
	if err := t.lockAccount(accountID); err != nil {
		return 0, err
	}
	dropped, total := map[seats]int64{}, 0
	err := t.query(`DELETE FROM memberships AS m WHERE m.id IN (SELECT o.id FROM (SELECT d.id, d.account_id`+oldestEnded+`) o
			WHERE o.account_id = $3)
		RETURNING status, invited`, []any{toMicros(by), limit, string(accountID)}, func(r row) error {
		seat := seats{accountID: accountID}
		if err := r.Scan((*text)(&seat.status), (*flag)(&seat.invited)); err != nil {
			return fmt.Errorf("scan what was dropped: %w", err)
		}
		dropped[seat]++
		total++
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("drop what ended: %w", err)
	}
	for seat, n := range dropped {
		_, err := t.exec(`UPDATE counts SET n = n - $1 WHERE account_id = $2 AND status = $3 AND invited = $4`,
			n, string(seat.accountID), string(seat.status), bit(seat.invited))
		if err != nil {
			return 0, fmt.Errorf("count what was dropped: %w", err)
		}
	}
	return total, nil
}
