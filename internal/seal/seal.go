// Package seal holds the instance keys and what is made of them: the secrets of
// links, the codes that people type, and the sealing of what the database has to
// give back.
//
// A link's secret is derived from the instance key and stored nowhere, so a copy
// of the database or of the outbox opens no door
// (docs/adr/0013-derived-links.md). Nothing here knows what a link does: whether
// its row is still pending, and whether its generation is the latest, is for the
// caller to ask.
//
// The package imports the ids of iam and the standard library, nothing else: not
// the store, not the wire.
package seal

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Keyring is the instance keys in order. The newest is current: it alone makes
// links, codes and seals; all of them open. It does not change, is safe for
// concurrent use, and shows only the ids of its keys, however it is printed. The
// zero Keyring opens nothing and must not make anything.
type Keyring struct {
	keys []*key
}

// NewKeyring draws a keyring of one key.
func NewKeyring(now time.Time) Keyring { return Keyring{keys: []*key{drawKey(now)}} }

// Keys lists what may be shown of the keys, the current one last.
func (r Keyring) Keys() []Key {
	shown := make([]Key, len(r.keys))
	for i, k := range r.keys {
		shown[i] = k.Key
	}
	return shown
}

// Current is what may be shown of the key that makes everything new.
func (r Keyring) Current() Key { return r.current().Key }

// String names the keys. No way of printing a keyring shows more.
func (r Keyring) String() string { return "keyring[" + strings.Join(r.ids(), " ") + "]" }

// Format is what every verb of fmt shows: neither %#v nor %d asks String.
func (r Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// LogValue is what a log shows.
func (r Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON lists the ids of the keys.
func (r Keyring) MarshalJSON() ([]byte, error) {
	return json.Marshal(r.ids()) //nolint:wrapcheck // a list of strings has no error
}

func (r Keyring) current() *key { return r.keys[len(r.keys)-1] }

// find is the key of an id, nil where there is none.
func (r Keyring) find(id string) *key {
	for _, k := range r.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// ids are the keys' in order.
func (r Keyring) ids() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.ID
	}
	return ids
}
