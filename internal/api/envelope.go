package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hither/internal/iam"
)

// answer is what a handler wants to be sent.
type answer struct {
	result   any
	messages []notice
	page     any    // the result_info of a list
	bare     bool   // the result alone, without an envelope: two older deletes
	text     []byte // YAML instead of all that
	file     file
	later    func() (answer, error) // what comes when nothing is held any more
	replayed bool                   // the first answer to the same request
}

// notice is an error, or a remark on a success.
type notice struct {
	Code    int     `json:"code"`
	Message string  `json:"message"`
	Source  *source `json:"source,omitempty"`
	Chain   []link  `json:"error_chain,omitempty"`
}

type source struct {
	Pointer string `json:"pointer"`
}

type link struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// pointTo is the source of a notice; nil where the pointer names nothing, or
// is too long to be of help.
func pointTo(pointer string) *source {
	const most = 256
	if pointer == "" || len(pointer) > most {
		return nil
	}
	return &source{Pointer: pointer}
}

// pageInfo is the result_info of a list.
type pageInfo struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Count      int `json:"count"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

func one(result any) answer { return answer{result: result} }

// onlyID is what deletes answer.
type onlyID struct {
	ID iam.ID `json:"id"`
}

// list is one page of rows, each in the form that of gives it.
func list[Row, Wire any](page iam.Page[Row], request iam.PageRequest, of func(Row) Wire) answer {
	rows := make([]Wire, len(page.Items))
	for i, row := range page.Items {
		rows[i] = of(row)
	}
	return answer{result: rows, page: &pageInfo{
		Page: request.Number, PerPage: request.Size, Count: len(rows), TotalCount: page.Total,
		TotalPages: (page.Total + request.Size - 1) / request.Size,
	}}
}

// moment is a time as the wire writes it: RFC 3339, UTC, microseconds at most.
type moment time.Time

// MarshalJSON writes the time.
func (m moment) MarshalJSON() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.999999Z"`), nil
}

// optional is nil for a text that nobody has set: null on the wire.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// succeed sends an answer with status 200.
func (x *exchange) succeed(a answer) {
	if a.text != nil {
		x.trace.Status = http.StatusOK
		x.send(http.StatusOK, "application/yaml; charset=utf-8", a.text)
		return
	}
	if a.later != nil {
		next, err := a.later()
		switch {
		case x.sent:
		case err != nil:
			x.fail(err)
		default:
			x.succeed(next)
		}
		return
	}
	if a.file != nil {
		x.sendFile(a.file)
		return
	}
	if a.replayed {
		x.w.Header().Set(replayedHeader, "true")
	}
	x.sendJSON(http.StatusOK, a, nil)
}

// fail sends a refusal, and notes for the log what it doesn't tell.
func (x *exchange) fail(err error) {
	f := failureOf(err, x.r.URL.EscapedPath())
	header := x.w.Header()
	if f.challenge {
		header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	if f.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(f.retryAfter))
		header.Set("X-Should-Retry", strconv.FormatBool(!f.noRetry && (!f.undecided || x.repeatable || methodOf(x.r) == http.MethodGet)))
	}
	x.trace.Code, x.trace.Cause = f.notice.Code, f.cause
	x.sendJSON(f.status, answer{}, []notice{f.notice})
	if errors.Is(x.r.Context().Err(), context.Canceled) && f.status >= http.StatusInternalServerError {
		x.trace.Status = StatusClientGone
	}
}

// sendJSON is the one writer of the envelope.
func (x *exchange) sendJSON(status int, a answer, refusals []notice) {
	buffer, _ := x.buffers.Get().(*bytes.Buffer)
	if buffer == nil {
		buffer = new(bytes.Buffer)
	}
	buffer.Reset()
	defer func() {
		const keep = 1 << 20
		if buffer.Cap() <= keep {
			x.buffers.Put(buffer)
		}
	}()
	if err := writeEnvelope(buffer, a, refusals); err != nil {
		x.fail(fmt.Errorf("encode the answer: %w", err))
		return
	}
	x.trace.Status = status
	x.send(status, "application/json; charset=utf-8", buffer.Bytes())
}

// writeEnvelope ends with a line break, for people at a terminal.
func writeEnvelope(buffer *bytes.Buffer, a answer, refusals []notice) error {
	defer buffer.WriteByte('\n')
	if a.bare {
		return writeValue(buffer, a.result)
	}
	buffer.WriteString(`{"result":`)
	errs := writeValue(buffer, a.result)
	buffer.WriteString(`,"success":`)
	buffer.WriteString(strconv.FormatBool(len(refusals) == 0))
	buffer.WriteString(`,"errors":`)
	errs = errors.Join(errs, writeNotices(buffer, refusals))
	buffer.WriteString(`,"messages":`)
	errs = errors.Join(errs, writeNotices(buffer, a.messages))
	if a.page != nil {
		buffer.WriteString(`,"result_info":`)
		errs = errors.Join(errs, writeValue(buffer, a.page))
	}
	buffer.WriteByte('}')
	return errs
}

func writeNotices(buffer *bytes.Buffer, notices []notice) error {
	if len(notices) == 0 {
		buffer.WriteString("[]")
		return nil
	}
	return writeValue(buffer, notices)
}

// writeValue encodes one value.
func writeValue(buffer *bytes.Buffer, v any) error {
	if writeAppended(buffer, v) {
		return nil
	}
	return writeReflected(buffer, v)
}

// writeReflected leaves a value to encoding/json. That escapes <, > and & for
// pages that embed JSON; nobody embeds this.
func writeReflected(buffer *bytes.Buffer, v any) error {
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	buffer.Truncate(buffer.Len() - 1) // Encode ends with a line break
	return nil
}

// headers sets those of every answer; from then on there is no other one.
func (x *exchange) headers(contentType string) http.Header {
	x.sent = true
	header := x.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Cache-Control", "private, no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Request-ID", x.trace.RequestID)
	return header
}

// send writes the answer in one go.
func (x *exchange) send(status int, contentType string, body []byte) {
	x.headers(contentType).Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client is gone; there is nobody to tell
	}
}
