package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hither/internal/iam"
)

func queryOf(t *testing.T, raw string) *query {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.URL.RawQuery = raw
	return (&exchange{r: r}).query()
}

func TestQueryPage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw     string
		most    int
		want    iam.PageRequest
		blamed  string // the parameter that is refused
		message string // what the refusal names
	}{
		{raw: "", most: 50, want: iam.PageRequest{Number: 1, Size: 20}},
		{raw: "page=2&per_page=5", most: 50, want: iam.PageRequest{Number: 2, Size: 5}},
		{raw: "per_page=50", most: 50, want: iam.PageRequest{Number: 1, Size: 50}},
		{raw: "per_page=100", most: 100, want: iam.PageRequest{Number: 1, Size: 100}},
		{raw: "page=10000000", most: 50, want: iam.PageRequest{Number: maxPage, Size: 20}},
		{raw: "page=9223372036854775807", most: 50, want: iam.PageRequest{Number: maxPage, Size: 20}},
		{raw: "page=99999999999999999999999999", most: 50, want: iam.PageRequest{Number: maxPage, Size: 20}},
		{raw: "Page=2&perpage=7&unknown=1&unknown=2", most: 50, want: iam.PageRequest{Number: 1, Size: 20}},

		{raw: "page=0", most: 50, blamed: "page", message: "from 1"},
		{raw: "page=-1", most: 50, blamed: "page", message: "from 1"},
		{raw: "page=", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=1.5", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=1e3", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=%201", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=+1", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=٣", most: 50, blamed: "page", message: "whole number"},
		{raw: "page=1&page=2", most: 50, blamed: "page", message: "more than once"},
		{raw: "per_page=4", most: 50, blamed: "per_page", message: "5 to 50"},
		{raw: "per_page=51", most: 50, blamed: "per_page", message: "5 to 50"},
		{raw: "per_page=101", most: 100, blamed: "per_page", message: "5 to 100"},
		{raw: "per_page=99999999999999999999999999", most: 50, blamed: "per_page", message: "5 to 50"},
		{raw: "page=%zz", most: 50, blamed: "", message: "query"},
		{raw: "page=1;per_page=5", most: 50, blamed: "", message: "query"},
	}
	for _, test := range tests {
		t.Run(test.raw, func(t *testing.T) {
			t.Parallel()
			q := queryOf(t, test.raw)
			got := q.page(test.most)
			if test.message == "" {
				if q.err != nil || got != test.want {
					t.Errorf("%q: got %+v, %v; want %+v", test.raw, got, q.err, test.want)
				}
				if offset := got.Offset(); offset < 0 || offset > 1<<30 {
					t.Errorf("%q: offset %d", test.raw, offset)
				}
				return
			}
			holdsBlame(t, test.raw, q.err, test.blamed, test.message)
		})
	}
}

func TestQueryWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw     string
		read    func(*query) any
		want    any
		blamed  string
		message string
	}{
		{raw: "", read: readDescending, want: false},
		{raw: "direction=asc", read: readDescending, want: false},
		{raw: "direction=desc", read: readDescending, want: true},
		{raw: "direction=DESC", read: readDescending, blamed: "direction", message: "asc, desc"},
		{raw: "direction=", read: readDescending, blamed: "direction", message: "asc, desc"},
		{raw: "direction=asc&direction=desc", read: readDescending, blamed: "direction", message: "more than once"},
		{raw: "direction=asc%27%20or%201=1--", read: readDescending, blamed: "direction", message: "asc, desc"},

		{raw: "", read: readName, want: ""},
		{raw: "account.name=Demo+Account", read: readName, want: "Demo Account"},
		{raw: "account.name=", read: readName, want: ""},
		{raw: "account.name=%E9", read: readName, blamed: "account.name", message: "text"},
		{raw: "account.name=a%00b", read: readName, blamed: "account.name", message: "text"},
		{raw: "account.name=" + strings.Repeat("%C3%A9", 100), read: readName, want: strings.Repeat("é", 100)},
		{raw: "account.name=" + strings.Repeat("e", 101), read: readName, blamed: "account.name", message: "100"},

		{raw: "email=User%40Example.com", read: readEmail, want: "user@example.com"},
		{raw: "", read: readEmail, want: ""},
		{raw: "email=", read: readEmail, blamed: "email", message: "name@domain"},
		{raw: "email=a%40example.com&email=b%40example.com", read: readEmail, blamed: "email", message: "more than once"},
	}
	for _, test := range tests {
		t.Run(test.raw, func(t *testing.T) {
			t.Parallel()
			q := queryOf(t, test.raw)
			got := test.read(q)
			if test.message == "" {
				if q.err != nil || got != test.want {
					t.Errorf("%q: got %v, %v; want %v", test.raw, got, q.err, test.want)
				}
				return
			}
			holdsBlame(t, test.raw, q.err, test.blamed, test.message)
		})
	}
}

func readDescending(q *query) any { return q.descending() }
func readName(q *query) any       { return q.name("account.name") }
func readEmail(q *query) any      { return q.email("email") }

func holdsBlame(t *testing.T, raw string, err error, blamed, message string) {
	t.Helper()
	refused, ok := errors.AsType[*failure](err)
	if !ok || refused.status != 400 || refused.notice.Code != codeInvalid || !strings.Contains(refused.notice.Message, message) {
		t.Fatalf("%q: got %v; want 1001 that says %q", raw, err, message)
	}
	switch source := refused.notice.Source; {
	case blamed == "" && source != nil:
		t.Errorf("%q: blames %q; want nothing", raw, source.Pointer)
	case blamed != "" && (source == nil || source.Pointer != "/"+blamed || !strings.HasPrefix(refused.notice.Message, blamed+" ")):
		t.Errorf("%q: %+v; want it to name %q", raw, refused.notice, blamed)
	}
}
