package iam

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line checks a text that people will see on one line: trimmed, valid UTF-8,
// at most limit characters, no control characters, no line breaks and none of
// the marks that turn the direction of the text around it.
func line(pointer, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) {
		return "", invalid(pointer, "must be valid UTF-8")
	}
	if utf8.RuneCountInString(s) > limit {
		return "", invalid(pointer, "must be at most %d characters", limit)
	}
	if strings.ContainsFunc(s, unprintable) {
		return "", invalid(pointer, "must not hold control characters, line breaks or direction marks")
	}
	return s, nil
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// indexed is the JSON pointer of an item of a list.
func indexed(pointer string, i int) string { return pointer + "/" + strconv.Itoa(i) }

// cleanAgent is what a browser calls itself, fit to be shown: bounded, and
// without what cannot be printed.
func cleanAgent(s string) string {
	if len(s) > maxAgent {
		s = s[:maxAgent]
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
