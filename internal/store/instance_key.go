package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// sealedColumns are where values lie that an instance key alone opens. What is
// not named here would be lost with its key, unseen; a test holds that every
// column of bytes is named, or known to hold no such value.
func sealedColumns() []sealedColumn {
	return []sealedColumn{
		{"factors", "seed", `t.confirmed_on > 0 OR t.created_on > $1`},
		{"webhooks", "secret", `t.deleted_on = 0`},
		{"webhooks", "old_secret", `t.deleted_on = 0 AND t.old_secret IS NOT NULL AND t.old_until > $1`},
	}
}

// sealedColumn is one of them. Rows without which nobody loses anything don't hold
// to counts, where $1 is when a factor that is being set up now was begun at the
// earliest.
type sealedColumn struct{ table, column, counts string }

// sealedHead is how much of a sealed value names its key: see seal.KeyOf.
const sealedHead = 9

// Sealed is how many values of a table begin with Head, which names their key.
type Sealed struct {
	Table  string
	Head   []byte
	Values int
}

// sealedQuery counts them; "" where there can be none.
func sealedQuery(columns []sealedColumn, now time.Time) (query string, args []any) {
	parts := make([]string, len(columns))
	for i, c := range columns {
		head := "substr(t." + c.column + ", 1, " + strconv.Itoa(sealedHead) + ")"
		parts[i] = "SELECT '" + c.table + "', " + head + ", count(*) FROM " + c.table + " t WHERE " + c.counts + " GROUP BY " + head
	}
	return strings.Join(parts, " UNION ALL "), []any{toMicros(now.Add(-iam.SetUpLife))}
}

func scanSealed(r row) (Sealed, error) {
	var found Sealed
	if err := r.Scan((*text)(&found.Table), (*sealed)(&found.Head), (*count)(&found.Values)); err != nil {
		return Sealed{}, fmt.Errorf("scan what is sealed: %w", err)
	}
	return found, nil
}

// Sealed counts what is sealed, by table and key.
func (s *Store) Sealed(ctx context.Context) ([]Sealed, error) {
	return s.sealedIn(ctx, sealedColumns())
}

func (s *Store) sealedIn(ctx context.Context, columns []sealedColumn) ([]Sealed, error) {
	if len(columns) == 0 {
		return nil, nil
	}
	return read(ctx, s, func(v *view) ([]Sealed, error) {
		var all []Sealed
		query, args := sealedQuery(columns, s.now())
		err := v.query(query, args, func(r row) error {
			found, err := scanSealed(r)
			all = append(all, found)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("count what is sealed: %w", err)
		}
		return all, nil
	})
}

const instanceKeysQuery = `SELECT k.id FROM instance_keys k ORDER BY k.seen_on, k.id`

// InstanceKeys are the ids of the instance keys that this database was served
// with, oldest first. A key itself is never in it.
func (s *Store) InstanceKeys(ctx context.Context) ([]string, error) {
	return read(ctx, s, (*view).instanceKeys)
}

func (v *view) instanceKeys() ([]string, error) {
	var ids []string
	err := v.query(instanceKeysQuery, nil, func(r row) error {
		var id string
		err := r.Scan((*text)(&id))
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the ids of instance keys: %w", err)
	}
	return ids, nil
}

// NoteInstanceKeys notes what the database is served with, unless check, which is
// given the ids that it knows, returns an error: then it returns that. Of several
// who come at once with keys of their own each one's check knows those of who came
// before. check may be called more than once.
func (s *Store) NoteInstanceKeys(ctx context.Context, ids []string, check func(known []string) error) error {
	return s.Update(ctx, func(opened iam.Tx) error {
		t, _ := opened.(*tx)
		if t.locks != nil {
			// Where there is no row yet, there is none to lock.
			if _, err := t.exec(`LOCK TABLE instance_keys IN SHARE ROW EXCLUSIVE MODE`); err != nil {
				return fmt.Errorf("lock the ids of instance keys: %w", err)
			}
		}
		known, err := t.instanceKeys()
		if err == nil {
			err = check(known)
		}
		if err != nil {
			return err
		}
		return t.noteKeys(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(known, id) }))
	})
}

// DropInstanceKeys forgets keys and notes the ones that stay, with an audit row.
func (s *Store) DropInstanceKeys(ctx context.Context, dropped, stay []string, entry iam.AuditEntry) error {
	return s.Update(ctx, func(opened iam.Tx) error {
		t, _ := opened.(*tx)
		for _, id := range dropped {
			if _, err := t.exec(`DELETE FROM instance_keys WHERE id = $1`, id); err != nil {
				return fmt.Errorf("forget an instance key: %w", err)
			}
		}
		if err := t.noteKeys(stay); err != nil {
			return err
		}
		return t.Record(entry)
	})
}

func (t *tx) noteKeys(ids []string) error {
	for _, id := range ids {
		_, err := t.exec(`INSERT INTO instance_keys (id, seen_on) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, toMicros(t.now))
		if err != nil {
			return fmt.Errorf("note an instance key: %w", err)
		}
	}
	return nil
}
