package seal

import (
	"strings"
	"testing"
	"time"
)

// FuzzToken holds that what opens is the one spelling of a link, and that nothing
// opens that another ring made.
func FuzzToken(f *testing.F) {
	ring := Keyring{keys: []*key{newKey(make([]byte, keyBytes), time.Unix(0, 0).UTC())}}
	link := Link{Purpose: MailedInvitation, ID: "0123456789abcdef0123456789abcdef", Generation: 1}
	token := ring.Token(link)
	f.Add(token)
	f.Add(token[:57] + "R")
	f.Add(token[:28] + "\n" + token[29:])
	f.Add(NewKeyring(time.Now()).Token(link))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := ring.Parse(text); ok && ring.Token(got) != text {
			t.Errorf("%q opens %+v, whose token is another", text, got)
		}
		ring.MatchCode(link, text)
		_, _ = ring.Open("table", "id", []byte(text))
	})
}

// FuzzKeyring holds that what is read can be written and read again, and that an
// error shows nothing that could be a key.
func FuzzKeyring(f *testing.F) {
	ring := Keyring{keys: []*key{newKey(make([]byte, keyBytes), time.Unix(0, 0).UTC())}}
	text := ring.text()
	for _, seed := range []string{text, text + text, strings.TrimPrefix(text, textHead), text[:len(text)-2], "# \r\n\t", "a b c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseKeyring(text)
		if err != nil {
			for word := range strings.FieldsSeq(text) {
				if len(word) > 24 && strings.Contains(err.Error(), word) { // longer than any word of ours
					t.Errorf("%q: the error shows what it holds: %v", text, err)
				}
			}
			return
		}
		again, err := ParseKeyring(got.text())
		if err != nil || again.text() != got.text() {
			t.Errorf("%q: written and read again: got %v, %v, want %v", text, again, err, got)
		}
	})
}
