package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

const bulkRowColumns = `r.number, r.line, r.email, r.roles, r.expires_on, r.ends_on, r.locale, r.note,
	r.outcome, r.reason, r.field, r.message, r.invite_id`

// bulkRows reads rows of a bulk.
func (v *view) bulkRows(statement string, args []any) ([]iam.BulkRow, error) {
	var rows []iam.BulkRow
	err := v.query(statement, args, func(r row) error {
		var (
			row           iam.BulkRow
			roles, reason string
		)
		err := r.Scan((*count)(&row.Number), (*count)(&row.Line), (*text)(&row.Email), (*text)(&roles), (*stamp)(&row.ExpiresOn),
			(*stamp)(&row.EndsOn), (*text)(&row.Locale), (*text)(&row.Note), (*text)(&row.Outcome), (*text)(&reason), (*text)(&row.Field),
			(*text)(&row.Message), (*text)(&row.InviteID))
		if err != nil {
			return fmt.Errorf("scan row of a bulk: %w", err)
		}
		row.Roles = strings.Fields(roles)
		if reason != "" {
			row.Reason = iam.ReasonKind(reason)
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list rows of a bulk: %w", err)
	}
	return rows, nil
}

// BulkRows implements iam.Store.
func (s *Store) BulkRows(ctx context.Context, id iam.ID, query iam.BulkQuery) ([]iam.BulkRow, error) {
	var b builder
	b.add(`SELECT `, bulkRowColumns, ` FROM bulk_rows r WHERE r.bulk_id = `, b.arg(string(id)), ` AND r.number > `, b.arg(query.After))
	if query.Outcome != "" {
		b.add(` AND r.outcome = `, b.arg(string(query.Outcome)))
	}
	b.add(` ORDER BY r.number LIMIT `, b.arg(query.Limit))
	return read(ctx, s, func(v *view) ([]iam.BulkRow, error) { return v.bulkRows(b.String(), b.args) })
}

// waitingRows are the next rows of a bulk.
func (t *tx) waitingRows(id iam.ID, limit int) ([]iam.BulkRow, error) {
	return t.bulkRows(`SELECT `+bulkRowColumns+` FROM bulk_rows r WHERE r.bulk_id = $1
		AND r.number > (SELECT b.worked FROM bulks b WHERE b.id = $1) AND r.outcome = 'waiting' ORDER BY r.number LIMIT $2`,
		[]any{string(id), limit})
}

// insertedTogether is how many rows one statement adds: what is left is added one by
// one, so that there are two shapes.
const insertedTogether = 100

func (t *tx) insertBulkRows(id iam.ID, rows []iam.BulkRow) error {
	for chunk := range slices.Chunk(rows, insertedTogether) {
		parts := [][]iam.BulkRow{chunk}
		if len(chunk) < insertedTogether {
			parts = slices.Collect(slices.Chunk(chunk, 1))
		}
		for _, part := range parts {
			var b builder
			b.add(`INSERT INTO bulk_rows (bulk_id, number, line, email, roles, expires_on, ends_on, locale, note, outcome, reason,
				field, message, invite_id)
				VALUES `)
			for i, row := range part {
				if i > 0 {
					b.add(`, `)
				}
				b.add(`(`)
				b.values(string(id), row.Number, row.Line, row.Email, rolesOfRow(row), toMicros(row.ExpiresOn), toMicros(row.EndsOn),
					row.Locale, row.Note, string(row.Outcome), reasonOf(row), row.Field, row.Message, string(row.InviteID))
				b.add(`)`)
			}
			if _, err := t.exec(b.String(), b.args...); err != nil {
				return fmt.Errorf("insert rows: %w", err)
			}
		}
	}
	return nil
}

// values adds parameters, a comma between two.
func (b *builder) values(values ...any) {
	for i, value := range values {
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(value))
	}
}

// rolesOfRow are the ids of what a row that waits asks for; of others nobody asks.
func rolesOfRow(row iam.BulkRow) string {
	if row.Outcome != iam.BulkWaiting {
		return ""
	}
	return strings.Join(row.Roles, " ")
}

func reasonOf(row iam.BulkRow) string {
	if row.Message == "" {
		return ""
	}
	return iam.ReasonName(row.Reason)
}

// outcomesOf is the statement that keeps what became of rows, iam.BulkBatch at most.
// Its shape is one: the last row fills it.
func outcomesOf(id iam.ID, rows []iam.BulkRow) statement {
	var b builder
	b.add(`WITH ids (number, outcome, reason, field, message, invite_id) AS (VALUES `)
	for i := range iam.BulkBatch {
		row := rows[min(i, len(rows)-1)]
		if i > 0 {
			b.add(`, `)
		}
		b.add(`(CAST(`, b.arg(row.Number), ` AS BIGINT), `)
		b.values(string(row.Outcome), reasonOf(row), row.Field, row.Message, string(row.InviteID))
		b.add(`)`)
	}
	b.add(`) UPDATE bulk_rows SET outcome = ids.outcome, reason = ids.reason, field = ids.field, message = ids.message,
		invite_id = ids.invite_id FROM ids WHERE bulk_rows.bulk_id = `, b.arg(string(id)), ` AND bulk_rows.number = ids.number`)
	return statement{b.String(), b.args}
}

// EndBulkRows implements iam.Tx.
func (t *tx) EndBulkRows(id iam.ID, last iam.BulkRow) (int, error) {
	n, err := t.exec(`UPDATE bulk_rows SET outcome = $1, reason = $2, field = $3, message = $4 WHERE bulk_id = $5 AND outcome = 'waiting'`,
		string(last.Outcome), reasonOf(last), last.Field, last.Message, string(id))
	if err != nil {
		return 0, fmt.Errorf("end rows of a bulk: %w", err)
	}
	return int(n), nil
}

// standingTogether is how many addresses one statement looks up for a preview.
const standingTogether = 500

// Standing implements iam.Store.
func (s *Store) Standing(ctx context.Context, accountID iam.ID, emails []string, now time.Time) (map[string]iam.Member, iam.Seats, error) {
	type standing struct {
		rows  map[string]iam.Member
		seats iam.Seats
	}
	all, err := snapshot(ctx, s, func(v *view) (standing, error) {
		found := standing{rows: map[string]iam.Member{}}
		for chunk := range slices.Chunk(emails, standingTogether) {
			rows, err := v.standing(accountID, chunk, standingTogether, now)
			if err != nil {
				return standing{}, err
			}
			maps.Copy(found.rows, rows)
		}
		var err error
		found.seats, err = v.seats(accountID, now)
		return found, err
	})
	return all.rows, all.seats, err
}

// standing reads the live rows of addresses in an account, size of them at most: of
// each address the row that has it, or the one of its user.
func (v *view) standing(accountID iam.ID, emails []string, size int, now time.Time) (map[string]iam.Member, error) {
	if len(emails) == 0 {
		return map[string]iam.Member{}, nil
	}
	var b, list builder
	account := b.arg(string(accountID))
	list.args = b.args
	list.among(emails, size)
	b.args = list.args
	addresses := list.String()
	b.add(`SELECT m.email, m.id FROM memberships m WHERE m.account_id = `, account, ` AND m.email IN (`, addresses, `)
			AND (m.status = 'pending' OR m.status = 'accepted') AND (m.status = 'accepted' OR `, notDue(b.arg(toMicros(now))), `)
		UNION ALL SELECT u.email, m.id FROM users u JOIN memberships m ON m.user_id = u.id AND m.account_id = `, account, `
			AND m.status = 'accepted' WHERE u.email IN (`, addresses, `) AND u.verified = 1`)
	found := map[string]iam.ID{}
	err := v.query(b.String(), b.args, func(r row) error {
		var (
			email string
			id    iam.ID
		)
		if err := r.Scan((*text)(&email), (*text)(&id)); err != nil {
			return fmt.Errorf("scan a live row: %w", err)
		}
		if _, already := found[email]; !already {
			found[email] = id
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for live rows: %w", err)
	}
	return v.membersOf(found, size, now)
}

// membersOf reads the rows that addresses were found to have.
func (v *view) membersOf(found map[string]iam.ID, size int, now time.Time) (map[string]iam.Member, error) {
	standing := make(map[string]iam.Member, len(found))
	if len(found) == 0 {
		return standing, nil
	}
	ids := make([]string, 0, len(found))
	for _, id := range found {
		ids = append(ids, string(id))
	}
	var b builder
	b.add(`FROM memberships m `, joinMember, ` WHERE m.id IN (`)
	b.among(ids, size)
	b.add(`)`)
	members, err := v.members(b.String(), b.args, len(ids), now)
	if err != nil {
		return nil, fmt.Errorf("read live rows: %w", err)
	}
	byID := make(map[iam.ID]iam.Member, len(members))
	for _, member := range members {
		byID[member.ID] = member
	}
	for email, id := range found {
		standing[email] = byID[id]
	}
	return standing, nil
}

// Tallied implements iam.Store.
func (s *Store) Tallied(ctx context.Context, tallies []iam.Tally) ([]int, error) {
	used := make([]int, len(tallies))
	if len(tallies) == 0 {
		return used, nil
	}
	var b builder
	b.add(`SELECT k.name, k.n FROM tallies k WHERE `)
	for i, tally := range tallies {
		if i > 0 {
			b.add(` OR `)
		}
		b.add(`(k.name = `, b.arg(tally.Name), ` AND k.subject = `, b.arg(tally.Subject))
		b.add(` AND k.starts_on = `, b.arg(toMicros(tally.StartsOn)), `)`)
	}
	return read(ctx, s, func(v *view) ([]int, error) {
		err := v.query(b.String(), b.args, func(r row) error {
			var (
				name string
				n    int
			)
			if err := r.Scan((*text)(&name), (*count)(&n)); err != nil {
				return fmt.Errorf("scan a tally: %w", err)
			}
			if i := slices.IndexFunc(tallies, func(t iam.Tally) bool { return t.Name == name }); i >= 0 {
				used[i] = n
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read tallies: %w", err)
		}
		return used, nil
	})
}
