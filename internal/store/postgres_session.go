package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// postgresSession is a session that speaks PostgreSQL's protocol by pgx's layer
// for it, without database/sql above: values go in and out in their binary form
// and unboxed, and statements that wait for each other on no side go out
// together. It connects when it is first used, and anew where its connection
// broke. Whoever holds it is alone.
type postgresSession struct {
	dial     func(ctx context.Context) (*pgconn.PgConn, error)
	conn     *pgconn.PgConn
	prepared map[string]*postgresStatement // by text
	named    int                           // statements so far: each has a name of its own

	queue *pgconn.Batch // what is not sent yet
	calls []postgresCall
	// reading says that rows are handed over: the connection is taken.
	reading bool
	// broken asks ready for another connection. Until then all fails: what
	// stood in the old one's transaction must not go on outside of it.
	broken bool

	values [][]byte // the arguments of one call, in memory that the next one takes
	memory []byte
}

// postgresStatement is a prepared statement.
type postgresStatement struct {
	*pgconn.StatementDescription

	formats []int16 // of all arguments, and of all columns: binary
	queued  int     // calls that are not sent yet
}

// postgresCall is one use of a statement.
type postgresCall struct {
	statement *postgresStatement
	each      func(row) error // nil: nobody asks for rows
	touched   *int64          // how many rows it did, unless nil
}

var errConnectionLost = errors.New("the connection was lost")

func newPostgresSession(dial func(ctx context.Context) (*pgconn.PgConn, error)) *postgresSession {
	const usual = 512
	return &postgresSession{
		dial: dial, prepared: make(map[string]*postgresStatement), queue: &pgconn.Batch{}, broken: true,
		memory: make([]byte, 0, usual), // and not nil: an empty text is not NULL
	}
}

