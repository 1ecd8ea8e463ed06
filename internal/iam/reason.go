package iam

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReason is how long a word to the account may be that declines an
// invitation, in characters.
const MaxReason = 300

// answerReason checks the word of somebody who declines. It may have several
// lines, as no other text here has.
func answerReason(s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		return "", invalid("/reason", "must be text without control characters")
	}
	if utf8.RuneCountInString(s) > MaxReason {
		return "", invalid("/reason", "must be at most %d characters", MaxReason)
	}
	return s, nil
}

// answerSnapshot is an answered membership as an audit row holds it, with the
// word of who declined. The account reads that there; the row itself says what
// holds, and of that a reason is no part.
func answerSnapshot(m Membership, reason string) string {
	if m.Status != Rejected {
		reason = ""
	}
	return encode(struct {
		memberSnapshot

		Reason string `json:"reason,omitempty"`
	}{snapshotOf(m), reason})
}
