package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hither/internal/iam"
)

// fields are the members of a JSON object that a request brought. A handler
// asks for those it knows, by exact case; all others are ignored. A member of
// the wrong type is refused with 1002, one whose value will not do with 1001,
// and the first refusal stands in problem.
type fields struct {
	values  map[string]any
	pointer string
	problem *problem
}

type problem struct{ err error }

// body reads the request's body, which must be a JSON object.
func (x *exchange) body() (*fields, error) { return x.read(false) }

// optionalBody does the same where everything in it may be left out: so may the
// body be.
func (x *exchange) optionalBody() (*fields, error) { return x.read(true) }

func (x *exchange) read(optional bool) (*fields, error) {
	tooLarge := bodyRefused(http.StatusRequestEntityTooLarge, "the body is longer than "+strconv.Itoa(MaxBody)+" bytes")
	if x.r.ContentLength > MaxBody {
		return nil, tooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, MaxBody))
	switch over := (*http.MaxBytesError)(nil); {
	case errors.As(err, &over):
		return nil, tooLarge
	case err != nil && x.r.Context().Err() != nil:
		return nil, x.r.Context().Err() //nolint:wrapcheck // it is what failureOf looks for
	case err != nil:
		return nil, badBody("", "the body ended early")
	case len(data) > 0 && !isJSON(x.r.Header):
		return nil, bodyRefused(http.StatusUnsupportedMediaType, "the body must be declared as Content-Type: application/json, in UTF-8")
	}
	if optional && len(data) == 0 {
		return &fields{problem: &problem{}}, nil
	}
	value, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, badBody("", "the body must be a JSON object")
	}
	return &fields{values: object, problem: &problem{}}, nil
}

func bodyRefused(status int, message string) *failure {
	return &failure{status: status, notice: notice{Code: codeBadBody, Message: message}}
}

func isJSON(header http.Header) bool {
	types := header.Values("Content-Type")
	if len(types) != 1 || header.Get("Content-Encoding") != "" {
		return false
	}
	mediaType, params, err := mime.ParseMediaType(types[0])
	charset, declared := params["charset"]
	return err == nil && mediaType == "application/json" && (!declared || strings.EqualFold(charset, "utf-8"))
}

// err is the first thing that is wrong with the fields that were asked for.
func (f *fields) err() error { return f.problem.err }

func (f *fields) refuse(err error) {
	if f.problem.err == nil {
		f.problem.err = err
	}
}

func (f *fields) at(name string) string { return f.pointer + "/" + pointerToken(name) }

// has reports whether the member is there, null or not.
func (f *fields) has(name string) bool {
	_, ok := f.values[name]
	return ok
}

// member is a member of the type T; ok is false where it is not there, or
// null. what names the type to people.
func member[T any](f *fields, name, what string) (value T, ok bool) {
	raw := f.values[name]
	if raw == nil {
		return value, false
	}
	value, ok = raw.(T)
	if !ok {
		f.refuse(badBody(f.at(name), name+" must be "+what))
	}
	return value, ok
}

// text is a string, nil where it is left out.
func (f *fields) text(name string) *string {
	if s, ok := member[string](f, name, "a string"); ok {
		return &s
	}
	return nil
}

// line is a string that may be left out.
func (f *fields) line(name string) string {
	if s := f.text(name); s != nil {
		return *s
	}
	return ""
}

// clearable is a string that null takes away.
func (f *fields) clearable(name string) *string {
	if f.has(name) && f.values[name] == nil {
		return new(string)
	}
	return f.text(name)
}

// required is a string that must be there.
func (f *fields) required(name string) string {
	s, ok := member[string](f, name, "a string")
	if !ok {
		f.refuse(invalid(f.at(name), name+" is required"))
	}
	return s
}

// choice is one of the allowed words, "" where it is left out.
func (f *fields) choice(name string, allowed ...string) string {
	word := f.text(name)
	if word == nil {
		return ""
	}
	if !slices.Contains(allowed, *word) {
		f.refuse(invalid(f.at(name), name+" must be one of "+strings.Join(allowed, ", ")))
		return ""
	}
	return *word
}

