package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"strings"
	"time"
)

// What a list can be had as, whole and without an envelope.
const (
	formatCSV  = "csv"
	formatJSON = "jsonl" // a JSON object a line
)

const (
	// exportChunk is how many rows are read and sent at a time: what a file holds
	// in memory, however long the list is.
	exportChunk = 500
	// exportPatience is how long a client may take for that.
	exportPatience = 30 * time.Second
)

// format is what a list is asked for as, "" for a page.
func (q *query) format() string { return q.choice("format", formatCSV, formatJSON) }

// file is a list on its way out, chunk by chunk.
type file interface {
	head() (name, format string)
	// write writes the rows at hand, the first time with a line of what is in them.
	write(buffer *bytes.Buffer, first bool) error
	// next reads the rows that follow those at hand; false where there are none.
	next() (bool, error)
}

// fileOf is a file of rows. The first ones are read before anything is sent, so that
// a refusal is an answer like any other.
type fileOf[Row any] struct {
	name, format string
	rows         []Row
	after        func(last Row) ([]Row, error) // reads as many as exportChunk
	columns      []string
	cells        func(Row) []string
	object       func(Row) any
}

func (t *fileOf[Row]) head() (name, format string) { return t.name, t.format }

func (t *fileOf[Row]) next() (bool, error) {
	if len(t.rows) < exportChunk {
		return false, nil
	}
	var err error
	t.rows, err = t.after(t.rows[len(t.rows)-1])
	return len(t.rows) > 0, err
}

func (t *fileOf[Row]) write(buffer *bytes.Buffer, first bool) error {
	if t.format == formatCSV {
		return t.writeCSV(buffer, first)
	}
	for _, row := range t.rows {
		if err := writeReflected(buffer, t.object(row)); err != nil {
			return err
		}
		buffer.WriteByte('\n')
	}
	return nil
}

func (t *fileOf[Row]) writeCSV(buffer *bytes.Buffer, first bool) error {
	w := csv.NewWriter(buffer)
	w.UseCRLF = true // RFC 4180
	if first {
		_ = w.Write(t.columns) // into memory; what fails shows in Error
	}
	for _, row := range t.rows {
		line := t.cells(row)
		for i, cell := range line {
			line[i] = harmless(cell)
		}
		_ = w.Write(line) // as above
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return errors.Join(errors.New("write CSV"), err)
	}
	return nil
}

// sendFile writes a list, chunk by chunk. What fails half-way breaks the connection
// off: half a list must not be taken for a whole one.
func (x *exchange) sendFile(f file) {
	// The time of a request is over long before a long log is; what bounds this is
	// how long the client takes for each chunk.
	x.r = x.r.WithContext(context.WithoutCancel(x.r.Context()))
	name, format := f.head()
	kind := "application/x-ndjson; charset=utf-8"
	if format == formatCSV {
		kind = "text/csv; charset=utf-8; header=present"
	}
	header := x.headers(kind)
	header.Set("Content-Disposition", `attachment; filename="`+name+`.`+format+`"`)
	x.trace.Status = http.StatusOK
	x.w.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(x.w)
	var buffer bytes.Buffer
	for more, first := true, true; more; first = false {
		buffer.Reset()
		err := f.write(&buffer, first)
		if err == nil {
			_ = control.SetWriteDeadline(time.Now().Add(exportPatience)) // a test's writer has none
			_, err = x.w.Write(buffer.Bytes())
		}
		if err == nil {
			err = x.renew()
		}
		if err == nil {
			more, err = f.next()
		}
		if err != nil {
			x.trace.Cause = err
			panic(http.ErrAbortHandler)
		}
	}
}

// harmless is a cell that no spreadsheet takes for a formula: what begins like one
// gets a quotation mark before it, which spreadsheets show as text. These are the
// beginnings that OWASP lists. Where a spreadsheet divides cells at a semicolon, as
// many do by their language, what follows one is a beginning too.
func harmless(cell string) string {
	var out strings.Builder
	begins := true
	for _, r := range cell {
		if begins && strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) {
			_ = out.WriteByte('\'')
		}
		_, _ = out.WriteRune(r)
		begins = r == ';'
	}
	return out.String()
}
