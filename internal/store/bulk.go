package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

const bulkColumns = `b.id, b.account_id, b.state, b.actor, b.credential, b.means, b.factor, b.remote_addr, b.request_id, b.total,
	b.waiting, b.invited, b.already_invited, b.already_member, b.refused, b.canceled, b.created_on, b.ended_on, b.worker, b.leased_to`

// fromBulk joins who asked for a bulk.
const fromBulk = ` FROM bulks b LEFT JOIN users u ON u.id = b.user_id`

// countedOutcomes are the outcomes in the order of their columns.
var countedOutcomes = [...]iam.BulkOutcome{ //nolint:gochecknoglobals // never changed
	iam.BulkWaiting, iam.BulkInvited, iam.BulkAlreadyInvited, iam.BulkAlreadyMember, iam.BulkRefused, iam.BulkNotSent,
}

// bulkRow is a bulk with the user who asked for it.
type bulkRow struct {
	iam.Bulk
	counts [len(countedOutcomes)]int
}

func (b *bulkRow) dest(to []any) []any {
	a := &b.Actor
	to = append(to, (*text)(&b.ID), (*text)(&b.AccountID), (*text)(&b.State), (*text)(&a.Kind), (*text)(&a.CredentialID),
		(*text)(&a.Means), (*text)(&a.Factor), (*text)(&a.RemoteAddr), (*text)(&a.RequestID), (*count)(&b.Rows))
	for i := range b.counts {
		to = append(to, (*count)(&b.counts[i]))
	}
	to = append(to, (*stamp)(&b.CreatedOn), (*stamp)(&b.EndedOn), (*text)(&b.Worker), (*stamp)(&b.LeasedTo))
	return userDest(to, &a.User)
}

func (b *bulkRow) bulk() iam.Bulk {
	bulk := b.Bulk
	bulk.By = bulk.Actor.Name()
	bulk.Actor.Key = bulk.Actor.Means == iam.MeansKey
	bulk.Counts = iam.BulkCounts{}
	for i, outcome := range countedOutcomes {
		if b.counts[i] != 0 {
			bulk.Counts[outcome] = b.counts[i]
		}
	}
	return bulk
}

// Bulks implements iam.Store.
func (s *Store) Bulks(ctx context.Context, accountID iam.ID, page iam.PageRequest) (iam.Page[iam.Bulk], error) {
	return snapshot(ctx, s, func(v *view) (iam.Page[iam.Bulk], error) {
		var list iam.Page[iam.Bulk]
		err := one(v, `SELECT count(*) FROM bulks b WHERE b.account_id = $1`, []any{string(accountID)}, (*count)(&list.Total))
		if err != nil {
			return list, fmt.Errorf("count bulks: %w", err)
		}
		err = v.query(`SELECT `+bulkColumns+`, `+userColumns+fromBulk+` WHERE b.account_id = $1 ORDER BY b.id DESC LIMIT $2 OFFSET $3`,
			[]any{string(accountID), page.Size, page.Offset()}, func(r row) error {
				var b bulkRow
				if err := r.Scan(b.dest(nil)...); err != nil {
					return fmt.Errorf("scan bulk: %w", err)
				}
				list.Items = append(list.Items, b.bulk())
				return nil
			})
		if err != nil {
			return list, fmt.Errorf("list bulks: %w", err)
		}
		return list, nil
	})
}

// Bulk implements iam.Store.
func (s *Store) Bulk(ctx context.Context, accountID, id iam.ID) (iam.Bulk, error) {
	return read(ctx, s, func(v *view) (iam.Bulk, error) { return v.bulk(accountID, id) })
}

// Bulk implements iam.Tx.
func (t *tx) Bulk(accountID, id iam.ID) (iam.Bulk, error) { return t.bulk(accountID, id) }

func (v *view) bulk(accountID, id iam.ID) (iam.Bulk, error) {
	var b bulkRow
	err := one(v, `SELECT `+bulkColumns+`, `+userColumns+fromBulk+` WHERE b.id = $1 AND b.account_id = $2`,
		[]any{string(id), string(accountID)}, b.dest(nil)...)
	if err != nil {
		return iam.Bulk{}, fmt.Errorf("read bulk: %w", err)
	}
	return b.bulk(), nil
}

