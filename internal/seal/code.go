package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"

	"hither/internal/iam"
)

const (
	// codeAlphabet leaves out what is taken for something else: 0 O, 1 I L, U V.
	codeAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength   = 8
)

// Code is a code that a person can type in place of a link: 8 characters, 39
// bits. That is little, so whoever takes codes must count the attempts.
func (r Keyring) Code(l Link) string { return r.current().typed(l) }

// MatchCode reports whether what was typed is the link's code, of whichever key.
// Case, spaces and dashes do not count (iam.PlainCode).
func (r Keyring) MatchCode(l Link, typed string) bool {
	got := []byte(iam.PlainCode(typed))
	match := 0
	for _, k := range r.keys {
		match |= subtle.ConstantTimeCompare([]byte(k.typed(l)), got)
	}
	return match == 1
}

// ShowCode is a code as people read it, XXXX-XXXX.
func ShowCode(code string) string { return code[:codeLength/2] + "-" + code[codeLength/2:] }

// typed derives the code. Five bits at a time choose a character; those beyond
// the alphabet are passed over, so that each is as likely as the others.
func (k *key) typed(l Link) string {
	const five = 1<<5 - 1
	code := make([]byte, 0, codeLength)
	for block := byte(0); ; block++ {
		mac := hmac.New(sha256.New, k.code)
		mac.Write([]byte{version, block})
		mac.Write(l.bytes())
		for _, b := range mac.Sum(nil) {
			if i := int(b & five); i < len(codeAlphabet) {
				code = append(code, codeAlphabet[i])
			}
			if len(code) == codeLength {
				return string(code)
			}
		}
	}
}
