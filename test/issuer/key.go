package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
)

// Key signs JWTs, by the standard library alone: what verifies them is not what
// made them.
type Key struct {
	ID        string
	Algorithm string // RS256 or ES256

	signer crypto.Signer
}

// NewKey draws a key.
func NewKey(t testing.TB, algorithm, id string) *Key {
	t.Helper()
	k := &Key{ID: id, Algorithm: algorithm}
	var err error
	if algorithm == "ES256" {
		k.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		const bits = 2048
		k.signer, err = rsa.GenerateKey(rand.Reader, bits)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encodeJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return encode(text)
}

// Sign makes a JWT.
func (k *Key) Sign(claims map[string]any) string {
	return k.SignAs(map[string]any{"alg": k.Algorithm, "kid": k.ID, "typ": "JWT"}, claims)
}

// SignAs makes one whose header says what it likes.
func (k *Key) SignAs(header, claims map[string]any) string {
	text := encodeJSON(header) + "." + encodeJSON(claims)
	return text + "." + encode(k.sign([]byte(text)))
}

// HMAC makes a JWT of HS256 whose secret is the key's public half: what takes it
// confuses algorithms.
func (k *Key) HMAC(claims map[string]any) string {
	secret, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		panic(err)
	}
	text := encodeJSON(map[string]any{"alg": "HS256", "kid": k.ID}) + "." + encodeJSON(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// Unsigned makes a JWT that nobody signed.
func Unsigned(claims map[string]any) string {
	return encodeJSON(map[string]any{"alg": "none"}) + "." + encodeJSON(claims) + "."
}

// Public is the key's public half as a JWK.
func (k *Key) Public() map[string]any {
	jwk := map[string]any{"kid": k.ID, "alg": k.Algorithm, "use": "sig"}
	switch key := k.signer.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		const half = 32
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", encode(point[1:1+half]), encode(point[1+half:])
	}
	return jwk
}

func (k *Key) sign(text []byte) []byte {
	sum := sha256.Sum256(text)
	if key, ok := k.signer.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		const half = 32
		return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
	}
	signature, err := k.signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	return signature
}

func public(keys []*Key) []map[string]any {
	list := make([]map[string]any, len(keys))
	for i, k := range keys {
		list[i] = k.Public()
	}
	return list
}
