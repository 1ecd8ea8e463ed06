package iam

import (
	"strings"
	"unicode"
)

// maxTyped is how many bytes are looked at for a code.
const maxTyped = 64

// PlainCode is a code that somebody typed as it was meant: in capitals, without the
// spaces and dashes that group it, whichever they are. What is too long for any code
// is "".
func PlainCode(typed string) string {
	if len(typed) > maxTyped {
		return ""
	}
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c), unicode.Is(unicode.Dash, c):
			return -1
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		}
		return c
	}, typed)
}
