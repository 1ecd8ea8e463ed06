package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the engine that hither uses
)

// bare makes the changes that hither has made to a copy of the database, row
// by row and byte by byte, with nothing around them: no HTTP, no rule, no read.
type bare struct {
	own, hithers *sql.DB
	conn         *sql.Conn // of own: one writer
	prepared     map[string]*sql.Stmt
	seen         int64 // the last audit row of hither's that was taken over
}

// known are the tables of the schema. A new one may be one that an invitation
// writes to: then the loop has to, or the comparison is a lie. The load sends
// no idempotency keys, without which nothing is written to their table.
func known() []string {
	return []string{
		"accounts", "audit", "counts", "goose_db_version", "idempotency", "instance", "memberships", "roles", "sqlite_sequence",
		"tokens", "totals", "user_keys", "users",
	}
}

// openBare opens the loop's copy at path, and hither's to read from.
func openBare(ctx context.Context, path, hithers string) (_ *bare, err error) {
	b := &bare{prepared: map[string]*sql.Stmt{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	// As internal/store opens it.
	if b.own, err = openSQLite(path, "_journal_mode", "WAL", "_synchronous", "FULL", "_foreign_keys", "on"); err != nil {
		return nil, err
	}
	if b.hithers, err = openSQLite(hithers, "_query_only", "on"); err != nil {
		return nil, err
	}
	if b.conn, err = b.own.Conn(ctx); err != nil {
		return nil, err
	}
	tables, err := texts(ctx, b.own, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(tables, known()) {
		return nil, fmt.Errorf("the schema has the tables %v, and the bare loop knows %v: does an invitation write to the others?", tables, known())
	}
	return b, b.own.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit`).Scan(&b.seen)
}

func openSQLite(path string, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"_busy_timeout": {"5000"}}
	for pair := range slices.Chunk(pragmas, 2) {
		query.Set(pair[0], pair[1])
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
}

func texts(ctx context.Context, db *sql.DB, query string) (found []string, err error) {
	_, rows, err := table(ctx, db, query)
	for _, row := range rows {
		found = append(found, fmt.Sprint(row[0]))
	}
	return found, err
}

func (b *bare) close() error {
	var all []error
	for _, statement := range b.prepared {
		all = append(all, statement.Close())
	}
	if b.conn != nil {
		all = append(all, b.conn.Close())
	}
	for _, db := range []*sql.DB{b.own, b.hithers} {
		if db != nil {
			all = append(all, db.Close())
		}
	}
	return errors.Join(all...)
}

// change is what one request of hither's wrote: statements with their values.
type change []statement

type statement struct {
	text   string
	values []any
}

// count is how hither keeps its counts.
const count = `INSERT INTO counts (account_id, status, invited, n) VALUES ($1, $2, 1, 1)
	ON CONFLICT (account_id, status, invited) DO UPDATE SET n = counts.n + excluded.n`

// created are the invitations that hither has made since the last time. It is
// called before any of them is accepted.
func (b *bare) created(ctx context.Context) ([]change, error) {
	return b.changes(ctx, "invite.create", func(columns []string, row []any) []statement {
		text := `INSERT INTO memberships (` + strings.Join(columns, ", ") + `) VALUES (` + marks(len(columns)) + `)`
		account := row[slices.Index(columns, "account_id")]
		return []statement{{text, row}, {count, []any{account, "pending"}}}
	})
}

// accepted are those that hither has accepted since the last time.
func (b *bare) accepted(ctx context.Context) ([]change, error) {
	set := []string{
		"user_id", "status", "roles", "super", "invited_by", "invited_on", "expires_on", "grantor_user", "grantor_token",
		"first_name", "last_name", "answered_on", "revision",
	}
	return b.changes(ctx, "invite.accept", func(columns []string, row []any) []statement {
		value := func(name string) any { return row[slices.Index(columns, name)] }
		values := make([]any, 0, len(set)+2)
		for _, name := range set {
			values = append(values, value(name))
		}
		text := `UPDATE memberships SET (` + strings.Join(set, ", ") + `) = (` + marks(len(set)) + `) WHERE id = ? AND account_id = ? AND status = 'pending'`
		account := value("account_id")
		return []statement{
			{text, append(values, value("id"), account)},
			{`UPDATE counts SET n = n - 1 WHERE account_id = $1 AND status = 'pending' AND invited = 1`, []any{account}},
			{count, []any{account, "accepted"}},
		}
	})
}

// changes reads what hither wrote: the membership as it is now, made into
// statements, and the audit row. The order is that of hither's commits.
func (b *bare) changes(ctx context.Context, action string, of func(columns []string, row []any) []statement) ([]change, error) {
	const condition = ` WHERE a.seq > $1 AND a.action = $2 ORDER BY a.seq`
	columns, memberships, err := table(ctx, b.hithers, `SELECT m.* FROM audit a JOIN memberships m ON m.id = a.target_id`+condition, b.seen, action)
	if err != nil {
		return nil, err
	}
	fields, audit, err := table(ctx, b.hithers, `SELECT a.* FROM audit a`+condition, b.seen, action)
	if err != nil {
		return nil, err
	}
	if len(audit) != len(memberships) {
		return nil, fmt.Errorf("%d audit rows of %s for %d memberships", len(audit), action, len(memberships))
	}
	record := `INSERT INTO audit (` + strings.Join(fields, ", ") + `) VALUES (` + marks(len(fields)) + `)`
	changes := make([]change, len(audit))
	for i, row := range audit {
		changes[i] = append(of(columns, memberships[i]), statement{record, row})
		b.seen = max(b.seen, row[slices.Index(fields, "seq")].(int64))
	}
	return changes, nil
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// table reads a whole result.
func table(ctx context.Context, db *sql.DB, query string, args ...any) (columns []string, all [][]any, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, nil, err
		}
		all = append(all, row)
	}
	return columns, all, rows.Err()
}

// apply makes the changes, so many to a commit, and says how many a second.
func (b *bare) apply(ctx context.Context, changes []change, size int) (float64, error) {
	begin := time.Now()
	for group := range slices.Chunk(changes, size) {
		if err := b.exec(ctx, statement{text: `BEGIN IMMEDIATE`}); err != nil {
			return 0, err
		}
		for _, statement := range slices.Concat(group...) {
			if err := b.exec(ctx, statement); err != nil {
				return 0, err
			}
		}
		if err := b.exec(ctx, statement{text: `COMMIT`}); err != nil {
			return 0, err
		}
	}
	return float64(len(changes)) / time.Since(begin).Seconds(), nil
}

// exec runs a statement that has to touch a row, if it is one of that kind.
func (b *bare) exec(ctx context.Context, s statement) error {
	prepared := b.prepared[s.text]
	if prepared == nil {
		var err error
		if prepared, err = b.conn.PrepareContext(ctx, s.text); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
		b.prepared[s.text] = prepared
	}
	result, err := prepared.ExecContext(ctx, s.values...)
	if err != nil {
		return fmt.Errorf("%s: %w", s.text, err)
	}
	if len(s.values) == 0 {
		return nil
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%s: touched %d rows, want 1 (%w)", s.text, n, err)
	}
	return nil
}
