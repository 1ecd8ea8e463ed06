package store

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	calls "modernc.org/sqlite/lib"
)

// nativeSession is a session that calls SQLite itself. The driver behind
// database/sql asks for the name and the declared type of every column of every
// result, looks up every parameter by its name and boxes every value: two
// thirds of what reading a row by its key takes, and half of a short write.
//
// Its connection has no lock of its own: whoever holds the session is alone.
type nativeSession struct {
	tls      *libc.TLS
	db       uintptr // sqlite3 *
	prepared map[string]*nativeStatement
	// texts and ends are of the row that is being scanned: what its texts are,
	// one after the other, and where each of them ends.
	texts []byte
	ends  []int
}

// nativeStatement is a prepared statement with the memory that its texts and
// blobs are bound from.
type nativeStatement struct {
	handle     uintptr // sqlite3_stmt *
	parameters int
	busy       bool
	memory     uintptr
	size       int
}

// nativeError is a code of SQLite's with its words.
type nativeError struct {
	code    int
	message string
}

func (e *nativeError) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.message, e.code) }

// openNative opens a connection to the file that a URI names, and runs pragmas
// on it.
func openNative(uri string, busy time.Duration, pragmas ...string) (*nativeSession, error) {
	s := &nativeSession{tls: libc.NewTLS(), prepared: make(map[string]*nativeStatement)}
	const flags = calls.SQLITE_OPEN_READWRITE | calls.SQLITE_OPEN_URI | calls.SQLITE_OPEN_NOMUTEX | calls.SQLITE_OPEN_EXRESCODE
	err := s.withText(uri, func(name uintptr) error {
		return s.withPointer(func(out uintptr) error {
			code := calls.Xsqlite3_open_v2(s.tls, name, out, flags, 0)
			s.db = *(*uintptr)(memoryAt(out))
			return s.fault(code)
		})
	})
	if err == nil {
		err = s.fault(calls.Xsqlite3_busy_timeout(s.tls, s.db, int32(busy.Milliseconds()))) //nolint:gosec // seconds
	}
	// Texts are never mistaken for columns, and no statement may damage the
	// file on purpose.
	err = errors.Join(err, s.configure(calls.SQLITE_DBCONFIG_DQS_DDL, 0),
		s.configure(calls.SQLITE_DBCONFIG_DQS_DML, 0), s.configure(calls.SQLITE_DBCONFIG_DEFENSIVE, 1))
	for _, pragma := range pragmas {
		if err == nil {
			err = s.query(`PRAGMA `+pragma, nil, func(row) error { return nil })
		}
	}
	if err != nil {
		return nil, errors.Join(sqliteError(err), s.close())
	}
	return s, nil
}

// memoryAt makes SQLite's address one of Go's. What it points to is not Go's:
// the collector neither moves nor frees it.
func memoryAt(address uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)) //nolint:gosec // see above
}

// bytesAt are n bytes of SQLite's.
func bytesAt(address uintptr, n int) []byte {
	return unsafe.Slice((*byte)(memoryAt(address)), n) //nolint:gosec // SQLite says how many there are
}

// withText calls fn with a copy of text that ends in a zero.
func (s *nativeSession) withText(text string, fn func(uintptr) error) error {
	copied, err := libc.CString(text)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer libc.Xfree(s.tls, copied)
	return fn(copied)
}

// withPointer calls fn with a place for an address.
func (s *nativeSession) withPointer(fn func(uintptr) error) error {
	out := libc.Xcalloc(s.tls, 1, types.Size_t(unsafe.Sizeof(uintptr(0))))
	if out == 0 {
		return &nativeError{calls.SQLITE_NOMEM, "out of memory"}
	}
	defer libc.Xfree(s.tls, out)
	return fn(out)
}

// configure turns a setting of the connection on or off.
func (s *nativeSession) configure(setting, value int32) error {
	if s.db == 0 {
		return nil // it was not opened
	}
	const slots = 2 * 8 // of the C call's variable arguments
	list := libc.Xmalloc(s.tls, slots)
	if list == 0 {
		return &nativeError{calls.SQLITE_NOMEM, "out of memory"}
	}
	defer libc.Xfree(s.tls, list)
	return s.fault(calls.Xsqlite3_db_config(s.tls, s.db, setting, libc.VaList(list, value, uintptr(0))))
}

