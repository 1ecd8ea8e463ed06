package store

import (
	"fmt"
	"slices"

	"hither/internal/iam"
)

// ReportFacts implements iam.Tx. The ids are found first, each by an index; then the
// rows are read in one go, and held where others write beside it.
func (t *tx) ReportFacts(ids, recipients []string) (iam.ReportedMessages, error) {
	last, err := t.lastMailed(recipients)
	if ids = slices.Concat(ids, last); err != nil || len(ids) == 0 {
		return nil, err
	}
	var (
		b     builder
		found iam.ReportedMessages
		at    = map[string]int{}
	)
	b.add(`SELECT `, deliveryColumns, ` FROM deliveries d WHERE d.id IN (`)
	b.list(ids)
	b.add(`) ORDER BY d.id`)
	if t.locks != nil {
		b.add(` FOR UPDATE`)
	}
	err = t.query(b.String(), b.args, func(r row) error {
		var f iam.ReportFacts
		if err := r.Scan(deliveryDest(&f.Delivery)...); err != nil {
			return fmt.Errorf("scan message: %w", err)
		}
		at[f.ID] = len(found)
		found = append(found, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read messages that are reported: %w", err)
	}
	b = builder{}
	b.add(`SELECT h.delivery_id, h.report FROM delivery_steps h WHERE h.report <> '' AND h.delivery_id IN (`)
	b.list(ids)
	b.add(`)`)
	err = t.query(b.String(), b.args, func(r row) error {
		var id, report string
		if err := r.Scan((*text)(&id), (*text)(&report)); err != nil {
			return fmt.Errorf("scan report: %w", err)
		}
		if i, ok := at[id]; ok {
			found[i].Known = append(found[i].Known, report)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what was reported: %w", err)
	}
	return found, nil
}

// lastMailed are the ids of the last mails to invited recipients.
func (t *tx) lastMailed(recipients []string) ([]string, error) {
	if len(recipients) == 0 {
		return nil, nil
	}
	var (
		b   builder
		ids []string
	)
	for i, recipient := range recipients {
		if i > 0 {
			b.add(` UNION ALL `)
		}
		b.add(`SELECT l.id FROM (SELECT d.id FROM deliveries d WHERE d.recipient = `, b.arg(recipient),
			` AND d.attempts > 0 AND d.kind IN ('invitation', 'reminder') ORDER BY d.created_on DESC LIMIT 1) l`)
	}
	err := t.query(b.String(), b.args, func(r row) error {
		var id string
		if err := r.Scan((*text)(&id)); err != nil {
			return fmt.Errorf("scan id: %w", err)
		}
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the last mails to recipients: %w", err)
	}
	return ids, nil
}
