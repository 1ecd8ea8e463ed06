package main

import (
	"hither/internal/iam"
	"hither/internal/seal"
	"hither/internal/totp"
)

// signIn is how users sign in to an instance of these keys.
func signIn(keys func() seal.Keyring) iam.SignIn {
	return iam.SignIn{Secrets: secrets{keys}, Codes: totp.Codes{}}
}

// secrets is what the use cases ask of the instance keys; it implements
// iam.Secrets.
type secrets struct {
	keys func() seal.Keyring
}

// MatchCode implements iam.Secrets.
func (s secrets) MatchCode(purpose iam.ChallengePurpose, id iam.ID, typed string) bool {
	of := seal.Link{Purpose: seal.SignIn, ID: id}
	if purpose == iam.ForAddress {
		of.Purpose = seal.Address
	}
	if _, ok := iam.ParseID(string(id)); !ok {
		return false
	}
	return s.keys().MatchCode(of, typed)
}

// Blind implements iam.Secrets.
func (s secrets) Blind(text string) string { return s.keys().Blind(text) }

// Blinds implements iam.Secrets.
func (s secrets) Blinds(text string) []string { return s.keys().Blinds(text) }

// SealSeed implements iam.Secrets.
func (s secrets) SealSeed(userID, factorID iam.ID, seed []byte) []byte {
	return s.keys().Seal("factors", factorRow(userID, factorID), seed)
}

// OpenSeed implements iam.Secrets.
func (s secrets) OpenSeed(userID, factorID iam.ID, sealed []byte) ([]byte, error) {
	return s.keys().Open("factors", factorRow(userID, factorID), sealed)
}

// factorRow is what a seed is bound to: whose it is too, so that nobody who
// writes to the database gives its own factor to somebody else.
func factorRow(userID, factorID iam.ID) string { return string(userID) + " " + string(factorID) }