// RunningBulks implements iam.Store.
func (s *Store) RunningBulks(ctx context.Context, worker string, now time.Time, limit int) ([]iam.ID, error) {
	return read(ctx, s, func(v *view) ([]iam.ID, error) {
		var ids []iam.ID
		err := v.query(`SELECT w.id FROM bulks w WHERE w.ended_on = 0 AND (w.leased_to <= $1 OR w.worker = $2)
			ORDER BY w.leased_to, w.id LIMIT $3`, []any{toMicros(now), worker, limit}, func(r row) error {
			var id iam.ID
			if err := r.Scan((*text)(&id)); err != nil {
				return fmt.Errorf("scan id: %w", err)
			}
			ids = append(ids, id)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list running bulks: %w", err)
		}
		return ids, nil
	})
}

// RunningBulks implements iam.Tx.
func (t *tx) RunningBulks(accountID iam.ID) (int, error) {
	var n int
	err := one(t, `SELECT count(*) FROM bulks b WHERE b.account_id = $1 AND b.ended_on = 0`, []any{string(accountID)}, (*count)(&n))
	if err != nil {
		return 0, fmt.Errorf("count running bulks: %w", err)
	}
	return n, nil
}

// shown tells whether a credential holds: a key, a token, or what a provider vouched
// for. Who runs the binary has none.
const shown = `CASE WHEN b.credential = ''
	OR EXISTS (SELECT 1 FROM user_keys k WHERE k.id = b.credential AND k.disabled = 0)
	OR EXISTS (SELECT 1 FROM tokens k WHERE k.id = b.credential AND k.disabled = 0 AND (k.expires_on = 0 OR k.expires_on > $1))
	OR EXISTS (SELECT 1 FROM identities k WHERE k.id = b.credential) THEN 1 ELSE 0 END`

// BulkFacts implements iam.Tx. The account comes first: whoever holds it is alone
// with its bulks.
func (t *tx) BulkFacts(id iam.ID, limit int) (iam.BulkFacts, error) {
	if t.locks != nil {
		if err := t.lockAccounts(`a.id = (SELECT b.account_id FROM bulks b WHERE b.id = $1)`, string(id)); err != nil {
			return iam.BulkFacts{}, err
		}
	}
	var (
		facts iam.BulkFacts
		b     bulkRow
	)
	err := one(t, `SELECT `+shown+`, `+bulkColumns+`, `+userColumns+fromBulk+` WHERE b.id = $2`,
		[]any{toMicros(t.now), string(id)}, b.dest(destinations((*flag)(&facts.Shown)))...)
	if err != nil {
		return iam.BulkFacts{}, fmt.Errorf("read facts of a bulk: %w", err)
	}
	facts.Bulk = b.bulk()
	if facts.Bulk.State != iam.BulkRunning {
		return facts, nil
	}
	account, own, roles, err := t.access(facts.Bulk.AccountID, facts.Bulk.Actor.User.ID, t.now)
	if errors.Is(err, iam.ErrNoRow) {
		facts.Gone = true
		return facts, nil
	}
	if err != nil {
		return iam.BulkFacts{}, err
	}
	facts.AccountFacts = iam.AccountFacts{Account: account, Own: own}
	if facts.Catalog, err = t.catalogOf(roles.version, account.ID, roles.own); err != nil {
		return iam.BulkFacts{}, err
	}
	if facts.Rows, err = t.waitingRows(id, limit); err != nil {
		return iam.BulkFacts{}, err
	}
	emails := make([]string, len(facts.Rows))
	for i, row := range facts.Rows {
		emails[i] = row.Email
	}
	if err := t.shareUsersOf(emails); err != nil {
		return iam.BulkFacts{}, err
	}
	if facts.Standing, err = t.standing(account.ID, emails, iam.BulkBatch, t.now); err != nil {
		return iam.BulkFacts{}, err
	}
	if facts.AnyDue, err = t.anyDue(account.ID); err != nil {
		return iam.BulkFacts{}, err
	}
	facts.Seats, err = t.seats(account.ID, t.now)
	return facts, err
}

// shareUsersOf keeps the users of some addresses as they are.
func (t *tx) shareUsersOf(emails []string) error {
	if t.locks == nil || len(emails) == 0 {
		return nil
	}
	var b builder
	b.among(emails, iam.BulkBatch)
	return t.lockUsers(`u.email IN (`+b.String()+`) ORDER BY u.id FOR SHARE`, false, b.args...)
}

// among adds a list of values as parameters, a comma between two. They are made size
// many by repeating the last one: the number of shapes stays small.
func (b *builder) among(values []string, size int) {
	for i := range size {
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(values[min(i, len(values)-1)]))
	}
}

