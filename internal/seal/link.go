package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"hither/internal/iam"
)

// Purpose is what a link or a code is good for. One of them opens nothing else.
type Purpose uint8

// The purposes. Their numbers stand in links: none is ever used again.
const (
	MailedInvitation Purpose = 1 // proves the mailbox that it was sent to
	ShownInvitation  Purpose = 2 // proves nothing: the inviter has seen it
	SignIn           Purpose = 3
	Address          Purpose = 4 // proves a changed address
	Unsubscribe      Purpose = 5
	KnownBrowser     Purpose = 6 // was signed in as the user; lets nobody in
)

// Link is what a link says, and what it is derived from.
type Link struct {
	Purpose    Purpose
	ID         iam.ID // of the row that it is about
	Generation int    // 0 to MaxGeneration; sending anew raises it, and old links die
}

// MaxGeneration is the greatest one that a link has room for.
const MaxGeneration = iam.MaxGeneration

const (
	rowBytes   = 16
	saidBytes  = rowBytes + 1 + 2
	macBytes   = 24
	tokenBytes = saidBytes + macBytes

	version = 1 // of the format, in each MAC and at the head of each seal
)

// Token is the secret of a link, 58 characters of base64url: what it says in the
// clear, then a MAC. Whoever has it has the link, so it goes into the one message
// that it is for and nowhere else. A Link that cannot be, with a malformed id or a
// generation out of bounds, is a mistake of the program, and panics.
func (r Keyring) Token(l Link) string {
	said := l.bytes()
	return base64.RawURLEncoding.EncodeToString(append(said, linkMAC(r.current().link, said)...))
}

// Parse reads a token and reports whether one of the keys made it. What was made
// for an earlier generation is genuine all the same: the caller compares, and
// tells the holder that a newer link was sent.
func (r Keyring) Parse(token string) (Link, bool) {
	b, ok := decode(token, tokenBytes)
	if !ok {
		return Link{}, false
	}
	said, mac := b[:saidBytes], b[saidBytes:]
	genuine := 0
	for _, k := range r.keys { // all of them: the time must not tell which it was
		genuine |= subtle.ConstantTimeCompare(linkMAC(k.link, said), mac)
	}
	if genuine == 0 {
		return Link{}, false
	}
	return Link{
		Purpose:    Purpose(said[rowBytes]),
		ID:         iam.ID(hex.EncodeToString(said[:rowBytes])),
		Generation: int(binary.BigEndian.Uint16(said[rowBytes+1:])),
	}, true
}

// bytes is what a link says: id, purpose, generation. Each has its place, so no
// two links say the same.
func (l Link) bytes() []byte {
	id, ok := iam.ParseID(string(l.ID))
	if !ok || l.Purpose == 0 || l.Generation < 0 || l.Generation > MaxGeneration {
		panic(fmt.Sprintf("seal: there is no link with id %q, purpose %d and generation %d", l.ID, l.Purpose, l.Generation))
	}
	b := make([]byte, rowBytes, tokenBytes)
	_, _ = hex.Decode(b, []byte(id)) // it was just looked at
	b = append(b, byte(l.Purpose))
	return binary.BigEndian.AppendUint16(b, uint16(l.Generation))
}

func linkMAC(secret, said []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte{version})
	mac.Write(said)
	return mac.Sum(nil)[:macBytes]
}
