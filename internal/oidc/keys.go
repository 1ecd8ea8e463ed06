package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys is how many keys of an issuer are looked at.
const maxKeys = 64

// keySet are the keys that an issuer signs with. go-oidc has one too, but that
// asks the issuer for every key that it doesn't know, and keeps what it once
// read for good: this one asks at most once a pause, whatever is shown to it,
// and forgets what the issuer took back.
type keySet struct {
	issuer *issuer
	cached *cached[[]jose.JSONWebKey]
	algs   []jose.SignatureAlgorithm
}

func newKeySet(i *issuer) *keySet {
	k := &keySet{issuer: i}
	for _, name := range i.Algorithms {
		k.algs = append(k.algs, jose.SignatureAlgorithm(name))
	}
	k.cached = newCached(k.fetch, i.now)
	return k
}

// errSignature refuses a token that none of the issuer's keys signed.
var errSignature = errors.New("no key of the issuer signed it")

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, k.algs)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("it is not signed as the issuer signs")
	}
	keys, err := k.cached.get(ctx, fresh)
	if err != nil {
		return nil, k.issuer.unavailable("read the keys", err)
	}
	if payload, ok := verify(signed, keys); ok {
		return payload, nil
	}
	// Maybe signed by a key that is new.
	if keys, err = k.cached.get(ctx, 0); err != nil {
		return nil, k.issuer.unavailable("read the keys", err)
	}
	if payload, ok := verify(signed, keys); ok {
		return payload, nil
	}
	return nil, errSignature
}

// verify tries the keys that the token may mean. The key of a token that brings
// one along is none of them.
func verify(signed *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	header := signed.Signatures[0].Header
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Use == "enc" || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// fetch reads the keys that are public ones of a kind that is known.
func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	m, err := k.issuer.metadata.get(ctx, fresh)
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.issuer.get(ctx, m.Keys, &document); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, text := range document.Keys[:min(len(document.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if err := json.Unmarshal(text, &key); err == nil && key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("keys: there is none of a kind that is known")
	}
	return keys, nil
}
