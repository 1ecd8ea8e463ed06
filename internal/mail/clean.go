package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how much of a name is shown; the rest is an ellipsis.
const maxName = 80

// narrow is U+202F, a narrow no-break space: what takes the link out of a name.
const narrow = '\u202f'

// Name makes what somebody typed harmless in a line of a message: bounded, on
// one line, without anything invisible, and with nothing in it that a mail
// program would turn into a link on its own.
//
// Programs find links by characters that stand together: a dot and a letter, a
// colon and slashes, an @. So a narrow no-break space is put there. Unlike the
// zero-width characters it is a space to every program (Android's pattern for
// addresses, for one, lets U+2060 pass and none of the spaces), it looks almost
// as if nothing was there, and what was typed stays readable, which "evil[.]com"
// in the middle of a firm's honest name is not.
func Name(s string) string { return defang(tidy(s, maxName)) }

// tidy is s on one line of at most limit characters, with what is not seen or
// turns the text around it left out.
func tidy(s string, limit int) string {
	var b strings.Builder
	length, marks := 0, 0
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			space = true
			continue
		case invisible(r):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			// Enough for every script, too little to cover the lines around it.
			if marks++; marks > 4 {
				continue
			}
		default:
			marks = 0
		}
		if space && length > 0 {
			b.WriteByte(' ')
			length++
		}
		space = false
		if length >= limit {
			return strings.TrimSpace(cut(b.String(), limit-1)) + "…"
		}
		b.WriteRune(r)
		length++
	}
	return b.String()
}

func cut(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i]
		}
		runes--
	}
	return s
}

// invisible reports whether a character shows nothing of its own: controls,
// the direction marks and zero-width ones among the formats, fillers, what is
// not assigned or private, and what was no UTF-8.
func invisible(r rune) bool {
	switch r {
	case utf8.RuneError, '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return !unicode.IsGraphic(r) || unicode.Is(unicode.Variation_Selector, r)
}

// defang parts what mail programs would join to a link.
func defang(s string) string {
	var b strings.Builder
	before := ' '
	for i, r := range s {
		if r == '@' || r == '＠' {
			if before != ' ' && before != narrow {
				b.WriteRune(narrow)
			}
		}
		b.WriteRune(r)
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		if joins(r) && i+utf8.RuneLen(r) < len(s) && next != ' ' {
			b.WriteRune(narrow)
			before = narrow
			continue
		}
		before = r
	}
	return b.String()
}

// joins reports whether a link may go on behind a character: the dots that
// browsers take for one in a domain, what follows a scheme, a path, an address.
func joins(r rune) bool { return strings.ContainsRune(".:/\\@。．｡․：／＠", r) }
