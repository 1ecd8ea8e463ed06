package iam

import (
	"strings"
	"testing"
)

func TestAnswerReason(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "", strings.Repeat(" ", 9) + "no thanks\n": "no thanks", "one\r\ntwo": "one\ntwo", strings.Repeat("ä", 300): strings.Repeat("ä", 300),
	} {
		if got, err := answerReason(given); err != nil || got != want {
			t.Errorf("%q: got %q, %v", given, got, err)
		}
	}
	for _, bad := range []string{strings.Repeat("ä", 301), "a\x00b", "a\x1b[2Jb", "\xff"} {
		if got, err := answerReason(bad); KindOf(err) != Invalid {
			t.Errorf("%q: got %q, %v", bad, got, err)
		}
	}
}

// TestReasonOfARejectionOnly holds that no other answer carries a word.
func TestReasonOfARejectionOnly(t *testing.T) {
	t.Parallel()
	if got := answerSnapshot(Membership{Status: Rejected}, "no"); !strings.Contains(got, `"reason":"no"`) {
		t.Errorf("rejected: %s", got)
	}
	if got := answerSnapshot(Membership{Status: Accepted}, "no"); strings.Contains(got, "reason") {
		t.Errorf("accepted: %s", got)
	}
}
