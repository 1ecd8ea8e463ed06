package iam

import (
	"strings"
	"unicode"
)

// MaxWords is how much of what a mail server said is kept, in characters.
const MaxWords = 300

// cleanWords bounds what a server said and takes out of it what is not text:
// it is a stranger's, and it is kept, logged and shown.
func cleanWords(words string) string {
	var b strings.Builder
	kept, space := 0, false
	for _, r := range words {
		if kept == MaxWords {
			break
		}
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			space = kept > 0
			continue
		}
		if space {
			space = false
			if kept++; kept == MaxWords {
				break
			}
			_ = b.WriteByte(' ') // never fails
		}
		_, _ = b.WriteRune(r) // never fails
		kept++
	}
	return b.String()
}
