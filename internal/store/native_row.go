package store

import (
	"fmt"

	calls "modernc.org/sqlite/lib"
)

// nativeRow is the row that a statement stands on.
type nativeRow struct {
	session   *nativeSession
	statement uintptr
}

// Scan implements row for the types of scan.go, and for what tests scan into.
// A column is taken as what it is asked for: tables are STRICT, so that it is
// that or NULL, which SQLite turns into the zero value.
//
// Its texts are one string that is cut up: half of a row's columns are texts,
// and each by itself would be an allocation.
func (r *nativeRow) Scan(dest ...any) error {
	s := r.session
	s.texts, s.ends = s.texts[:0], s.ends[:0]
	if n := int(calls.Xsqlite3_data_count(s.tls, r.statement)); n != len(dest) {
		return fmt.Errorf("a row of %d columns is scanned into %d", n, len(dest))
	}
	for i, into := range dest {
		column := int32(i)
		switch into := into.(type) {
		case *text:
			s.texts = append(s.texts, r.bytes(column)...)
			s.ends = append(s.ends, len(s.texts))
		case *number:
			*into = number(r.integer(column))
		case *count:
			*into = count(r.integer(column))
		case *flag:
			*into = r.integer(column) != 0
		case *stamp:
			*into = stamp(fromMicros(r.integer(column)))
		case *hash32:
			if err := into.Scan(r.bytes(column)); err != nil {
				return err
			}
		case *sealed:
			if err := into.Scan(r.bytes(column)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("nothing is scanned into a %T", into)
		}
	}
	all, begin, ends := text(s.texts), 0, s.ends
	for _, into := range dest {
		if into, ok := into.(*text); ok {
			*into, begin, ends = all[begin:ends[0]], ends[0], ends[1:]
		}
	}
	return nil
}

func (r *nativeRow) integer(column int32) int64 {
	return calls.Xsqlite3_column_int64(r.session.tls, r.statement, column)
}

// bytes are those of a text or a blob, until the next step.
func (r *nativeRow) bytes(column int32) []byte {
	address := calls.Xsqlite3_column_blob(r.session.tls, r.statement, column)
	if address == 0 {
		return nil
	}
	return bytesAt(address, int(calls.Xsqlite3_column_bytes(r.session.tls, r.statement, column)))
}
