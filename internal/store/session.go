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

// sqlSession is a session over a connection of database/sql.
type sqlSession struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt // by text
	// classify turns an engine's error into what the store promises.
	classify func(error) error
}

func newSQLSession(conn *sql.Conn, classify func(error) error) *sqlSession {
	return &sqlSession{conn: conn, prepared: make(map[string]*sql.Stmt), classify: classify}
}

func (s *sqlSession) prepare(text string) (*sql.Stmt, error) {
	if statement, ok := s.prepared[text]; ok {
		return statement, nil
	}
	if err := checkNumbers(text); err != nil {
		return nil, err
	}
	statement, err := s.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, s.classify(err))
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
		return s.classify(err)
	}
	defer func() {
		if closed := rows.Close(); err == nil && closed != nil {
			err = s.classify(closed)
		}
	}()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.classify(err)
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
		return 0, s.classify(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, s.classify(err)
	}
	return n, nil
}

func (s *sqlSession) close() error {
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
