package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Blind is a keyed hash of a text, 64 hex characters: what is counted for an
// address can be found again by it, and a copy of the database tells nobody
// whose it is. With a new current key counting begins anew.
func (r Keyring) Blind(text string) string {
	return r.current().blinded(text)
}

// Blinds are what Blind made of a text with any of the keys, the current one's
// first: for what is kept for longer than a key is current.
func (r Keyring) Blinds(text string) []string {
	all := make([]string, 0, len(r.keys))
	for _, k := range slices.Backward(r.keys) {
		all = append(all, k.blinded(text))
	}
	return all
}

func (k *key) blinded(text string) string {
	mac := hmac.New(sha256.New, k.blind)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
