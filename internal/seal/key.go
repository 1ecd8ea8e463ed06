package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

const (
	keyBytes = 32 // of an instance key, and of each key derived from it
	idBytes  = 8  // of a key's id
)

// Key is what may be shown of an instance key.
type Key struct {
	ID      string // 16 hex characters, derived from the key
	Created time.Time
}

// key is an instance key.
type key struct {
	Key
	*secrets // a pointer in a pointer: fmt follows one of them where a verb does not fit
}

// secrets are the key itself and what is derived from it. What makes links, codes
// and seals are keys of their own: neither can be taken for another, whatever
// their inputs are.
type secrets struct {
	secret []byte
	link   []byte // HMAC-SHA-256
	code   []byte // HMAC-SHA-256
	blind  []byte // HMAC-SHA-256
	seal   cipher.AEAD
}

func drawKey(now time.Time) *key {
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // never fails: it ends the process instead
	return newKey(secret, now.UTC().Truncate(time.Second))
}

func newKey(secret []byte, created time.Time) *key {
	return &key{
		Key: Key{ID: hex.EncodeToString(derive(secret, "id", idBytes)), Created: created},
		secrets: &secrets{
			secret: secret,
			link:   derive(secret, "link", keyBytes),
			code:   derive(secret, "code", keyBytes),
			blind:  derive(secret, "blind", keyBytes),
			seal:   newAEAD(derive(secret, "seal", keyBytes)),
		},
	}
}

// derive is HKDF (RFC 5869). Its first step, which evens out a key, is left out:
// ours are random to the last bit.
func derive(secret []byte, purpose string, size int) []byte {
	derived, err := hkdf.Expand(sha256.New, secret, "hither v1 "+purpose, size)
	if err != nil {
		panic(err) // it refuses only sizes that nobody asks for here
	}
	return derived
}

// newAEAD is AES-256-GCM that draws each nonce itself and puts it first.
func newAEAD(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // it refuses only sizes that are not a key's
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // it refuses only blocks that are not AES's
	}
	return aead
}