// InsertBulk implements iam.Tx.
func (t *tx) InsertBulk(b iam.Bulk, rows []iam.BulkRow, entry iam.AuditEntry) error {
	if err := t.lockAccount(b.AccountID); err != nil {
		return err
	}
	args := []any{
		string(b.ID), string(b.AccountID), string(b.State), string(b.Actor.Kind), reference(b.Actor.User.ID), string(b.Actor.CredentialID),
		string(b.Actor.Means), b.Actor.Factor, b.Actor.RemoteAddr, b.Actor.RequestID, b.Rows,
	}
	for _, outcome := range countedOutcomes {
		args = append(args, b.Counts[outcome])
	}
	_, err := t.exec(`INSERT INTO bulks (id, account_id, state, actor, user_id, credential, means, factor, remote_addr, request_id, total,
			waiting, invited, already_invited, already_member, refused, canceled, created_on, ended_on, worker, leased_to)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		append(args, toMicros(b.CreatedOn), toMicros(b.EndedOn), b.Worker, toMicros(b.LeasedTo))...)
	if err == nil {
		err = t.insertBulkRows(b.ID, rows)
	}
	if err != nil {
		return fmt.Errorf("insert bulk: %w", err)
	}
	return t.Record(entry)
}

// UpdateBulk implements iam.Tx.
func (t *tx) UpdateBulk(b iam.Bulk, rows []iam.BulkRow) error {
	args := []any{string(b.State)}
	for _, outcome := range countedOutcomes {
		args = append(args, b.Counts[outcome])
	}
	worked := 0
	if len(rows) > 0 {
		worked = rows[len(rows)-1].Number
	}
	update := statement{`UPDATE bulks SET state = $1, waiting = $2, invited = $3, already_invited = $4, already_member = $5,
			refused = $6, canceled = $7, ended_on = $8, worker = $9, leased_to = $10,
			worked = CASE WHEN worked < $11 THEN CAST($11 AS BIGINT) ELSE worked END
		WHERE id = $12 AND ended_on = 0`, append(args, toMicros(b.EndedOn), b.Worker, toMicros(b.LeasedTo), worked, string(b.ID))}
	var more []statement
	if len(rows) > 0 {
		more = append(more, outcomesOf(b.ID, rows))
	}
	if err := t.guarded(iam.ErrStale, update, more...); err != nil {
		return fmt.Errorf("update bulk: %w", err)
	}
	return nil
}

// FirstEndedBulk implements iam.Store.
func (s *Store) FirstEndedBulk(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(v *view) (time.Time, error) {
		var ended time.Time
		err := one(v, `SELECT d.ended_on FROM bulks d WHERE d.ended_on > 0 ORDER BY d.ended_on LIMIT 1`, nil, (*stamp)(&ended))
		if err != nil && !errors.Is(err, iam.ErrNoRow) {
			err = fmt.Errorf("read when the first bulk ended: %w", err)
		}
		return ended, err
	})
}

// DropBulks implements iam.Tx.
func (t *tx) DropBulks(before time.Time, limit int) (int, error) {
	rows, err := t.exec(`DELETE FROM bulk_rows WHERE (bulk_id, number) IN
		(SELECT r.bulk_id, r.number FROM bulks d JOIN bulk_rows r ON r.bulk_id = d.id
			WHERE d.ended_on > 0 AND d.ended_on < $1 ORDER BY d.ended_on LIMIT $2`+t.besideOthers()+`)`, toMicros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("drop rows of old bulks: %w", err)
	}
	bulks, err := t.exec(`DELETE FROM bulks WHERE id IN
		(SELECT d.id FROM bulks d WHERE d.ended_on > 0 AND d.ended_on < $1 AND NOT EXISTS (SELECT 1 FROM bulk_rows r WHERE r.bulk_id = d.id)
			ORDER BY d.ended_on LIMIT $2`+t.besideOthers()+`)`, toMicros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("drop old bulks: %w", err)
	}
	return int(rows + bulks), nil
}
