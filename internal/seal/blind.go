package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Blind is a keyed hash of a text, 64 hex characters: what is counted for an
// address can be found again by it, and a copy of the database tells nobody
// whose it is. With a new current key counting begins anew.
func (r Keyring) Blind(text string) string {
	mac := hmac.New(sha256.New, r.current().blind)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
