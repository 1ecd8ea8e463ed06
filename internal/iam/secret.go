package iam

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Bounds of a key or token as text.
const (
	MinSecret = 32
	MaxSecret = 128
)

const (
	keyBytes   = 19 // cut to 37 hex characters, 148 bits: some clients take that length only
	keyLength  = 37
	tokenBytes = 30 // 40 characters, 240 bits: some clients take that length only
)

// NewKeySecret draws the secret of a key: 37 hex characters, 148 random bits.
func NewKeySecret() string {
	b := make([]byte, keyBytes)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return hex.EncodeToString(b)[:keyLength]
}

// NewTokenSecret draws the secret of a token: 40 characters of [A-Za-z0-9_-],
// 240 random bits.
func NewTokenSecret() string {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// HashSecret is the form in which a key or token is kept. A plain hash is
// enough since the secret is random: there is nothing to guess faster.
func HashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// WellFormedSecret reports whether s could be a key or token at all.
func WellFormedSecret(s string) bool {
	if len(s) < MinSecret || len(s) > MaxSecret {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