func (f *fields) flag(name string) *bool {
	if b, ok := member[bool](f, name, "true or false"); ok {
		return &b
	}
	return nil
}

// number is a whole number, nil where it is left out.
func (f *fields) number(name string, most int) *int {
	raw, ok := member[json.Number](f, name, "a number")
	if !ok {
		return nil
	}
	number, err := strconv.Atoi(raw.String())
	if err != nil || number < 0 || number > most {
		f.refuse(invalid(f.at(name), name+" must be a whole number, 0 to "+strconv.Itoa(most)))
		return nil
	}
	return &number
}

// texts are a list of strings, nil where it is left out; null is an empty one.
func (f *fields) texts(name string) *[]string {
	items, ok := member[[]any](f, name, "a list")
	if !ok && (!f.has(name) || f.values[name] != nil) {
		return nil
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.(string); !ok {
			f.refuse(badBody(f.at(name)+"/"+strconv.Itoa(i), name+" must be a list of strings"))
			return nil
		}
	}
	return &list
}

// object is a member that is an object; one that is left out has no members.
func (f *fields) object(name string) *fields {
	values, _ := member[map[string]any](f, name, "an object")
	return &fields{values: values, pointer: f.at(name), problem: f.problem}
}

// objects are a list of objects, at most so many, that must be there.
func (f *fields) objects(name string, most int) []*fields {
	items, ok := member[[]any](f, name, "a list")
	switch {
	case !ok:
		f.refuse(invalid(f.at(name), name+" is required"))
	case len(items) > most:
		f.refuse(invalid(f.at(name), name+" must be "+strconv.Itoa(most)+" at most; send the rest in another request"))
	}
	if f.err() != nil {
		return nil
	}
	list := make([]*fields, len(items))
	for i, item := range items {
		at := f.at(name) + "/" + strconv.Itoa(i)
		values, ok := item.(map[string]any)
		if !ok {
			f.refuse(badBody(at, name+" must be a list of objects"))
			return nil
		}
		list[i] = &fields{values: values, pointer: at, problem: f.problem}
	}
	return list
}

// bounded is a text of at most so many characters, "" where it is left out.
func (f *fields) bounded(name string, most int) string {
	text := f.text(name)
	if text == nil {
		return ""
	}
	if utf8.RuneCountInString(*text) > most {
		f.refuse(invalid(f.at(name), name+" must be "+strconv.Itoa(most)+" characters at most"))
		return ""
	}
	return *text
}

// email is an address that must be there, in its canonical form.
func (f *fields) email(name string) string {
	text := f.required(name)
	if f.err() != nil {
		return ""
	}
	email, err := iam.CanonicalEmail(text)
	if err != nil {
		f.refuse(invalid(f.at(name), name+" "+err.Error()))
	}
	return email
}

// time is a moment, zero where it is left out.
func (f *fields) time(name string) time.Time {
	text := f.text(name)
	if text == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, *text)
	if err != nil || at.IsZero() {
		f.refuse(invalid(f.at(name), name+" must be a date and time of RFC 3339, such as 2026-01-01T05:20:00Z"))
		return time.Time{}
	}
	return at.UTC().Truncate(time.Microsecond)
}

// moment is a moment that null takes away, nil where it is left out.
func (f *fields) moment(name string) *time.Time {
	if !f.has(name) {
		return nil
	}
	return new(f.time(name))
}

// roles are the ids of the member "roles", each a string or in an object with
// an id; nil where they are left out.
func (f *fields) roles() []iam.ID {
	const name = "roles"
	items, ok := member[[]any](f, name, "a list")
	if !ok {
		return nil
	}
	ids := make([]iam.ID, 0, min(len(items), iam.MaxRolesPerMember+1))
	for i, item := range items {
		at := f.at(name) + "/" + strconv.Itoa(i)
		if object, ok := item.(map[string]any); ok {
			item, at = object["id"], at+"/id"
		}
		text, ok := item.(string)
		if !ok {
			f.refuse(badBody(at, "a role must be an id, or an object with an id"))
			return nil
		}
		id, ok := iam.ParseID(text)
		if !ok {
			f.refuse(invalid(at, "role \""+brief(text)+"\" does not exist in this account: an id is 32 lower-case hex characters"))
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}
