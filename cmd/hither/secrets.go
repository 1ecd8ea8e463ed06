package main

import (
	"hither/internal/iam"
	"hither/internal/seal"
)

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