// fault is the error of a code, nil for those of success.
func (s *nativeSession) fault(code int32) error {
	switch code {
	case calls.SQLITE_OK, calls.SQLITE_ROW, calls.SQLITE_DONE:
		return nil
	}
	message := libc.GoString(calls.Xsqlite3_errstr(s.tls, code))
	if s.db != 0 {
		if more := libc.GoString(calls.Xsqlite3_errmsg(s.tls, s.db)); more != message {
			message += ": " + more
		}
	}
	return &nativeError{int(code), message}
}

func (s *nativeSession) prepare(text string) (*nativeStatement, error) {
	if statement, ok := s.prepared[text]; ok {
		return statement, nil
	}
	if err := checkNumbers(text); err != nil {
		return nil, err
	}
	statement := &nativeStatement{}
	err := s.withText(text, func(copied uintptr) error {
		return s.withPointer(func(out uintptr) error {
			code := calls.Xsqlite3_prepare_v3(s.tls, s.db, copied, -1, calls.SQLITE_PREPARE_PERSISTENT, out, 0)
			statement.handle = *(*uintptr)(memoryAt(out))
			return s.fault(code)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, sqliteError(err))
	}
	statement.parameters = int(calls.Xsqlite3_bind_parameter_count(s.tls, statement.handle))
	s.forget()
	s.prepared[text] = statement
	return statement, nil
}

// forget makes room for one more statement, at the cost of any of the others.
func (s *nativeSession) forget() {
	for text, statement := range s.prepared {
		if len(s.prepared) < maxPrepared {
			return
		}
		if !statement.busy {
			s.finalize(statement)
			delete(s.prepared, text)
		}
	}
}

func (s *nativeSession) finalize(statement *nativeStatement) {
	_ = calls.Xsqlite3_finalize(s.tls, statement.handle) // repeats the error of the last step
	libc.Xfree(s.tls, statement.memory)
}

func (s *nativeSession) query(text string, args []any, each func(row) error) error {
	statement, err := s.begin(text, args)
	if err != nil {
		return err
	}
	defer s.end(statement)
	result := nativeRow{session: s, statement: statement.handle}
	for {
		switch code := calls.Xsqlite3_step(s.tls, statement.handle); code {
		case calls.SQLITE_ROW:
			if err := each(&result); err != nil {
				return err
			}
		case calls.SQLITE_DONE:
			return nil
		default:
			return sqliteError(s.fault(code))
		}
	}
}

func (s *nativeSession) exec(text string, args ...any) (int64, error) {
	err := s.query(text, args, func(row) error { return nil })
	if err != nil {
		return 0, err
	}
	return calls.Xsqlite3_changes64(s.tls, s.db), nil
}

// later implements session. A call takes no time on the way: nothing is gained
// by waiting for the next.
func (s *nativeSession) later(text string, args []any, each func(row) error) error {
	if each == nil {
		each = func(row) error { return nil }
	}
	return s.query(text, args, each)
}

// together implements session, one after the other.
func (s *nativeSession) together(first statement, others ...statement) (int64, error) {
	touched, err := s.exec(first.text, first.args...)
	for _, other := range others {
		if err != nil || touched == 0 {
			break
		}
		_, err = s.exec(other.text, other.args...)
	}
	return touched, err
}

// begin readies a statement with its arguments.
func (s *nativeSession) begin(text string, args []any) (*nativeStatement, error) {
	statement, err := s.prepare(text)
	if err != nil {
		return nil, err
	}
	if statement.busy {
		return nil, fmt.Errorf("%q is run while its own rows are read", text)
	}
	if statement.parameters != len(args) {
		return nil, fmt.Errorf("%q has %d parameters, and %d arguments were given", text, statement.parameters, len(args))
	}
	if err := s.bind(statement, args); err != nil {
		return nil, sqliteError(err)
	}
	statement.busy = true
	return statement, nil
}

// end makes a statement ready for its next use. Values stay bound until then:
// each use has as many.
func (s *nativeSession) end(statement *nativeStatement) {
	_ = calls.Xsqlite3_reset(s.tls, statement.handle) // repeats the error of the last step
	statement.busy = false
}

// bind copies texts and blobs to memory of the statement's own, where they stay
// while it runs.
func (s *nativeSession) bind(statement *nativeStatement, args []any) error {
	total := 0
	for _, arg := range args {
		switch value := arg.(type) {
		case string:
			total += len(value)
		case []byte:
			total += len(value)
		}
	}
	if err := s.reserve(statement, total); err != nil {
		return err
	}
	next := statement.memory
	for i, arg := range args {
		var (
			code  int32
			index = int32(i + 1)
		)
		switch value := arg.(type) {
		case nil:
			code = calls.Xsqlite3_bind_null(s.tls, statement.handle, index)
		case int64:
			code = calls.Xsqlite3_bind_int64(s.tls, statement.handle, index, value)
		case int:
			code = calls.Xsqlite3_bind_int64(s.tls, statement.handle, index, int64(value))
		case string:
			n := copy(bytesAt(next, len(value)), value)
			code = calls.Xsqlite3_bind_text(s.tls, statement.handle, index, next, int32(n), 0) //nolint:gosec // bounded by a body
			next += uintptr(n)
		case []byte:
			n := copy(bytesAt(next, len(value)), value)
			code = calls.Xsqlite3_bind_blob(s.tls, statement.handle, index, next, int32(n), 0) //nolint:gosec // as above
			next += uintptr(n)
		default:
			return fmt.Errorf("argument $%d is a %T, which no column takes", index, arg)
		}
		if code != calls.SQLITE_OK {
			return s.fault(code)
		}
	}
	return nil
}

// reserve makes room for n bytes, and one: an empty text has an address too.
func (s *nativeSession) reserve(statement *nativeStatement, n int) error {
	if statement.memory != 0 && n < statement.size {
		return nil
	}
	const least = 128
	size := max(least, 2*n) //nolint:mnd // so that it is seldom done again
	memory := libc.Xrealloc(s.tls, statement.memory, types.Size_t(size))
	if memory == 0 {
		return &nativeError{calls.SQLITE_NOMEM, "out of memory"}
	}
	statement.memory, statement.size = memory, size
	return nil
}

// syncFile makes durable what was written to the database's own file, by the
// handle that SQLite has of it: to close another would drop all locks on it.
func (s *nativeSession) syncFile() error {
	return s.withText("main", func(name uintptr) error {
		return s.withPointer(func(out uintptr) error {
			if err := s.fault(calls.Xsqlite3_file_control(s.tls, s.db, name, calls.SQLITE_FCNTL_FILE_POINTER, out)); err != nil {
				return err
			}
			file := *(*uintptr)(memoryAt(out))
			methods := (*calls.Tsqlite3_io_methods)(memoryAt((*calls.Tsqlite3_file)(memoryAt(file)).FpMethods))
			// As the library calls its pointers to functions.
			pointer := unsafe.Pointer(&struct{ uintptr }{methods.FxSync}) //nolint:gosec // see above
			sync := *(*func(*libc.TLS, uintptr, int32) int32)(pointer)
			if code := sync(s.tls, file, calls.SQLITE_SYNC_NORMAL); code != calls.SQLITE_OK {
				return &nativeError{int(code), libc.GoString(calls.Xsqlite3_errstr(s.tls, code))}
			}
			return nil
		})
	})
}

// ready and lost are for engines behind a network: a file's connection lasts.
func (s *nativeSession) ready(context.Context) error { return nil }
func (s *nativeSession) lost() bool                  { return false }

func (s *nativeSession) close() error {
	for _, statement := range s.prepared {
		s.finalize(statement)
	}
	clear(s.prepared)
	err := s.fault(calls.Xsqlite3_close_v2(s.tls, s.db))
	s.db = 0
	s.tls.Close()
	if err != nil {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}
