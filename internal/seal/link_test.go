package seal_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hither/internal/iam"
	"hither/internal/seal"
)

const (
	row   iam.ID = "0123456789abcdef0123456789abcdef"
	other iam.ID = "0123456789abcdef0123456789abcdee"
)

func purposes() []seal.Purpose {
	return []seal.Purpose{seal.MailedInvitation, seal.ShownInvitation, seal.SignIn, seal.Address, seal.Unsubscribe}
}

var links = rapid.Custom(func(t *rapid.T) seal.Link {
	return seal.Link{
		Purpose:    rapid.SampledFrom(purposes()).Draw(t, "purpose"),
		ID:         iam.ID(rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "id")),
		Generation: rapid.IntRange(0, seal.MaxGeneration).Draw(t, "generation"),
	}
})

func newRing() seal.Keyring { return seal.NewKeyring(time.Now()) }

func opens(t *testing.T, ring seal.Keyring, token string, want seal.Link) {
	t.Helper()
	if got, ok := ring.Parse(token); !ok || got != want {
		t.Errorf("the token of %+v: got %+v, %v", want, got, ok)
	}
}

func refused(t *testing.T, ring seal.Keyring, token, why string) {
	t.Helper()
	if got, ok := ring.Parse(token); ok || got != (seal.Link{}) {
		t.Errorf("%s: got %+v, %v, want it refused and nothing told", why, got, ok)
	}
}

// TestTokenIsOfTheFormThatWasSent pins the format: links that were sent must open
// after an upgrade. The values were computed apart from this code, from RFC 5869 and RFC 2104.
func TestTokenIsOfTheFormThatWasSent(t *testing.T) {
	t.Parallel()
	ring, err := seal.ParseKeyring("9174df1cbbb2ccfd 2026-01-01T00:00:00Z " + strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	link := seal.Link{Purpose: seal.MailedInvitation, ID: row, Generation: 1}
	const token, code = "ASNFZ4mrze8BI0VniavN7wEAAZQl6oDnfb-S0ZMtmk63pmjt5qlT20FO8Q", "3KMGB7HT"
	if got := ring.Token(link); got != token {
		t.Errorf("token: got %s, want %s", got, token)
	}
	opens(t, ring, token, link)
	if got := ring.Code(link); got != code {
		t.Errorf("code: got %s, want %s", got, code)
	}
}

func TestTokenOpensWhatItSays(t *testing.T) {
	t.Parallel()
	ring := newRing()
	rapid.Check(t, func(rt *rapid.T) {
		a, b := links.Draw(rt, "a"), links.Draw(rt, "b")
		token := ring.Token(a)
		if got, ok := ring.Parse(token); !ok || got != a {
			rt.Errorf("got %+v, %v, want %+v", got, ok, a)
		}
		if len(token) != 58 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			rt.Errorf("token %q: want 58 characters of base64url", token)
		}
		if same := ring.Token(b)[26:] == token[26:]; same != (a == b) {
			rt.Errorf("the MACs of %+v and %+v: equal %v", a, b, same)
		}
	})
}

// TestChangedTokensAreRefused is KF-6: each character of a token by each byte,
// each bit of what it stands for, and every other length.
func TestChangedTokensAreRefused(t *testing.T) {
	t.Parallel()
	ring := newRing()
	token := ring.Token(seal.Link{Purpose: seal.MailedInvitation, ID: row, Generation: 1})
	for i := range len(token) {
		changed := []byte(token)
		for delta := 1; delta < 256; delta++ {
			changed[i] = token[i] + byte(delta)
			refused(t, ring, string(changed), "a changed character")
		}
	}
	said, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(said) * 8 {
		changed := slices.Clone(said)
		changed[bit/8] ^= 1 << (bit % 8)
		refused(t, ring, base64.RawURLEncoding.EncodeToString(changed), "a changed bit")
	}
	for n := range token {
		refused(t, ring, token[:n], "a shorter token")
		refused(t, ring, token[n+1:], "a token without its beginning")
		for _, more := range []string{"\n", "\r", "=", "A", " ", "\x00"} {
			refused(t, ring, token[:n]+more+token[n:], "a longer token")
		}
	}
	for _, bad := range []string{token + "=", token + "==", token + token, strings.Repeat("A", 58), strings.Repeat("A", 1<<20), base64.StdEncoding.EncodeToString(said)} {
		refused(t, ring, bad, "a token in another spelling")
	}
	opens(t, ring, token, seal.Link{Purpose: seal.MailedInvitation, ID: row, Generation: 1})
}

