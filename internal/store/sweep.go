package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// Waking implements iam.Store. It walks what has woken, and nothing where nothing
// has.
func (s *Store) Waking(ctx context.Context, now time.Time, limit int) ([]iam.Waking, error) {
	return read(ctx, s, func(v *view) ([]iam.Waking, error) {
		var waking []iam.Waking
		err := v.query(`SELECT m.id, m.account_id, CASE WHEN `+due("$1")+` THEN 1 ELSE 0 END FROM memberships m
			WHERE m.status = 'pending' AND m.wake_on > 0 AND m.wake_on <= $1 ORDER BY m.wake_on LIMIT $2`,
			[]any{toMicros(now), limit}, func(r row) error {
				var w iam.Waking
				if err := r.Scan((*text)(&w.ID), (*text)(&w.AccountID), (*flag)(&w.Due)); err != nil {
					return fmt.Errorf("scan what wakes: %w", err)
				}
				waking = append(waking, w)
				return nil
			})
		if err == nil {
			err = v.query(`SELECT m.id, m.account_id, CASE WHEN `+over+` THEN 1 ELSE 0 END FROM memberships m
				WHERE m.status = 'accepted' AND m.end_wake > 0 AND m.end_wake <= $1 ORDER BY m.end_wake LIMIT $2`,
				[]any{toMicros(now), limit}, func(r row) error {
					w := iam.Waking{Member: true}
					if err := r.Scan((*text)(&w.ID), (*text)(&w.AccountID), (*flag)(&w.Due)); err != nil {
						return fmt.Errorf("scan what wakes: %w", err)
					}
					waking = append(waking, w)
					return nil
				})
		}
		if err != nil {
			return nil, fmt.Errorf("list what wakes: %w", err)
		}
		return waking, nil
	})
}

// NextWake implements iam.Store.
func (s *Store) NextWake(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(v *view) (time.Time, error) {
		var next, end time.Time
		err := one(v, `SELECT (SELECT m.wake_on FROM memberships m WHERE m.status = 'pending' AND m.wake_on > 0
			ORDER BY m.wake_on LIMIT 1), (SELECT m.end_wake FROM memberships m WHERE m.status = 'accepted' AND m.end_wake > 0
			ORDER BY m.end_wake LIMIT 1) FROM instance i`, nil, (*stamp)(&next), (*stamp)(&end))
		if err != nil {
			return time.Time{}, fmt.Errorf("read when the next one wakes: %w", err)
		}
		if next.IsZero() || !end.IsZero() && end.Before(next) {
			next = end
		}
		return next, nil
	})
}
