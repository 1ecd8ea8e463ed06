package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

const roleID iam.ID = "3536bcfad5faccb999b47003c79917fb"

func bodyOf(t *testing.T, contentType, text string) (*fields, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return (&exchange{w: httptest.NewRecorder(), r: r}).body()
}

func TestBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType, text string
		status                  int // 0: taken
	}{
		{"plain", "application/json", `{}`, 0},
		{"with its charset", "Application/JSON; charset=UTF-8", `{}`, 0},
		{"as large as may be", "application/json", `{"a":"` + strings.Repeat("x", MaxBody-8) + `"}`, 0},
		{"too large", "application/json", `{"a":"` + strings.Repeat("x", MaxBody-7) + `"}`, 413},
		{"too large and of another type", "text/plain", strings.Repeat("x", MaxBody+1), 413},
		{"no type", "", `{}`, 415},
		{"text", "text/plain", `{}`, 415},
		{"form", "application/x-www-form-urlencoded", `status=accepted`, 415},
		{"patch", "application/merge-patch+json", `{}`, 415},
		{"another charset", "application/json; charset=iso-8859-1", `{}`, 415},
		{"no type at all", "json", `{}`, 415},
		{"empty", "application/json", ``, 400},
		{"empty without type", "", ``, 400},
		{"list", "application/json", `[]`, 400},
		{"null", "application/json", `null`, 400},
		{"string", "application/json", `"accepted"`, 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := bodyOf(t, test.contentType, test.text)
			if test.status == 0 {
				if err != nil {
					t.Errorf("%q, %.40q: refused: %v", test.contentType, test.text, err)
				}
				return
			}
			refused, ok := errors.AsType[*failure](err)
			if !ok || refused.status != test.status || refused.notice.Code != codeBadBody {
				t.Errorf("%q, %.40q: got %v; want %d with 1002", test.contentType, test.text, err, test.status)
			}
		})
	}
}

func TestBodyInAnotherCoding(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	_, err := (&exchange{w: httptest.NewRecorder(), r: r}).body()
	if refused, ok := errors.AsType[*failure](err); !ok || refused.status != 415 {
		t.Errorf("a compressed body: got %v; want 415", err)
	}
}