// ready makes sure that there is a connection, as far as the last statement
// told. Only whoever begins something anew may call it.
func (s *postgresSession) ready(ctx context.Context) error {
	if !s.broken {
		return nil
	}
	_ = s.close() //nolint:contextcheck // there is nothing left in it to lose
	s.forgetQueue()
	clear(s.prepared)
	s.conn = nil
	conn, err := s.dial(ctx)
	if ctx.Err() != nil && err != nil {
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
	if err != nil {
		return postgresError(err)
	}
	s.conn, s.broken = conn, false
	return nil
}

func (s *postgresSession) lost() bool { return s.broken }

func (s *postgresSession) close() error {
	if s.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

// failed is what an error means, to the session too.
func (s *postgresSession) failed(err error) error {
	if s.conn.IsClosed() || isUseless(err) {
		s.broken = true
	}
	return postgresError(err)
}

func (s *postgresSession) query(text string, args []any, each func(row) error) error {
	if err := s.enqueue(text, args, postgresCall{each: each}); err != nil {
		return err
	}
	return s.flush()
}

func (s *postgresSession) exec(text string, args ...any) (touched int64, err error) {
	if err := s.enqueue(text, args, postgresCall{touched: &touched}); err != nil {
		return 0, err
	}
	return touched, s.flush()
}

// later implements session: the statement goes out with the next one.
func (s *postgresSession) later(text string, args []any, each func(row) error) error {
	return s.enqueue(text, args, postgresCall{each: each})
}

// together implements session: one round trip for all. The server runs the
// others even where the first touches nothing.
func (s *postgresSession) together(first statement, others ...statement) (touched int64, err error) {
	if err := s.enqueue(first.text, first.args, postgresCall{touched: &touched}); err != nil {
		return 0, err
	}
	for _, other := range others {
		if err := s.enqueue(other.text, other.args, postgresCall{}); err != nil {
			return 0, err
		}
	}
	touched = -1 // until the first is answered
	err = s.flush()
	if touched == 0 && !s.broken {
		return 0, nil // whatever the others made of it
	}
	return touched, err
}

// rollback ends the transaction. Where it fails the connection is broken, which
// ends it as well.
func (s *postgresSession) rollback() {
	s.forgetQueue()
	if s.broken || s.conn.TxStatus() == outsideTransaction {
		return // nothing was begun
	}
	_, _ = s.exec(`ROLLBACK`)
}

// outsideTransaction is how the server says so.
const outsideTransaction = 'I'

// enqueue readies a call for the next flush.
func (s *postgresSession) enqueue(text string, args []any, call postgresCall) error {
	if s.reading {
		return fmt.Errorf("%q is run while rows are read", text)
	}
	var err error
	if call.statement, err = s.prepare(text); err != nil {
		return err
	}
	if err := s.encode(call.statement.ParamOIDs, args); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	// The arguments are copied into the queue.
	s.queue.ExecStatement(call.statement.StatementDescription, s.values, call.statement.formats, call.statement.formats)
	call.statement.queued++
	s.calls = append(s.calls, call)
	return nil
}

// flush sends what is queued and reads the answers. After an error the server
// passes over the rest.
func (s *postgresSession) flush() error {
	queue, calls := s.queue, s.calls
	s.forgetQueue()
	s.reading = true
	defer func() { s.reading = false }()
	results := s.conn.ExecBatch(context.Background(), queue)
	var err error
	for _, call := range calls {
		if !results.NextResult() {
			break
		}
		if err = call.read(results.ResultReader()); err != nil {
			break
		}
	}
	if failure := results.Close(); failure != nil {
		return s.failed(failure)
	}
	return err
}

// forgetQueue drops what is not sent.
func (s *postgresSession) forgetQueue() {
	for _, call := range s.calls {
		call.statement.queued--
	}
	s.queue, s.calls = &pgconn.Batch{}, nil
}

// read takes a call's answer. Its error is the receiver's; the server's is that
// of all results.
func (c postgresCall) read(result *pgconn.ResultReader) error {
	if c.each != nil {
		row := postgresRow{fields: c.statement.Fields}
		for result.NextRow() {
			row.values = result.Values()
			if err := c.each(&row); err != nil {
				return err
			}
		}
	}
	tag, _ := result.Close() // see above
	if c.touched != nil {
		*c.touched = tag.RowsAffected()
	}
	return nil
}

func (s *postgresSession) prepare(text string) (*postgresStatement, error) {
	if s.broken {
		return nil, unusable(errConnectionLost)
	}
	if statement, ok := s.prepared[text]; ok {
		return statement, nil
	}
	if err := checkNumbers(text); err != nil {
		return nil, err
	}
	s.named++
	description, err := s.conn.Prepare(context.Background(), "s"+strconv.Itoa(s.named), text, nil)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, s.failed(err))
	}
	statement := &postgresStatement{StatementDescription: description, formats: []int16{pgtype.BinaryFormatCode}}
	s.forget()
	s.prepared[text] = statement
	return statement, nil
}

// forget makes room for one more statement, at the cost of any of the others.
func (s *postgresSession) forget() {
	for text, statement := range s.prepared {
		if len(s.prepared) < maxPrepared {
			return
		}
		if statement.queued > 0 {
			continue
		}
		if err := s.conn.Deallocate(context.Background(), statement.Name); err != nil {
			_ = s.failed(err) // where the connection ended, the next statement says so
		}
		delete(s.prepared, text)
	}
}

// encode puts arguments into s.values as the parameters' types want them.
func (s *postgresSession) encode(types []uint32, args []any) error {
	if len(types) != len(args) {
		return fmt.Errorf("%d parameters, and %d arguments were given", len(types), len(args))
	}
	s.values, s.memory = s.values[:0], s.memory[:0]
	for i, arg := range args {
		start := len(s.memory)
		var err error
		switch value := arg.(type) {
		case nil:
			s.values = append(s.values, nil)
			continue
		case int64:
			s.memory, err = appendInteger(s.memory, types[i], value)
		case int:
			s.memory, err = appendInteger(s.memory, types[i], int64(value))
		case string:
			s.memory, err = append(s.memory, value...), must(types[i], isText)
		case []byte:
			s.memory, err = append(s.memory, value...), must(types[i], isBytes)
		default:
			err = errors.New("no column takes it")
		}
		if err != nil {
			return fmt.Errorf("argument $%d is a %T: %w", i+1, arg, err)
		}
		// What was put there before stays, though memory may have moved.
		s.values = append(s.values, s.memory[start:len(s.memory):len(s.memory)])
	}
	return nil
}

