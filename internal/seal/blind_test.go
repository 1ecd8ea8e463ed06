package seal_test

import (
	"strings"
	"testing"
	"time"

	"hither/internal/seal"
)

// TestBlind holds that a blinded text is found again, and says nothing of what
// it was without the key.
func TestBlind(t *testing.T) {
	t.Parallel()
	a, b := seal.NewKeyring(time.Now()), seal.NewKeyring(time.Now())
	got := a.Blind("user@example.com")
	if got != a.Blind("user@example.com") {
		t.Error("the same text is blinded in two ways")
	}
	if got == a.Blind("user@example.org") || got == b.Blind("user@example.com") {
		t.Error("another text, or another key, gives the same")
	}
	if len(got) != 64 || strings.Contains(got, "user") {
		t.Errorf("got %q", got)
	}
}
