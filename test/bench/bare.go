package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the engine that hither uses
)

// bare makes the changes that hither has made to a copy of the database, row
// by row and byte by byte, with nothing around them: no HTTP, no rule, no read.
type bare struct {
	own, hithers *sql.DB
	writers      []*bareWriter // over own
	seen         int64         // the last audit row of hither's that was taken over

	// What differs between the engines.
	begin    string
	tablesBy string // the statement that lists the tables
	override string // lets an INSERT give the audit row its number
}

// tables are those of the schema. A new one may be one that an invitation
// writes to: then the loop has to, or the comparison is a lie. The load sends
// no idempotency keys, without which nothing is written to their table, and to a
// server that mails nothing: else an invitation writes to deliveries and tallies.
// PostgreSQL's event_position is written by who reads events, and so is what
// webhooks are sent.
func tables() []string {
	return []string{
		"accounts", "audit", "bulk_rows", "bulks", "challenges", "counts", "deliveries", "delivery_steps", "factors", "goose_db_version", "idempotency", "identities",
		"instance", "instance_keys", "memberships", "recovery_codes", "roles", "sessions", "suppressions", "tallies", "tokens", "totals",
		"user_keys", "users", "webhook_attempts", "webhook_deliveries", "webhook_position", "webhooks",
	}
}

// openBareSQLite opens the loop's copy at path, and hither's to read from.
func openBareSQLite(ctx context.Context, path, hithers string) (*bare, error) {
	b := &bare{begin: `BEGIN IMMEDIATE`, tablesBy: `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`}
	var err error
	// As internal/store opens it.
	if b.own, err = openSQLite(path, "_journal_mode", "WAL", "_synchronous", "FULL", "_foreign_keys", "on"); err != nil {
		return nil, err
	}
	if b.hithers, err = openSQLite(hithers, "_query_only", "on"); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, b.connect(ctx, 1)
}

// connect gives the loop as many connections as hither writes over.
func (b *bare) connect(ctx context.Context, writers int) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	for range writers {
		conn, err := b.own.Conn(ctx)
		if err != nil {
			return err
		}
		b.writers = append(b.writers, &bareWriter{begin: b.begin, conn: conn, prepared: map[string]*sql.Stmt{}})
	}
	found, err := texts(ctx, b.own, b.tablesBy)
	if err != nil {
		return err
	}
	if !slices.Equal(found, tables()) {
		return fmt.Errorf("the schema has the tables %v, and the bare loop knows %v: does an invitation write to the others?", found, tables())
	}
	return b.own.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit`).Scan(&b.seen)
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
	for _, w := range b.writers {
		all = append(all, w.close())
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
		text := `INSERT INTO memberships (` + strings.Join(columns, ", ") + `) VALUES (` + marks(1, len(columns)) + `)`
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
		text := `UPDATE memberships SET (` + strings.Join(set, ", ") + `) = (` + marks(1, len(set)) + `)
			WHERE (id, account_id) = (` + marks(len(set)+1, 2) + `) AND status = 'pending'`
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
	record := `INSERT INTO audit (` + strings.Join(fields, ", ") + `)` + b.override + ` VALUES (` + marks(1, len(fields)) + `)`
	changes := make([]change, len(audit))
	for i, row := range audit {
		changes[i] = append(of(columns, memberships[i]), statement{record, row})
		b.seen = max(b.seen, row[slices.Index(fields, "seq")].(int64))
	}
	return changes, nil
}

// pass leaves out what hither has made since the last time.
func (b *bare) pass(ctx context.Context) error {
	return b.hithers.QueryRowContext(ctx, `SELECT MAX(seq) FROM audit`).Scan(&b.seen)
}

// marks are n parameters, the first of which has a number.
func marks(first, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", first+i)
	}
	return strings.Join(all, ", ")
}

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
// Every writer takes the next as soon as it is done with its last.
func (b *bare) apply(ctx context.Context, changes []change, size int) (float64, error) {
	var (
		groups   = slices.Collect(slices.Chunk(changes, size))
		next     atomic.Int64
		working  sync.WaitGroup
		failures = make([]error, len(b.writers))
		begin    = time.Now()
	)
	for i, w := range b.writers {
		working.Go(func() {
			for failures[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(groups) {
					return
				}
				failures[i] = w.commit(ctx, slices.Concat(groups[n]...))
			}
		})
	}
	working.Wait()
	return float64(len(changes)) / time.Since(begin).Seconds(), errors.Join(failures...)
}
