package iam

import "time"

// ActorKind says what sort of principal acts.
type ActorKind string

// The kinds of actors; audit rows carry them.
const (
	ByUser        ActorKind = "user"         // a user, by key, token or session
	ByOperator    ActorKind = "operator"     // an operator token
	ByCommandLine ActorKind = "command_line" // whoever may run the binary beside its database
	ByVisitor     ActorKind = "visitor"      // somebody at a page, nobody knows who: has no rights
	ByReporter    ActorKind = "mail_report"  // who carries the operator's mail, by a token for telling of it: has no rights but that
)

// Means is how an actor proved who it is; audit rows carry it.
type Means string

// The means; "" is for who runs the binary and for the clock.
const (
	MeansKey     Means = "api_key"
	MeansToken   Means = "api_token"
	MeansSession Means = "session"
	MeansLink    Means = "link" // a mailed link or code, and nothing else
	// MeansIdentity is an identity provider's word at the pages; its JWT is a token.
	MeansIdentity Means = "identity"
)

// Actor is who makes a request and what it may do. User is zero unless Kind is
// ByUser. CredentialID names the key, token or session that was shown, "" on the
// command line. RemoteAddr and RequestID are for the audit row.
type Actor struct {
	Kind         ActorKind
	User         User
	CredentialID ID
	Means        Means
	// SessionProved is when the session that was shown was last signed in to,
	// zero for every other credential; Factor is the second factor that it
	// showed then, "" none (see factor.go).
	SessionProved time.Time
	Factor        string
	// Key says that an API key was shown, and nothing that has fewer rights.
	Key        bool
	RemoteAddr string
	RequestID  string
}

// Operator reports whether the actor carries the operator's rights: creating
// and seeing every account, adding members directly, member limits.
func (a Actor) Operator() bool {
	return a.program() || (a.Kind == ByUser && a.User.Operator && !a.LacksFactor())
}

// OperatorName is what others see of whoever operates the instance.
const OperatorName = "operator"

// Name is what others see of the actor, as invited_by: a user's address.
func (a Actor) Name() string {
	if a.Kind == ByUser {
		return a.User.Email
	}
	return OperatorName
}

// Grantor is the actor as the one whose rights an invitation rests on.
func (a Actor) Grantor() Grantor {
	switch a.Kind {
	case ByUser:
		return Grantor{Kind: ByUser, ID: a.User.ID}
	case ByOperator:
		return Grantor{Kind: ByOperator, ID: a.CredentialID}
	case ByCommandLine:
		return Grantor{Kind: ByCommandLine}
	case ByVisitor, ByReporter:
	}
	return Grantor{}
}

// program reports whether the operator's own programs act, which have all
// rights and no user.
func (a Actor) program() bool { return a.Kind == ByOperator || a.Kind == ByCommandLine }

// bySession reports whether a browser's session was shown.
func (a Actor) bySession() bool { return !a.SessionProved.IsZero() }

// mayDrawKeys asks for what a user holds for as long as it likes: a key, or a
// fresh sign-in. All else was given for a time or a purpose, as a token is, and
// must not be turned into a key, which outlives both.
func (a Actor) mayDrawKeys(now time.Time) error {
	if err := mustBeUser(a); err != nil {
		return err
	}
	if !a.Key && !a.bySession() {
		return refuse(Forbidden, "a token cannot draw keys; show one of your keys, or sign in")
	}
	return a.fresh(now)
}

// fresh asks a session for a recent sign-in: what follows must not be open to
// whoever finds a browser unattended. Keys and tokens prove themselves with
// every request.
func (a Actor) fresh(now time.Time) error {
	if a.bySession() && !now.Before(a.SessionProved.Add(FreshFor)) {
		return refuse(SignInAgain, "this needs a sign-in of the last %d minutes; sign in again, then repeat it", int(FreshFor.Minutes()))
	}
	return nil
}

// freshFor asks for one where the actor takes up roles that may manage members.
func (a Actor) freshFor(roles []Role, now time.Time) error {
	if !RightsOf(roles).May(AreaMembers, Write) {
		return nil
	}
	return a.fresh(now)
}

// rights are the actor's in an account in which its accepted membership is own
// (nil: none). An operator token and the command line have no membership and
// all rights; a user's operator flag doesn't lift its ceiling.
func (a Actor) rights(own *Membership) Rights {
	if a.program() {
		return Rights{All: true}
	}
	if own == nil {
		return Rights{}
	}
	return RightsOf(own.Roles)
}

// Grantor names whose rights are computed when an invitation is accepted: a
// user (ID is the user's), an operator token (ID is the token's), or the
// command line (no ID). The zero Grantor grants nothing.
type Grantor struct {
	Kind ActorKind
	ID   ID
}

// GrantorFacts are what the grantor may do now. Active says that the user is
// not suspended, or that the token is neither revoked nor expired.
type GrantorFacts struct {
	Grantor
	Active     bool
	Membership *Membership // the user's accepted membership in the account
}

// mayGrant reports whether the grantor may still grant the roles.
func (g GrantorFacts) mayGrant(roles []Role) bool {
	switch g.Kind {
	case ByUser:
		return g.Active && g.Membership != nil && RightsOf(g.Membership.Roles).MayGrant(roles)
	case ByOperator:
		return g.Active
	case ByCommandLine:
		return true
	case ByVisitor, ByReporter:
	}
	return false
}

// Key is an API key of a user, shown with the user's address. The secret is
// random and kept as its SHA-256 only.
type Key struct {
	ID        ID
	UserID    ID
	Name      string
	Hash      [32]byte
	Disabled  bool
	CreatedOn time.Time
}

// Token is a bearer token: of a user (all of its rights), or of the operator
// (UserID ""). ExpiresOn is zero where it has no end.
type Token struct {
	ID        ID
	UserID    ID
	Name      string
	Hash      [32]byte
	Disabled  bool
	ExpiresOn time.Time
	CreatedOn time.Time
}

// KeyPrincipal is a key and its user.
type KeyPrincipal struct {
	Key  Key
	User User
}

// TokenPrincipal is a token and its user (zero for the operator's).
type TokenPrincipal struct {
	Token Token
	User  User
}