// TestFields holds what each type of member takes. KF-80: a list, an object or
// a number is never taken for a string.
func TestFields(t *testing.T) {
	t.Parallel()
	text := func(f *fields) any { return f.text("x") }
	email := func(f *fields) any { return f.email("x") }
	status := func(f *fields) any { return f.choice("x", "accepted", "rejected") }
	flag := func(f *fields) any { return f.flag("x") }
	number := func(f *fields) any { return f.number("x", 100) }
	moment := func(f *fields) any { return f.time("x") }
	roles := func(f *fields) any { return f.roles() }
	nested := func(f *fields) any { return f.object("x").flag("y") }
	tests := []struct {
		name    string
		read    func(*fields) any
		json    string
		code    int // 0: taken
		pointer string
	}{
		{"text", text, `{"x":"y"}`, 0, ""},
		{"no text", text, `{}`, 0, ""},
		{"null text", text, `{"x":null}`, 0, ""},
		{"text in another case", text, `{"X":["y"]}`, 0, ""},
		{"list for text", text, `{"x":["y"]}`, 1002, "/x"},
		{"object for text", text, `{"x":{"y":"z"}}`, 1002, "/x"},
		{"number for text", text, `{"x":1}`, 1002, "/x"},
		{"flag for text", text, `{"x":true}`, 1002, "/x"},

		{"address", email, `{"x":" User@Example.com "}`, 0, ""},
		{"no address", email, `{}`, 1001, "/x"},
		{"null address", email, `{"x":null}`, 1001, "/x"},
		{"address in another case", email, `{"X":"a@example.com"}`, 1001, "/x"},
		{"malformed address", email, `{"x":"a@b"}`, 1001, "/x"},
		{"KF-80: two addresses", email, `{"x":["a@example.com","b@example.com"]}`, 1002, "/x"},
		{"address in an object", email, `{"x":{"x":"a@example.com"}}`, 1002, "/x"},
		{"KF-59: address with a header", email, `{"x":"a@example.com\r\nBcc: b@example.com"}`, 1001, "/x"},

		{"word", status, `{"x":"accepted"}`, 0, ""},
		{"no word", status, `{}`, 0, ""},
		{"another word", status, `{"x":"Accepted"}`, 1001, "/x"},
		{"empty word", status, `{"x":""}`, 1001, "/x"},
		{"list for a word", status, `{"x":["accepted"]}`, 1002, "/x"},

		{"flag", flag, `{"x":false}`, 0, ""},
		{"text for a flag", flag, `{"x":"true"}`, 1002, "/x"},
		{"number for a flag", flag, `{"x":1}`, 1002, "/x"},
		{"nested flag", nested, `{"x":{"y":true}}`, 0, ""},
		{"nested in null", nested, `{"x":null}`, 0, ""},
		{"nested in nothing", nested, `{}`, 0, ""},
		{"nested in a list", nested, `{"x":[]}`, 1002, "/x"},
		{"nested text for a flag", nested, `{"x":{"y":"true"}}`, 1002, "/x/y"},

		{"number", number, `{"x":100}`, 0, ""},
		{"too much", number, `{"x":101}`, 1001, "/x"},
		{"less than nothing", number, `{"x":-1}`, 1001, "/x"},
		{"half", number, `{"x":1.5}`, 1001, "/x"},
		{"overflow", number, `{"x":18446744073709551617}`, 1001, "/x"},
		{"text for a number", number, `{"x":"1"}`, 1002, "/x"},

		{"time", moment, `{"x":"2026-01-01T05:20:00.123456789+02:00"}`, 0, ""},
		{"date", moment, `{"x":"2026-01-01"}`, 1001, "/x"},
		{"time without zone", moment, `{"x":"2026-01-01T05:20:00"}`, 1001, "/x"},
		{"the time that stands for none", moment, `{"x":"0001-01-01T00:00:00Z"}`, 1001, "/x"},
		{"seconds", moment, `{"x":1767244800}`, 1002, "/x"},

		{"roles as ids and as objects", roles, `{"roles":["3536bcfad5faccb999b47003c79917fb",{"id":"3536bcfad5faccb999b47003c79917fb","name":1}]}`, 0, ""},
		{"role alone", roles, `{"roles":"3536bcfad5faccb999b47003c79917fb"}`, 1002, "/roles"},
		{"role that is no id", roles, `{"roles":["3536bcfad5faccb999b47003c79917fb","Administrator"]}`, 1001, "/roles/1"},
		{"role in capitals", roles, `{"roles":["3536BCFAD5FACCB999B47003C79917FB"]}`, 1001, "/roles/0"},
		{"number for a role", roles, `{"roles":[5]}`, 1002, "/roles/0"},
		{"null for a role", roles, `{"roles":[null]}`, 1002, "/roles/0"},
		{"role object without id", roles, `{"roles":[{"ID":"3536bcfad5faccb999b47003c79917fb"}]}`, 1002, "/roles/0/id"},
		{"role id in a list", roles, `{"roles":[["3536bcfad5faccb999b47003c79917fb"]]}`, 1002, "/roles/0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, err := bodyOf(t, "application/json", test.json)
			if err != nil {
				t.Fatalf("%s: %v", test.json, err)
			}
			got := test.read(f)
			if test.code == 0 {
				if f.err() != nil {
					t.Errorf("%s: refused: %v", test.json, f.err())
				}
				return
			}
			refused, ok := errors.AsType[*failure](f.err())
			if !ok || refused.notice.Code != test.code || refused.notice.Source == nil || refused.notice.Source.Pointer != test.pointer {
				t.Errorf("%s: got %v and %+v; want %d at %s", test.json, got, f.err(), test.code, test.pointer)
			}
		})
	}
}

func TestFieldValues(t *testing.T) {
	t.Parallel()
	f, err := bodyOf(t, "application/json", `{"email":" USER@Bücher.example","at":"2026-01-01T05:20:00.1234567+02:00","gone":null,
		"roles":[{"id":"3536bcfad5faccb999b47003c79917fb"},"33666b9c79b9a5273fc7344ff42f953d"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.email("email"), "user@xn--bcher-kva.example"; got != want {
		t.Errorf("address %q; want %q", got, want)
	}
	if got, want := f.time("at"), time.Date(2026, 1, 1, 3, 20, 0, 123456000, time.UTC); got != want {
		t.Errorf("time %s; want %s", got, want)
	}
	if got := f.clearable("gone"); got == nil || *got != "" {
		t.Errorf("null for a text that can be taken away: %v; want an empty one", got)
	}
	if got := f.clearable("left out"); got != nil {
		t.Errorf("a text that is left out: %q; want none", *got)
	}
	if got, want := f.roles(), []iam.ID{roleID, iam.SuperAdministrator}; !slices.Equal(got, want) {
		t.Errorf("roles %v; want %v", got, want)
	}
	if f.err() != nil {
		t.Error(f.err())
	}
}