func appendInteger(to []byte, typ uint32, value int64) ([]byte, error) {
	switch typ {
	case pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(to, uint64(value)), nil //nolint:gosec // the same bits
	case pgtype.Int4OID:
		if int64(int32(value)) == value { //nolint:gosec // that is what is asked
			return binary.BigEndian.AppendUint32(to, uint32(value)), nil //nolint:gosec // the same bits
		}
	case pgtype.Int2OID:
		if int64(int16(value)) == value { //nolint:gosec // as above
			return binary.BigEndian.AppendUint16(to, uint16(value)), nil //nolint:gosec // as above
		}
	default:
		return to, must(typ, isInteger)
	}
	return to, fmt.Errorf("%d is more than the parameter takes", value)
}

// The types that our columns and expressions have.
func isText(typ uint32) bool { return typ == pgtype.TextOID || typ == pgtype.NameOID }

func isBytes(typ uint32) bool { return typ == pgtype.ByteaOID }

func isInteger(typ uint32) bool {
	return typ == pgtype.Int8OID || typ == pgtype.Int2OID || typ == pgtype.Int4OID
}

func must(typ uint32, kind func(uint32) bool) error {
	if !kind(typ) {
		return fmt.Errorf("PostgreSQL has type %d for it", typ)
	}
	return nil
}

// postgresRow is the row that was just read.
type postgresRow struct {
	fields []pgconn.FieldDescription
	values [][]byte
}

// Scan implements row for the types of scan.go.
func (r *postgresRow) Scan(dest ...any) error {
	if len(r.values) != len(dest) || len(r.fields) != len(dest) {
		return fmt.Errorf("a row of %d columns is scanned into %d", len(r.values), len(dest))
	}
	for i, into := range dest {
		if err := scanPostgres(r.fields[i].DataTypeOID, r.values[i], into); err != nil {
			return fmt.Errorf("column %s: %w", r.fields[i].Name, err)
		}
	}
	return nil
}

func scanPostgres(typ uint32, value []byte, into any) error {
	switch into := into.(type) {
	case *text:
		*into = text(value)
		return must(typ, isText)
	case *hash32:
		if err := must(typ, isBytes); err != nil {
			return err
		}
		return into.Scan(value)
	case *sealed:
		if err := must(typ, isBytes); err != nil {
			return err
		}
		return into.Scan(value)
	}
	n, err := integerOf(typ, value)
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *number:
		*into = number(n)
	case *count:
		*into = count(n)
	case *flag:
		*into = n != 0
	case *stamp:
		*into = stamp(fromMicros(n))
	default:
		return fmt.Errorf("nothing is scanned into a %T", into)
	}
	return nil
}

// integerOf reads an integer of any width; NULL is 0.
func integerOf(typ uint32, value []byte) (int64, error) {
	const narrow, medium, wide = 2, 4, 8
	switch {
	case !isInteger(typ):
		return 0, must(typ, isInteger)
	case value == nil:
		return 0, nil
	case len(value) == wide:
		n := binary.BigEndian.Uint64(value)
		return int64(n), nil //nolint:gosec // the same bits
	case len(value) == medium:
		return int64(int32(binary.BigEndian.Uint32(value))), nil //nolint:gosec // the same bits
	case len(value) == narrow:
		return int64(int16(binary.BigEndian.Uint16(value))), nil //nolint:gosec // the same bits
	}
	return 0, fmt.Errorf("an integer of %d bytes", len(value))
}
