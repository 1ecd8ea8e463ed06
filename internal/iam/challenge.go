package iam

import (
	"crypto/subtle"
	"time"
)

// ChallengeLife is how long a mailed link or code that proves a mailbox holds,
// and so how long it is of use to send one.
const ChallengeLife = 10 * time.Minute

// MaxChallengeFailures is how many wrong codes end a challenge.
const MaxChallengeFailures = 5

// ChallengePurpose is what proving a mailbox is for. A proof for one opens
// nothing else.
type ChallengePurpose string

// The purposes.
const (
	ForSignIn  ChallengePurpose = "sign_in"
	ForAddress ChallengePurpose = "address" // a new address of a user
)

// Challenge is an attempt to prove a mailbox. A link and a code are mailed
// there, both derived from ID and the instance's key, so that the row gives
// neither away. One of them works, once.
type Challenge struct {
	ID        ID
	Purpose   ChallengePurpose
	Email     string
	UserID    ID       // "" where nothing is sent, and nothing can be proved
	Browser   [32]byte // SHA-256 of what the browser that asked holds
	Failures  int
	CreatedOn time.Time
	ExpiresOn time.Time
	UsedOn    time.Time // zero until it was used, or became useless
}

// ChallengeFacts are a challenge and its user as of now; User is zero where it
// has none.
type ChallengeFacts struct {
	Challenge Challenge
	User      User
}

// Asked is a challenge that was made. Browser is for the cookie of whoever
// asked: the code works with that only, the link without it too.
type Asked struct {
	ID        ID
	Browser   string
	ExpiresOn time.Time
}

// Proof is how somebody answers a challenge: by its link, whose authenticity the
// caller checked, or by the code and what the asking browser holds.
type Proof struct {
	ID      ID
	ByLink  bool
	Browser string
	Code    string
}

// proofRefused is the one answer to whatever is wrong with a proof: who tries
// codes learns nothing else, not even whether the address has a user.
func proofRefused() error {
	return refuse(ProofRefused, "this code or link does not work: it may be mistyped, used already, older than %d minutes, "+
		"or asked for in another browser; ask for a new one", int(ChallengeLife.Minutes()))
}

// DecideProof says whether a proof settles a challenge at now. Whatever else is
// wrong, a code is compared, so that the time taken says nothing.
func DecideProof(f ChallengeFacts, purpose ChallengePurpose, proof Proof, secrets Secrets, now time.Time) bool {
	c := f.Challenge
	proved := proof.ByLink
	if !proof.ByLink {
		matches := secrets.MatchCode(purpose, proof.ID, proof.Code)
		proved = sameSecret(c.Browser, proof.Browser) && matches && c.Failures < MaxChallengeFailures
	}
	return proved && c.Purpose == purpose && c.UsedOn.IsZero() && now.Before(c.ExpiresOn) && f.provable()
}

// sameSecret compares a secret with the hash that is kept of it.
func sameSecret(kept [32]byte, shown string) bool {
	hash := HashSecret(shown)
	return subtle.ConstantTimeCompare(kept[:], hash[:]) == 1
}

// provable says that the challenge still has a user whom proving it would help.
// An address that changed since proves nothing of its former user.
func (f ChallengeFacts) provable() bool {
	if f.User.ID == "" || f.User.Suspended {
		return false
	}
	return f.Challenge.Purpose != ForSignIn || mayBeMailed(f.User) && f.User.Email == f.Challenge.Email
}