// TestTokenOpensNothingElse is KF-7: the MAC of one link under what another says,
// for each purpose, id and generation.
func TestTokenOpensNothingElse(t *testing.T) {
	t.Parallel()
	ring := newRing()
	parts := func(l seal.Link) []byte {
		b, err := base64.RawURLEncoding.DecodeString(ring.Token(l))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, purpose := range purposes() {
		mine := parts(seal.Link{Purpose: purpose, ID: row, Generation: 7})
		graft := func(said []byte, why string) {
			t.Helper()
			refused(t, ring, base64.RawURLEncoding.EncodeToString(append(slices.Clone(said), mine[19:]...)), why)
		}
		for another := range 256 {
			if seal.Purpose(another) != purpose {
				said := slices.Clone(mine[:19])
				said[16] = byte(another)
				graft(said, "another purpose")
			}
		}
		for generation := range seal.MaxGeneration + 1 {
			if generation != 7 {
				said := slices.Clone(mine[:19])
				said[17], said[18] = byte(generation>>8), byte(generation)
				graft(said, "another generation")
			}
		}
		graft(parts(seal.Link{Purpose: purpose, ID: other, Generation: 7})[:19], "another id")
	}
}

// TestNextGenerationIsAnotherSecret is KF-98: what is sent anew does not contain
// what was sent before, and the one from before says which it is.
func TestNextGenerationIsAnotherSecret(t *testing.T) {
	t.Parallel()
	ring := newRing()
	seen := map[string]bool{}
	for generation := range 1000 {
		link := seal.Link{Purpose: seal.MailedInvitation, ID: row, Generation: generation}
		token := ring.Token(link)
		opens(t, ring, token, link)
		if secret := token[26:]; seen[secret] {
			t.Errorf("generation %d has the secret of an earlier one", generation)
		} else {
			seen[secret] = true
		}
	}
}

// TestKeysOpenWhatTheyMade walks a ring through rotation and drop.
func TestKeysOpenWhatTheyMade(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	link := seal.Link{Purpose: seal.SignIn, ID: row, Generation: 3}
	first := load(t, path)
	old, oldCode := first.Token(link), first.Code(link)
	refused(t, newRing(), old, "a token of another keyring")

	rotated, err := seal.Rotate(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	opens(t, rotated, old, link)
	if !rotated.MatchCode(link, oldCode) {
		t.Error("a code of the older key is refused")
	}
	fresh := rotated.Token(link)
	if fresh == old {
		t.Error("the current key made the token that the older one made")
	}
	opens(t, rotated, fresh, link)
	refused(t, first, fresh, "a token of a key that the ring does not have yet")

	dropped, err := seal.Drop(path, first.Current().ID)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, dropped, old, "a token of a key that was dropped")
	if dropped.MatchCode(link, oldCode) {
		t.Error("a code of a key that was dropped is taken")
	}
	opens(t, dropped, fresh, link)
	refused(t, seal.Keyring{}, fresh, "the zero keyring")
}

// TestNoLinkWithoutItsParts holds that what a program got wrong makes no link.
func TestNoLinkWithoutItsParts(t *testing.T) {
	t.Parallel()
	ring := newRing()
	for _, bad := range []seal.Link{
		{},
		{ID: row},
		{Purpose: seal.SignIn},
		{Purpose: seal.SignIn, ID: "0123456789ABCDEF0123456789ABCDEF"},
		{Purpose: seal.SignIn, ID: row[:31]},
		{Purpose: seal.SignIn, ID: row, Generation: -1},
		{Purpose: seal.SignIn, ID: row, Generation: seal.MaxGeneration + 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v made a link", bad)
				}
			}()
			ring.Token(bad)
		}()
	}
}
