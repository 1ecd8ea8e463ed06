package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hither/internal/iam"
)

// Bounds of per_page, and the highest page that is looked for: beyond it there
// is nothing, and no sum of it overflows.
const (
	minPerPage     = 5
	defaultPerPage = 20
	maxPerPage     = 50
	maxRolePage    = 100 // a published client asks for the roles so
	maxPage        = 10_000_000
)

// query reads the parameters of a request. What a route doesn't ask for is
// ignored; the first thing that is wrong with what it asks for is in err.
type query struct {
	values url.Values
	err    error
}

func (x *exchange) query() *query {
	values, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return &query{err: invalid("", "the query string is malformed: "+brief(err.Error()))}
	}
	return &query{values: values}
}

func (q *query) refuse(name, message string) {
	if q.err == nil {
		q.err = invalid("/"+name, name+" "+message)
	}
}

// one is a parameter that may be given once.
func (q *query) one(name string) (string, bool) {
	values := q.values[name]
	if len(values) > 1 {
		q.refuse(name, "is given more than once")
	}
	if len(values) == 0 || q.err != nil {
		return "", false
	}
	return values[0], true
}

// choice is one of the allowed words, "" where the parameter is not given.
func (q *query) choice(name string, allowed ...string) string {
	word, given := q.one(name)
	if given && !slices.Contains(allowed, word) {
		q.refuse(name, "must be one of "+strings.Join(allowed, ", "))
		return ""
	}
	return word
}

func (q *query) descending() bool { return q.choice("direction", "asc", "desc") == "desc" }

// name is the name of an account to look for, "" for any.
func (q *query) name(parameter string) string {
	name, _ := q.one(parameter)
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) || utf8.RuneCountInString(name) > iam.MaxAccountName {
		q.refuse(parameter, "must be a text of at most "+strconv.Itoa(iam.MaxAccountName)+" characters")
		return ""
	}
	return name
}

// email is a canonical address to look for, "" for any.
func (q *query) email(name string) string {
	text, given := q.one(name)
	if !given {
		return ""
	}
	email, err := iam.CanonicalEmail(text)
	if err != nil {
		q.refuse(name, err.Error())
	}
	return email
}

// page is which rows to send; a page may have up to most.
func (q *query) page(most int) iam.PageRequest {
	return iam.PageRequest{
		Number: q.number("page", 1, 1, maxPage, true),
		Size:   q.number("per_page", defaultPerPage, minPerPage, most, false),
	}
}

// number is a whole number within bounds. Where it saturates, one above them
// is the highest.
func (q *query) number(name string, fallback, least, most int, saturates bool) int {
	text, given := q.one(name)
	if !given {
		return fallback
	}
	digits := text != "" && strings.Trim(text, "0123456789") == ""
	number, err := strconv.Atoi(text)
	switch {
	case digits && saturates && (err != nil || number > most):
		return most
	case !digits || err != nil || number < least || number > most:
		if saturates {
			q.refuse(name, "must be a whole number from "+strconv.Itoa(least)+" on")
		} else {
			q.refuse(name, "must be a whole number, "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		}
		return fallback
	}
	return number
}
