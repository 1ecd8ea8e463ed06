// Package totp makes and checks the codes of authenticators (RFC 6238), and
// shows a seed in the forms in which an authenticator takes it up. Algorithm,
// length and time step are those that every authenticator knows: SHA-1, six
// digits, 30 seconds.
//
// It remembers nothing: that a code works once is for the caller to see to, by
// the time step that Step tells. It imports nothing of ours.
package totp

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	stepSeconds = 30
	digits      = 6
	seedBytes   = 20 // as RFC 4226 advises
	// skew is how many steps a clock may be off either way (RFC 6238, 5.2).
	skew = 1
)

// Codes makes and checks codes. It implements iam.TimeCodes.
type Codes struct{}

// NewSeed draws what an authenticator makes its codes of: 160 random bits.
func (Codes) NewSeed() []byte {
	seed := make([]byte, seedBytes)
	_, _ = rand.Read(seed) // never fails: it ends the process instead
	return seed
}

// Step finds the time step of which code is the one: that of now, or a neighbour.
// Where two of them have the same code it is the later one, so that using it up uses
// up both. A code is six digits and nothing else; what grouped them is gone by now.
func (Codes) Step(seed []byte, code string, now time.Time) (step int64, ok bool) {
	if len(code) != digits || strings.Trim(code, "0123456789") != "" || len(seed) == 0 {
		return 0, false
	}
	secret, current := encode(seed), now.Unix()/stepSeconds
	// All are looked at, so that the time taken does not tell which it was.
	for candidate := max(current-skew, 0); candidate <= current+skew; candidate++ {
		matches, err := hotp.ValidateCustom(code, uint64(candidate), secret, options())
		if err == nil && matches {
			step, ok = candidate, true
		}
	}
	return step, ok
}

// Code is the code of a seed at a moment, as an authenticator shows it.
func Code(seed []byte, at time.Time) (string, error) {
	step := uint64(max(at.Unix(), 0) / stepSeconds)
	code, err := hotp.GenerateCodeCustom(encode(seed), step, options())
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return code, nil
}

func options() hotp.ValidateOpts {
	return hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}
}

// encode is a seed as authenticators spell it.
func encode(seed []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
}
