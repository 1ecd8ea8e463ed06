package iam

import "time"

// Assertion is what an identity provider said of a person, once it was
// verified: signature, audience, times, and that the provider itself proved the
// address. Issuer and Subject name the identity; the address does not, since
// providers give one to somebody else.
type Assertion struct {
	Issuer   string // its URL
	Subject  string
	Provider string // what the operator calls the issuer
	Email    string // canonical
	// Authoritative says that the operator declared the issuer to speak for the
	// address's domain.
	Authoritative bool
	// Factor is the second factor that the provider saw, "" where there was none
	// or the operator does not trust it in this.
	Factor string
}

// Bounds of an identity's names: a URL of the operator's, and what OpenID
// Connect allows.
const (
	MaxIssuer  = 250
	MaxSubject = 255
)

// LinkReason says why an identity was linked with a user.
type LinkReason string

// The reasons.
const (
	LinkedByMailbox   LinkReason = "mailbox"   // the user proved its mailbox in the browser that showed the identity
	LinkedByAuthority LinkReason = "authority" // the issuer speaks for the domain
	LinkedAtCreation  LinkReason = "creation"  // the user was made for the identity
)

// Identity is a user as a provider knows it: whoever the provider says is
// Subject is the user here, whatever its address has become.
type Identity struct {
	ID        ID
	Issuer    string
	Subject   string
	UserID    ID
	Reason    LinkReason
	CreatedOn time.Time
}

// IdentityFacts are what recognizing a person rests on. Only the first two are
// read where the identity is known.
type IdentityFacts struct {
	Identity *Identity // nil: not linked
	User     User      // whose it is
	Holder   *User     // who has the asserted address; nil: nobody
	// HolderKnown says that the holder has another identity of the issuer.
	HolderKnown bool
	Invited     bool // an invitation waits for the address
}

// IdentityDecision is what becomes of an assertion.
type IdentityDecision struct {
	User User
	// Link says that the identity has to be linked, and Why; New that its user
	// has to be made too.
	Link, New bool
	Why       LinkReason
}

// DecideIdentity says which user an assertion stands for. An identity that is
// known is its user's. Else an address by itself opens no user that exists:
// the issuer has to speak for its domain, and must not have called somebody
// else by it before, and nothing is linked past a second factor. Nobody becomes a user who was not invited.
func DecideIdentity(f IdentityFacts, a Assertion) (IdentityDecision, error) {
	switch {
	case f.Identity != nil:
		return IdentityDecision{User: f.User}, mustBeActive(f.User)
	case f.Holder != nil && a.Authoritative && !f.HolderKnown && f.Holder.Verified && !f.Holder.Suspended && !f.Holder.OwnFactor:
		return IdentityDecision{User: *f.Holder, Link: true, Why: LinkedByAuthority}, nil
	case f.Holder == nil && f.Invited:
		return IdentityDecision{Link: true, New: true, Why: LinkedAtCreation}, nil
	}
	return IdentityDecision{}, identityUnlinked()
}

// identityUnlinked is the one answer to an identity that stands for nobody: it
// does not tell whether the address has a user.
func identityUnlinked() error {
	return refuse(IdentityUnlinked, "no user is linked with this identity yet; sign in once on the pages of this server with the same login "+
		"and prove the mailbox there, or ask to be invited")
}

// linksBy reports whether a proof of a mailbox links an assertion: it is of the
// asserted address, and from the browser that asked. A link that is opened
// elsewhere signs in there and links nothing: else somebody else's identity
// could be tied to whoever clicks.
func (f ChallengeFacts) linksBy(a Assertion, proof Proof) bool {
	return f.Challenge.Email == a.Email && sameSecret(f.Challenge.Browser, proof.Browser)
}
