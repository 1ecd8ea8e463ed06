package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"hither/internal/iam"
)

// session is one connection to a database, as the store's SQL sees it. The
// statements behind it are prepared once. It is small on purpose: an adapter
// that calls a driver natively can take its place, and no SQL text changes.
//
// Both methods take no context. A statement is short and bounded, and runs to
// its end: a caller that goes away never interrupts one, least of all one in a
// transaction that others share, and none pays for the means to.
//
// Errors are the store's sentinels where the engine's codes say so.
type session interface {
	// query hands the rows of a statement over, one by one.
	query(text string, args []any, each func(row) error) error
	// exec runs a statement and tells how many rows it touched.
	exec(text string, args ...any) (int64, error)
}

// connection is a session with what it holds.
type connection interface {
	session
	// ready connects anew where the connection was lost. Only whoever begins
	// something may call it.
	ready(ctx context.Context) error
	// lost says that the connection ended: nothing works before ready.
	lost() bool
	close() error
}

// row is what a statement gave, for the time of one callback.
type row interface {
	Scan(dest ...any) error
}

// one reads a single row; iam.ErrNoRow where there is none.
func one(s session, text string, args []any, dest ...any) error {
	found := false
	err := s.query(text, args, func(r row) error {
		found = true
		return r.Scan(dest...)
	})
	if err == nil && !found {
		return iam.ErrNoRow
	}
	return err
}

// maxPrepared bounds how many statements a connection keeps. The usual ones
// are far fewer; but filters and orders make hundreds, and whoever asks for all
// of them must not fill the memory.
const maxPrepared = 120

// sqlSession is a session over a connection of database/sql, to an engine behind
// a network: it connects when it is first used, and anew where its connection
// broke.
type sqlSession struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt // by text
	dial     func(ctx context.Context) (*sql.Conn, error)
	// classify turns an engine's error into what the store promises.
	classify func(error) error
	dead     func(conn *sql.Conn, err error) bool // whether err ended the connection
	// broken asks ready for another connection. Until then all fails: what
	// stood in the old one's transaction must not go on outside of it.
	broken bool
}

func newSQLSession(
	dial func(ctx context.Context) (*sql.Conn, error), classify func(error) error, dead func(*sql.Conn, error) bool,
) *sqlSession {
	return &sqlSession{prepared: make(map[string]*sql.Stmt), dial: dial, classify: classify, dead: dead, broken: true}
}

// ready makes sure that there is a connection, as far as the last statement
// told. Only whoever begins something anew may call it.
func (s *sqlSession) ready(ctx context.Context) error {
	if !s.broken {
		return nil
	}
	_ = s.close() // there is nothing left in it to lose
	clear(s.prepared)
	s.conn = nil
	conn, err := s.dial(ctx)
	if ctx.Err() != nil && err != nil {
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
	if err != nil {
		return s.classify(err)
	}
	s.conn, s.broken = conn, false
	return nil
}

func (s *sqlSession) lost() bool { return s.broken }

// failed is what a driver's error means, to the session too.
func (s *sqlSession) failed(err error) error {
	if s.dead(s.conn, err) {
		s.broken = true
	}
	return s.classify(err)
}

func (s *sqlSession) prepare(text string) (*sql.Stmt, error) {
	if s.broken {
		return nil, s.classify(sql.ErrConnDone)
	}
	if statement, ok := s.prepared[text]; ok {
		return statement, nil
	}
	if err := checkNumbers(text); err != nil {
		return nil, err
	}
	statement, err := s.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, s.failed(err))
	}
	s.forget()
	s.prepared[text] = statement
	return statement, nil
}

// forget makes room for one more statement, at the cost of any of the others.
func (s *sqlSession) forget() {
	for text, statement := range s.prepared {
		if len(s.prepared) < maxPrepared {
			return
		}
		_ = statement.Close() // it only ever holds memory
		delete(s.prepared, text)
	}
}

func (s *sqlSession) query(text string, args []any, each func(row) error) (err error) {
	statement, err := s.prepare(text) //nolint:sqlclosecheck // kept for the next call; close ends it
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(context.Background(), args...)
	if err != nil {
		return s.failed(err)
	}
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = s.failed(closed)
		}
	}()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.failed(err)
	}
	return nil
}

func (s *sqlSession) exec(text string, args ...any) (int64, error) {
	statement, err := s.prepare(text) //nolint:sqlclosecheck // kept for the next call; close ends it
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, s.failed(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, s.failed(err)
	}
	return n, nil
}

func (s *sqlSession) close() error {
	if s.conn == nil {
		return nil
	}
	var errs []error
	for _, statement := range s.prepared {
		errs = append(errs, statement.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// checkNumbers holds that parameters are numbered in the order of their first
// use. PostgreSQL binds $N by its number, some drivers of SQLite by where it
// stands first: so both mean the same.
func checkNumbers(text string) error {
	highest := 0
	for _, match := range regexp.MustCompile(`\$([0-9]+)`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil || n > highest+1 {
			return fmt.Errorf("parameter $%s of %q stands before $%d", match[1], text, highest+1)
		}
		highest = max(highest, n)
	}
	return nil
}
