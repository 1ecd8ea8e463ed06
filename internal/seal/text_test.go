package seal

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTextIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var ring Keyring
		for i := range rapid.IntRange(1, maxKeys).Draw(rt, "keys") {
			at := rapid.Int64Range(0, 1<<37).Draw(rt, "created")
			secret := rapid.SliceOfN(rapid.Byte(), keyBytes, keyBytes).Draw(rt, "secret")
			secret[0] = byte(i) // no two alike
			ring.keys = append(ring.keys, newKey(secret, time.Unix(at, 0).UTC()))
		}
		text := ring.text()
		for _, same := range []string{text, strings.ReplaceAll(text, "\n", "\r\n"), "\n\n# more\n" + text, strings.TrimSuffix(text, "\n"), strings.ReplaceAll(text, " ", "\t  ")} {
			got, err := ParseKeyring(same)
			if err != nil || got.text() != text || fmt.Sprint(got.Keys()) != fmt.Sprint(ring.Keys()) {
				rt.Fatalf("%q: got %v, %v", same, got, err)
			}
		}
	})
}

// TestTextIsReadStrictly holds each error to its line, and that none shows
// anything of a key, in its place or elsewhere (KF-44).
func TestTextIsReadStrictly(t *testing.T) {
	t.Parallel()
	k := drawKey(time.Now())
	good := strings.TrimPrefix(Keyring{keys: []*key{k}}.text(), textHead)
	part := strings.Fields(good)
	id, created, secret := part[0], part[1], part[2]
	last := secret[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", secret[42])^1])
	var many strings.Builder
	for range maxKeys + 1 {
		many.WriteString(strings.TrimPrefix(NewKeyring(time.Now()).text(), textHead))
	}
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "there is no key"},
		{"comments", "# " + good, "there is no key"},
		{"one part", "# head\n\n" + secret, "line 3: must have three parts"},
		{"four parts", id + " " + created + " " + secret + " " + secret, "line 1: must have three parts"},
		{"a comment behind", strings.TrimSpace(good) + " # mine", "line 1: must have three parts"},
		{"parts the wrong way round", secret + " " + id + " " + created, "line 1: the second part must be the moment"},
		{"the key in the middle", id + " " + secret + " " + created, "line 1: the second part must be the moment"},
		{"a day", id + " 2026-11-24 " + secret, "line 1: the second part"},
		{"another zone", id + " 2026-11-24T12:00:00+01:00 " + secret, "line 1: the second part"},
		{"a fraction", id + " 2026-11-24T12:00:00.5Z " + secret, "line 1: the second part"},
		{"a short key", id + " " + created + " " + secret[:42], "line 1: the third part must be a key"},
		{"a long key", id + " " + created + " " + secret + "A", "line 1: the third part"},
		{"padding", id + " " + created + " " + secret + "=", "line 1: the third part"},
		{"a character of other alphabets", id + " " + created + " +" + secret[1:], "line 1: the third part"},
		{"bits that stand for nothing", id + " " + created + " " + last, "line 1: the third part"},
		{"a changed key", id + " " + created + " " + strings.ToUpper(secret[:20]) + "a" + secret[21:], "line 1: the first part is not the id"},
		{"another id", "0123456789abcdef " + created + " " + secret, "line 1: the first part is not the id"},
		{"twice", good + "# between\n" + good, "line 3: this key stands in line 1 already"},
		{"too many", many.String(), "line 17: there are more than 16 keys"},
	} {
		ring, err := ParseKeyring(test.text)
		if err == nil || len(ring.keys) > 0 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, %v, want the error %q", test.name, ring, err, test.want)
			continue
		}
		for n := 0; n+8 <= len(secret); n++ {
			if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret[n:n+8])) {
				t.Fatalf("%s: the error shows a part of the key: %v", test.name, err)
			}
		}
	}
}
