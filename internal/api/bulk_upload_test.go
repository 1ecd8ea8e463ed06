package api

import (
	"bufio"
	"strings"
	"testing"
	"unicode/utf8"

	"hither/internal/iam"
)

// FuzzBulk reads whatever there is as rows: what is taken stands on rising lines of
// the file, and has an address or says why not; the same bytes read the same twice.
func FuzzBulk(f *testing.F) {
	for _, text := range []string{
		"", "email,roles\n", "email;roles\r\na@b.test;x|y\r\n", "\xef\xbb\xbfemail\troles\na@b.test\tx", "email,roles\n\"a@b.test\n\",\"x\"\n",
		"email,roles\n\"open,\nb,c\n", "email,roles\na\"b,c\nd@e.test,\xff\n,\n", "roles,email,note\nx,a@b.test,\"=1+1\"\n", "\xff\xfee\x00",
		`{"email":"a@b.test","roles":["x"]}` + "\n\n" + `{"email":1}`, `{"email":"a@b.test","email":"c@d.test"}`, "[]\nnull\n\"x\"\n{", `{"roles":[{"id":7}],"x":{}}`,
		`{"email":"a@b.test","expires_on":"2020-01-01T00:00:00Z","locale":"de","note":"\u202e"}`, strings.Repeat("[", 2000), "email,roles\n" + strings.Repeat(`"`, 999),
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, csv bool) {
		format := formatJSON
		if csv {
			format = formatCSV
		}
		read := func() ([]iam.BulkRow, error) {
			return readRows(bufio.NewReaderSize(strings.NewReader(text), maxBulkLine), format)
		}
		rows, err := read()
		again, _ := read()
		if len(again) != len(rows) {
			t.Fatalf("%d rows, and %d when it is read again", len(rows), len(again))
		}
		if err != nil {
			return
		}
		lines, last := strings.Count(text, "\n")+1, 0
		for i, row := range rows {
			if row.Number != i+1 || row.Line <= last || row.Line > lines {
				t.Fatalf("row %d of line %d after line %d, of %d", row.Number, row.Line, last, lines)
			}
			last = row.Line
			switch row.Outcome {
			case iam.BulkWaiting:
				if canonical, err := iam.CanonicalEmail(row.Email); err != nil || canonical != row.Email {
					t.Fatalf("row %d waits with %q", row.Number, row.Email)
				}
			case iam.BulkRefused:
				if row.Message == "" || row.Reason != iam.Invalid {
					t.Fatalf("row %d is refused for %q (%d)", row.Number, row.Message, row.Reason)
				}
			default:
				t.Fatalf("row %d is %s", row.Number, row.Outcome)
			}
			if !utf8.ValidString(row.Email + row.Message + row.Note + row.Locale) {
				t.Fatalf("row %d has no text: %+v", row.Number, row)
			}
		}
	})
}

// A row with more roles than a member may have is refused, before what a body has room
// for is kept.
func TestRolesOfARowAreBounded(t *testing.T) {
	t.Parallel()
	csv := func(roles string) string { return "email,roles\na@b.test,\"" + roles + "\"\n" }
	json := func(n int) string {
		return `{"email":"a@b.test","roles":["x"` + strings.Repeat(`,"x"`, n-1) + "]}\n"
	}
	for _, test := range []struct {
		name, format, text string
		outcome            iam.BulkOutcome
	}{
		{"as many as a member may have", formatCSV, csv(strings.Repeat("x;", iam.MaxRolesPerMember)), iam.BulkWaiting},
		{"one more", formatCSV, csv(strings.Repeat("x|", iam.MaxRolesPerMember+1)), iam.BulkRefused},
		{"a body full of them", formatCSV, csv(strings.Repeat("x\n", MaxBulkBody/4)), iam.BulkRefused},
		{"as many as a member may have", formatJSON, json(iam.MaxRolesPerMember), iam.BulkWaiting},
		{"a line full of them", formatJSON, json(maxBulkLine / 8), iam.BulkRefused},
	} {
		rows, err := readRows(bufio.NewReaderSize(strings.NewReader(test.text), maxBulkLine), test.format)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s, %s: got %d rows, %v, want one", test.name, test.format, len(rows), err)
		}
		row := rows[0]
		if row.Outcome != test.outcome || len(row.Roles) > iam.MaxRolesPerMember+1 || row.Outcome == iam.BulkRefused && row.Field != "/roles" {
			t.Errorf("%s, %s: got %s at %q with %d roles, want %s", test.name, test.format, row.Outcome, row.Field, len(row.Roles), test.outcome)
		}
	}
}
