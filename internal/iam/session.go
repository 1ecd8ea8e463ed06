package iam

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// What a session lasts, unless set, and what is noted of it.
const (
	DefaultSessionLifetime = 30 * 24 * time.Hour // from its sign-in on, used or not
	DefaultSessionIdle     = 12 * time.Hour      // unused
	// FreshFor is how long after a sign-in its session may do what asks for a
	// fresh one.
	FreshFor = 10 * time.Minute
	// SeenEvery is how often at most it is noted that a session was used: a
	// request that reads must not cost a write.
	SeenEvery = 5 * time.Minute
)

// SignInMethod says how a user proved who it is.
type SignInMethod string

// The methods. A mailbox proves an address, and is no second factor.
const (
	ByMailbox  SignInMethod = "mailbox"  // a mailed link or code
	ByIdentity SignInMethod = "identity" // an identity provider
)

// Session is a browser that a user signed in with. Its secret is in that
// browser's cookie, and kept as its SHA-256 only.
type Session struct {
	ID         ID
	UserID     ID
	Hash       [32]byte
	Method     SignInMethod
	Factor     string        // the second factor that it showed, "" none
	ProvedOn   time.Time     // the last fresh sign-in
	SeenOn     time.Time     // up to SeenEvery ago when it was used since
	Idle       time.Duration // how long it lasts unused
	ExpiresOn  time.Time
	EndedOn    time.Time // zero while it was not ended
	RemoteAddr string
	Agent      string // what the browser calls itself
	CreatedOn  time.Time
}

// HoldsAt reports whether the session still stands for its user at now.
func (s Session) HoldsAt(now time.Time) bool {
	return s.EndedOn.IsZero() && now.Before(s.ExpiresOn) && now.Before(s.SeenOn.Add(s.Idle))
}

// Actor is the user who uses the session.
func (s Session) Actor(user User) Actor {
	return Actor{Kind: ByUser, User: user, CredentialID: s.ID, Means: MeansSession, SessionProved: s.ProvedOn, Factor: s.Factor}
}

// SessionPrincipal is a session and its user.
type SessionPrincipal struct {
	Session Session
	User    User
}

const sessionBytes = 32

// NewSessionSecret draws the secret of a session, and what a browser that asked
// for a mail shows with the code: 43 characters of [A-Za-z0-9_-], 256 random
// bits.
func NewSessionSecret() string {
	b := make([]byte, sessionBytes)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Visitor is somebody at a page: what audit rows and sessions note of a browser,
// whoever uses it.
type Visitor struct {
	RemoteAddr string
	RequestID  string
	Agent      string
	Locale     string // of the page that it looks at
	// Session is the one that the browser shows already, "" none. It ends where
	// a new one begins, so that no secret outlives a sign-in.
	Session ID
	// Known is the user that the browser shows it was signed in as, "" none. HasRead
	// is an address of which it shows a link that was mailed there, "" none. Both
	// are checked by who fills them in.
	Known   ID
	HasRead string
}

// Actor is the visitor as long as nobody knows who it is: it has no rights.
func (v Visitor) Actor() Actor {
	return Actor{Kind: ByVisitor, Means: MeansLink, RemoteAddr: v.RemoteAddr, RequestID: v.RequestID}
}

// maxAgent bounds what is kept of what a browser calls itself, in bytes.
const maxAgent = 200

// SignIn is how users sign in. The zero value lets nobody.
type SignIn struct {
	Secrets  Secrets
	Codes    TimeCodes     // of second factors; nil: there are none
	Lifetime time.Duration // of a session; 0 is DefaultSessionLifetime
	Idle     time.Duration // 0 is DefaultSessionIdle
}

// Secrets are what only who holds the instance's key can tell.
type Secrets interface {
	// MatchCode reports whether typed is the code that was mailed for a
	// challenge.
	MatchCode(purpose ChallengePurpose, id ID, typed string) bool
	// Blind is a keyed hash of a text: it is the same for the same text, and
	// nobody without the key finds out whose it is, however few texts there are.
	Blind(text string) string
	// Blinds are what Blind made of a text with any key that the instance still
	// has, the present one first.
	Blinds(text string) []string
	// SealSeed encrypts the seed of a factor, and OpenSeed gives it back for that
	// factor of that user alone.
	SealSeed(userID, factorID ID, seed []byte) []byte
	OpenSeed(userID, factorID ID, sealed []byte) ([]byte, error)
}

// WithSignIn returns the same use cases, by which users sign in as signIn says.
func (s *Service) WithSignIn(signIn SignIn) *Service {
	if signIn.Lifetime == 0 {
		signIn.Lifetime = DefaultSessionLifetime
	}
	if signIn.Idle == 0 {
		signIn.Idle = DefaultSessionIdle
	}
	signs := *s
	signs.signIn = signIn
	return &signs
}

// SignedIn is a session that began, and its secret, which is told this once.
type SignedIn struct {
	Session Session
	User    User
	Secret  string
	// LinkWaits says that the identity which the browser showed is not linked
	// before the session has shown its user's second factor.
	LinkWaits bool
}

// start is a session of user that begins now; its id and hash are drawn before,
// and its method and factor set where it is not by mail alone.
func (s SignIn) start(session Session, user User, method SignInMethod, visitor Visitor, now time.Time) Session {
	session.UserID = user.ID
	if session.Method == "" {
		session.Method = method
	}
	session.ProvedOn, session.SeenOn, session.CreatedOn = now, now, now
	session.Idle, session.ExpiresOn = s.Idle, now.Add(s.Lifetime)
	session.RemoteAddr, session.Agent = visitor.RemoteAddr, cleanAgent(visitor.Agent)
	return session
}
