package mail

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// What people have put into names to get at the readers of invitations.
func hostile() []string {
	return []string{
		"evil.com/pay", "http://x", "https://evil.example/?a=b&c=d", "www.evil.com", "a@b.c", "mailto:a@b.c", `\\evil\share`,
		"javascript:alert(1)", "//evil.com", "evil。com", "evil．com", "evil｡com", "evil․com", "a＠b.c", "１２.evil.com", "tel:0900123456",
		`<a href="https://evil.com">Click</a>`, `<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><style>*{display:none}</style>`,
		`<!--`, `]]>`, `</title></head><body>`, `&lt;b&gt;`, `{{.Link}}`, `{{template "layout.html"}}`, "${7*7}",
		"[Click](https://evil.com)", "![x](https://evil.com/x.png)", "<https://evil.com>", "**bold** _it_ `code`",
		"\u202eevil.com\u202c", "\u2066x\u2069", "\u200fx\u200e", "a\u061cb", "ev\u200bil.c\u200dom", "ev\u00adil.com", "\ufeffevil.com", "e\u2060vil.com",
		"a\r\nBcc: victim@example.com", "a\nSubject: x\n\nbody", "a\rb", "a\x00b", "a\u2028b\u2029c", "a\u0085b", "a\vb\fc", "\x1b[31mred", "\x7f",
		"=?utf-8?q?=0D=0ABcc:_victim@example.com?=", "=?utf-8?b?PGI+?=", "=?iso-8859-1?q?a?= =?iso-8859-1?q?b?=",
		"\xff\xfe", "\xed\xa0\x80", "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308", "\U000e0041\U000e0042", "\u3164\u2800",
		strings.Repeat("A", 5000), strings.Repeat("evil.com ", 400), strings.Repeat("ä", 998), strings.Repeat("\u202e", 5000),
		".", "--", "--hither-", "\r\n.\r\n", "-- \n", "", " ", "'\"", "a;b,c", "Ada <ada@example.com>",
	}
}

// linkable is what some mail program makes a link of: generous, since there
// are many. A narrow space ends a link in all of them.
var linkable = regexp.MustCompile(`(?i)://[^\s]|\bwww\.[^\s\x{202f}]|[\p{L}\p{N}_-][.。．｡․][\p{L}\p{N}]|[\p{L}\p{N}][@＠][\p{L}\p{N}]|\\\\[\p{L}\p{N}]|//[\p{L}\p{N}]|\b[a-z][a-z0-9+.-]*:[^\s\x{202f}]`)

func TestNamesAreHarmless(t *testing.T) {
	t.Parallel()
	for _, name := range hostile() {
		got := Name(name)
		if match := linkable.FindString(got); match != "" {
			t.Errorf("%q: got %q, in which %q becomes a link", name, got, match)
		}
		for _, r := range got {
			if invisible(r) && r != narrow || r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' {
				t.Errorf("%q: got %q, which holds %U", name, got, r)
			}
		}
		if count := utf8.RuneCountInString(got); count > 2*maxName || !utf8.ValidString(got) {
			t.Errorf("%q: got %d characters, want at most %d and UTF-8", name, count, 2*maxName)
		}
	}
}

func TestNamesStayReadable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, want string }{
		{"Ada Lovelace", "Ada Lovelace"},
		{"  Ada \t Lovelace\n", "Ada Lovelace"},
		{"Müller & Söhne GmbH", "Müller & Söhne GmbH"},
		{"Dr. Who", "Dr. Who"},
		{"Smith, Inc.", "Smith, Inc."},
		{"株式会社", "株式会社"},
		{"d’Alembert", "d’Alembert"},
		{"R&D (EU) – 2/3", "R&D (EU) – 2/\u202f3"},
		{"booking.com", "booking.\u202fcom"},
		{"http://x", "http:\u202f/\u202f/\u202fx"},
		{"a@b.c", "a\u202f@\u202fb.\u202fc"},
		{"a\u202egnp.exe", "agnp.\u202fexe"},
		{"a\x00b", "ab"},
		{"a\u2028b", "a b"},
		{strings.Repeat("x", maxName), strings.Repeat("x", maxName)},
		{strings.Repeat("x", maxName+1), strings.Repeat("x", maxName-1) + "…"},
		{"e\u0301", "e\u0301"},
		{"e" + strings.Repeat("\u0301", 40) + "x", "e\u0301\u0301\u0301\u0301x"},
	} {
		if got := Name(test.name); got != test.want {
			t.Errorf("%q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, name := range hostile() {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if got := Name(name); linkable.MatchString(got) || strings.ContainsAny(got, "\r\n\x00") || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want nothing to link", name, got)
		}
	})
}
