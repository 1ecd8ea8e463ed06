package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// oldestEnded are the rows that ended by $1, the oldest $2 of them.
const oldestEnded = ` FROM memberships d WHERE d.ended_on > 0 AND d.ended_on <= $1 ORDER BY d.ended_on, d.id LIMIT $2`

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

// DropAudit implements iam.Tx. The oldest rows are those with the lowest numbers,
// which no index has to say; a few that a clock gave a later time stay for longer.
func (t *tx) DropAudit(before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM audit WHERE seq IN (SELECT w.seq FROM
			(SELECT d.seq AS seq, d.at AS at FROM audit d ORDER BY d.seq LIMIT $1) w WHERE w.at < $2)`, limit, toMicros(before))
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
	err := t.query(`DELETE FROM memberships AS m WHERE m.id IN (SELECT d.id`+oldestEnded+`) AND m.account_id = $3
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
