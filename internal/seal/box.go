package seal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

const sealedHead = 1 + idBytes // version, id of the key

// Seal encrypts a value of the row of a table (AES-256-GCM), so that a copy of the
// database gives it to nobody. It opens in that row alone. The nonces are random:
// a key is good for four billion values.
func (r Keyring) Seal(table, id string, plain []byte) []byte {
	k := r.current()
	head, err := hex.DecodeString(k.ID)
	if err != nil {
		panic(err) // it was made by the opposite
	}
	head = append([]byte{version}, head...)
	return k.seal.Seal(head, nil, plain, place(head, table, id)) //nolint:gosec // it draws the nonce itself, see newAEAD
}

// Open decrypts what Seal made for this row, with whichever key that was.
func (r Keyring) Open(table, id string, sealed []byte) ([]byte, error) {
	keyID, ok := KeyOf(sealed)
	if !ok {
		return nil, errors.New("open a sealed value: it is none, or one of a newer hither")
	}
	k := r.find(keyID)
	if k == nil {
		return nil, fmt.Errorf("open a sealed value: it was sealed with the key %s, which is not on the keyring; put that back", keyID)
	}
	head, rest := sealed[:sealedHead], sealed[sealedHead:]
	plain, err := k.seal.Open(nil, nil, rest, place(head, table, id))
	if err != nil {
		return nil, fmt.Errorf("open a sealed value: it was changed, or is another row's than %s %s", table, id)
	}
	return plain, nil
}

// KeyOf is the id of the key that a value was sealed with, so that what still
// needs an old key is found before that is dropped.
func KeyOf(sealed []byte) (keyID string, ok bool) {
	if len(sealed) < sealedHead || sealed[0] != version {
		return "", false
	}
	return hex.EncodeToString(sealed[1:sealedHead]), true
}

// place is what a sealed value is bound to. The length of the table's name keeps
// it apart from the id.
func place(head []byte, table, id string) []byte {
	b := append([]byte(nil), head...)
	b = binary.AppendUvarint(b, uint64(len(table)))
	b = append(b, table...)
	return append(b, id...)
}
