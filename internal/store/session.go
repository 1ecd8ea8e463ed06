package store

import (
	"context"
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
	// later runs a statement before the next one is run, and no later than that: an
	// engine behind a network sends both at once. The next one's error is its
	// error too.
	later(text string, args []any, each func(row) error) error
	// together runs statements in turn, at once where the engine is behind a
	// network, and tells how many rows the first touched. Where that is none the
	// others may have run or not: the transaction must not be committed.
	together(first statement, others ...statement) (int64, error)
}

// statement is one with its arguments.
type statement struct {
	text string
	args []any
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
