package store

import (
	"context"
	"fmt"
	"strconv"

	"hither/internal/iam"
)

// stepStatements add to the history of a message. They follow a statement that
// holds the message's row, so that nobody else gives a step the same number; what
// is older than the last ones is dropped on the way.
func stepStatements(id string, step iam.DeliveryStep) []statement {
	return []statement{
		{
			`INSERT INTO delivery_steps (delivery_id, n, happened_on, source, state, code, words, next_on, report)
				SELECT d.id, COALESCE((SELECT max(h.n) FROM delivery_steps h WHERE h.delivery_id = d.id), 0) + 1, $1, $2, $3, $4, $5, $6, $7
				FROM deliveries d WHERE d.id = $8`,
			[]any{toMicros(step.On), string(step.Source), string(step.State), step.Code, step.Words, toMicros(step.NextOn), step.Report, id},
		},
		{
			`DELETE FROM delivery_steps WHERE delivery_id = $1
				AND n <= (SELECT max(h.n) FROM delivery_steps h WHERE h.delivery_id = $1) - ` + strconv.Itoa(iam.MaxDeliverySteps),
			[]any{id},
		},
	}
}

// DeliveryRecord implements iam.Store.
func (s *Store) DeliveryRecord(ctx context.Context, id string) (iam.DeliveryRecord, error) {
	return snapshot(ctx, s, func(v *view) (iam.DeliveryRecord, error) {
		records := make([]iam.DeliveryRecord, 1)
		err := one(v, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = $1`, []any{id}, deliveryDest(&records[0].Delivery)...)
		if err == nil {
			err = v.steps(records)
		}
		if err != nil {
			return iam.DeliveryRecord{}, fmt.Errorf("read message: %w", err)
		}
		return records[0], nil
	})
}

// InvitationDeliveries implements iam.Store. The ids of an invitation's messages
// begin with its own, so that they lie together in the table itself.
func (s *Store) InvitationDeliveries(
	ctx context.Context, accountID, membershipID iam.ID, page iam.PageRequest,
) (iam.Page[iam.DeliveryRecord], error) {
	const from = ` FROM deliveries d WHERE d.id >= $1 AND d.id < $2 AND d.membership_id = $3 AND d.account_id = $4
		AND d.kind IN ('invitation', 'reminder', 'withdrawn')`
	args := []any{string(membershipID) + "-", string(membershipID) + ".", string(membershipID), string(accountID)}
	return snapshot(ctx, s, func(v *view) (iam.Page[iam.DeliveryRecord], error) {
		var list iam.Page[iam.DeliveryRecord]
		err := one(v, `SELECT count(*)`+from, args, (*count)(&list.Total))
		if err == nil && page.Offset() < list.Total {
			err = v.query(`SELECT `+deliveryColumns+from+` ORDER BY d.created_on DESC, d.id DESC LIMIT $5 OFFSET $6`,
				append(args, page.Size, page.Offset()), func(r row) error {
					var d iam.DeliveryRecord
					if err := r.Scan(deliveryDest(&d.Delivery)...); err != nil {
						return fmt.Errorf("scan message: %w", err)
					}
					list.Items = append(list.Items, d)
					return nil
				})
		}
		if err == nil && len(list.Items) > 0 {
			err = v.steps(list.Items)
		}
		if err != nil {
			return iam.Page[iam.DeliveryRecord]{}, fmt.Errorf("list an invitation's messages: %w", err)
		}
		return list, nil
	})
}

// steps reads the history of messages, of all of them in one go.
func (v *view) steps(of []iam.DeliveryRecord) error {
	var b builder
	b.add(`SELECT h.delivery_id, h.happened_on, h.source, h.state, h.code, h.words, h.next_on, h.report FROM delivery_steps h
		WHERE h.delivery_id IN (`)
	at := make(map[string]int, len(of))
	ids := make([]string, len(of))
	for i := range of {
		ids[i] = of[i].ID
		at[of[i].ID] = i
	}
	b.list(ids)
	b.add(`) ORDER BY h.delivery_id, h.n`)
	return v.query(b.String(), b.args, func(r row) error {
		var (
			id   string
			step iam.DeliveryStep
		)
		err := r.Scan((*text)(&id), (*stamp)(&step.On), (*text)(&step.Source), (*text)(&step.State), (*count)(&step.Code),
			(*text)(&step.Words), (*stamp)(&step.NextOn), (*text)(&step.Report))
		if err != nil {
			return fmt.Errorf("scan a step: %w", err)
		}
		record := &of[at[id]]
		record.Steps = append(record.Steps, step)
		return nil
	})
}
