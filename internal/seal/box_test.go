package seal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hither/internal/seal"
)

func TestSealedOpensInItsRow(t *testing.T) {
	t.Parallel()
	ring := newRing()
	rapid.Check(t, func(rt *rapid.T) {
		table, id := rapid.String().Draw(rt, "table"), rapid.String().Draw(rt, "id")
		plain := rapid.SliceOf(rapid.Byte()).Draw(rt, "plain")
		sealed := ring.Seal(table, id, plain)
		if got, err := ring.Open(table, id, sealed); err != nil || !bytes.Equal(got, plain) {
			rt.Errorf("got %x, %v, want %x", got, err, plain)
		}
		elsewhere, another := rapid.String().Draw(rt, "elsewhere"), rapid.String().Draw(rt, "another")
		if got, err := ring.Open(elsewhere, another, sealed); (err == nil) != (elsewhere == table && another == id) {
			rt.Errorf("sealed for %q %q, opened in %q %q: got %x, %v", table, id, elsewhere, another, got, err)
		}
	})
}

func TestSealedOpensNowhereElse(t *testing.T) {
	t.Parallel()
	ring, plain := newRing(), []byte("JBSWY3DPEHPK3PXP")
	sealed := ring.Seal("factors", string(row), plain)
	refused := func(why, table, id string, value []byte) {
		t.Helper()
		if got, err := ring.Open(table, id, value); err == nil || got != nil {
			t.Errorf("%s: got %q, %v, want it refused", why, got, err)
		}
	}
	refused("another row", "factors", string(other), sealed)
	refused("another table", "users", string(row), sealed)
	refused("the same letters", "factor", "s"+string(row), sealed)
	for bit := range len(sealed) * 8 {
		changed := slices.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		refused("a changed bit", "factors", string(row), changed)
	}
	for n := range sealed {
		refused("a shorter value", "factors", string(row), sealed[:n])
	}
	refused("a longer value", "factors", string(row), append(slices.Clone(sealed), 0))

	again := ring.Seal("factors", string(row), plain)
	if bytes.Equal(sealed[9:21], again[9:21]) || bytes.Contains(sealed, plain) {
		t.Errorf("sealed twice: got %x and %x, want two nonces and nothing to read", sealed, again)
	}
}

// TestSealedKnowsItsKey walks a value through rotation and drop.
func TestSealedKnowsItsKey(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	ring := load(t, path)
	first := ring.Current().ID
	sealed := ring.Seal("factors", string(row), []byte("seed"))
	if key, ok := seal.KeyOf(sealed); !ok || key != first {
		t.Errorf("sealed with: got %s, %v, want %s", key, ok, first)
	}
	for _, none := range [][]byte{nil, {}, {1}, sealed[:8], append([]byte{2}, sealed[1:]...)} {
		if key, ok := seal.KeyOf(none); ok {
			t.Errorf("%x: sealed with %s", none, key)
		}
	}
	ring, err := seal.Rotate(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Open("factors", string(row), sealed); err != nil || string(got) != "seed" {
		t.Errorf("by an older key: got %q, %v", got, err)
	}
	if key, _ := seal.KeyOf(ring.Seal("factors", string(row), nil)); key != ring.Current().ID || key == first {
		t.Errorf("sealed anew with: got %s, want the current key %s", key, ring.Current().ID)
	}
	if ring, err = seal.Drop(path, first); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open("factors", string(row), sealed); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("after its key was dropped: got %v, want the key's id", err)
	}
}
