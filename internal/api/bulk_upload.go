package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

const (
	// MaxBulkBody is how many bytes the body of a bulk may have: some 800 a row.
	MaxBulkBody = 8 << 20
	// maxBulkLine is how many a line of it may have.
	maxBulkLine = 64 << 10
	// maxUploads is how many bulks are read at once; who comes then waits. Each is held
	// in memory row by row, and as a text never.
	maxUploads = 4
)

// upload is what a request to invite many brought.
type upload struct {
	rows []iam.BulkRow
	sum  [32]byte // of every byte, and of what they are
}

// upload reads the body of a bulk. What is wrong with a row stands in the row; what
// leaves unclear where rows begin or which cell is which refuses all of it.
func (x *exchange) upload() (upload, error) {
	format, err := bulkFormat(x.r.Header)
	if err != nil {
		return upload{}, err
	}
	tooLarge := bodyRefused(http.StatusRequestEntityTooLarge,
		"the body is longer than "+strconv.Itoa(MaxBulkBody)+" bytes; divide the rows among several requests")
	if x.r.ContentLength > MaxBulkBody {
		return upload{}, tooLarge
	}
	select {
	case x.uploads <- struct{}{}:
		defer func() { <-x.uploads }()
	case <-x.r.Context().Done():
		return upload{}, x.r.Context().Err() //nolint:wrapcheck // it is what failureOf looks for
	}
	sum := sha256.New()
	_, _ = sum.Write([]byte(format + "\n")) // never fails
	body := io.TeeReader(http.MaxBytesReader(x.w, x.r.Body, MaxBulkBody), sum)
	rows, err := readRows(bufio.NewReaderSize(body, maxBulkLine), format)
	if err == nil {
		_, err = io.Copy(io.Discard, body) // there is nothing left but for a reader that stopped early
	}
	var (
		over *http.MaxBytesError
		own  *failure
	)
	switch {
	case err == nil:
		return upload{rows: rows, sum: [32]byte(sum.Sum(nil))}, nil
	case errors.As(err, &over):
		return upload{}, tooLarge
	case errors.As(err, &own):
		return upload{}, own
	case x.r.Context().Err() != nil:
		return upload{}, x.r.Context().Err() //nolint:wrapcheck // as above
	}
	return upload{}, badBody("", "the body ended early")
}

// bulkFormat is what a body is declared as.
func bulkFormat(header http.Header) (string, error) {
	types := header.Values("Content-Type")
	if len(types) == 1 && header.Get("Content-Encoding") == "" {
		mediaType, params, err := mime.ParseMediaType(types[0])
		charset, declared := params["charset"]
		if err == nil && (!declared || strings.EqualFold(charset, "utf-8")) {
			switch mediaType {
			case "text/csv":
				return formatCSV, nil
			case "application/x-ndjson", "application/jsonl":
				return formatJSON, nil
			}
		}
	}
	return "", bodyRefused(http.StatusUnsupportedMediaType,
		"the body must be declared as Content-Type: text/csv or application/x-ndjson (a JSON object a line), in UTF-8")
}

func readRows(r *bufio.Reader, format string) ([]iam.BulkRow, error) {
	if err := skipMark(r); err != nil {
		return nil, err
	}
	if format == formatCSV {
		return readCSV(r)
	}
	return readJSONLines(r)
}

// skipMark passes over a byte order mark of UTF-8; that of another encoding is
// refused.
func skipMark(r *bufio.Reader) error {
	switch start, _ := r.Peek(3); { // what cannot be read is met again
	case bytes.Equal(start, []byte("\xef\xbb\xbf")):
		_, _ = r.Discard(len(start)) // it is in the buffer
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return badBody("", "the body is UTF-16; save it as UTF-8")
	}
	return nil
}

// lineOf says in which line something makes all of the body useless.
func lineOf(line int, message string) error {
	return badBody("", "line "+strconv.Itoa(line)+": "+message)
}

// rowList is rows as they are read.
type rowList struct{ rows []iam.BulkRow }

// add begins the row of a line.
func (l *rowList) add(line int) (*iam.BulkRow, error) {
	if len(l.rows) == iam.MaxBulkRows {
		return nil, invalid("", "line "+strconv.Itoa(line)+" is beyond the "+strconv.Itoa(iam.MaxBulkRows)+
			" rows that there may be; divide them among several requests")
	}
	l.rows = append(l.rows, iam.BulkRow{Number: len(l.rows) + 1, Line: line, Outcome: iam.BulkWaiting})
	return &l.rows[len(l.rows)-1], nil
}

