package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/seal"
	"hither/internal/totp"
)

// A seed opens for its factor of its user alone, with a key that is on the ring:
// neither does a copy of the database give it away, nor does a row that was given
// to another user, or whose seed was put into another row.
func TestSeedsAreBound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	ring, err := seal.Create(file, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := secrets{func() seal.Keyring { return ring }}
	const user, other, factor, another iam.ID = "4f5f0c14a2a41d5063dd301b2f829f04", "5a7805061c76ada191ed06f989cc3dac",
		"7c5dae5552338874e5053f2534d2767a", "0193f5e0a1b27c3d8e4f5a6b7c8d9e0f"
	seed := totp.Codes{}.NewSeed()
	sealed := s.SealSeed(user, factor, seed)
	if bytes.Contains(sealed, seed) || bytes.Equal(sealed, s.SealSeed(user, factor, seed)) {
		t.Error("what is kept has the seed, or is the same each time")
	}
	for _, at := range [][2]iam.ID{{other, factor}, {user, another}, {other, another}} {
		if got, err := s.OpenSeed(at[0], at[1], sealed); err == nil {
			t.Errorf("it opens for %v: %x", at, got)
		}
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	if _, err := s.OpenSeed(user, factor, changed); err == nil {
		t.Error("what was changed opens")
	}
	code := s.Blind("text")
	old := ring.Current().ID
	if ring, err = seal.Rotate(file, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenSeed(user, factor, sealed); err != nil || !bytes.Equal(got, seed) {
		t.Errorf("after a rotation: %x, %v", got, err)
	}
	if blinds := s.Blinds("text"); len(blinds) != 2 || blinds[0] != s.Blind("text") || blinds[1] != code {
		t.Errorf("after a rotation the blinds are %v, want one of each key", blinds)
	}
	anew := s.SealSeed(user, factor, seed)
	if ring, err = seal.Drop(file, old); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenSeed(user, factor, sealed); err == nil || !strings.Contains(err.Error(), old) {
		t.Errorf("with its key gone: %v, want it to name the key", err)
	}
	if got, err := s.OpenSeed(user, factor, anew); err != nil || !bytes.Equal(got, seed) {
		t.Errorf("what was sealed since: %x, %v", got, err)
	}
}
