package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// What an audit log can be exported as.
const (
	formatCSV  = "csv"
	formatJSON = "jsonl" // a JSON object a line
)

const (
	// exportChunk is how many rows are read and sent at a time: what an export
	// holds in memory, however long the log is.
	exportChunk = 500
	// exportPatience is how long a client may take for that.
	exportPatience = 30 * time.Second
)

// exportFormat is what the log is asked for as, "" for a page.
func (q *query) exportFormat() string {
	format := q.choice("format", formatCSV, formatJSON)
	if q.choice("export", "true", "false") == "true" && format == "" {
		return formatCSV
	}
	return format
}

// auditFile is a log on its way out. The first rows are read before anything is
// sent, so that a refusal is an answer like any other.
type auditFile struct {
	format string
	owner  iam.ID
	query  iam.AuditQuery
	rows   []iam.AuditEntry
	read   func(iam.AuditQuery) ([]iam.AuditEntry, error)
}

func (x *exchange) export(
	format string, query iam.AuditQuery, owner iam.ID, read func(iam.AuditQuery) ([]iam.AuditEntry, error),
) (answer, error) {
	query.Skip, query.Limit = 0, exportChunk
	rows, err := read(query)
	if err != nil {
		return answer{}, err
	}
	return answer{file: &auditFile{format: format, owner: owner, query: query, rows: rows, read: read}}, nil
}

// next reads the rows that follow those at hand; false where there are none.
func (f *auditFile) next() (bool, error) {
	if len(f.rows) < f.query.Limit {
		return false, nil
	}
	f.query.After = f.rows[len(f.rows)-1].Place()
	var err error
	f.rows, err = f.read(f.query)
	return len(f.rows) > 0, err
}

// sendFile writes a log, chunk by chunk. What fails half-way breaks the connection
// off: half a log must not be taken for a whole one.
func (x *exchange) sendFile(f *auditFile) {
	// The time of a request is over long before a long log is; what bounds this is
	// how long the client takes for each chunk.
	x.r = x.r.WithContext(context.WithoutCancel(x.r.Context()))
	kind := "application/x-ndjson; charset=utf-8"
	if f.format == formatCSV {
		kind = "text/csv; charset=utf-8; header=present"
	}
	header := x.headers(kind)
	header.Set("Content-Disposition", `attachment; filename="audit_logs.`+f.format+`"`)
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
			more, err = f.next()
		}
		if err != nil {
			x.trace.Cause = err
			panic(http.ErrAbortHandler)
		}
	}
}

func (f *auditFile) write(buffer *bytes.Buffer, first bool) error {
	if f.format == formatCSV {
		return f.writeCSV(buffer, first)
	}
	for _, row := range f.rows {
		if err := writeReflected(buffer, auditLogOf(row, f.owner)); err != nil {
			return err
		}
		buffer.WriteByte('\n')
	}
	return nil
}

func (f *auditFile) writeCSV(buffer *bytes.Buffer, first bool) error {
	w := csv.NewWriter(buffer)
	w.UseCRLF = true // RFC 4180
	if first {
		_ = w.Write([]string{
			"id", "when", "action", "result", "refused", "actor_type", "actor_id", "actor_email", "actor_ip", "interface",
			"owner_id", "resource_type", "resource_id", "user_id", "old_value", "new_value", "request_id", "credential_id",
		}) // into memory; what fails shows in Error
	}
	for _, row := range f.rows {
		e := auditLogOf(row, f.owner)
		line := []string{
			e.ID, time.Time(e.When).Format(time.RFC3339Nano), e.Action.Type, strconv.FormatBool(e.Action.Result), e.Metadata.Refused,
			e.Actor.Type, e.Actor.ID, e.Actor.Email, e.Actor.IP, e.Interface, string(e.Owner.ID), e.Resource.Type, string(e.Resource.ID),
			string(e.Metadata.UserID), undivided(e.OldValue), undivided(e.NewValue), e.Metadata.RequestID, string(e.Metadata.CredentialID),
		}
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

// undivided is JSON without a semicolon: where a spreadsheet takes that for the end of
// a cell, as many do by their language, what follows would be the beginning of another.
// JSON has it in strings alone, and there it may be written so.
func undivided(json string) string { return strings.ReplaceAll(json, ";", `\u003b`) }

// harmless is a cell that no spreadsheet takes for a formula: what begins like one
// gets a quotation mark before it, which spreadsheets show as text. These are the
// beginnings that OWASP lists.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell[:min(len(cell), 4)])[0]) {
		return "'" + cell
	}
	return cell
}