// refuse ends a row because of a field.
func refuse(row *iam.BulkRow, field, message string) {
	if row.Outcome == iam.BulkWaiting { // the first thing is told
		row.Refuse(&iam.Error{Kind: iam.Invalid, Field: field, Message: message})
	}
}

// The fields of a row.
const (
	emailField   = "email"
	rolesField   = "roles"
	expiresField = "expires_on"
	endsField    = "membership_expires_on"
	localeField  = "locale"
	noteField    = "note"

	bulkFields = emailField + ", " + rolesField + ", " + expiresField + ", " + endsField + ", " + localeField + ", " + noteField
)

// setField takes a field of a row from a text; "" is one that is left out.
func setField(row *iam.BulkRow, name, text string) {
	pointer := "/" + name
	switch name {
	case emailField:
		email, err := iam.CanonicalEmail(text)
		if err != nil {
			refuse(row, pointer, "email "+err.Error())
			return
		}
		row.Email = email
	case expiresField, endsField:
		if text == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || at.IsZero() {
			refuse(row, pointer, name+" must be a date and time of RFC 3339, such as 2026-01-01T05:20:00Z")
			return
		}
		moment := &row.ExpiresOn
		if name == endsField {
			moment = &row.EndsOn
		}
		*moment = at.UTC().Truncate(time.Microsecond)
	case localeField:
		locale, err := iam.CheckLocale(text)
		if err != nil {
			refuse(row, pointer, "locale "+err.Error())
			return
		}
		row.Locale = locale
	case noteField:
		note, err := iam.CheckNote(text)
		if err != nil {
			refuse(row, pointer, "note "+err.Error())
			return
		}
		row.Note = note
	}
}

// readJSONLines reads a JSON object a line.
func readJSONLines(r *bufio.Reader) ([]iam.BulkRow, error) {
	var list rowList
	for line := 1; ; line++ {
		text, err := r.ReadSlice('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = lineOf(line, "it is longer than "+strconv.Itoa(maxBulkLine)+" bytes")
			}
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			row, err := list.add(line)
			if err != nil {
				return nil, err
			}
			readObject(row, text)
		}
		if last {
			return list.rows, nil
		}
	}
}

func readObject(row *iam.BulkRow, text []byte) {
	value, err := parseJSON(text)
	if bad, ok := errors.AsType[*failure](err); ok {
		pointer := ""
		if bad.notice.Source != nil {
			pointer = bad.notice.Source.Pointer
		}
		refuse(row, pointer, strings.Replace(bad.notice.Message, "the body", "the line", 1))
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		refuse(row, "", "the line must be a JSON object")
		return
	}
	f := &fields{values: object, problem: &problem{}}
	if email := f.text(emailField); email != nil {
		setField(row, emailField, *email)
	} else if f.err() == nil {
		refuse(row, "/"+emailField, "email is required")
	}
	for _, name := range []string{expiresField, endsField, localeField, noteField} {
		if text := f.text(name); text != nil {
			setField(row, name, *text)
		}
	}
	row.Roles = rowRoles(f)
	if bad, ok := errors.AsType[*failure](f.err()); ok {
		refuse(row, bad.notice.Source.Pointer, bad.notice.Message)
	}
	for name := range object {
		switch name {
		case emailField, rolesField, expiresField, endsField, localeField, noteField:
		default:
			refuse(row, f.at(name), "there is no such field; a row has "+bulkFields)
			return // one is told of
		}
	}
}

// tooManyRoles says so before they are read: a body has room for millions.
func tooManyRoles() string {
	return "a row names at most " + strconv.Itoa(iam.MaxRolesPerMember) + " roles"
}

// rowRoles are ids or names of roles, each a string or in an object with an id.
func rowRoles(f *fields) []string {
	items, _ := member[[]any](f, rolesField, "a list")
	var roles []string
	if len(items) > iam.MaxRolesPerMember {
		f.refuse(badBody(f.at(rolesField), tooManyRoles()))
		return nil
	}
	for i, item := range items {
		at := f.at(rolesField) + "/" + strconv.Itoa(i)
		if object, ok := item.(map[string]any); ok {
			item, at = object["id"], at+"/id"
		}
		text, ok := item.(string)
		if !ok {
			f.refuse(badBody(at, "a role must be an id or a name, or an object with an id"))
			return nil
		}
		roles = append(roles, text)
	}
	return roles
}
