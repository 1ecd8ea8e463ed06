package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxKeys bounds what each bad link costs: it is held against every key.
const maxKeys = 16

// textHead begins a keyring that we write.
const textHead = `# The instance keys of hither, oldest first; the last one is current.
# Who has this file can make every link and open what is sealed: keep it secret,
# keep a copy, and keep that apart from the copies of the database.
# id created key
`

// ParseKeyring reads the text of a keyring: a key a line, its id, the moment when
// it was made and 32 bytes in base64url, oldest first. Empty lines and lines that
// begin with # are passed over. An error says which line is wrong, and nothing of
// what it holds: that may be a key in the wrong place.
func ParseKeyring(text string) (Keyring, error) {
	var ring Keyring
	lines := map[string]int{} // where each id stands
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		switch {
		case err != nil:
			return Keyring{}, fmt.Errorf("line %d: %w", number, err)
		case lines[k.ID] > 0:
			return Keyring{}, fmt.Errorf("line %d: this key stands in line %d already; take one of them out", number, lines[k.ID])
		case len(ring.keys) == maxKeys:
			return Keyring{}, fmt.Errorf("line %d: there are more than %d keys; take the oldest out", number, maxKeys)
		}
		lines[k.ID] = number
		ring.keys = append(ring.keys, k)
	}
	if len(ring.keys) == 0 {
		return Keyring{}, errors.New("there is no key in it")
	}
	return ring, nil
}

func parseKey(line string) (*key, error) {
	fields := strings.Fields(line)
	const parts = 3
	if len(fields) != parts {
		return nil, errors.New("must have three parts, id, created and key, with spaces between them")
	}
	created, err := time.Parse(time.RFC3339, fields[1])
	if err != nil || formatTime(created) != fields[1] {
		return nil, errors.New("the second part must be the moment when the key was made, such as 2026-11-24T12:00:00Z")
	}
	secret, ok := decode(fields[2], keyBytes)
	if !ok {
		return nil, errors.New("the third part must be a key: 43 characters of base64url")
	}
	k := newKey(secret, created)
	if k.ID != fields[0] {
		return nil, errors.New("the first part is not the id of this key: one of the two was changed")
	}
	return k, nil
}

// text is the keyring as ParseKeyring reads it.
func (r Keyring) text() string {
	var b strings.Builder
	b.WriteString(textHead)
	for _, k := range r.keys {
		fmt.Fprintf(&b, "%s %s %s\n", k.ID, formatTime(k.Created), base64.RawURLEncoding.EncodeToString(k.secret))
	}
	return b.String()
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// decode reads so many bytes of base64url without padding. Each has one spelling:
// the decoder of the library would pass over line breaks and, unless it is
// strict, over bits that stand for nothing.
func decode(text string, size int) ([]byte, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, false
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return decoded, err == nil && len(decoded) == size
}
