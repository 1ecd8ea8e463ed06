package webhook

import (
	"errors"
	"testing"

	"hither/internal/iam"
)

// The socket itself is held to the rule, whatever was looked up before (KF-89).
func TestSocketsAreHeldToTheRule(t *testing.T) {
	t.Parallel()
	d := newDialer("https", iam.WebhookPolicy{}, nil)
	for address, want := range map[string]error{
		"93.184.216.34:443": nil, "127.0.0.1:443": errAddress, "[::1]:443": errAddress, "[::ffff:127.0.0.1]:443": errAddress,
		"[fe80::1%eth0]:443": errAddress, "localhost:443": errAddress, "": errAddress,
	} {
		if err := d.dial.Control("tcp", address, nil); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", address, err, want)
		}
	}
}
