package iam

import (
	"strings"
	"testing"
)

// Whatever kind of code it is, phones and word processors group it alike: with
// hyphens of their own, and spaces that don't break.
func TestCodesAreTaken(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"ABCDE-23456": "ABCDE23456", "abcde-23456": "ABCDE23456", " abcde 23456\n": "ABCDE23456", "ABCDE\t23456": "ABCDE23456",
		"ABCDE\u00a023456": "ABCDE23456", "ABCDE\u201323456": "ABCDE23456", "ABCDE\u221223456": "ABCDE23456", "ABCDE\u202f23456\u3000": "ABCDE23456",
		"287 082": "287082", "ABCDE_23456": "ABCDE_23456", "\u0661": "\u0661", "": "",
		strings.Repeat("-", 59) + "ABCDE": "ABCDE", strings.Repeat("-", 60) + "ABCDE": "",
	} {
		if got := PlainCode(typed); got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
		if got := recoveryText("u", typed); got != recoveryText("u", want) {
			t.Errorf("%q as a recovery code: got %q, want that of %q", typed, got, want)
		}
	}
}
