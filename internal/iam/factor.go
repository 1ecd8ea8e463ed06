package iam

import "time"

// The second factors of its own that a session may have shown, as Session.Factor
// names them. Whatever else stands there is what a provider said of the session,
// and the operator trusts.
const (
	ByTOTP         = "totp"          // a code of an authenticator, RFC 6238
	ByRecoveryCode = "recovery_code" // one of those that were shown with it
)

// SetUpLife is how long a factor that is being set up waits for its first code.
const SetUpLife = 30 * time.Minute

// Factor is a second factor of a user's own: an authenticator that makes codes
// of a seed and the time.
type Factor struct {
	ID          ID
	UserID      ID
	Kind        string // ByTOTP
	Sealed      []byte // the seed; it opens for this row of this user alone
	LastStep    int64  // the newest time step whose code was used; 0: none
	SessionID   ID     // that set it up
	CreatedOn   time.Time
	ConfirmedOn time.Time // zero while it is being set up: then it asks nobody for a code
}

// FactorFacts are a user's second factors. Factor asks for its codes, SetUp
// waits for its first one; nil: there is none.
type FactorFacts struct {
	User      User
	Factor    *Factor
	SetUp     *Factor
	CodesLeft int // recovery codes that were not used
}

// TimeCodes makes and checks the codes of authenticators.
type TimeCodes interface {
	// NewSeed draws what codes are made of.
	NewSeed() []byte
	// Step finds the time step near now of which code, a PlainCode, is the one.
	Step(seed []byte, code string, now time.Time) (step int64, ok bool)
}

// ShownFactor is how somebody shows its second factor: by a code of the
// authenticator, or by one of the recovery codes.
type ShownFactor struct {
	Code     string
	Recovery bool
}

// HasFactor reports whether the user has a second factor: one of its own here, or
// by the operator's word one where it signs in otherwise.
func (u User) HasFactor() bool { return u.OwnFactor || u.TwoFactor }

// LacksFactor reports whether a session was shown that has yet to show its user's
// second factor. Until then it may do nothing but that.
func (a Actor) LacksFactor() bool { return a.bySession() && a.User.OwnFactor && a.Factor == "" }

// vouched reports whether what was shown comes from a provider that the operator
// trusts to have asked for a second factor. It counts for that session alone.
func (a Actor) vouched() bool {
	return a.Factor != "" && a.Factor != ByTOTP && a.Factor != ByRecoveryCode
}

// HasFactor reports whether the actor satisfies an account that enforces
// two-factor authentication. The operator's programs are nobody's member.
func (a Actor) HasFactor() bool { return a.program() || a.User.HasFactor() || a.vouched() }

// whole refuses a session that has yet to show its second factor.
func (a Actor) whole() error {
	if a.LacksFactor() {
		return refuse(FactorFirst, "this session has yet to show the second factor of its user; do that first")
	}
	return nil
}

// needsFactor is the refusal of an account that enforces two-factor
// authentication, with the ways out.
func needsFactor(account Account) error {
	return refuse(TwoFactorRequired, "%q enforces two-factor authentication and you have no second factor; set one up on your pages here, "+
		"or sign in by a provider that asks for one; a Super Administrator can also switch the enforcement off", account.Name)
}

// lift is the one thing that a Super Administrator without a second factor may do
// in an account that enforces it: no account can be locked by its own setting.
// Clients send the whole object back, so what counts is what would change.
func (f AccountFacts) lift(actor Actor, edit AccountEdit, refusal error) (Account, error) {
	if KindOf(refusal) != TwoFactorRequired || !actor.rights(f.Own).All || f.Account.Suspended {
		return Account{}, refusal
	}
	lifted := f.Account
	lifted.EnforceTwoFactor = false
	after, err := edit.Apply(f.Account, false)
	if err != nil || after != lifted {
		return Account{}, refusal
	}
	return after, nil
}

// DecideSetUp says whether a user may begin to set a second factor up.
func DecideSetUp(f FactorFacts, actor Actor, now time.Time) error {
	if err := mustBeActive(f.User); err != nil {
		return err
	}
	if err := actor.fresh(now); err != nil {
		return err
	}
	if f.Factor != nil {
		return refuse(Invalid, "there is a second factor already; remove it first, then set up another one")
	}
	return nil
}

// setUp is the factor that the actor's session is setting up; what another
// session began is none of its business.
func (f FactorFacts) setUp(actor Actor, now time.Time) (Factor, error) {
	if f.SetUp == nil || f.SetUp.SessionID != actor.CredentialID || !now.Before(f.SetUp.CreatedOn.Add(SetUpLife)) {
		return Factor{}, refuse(NotFound, "no second factor is being set up, or that was begun more than %d minutes ago; begin anew", int(SetUpLife.Minutes()))
	}
	return *f.SetUp, nil
}

// FactorState is what a user sees of its second factor.
type FactorState struct {
	Since     time.Time // zero: there is none
	CodesLeft int
}

// What recovery codes are made of: nothing that is taken for something else.
const (
	recoveryAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
	recoveryLength   = 10 // 49 bits, and whoever tries them is counted
	recoveryCodes    = 10
)

// recoveryText is what a recovery code is blinded as: it is its user's alone.
func recoveryText(userID ID, typed string) string {
	return "recovery code " + string(userID) + " " + PlainCode(typed)
}
