package mail

import (
	"time"
)

// Letter is something to tell somebody: one of the types of this file. Names
// in it are what people typed and are made harmless when it is composed; links
// are absolute, below the instance's base URL, and refused otherwise.
type Letter interface {
	// name is the letter's file among the templates.
	name() string
	view() view
}

// Brand is how an account looks in the messages that are about it.
type Brand struct {
	Name   string // instead of the instance's name
	Accent string // a colour, #rrggbb
}

// Invitation asks somebody to join an account.
type Invitation struct {
	Account     string
	Inviter     string // as shown; empty where nobody is
	Roles       []string
	Note        string // the inviting side's own word, on as many lines as it has; empty is none
	Expires     time.Time
	Link        string // to the page that asks; opens it only for who was invited
	Unsubscribe string // to "never again"; empty leaves it out
	Brand       *Brand
}

// Reminder says that an invitation is open still, and for how long.
type Reminder struct {
	Invitation

	Left time.Duration // until it expires
}

// Withdrawn tells who was invited that the account took the invitation back.
type Withdrawn struct {
	Account     string
	Inviter     string // as shown; empty where nobody is
	Unsubscribe string // to "never again"; empty leaves it out
	Brand       *Brand
}

// Expired tells who invited that there was no answer in time.
type Expired struct {
	Account string
	Address string // who was invited
	Expired time.Time
	Link    string // to the account's members, nothing secret; empty leaves it out
	Brand   *Brand
}

// ExpiredMany is Expired about several, for who invited many people at once.
type ExpiredMany struct {
	Account   string
	Addresses []string // who was invited; those of the first
	Count     int      // how many they are
	Link      string   // as in Expired
	Brand     *Brand
}

// Accepted tells who invited that the person has joined.
type Accepted struct {
	Account string
	Address string // who was invited
	Person  string // the name, which the account sees from now on; may be empty
	Roles   []string
	Link    string // to the account's members, nothing secret; empty leaves it out
	Brand   *Brand
}

// MembershipEnds tells a member that its membership ends soon.
type MembershipEnds struct {
	Account string
	Roles   []string
	Ends    time.Time
	Left    time.Duration // until then
	Brand   *Brand
}

// MemberEnds tells the same to who set that end.
type MemberEnds struct {
	Account string
	Address string
	Roles   []string
	Ends    time.Time
	Left    time.Duration
	Brand   *Brand
}

// WebhookOff tells who manages an account's webhooks that one was turned off by
// itself.
type WebhookOff struct {
	Account string
	Webhook string // its name; may be empty
	Host    string // that it leads to
	Reason  string // as the API has it: failing, gone or grantor_lost
	Failing time.Duration
	Off     time.Time
	Path    string // of the API, by which it is turned on again
	Brand   *Brand
}

// LinkAsked tells the inviting side that somebody opened a dead link and asks
// for a new one, which the account has to confirm.
type LinkAsked struct {
	Account string
	Address string // who was invited, and asks
	Roles   []string
	Asked   time.Time
	Link    string // to where it is confirmed, nothing secret
	Brand   *Brand
}

// SignIn carries what signs its reader in, once.
type SignIn struct {
	Link  string
	Code  string        // XXXX-XXXX, for the browser that asked
	Lasts time.Duration // of both
	Asked time.Time
	Place string // where it was asked from: an address, a browser; may be empty
}

// AddressChange goes to a new address, to prove that its reader reads it.
type AddressChange struct {
	Link  string
	Code  string // XXXX-XXXX, for the browser that asked
	Lasts time.Duration
	Asked time.Time
	Place string // may be empty
}

// Event is what a Notice is about.
type Event string

// What its user hears of.
const (
	FactorAdded      Event = "factor-added"
	FactorRemoved    Event = "factor-removed"
	RecoveryCodeUsed Event = "recovery-code-used"
	RecoveryRenewed  Event = "recovery-renewed"
	KeyRotated       Event = "key-rotated"
	AddressChanged   Event = "address-changed" // goes to the old address and does not name the new one
	SignInLinked     Event = "sign-in-linked"
)

// Events are all of them.
func Events() []Event {
	return []Event{FactorAdded, FactorRemoved, RecoveryCodeUsed, RecoveryRenewed, KeyRotated, AddressChanged, SignInLinked}
}

// Notice tells a user that something about its security changed.
type Notice struct {
	Event Event
	What  string // which factor, key or provider; may be empty
	Time  time.Time
	Place string // where it was done from; may be empty
	Link  string // to the page of sessions and factors, nothing secret; empty leaves it out
}

// Test is what `hither mail test` sends.
type Test struct{ Sent time.Time }

func (Invitation) name() string     { return "invitation" }
func (Reminder) name() string       { return "reminder" }
func (Withdrawn) name() string      { return "withdrawn" }
func (Expired) name() string        { return "expired" }
func (ExpiredMany) name() string    { return "expired-many" }
func (Accepted) name() string       { return "accepted" }
func (MembershipEnds) name() string { return "membership-ends" }
func (MemberEnds) name() string     { return "member-ends" }
func (WebhookOff) name() string     { return "webhook-off" }
func (LinkAsked) name() string      { return "link-asked" }
func (SignIn) name() string         { return "sign-in" }
func (AddressChange) name() string  { return "address-change" }
func (n Notice) name() string       { return "notice-" + string(n.Event) }
func (Test) name() string           { return "test" }

func (l Invitation) view() view {
	return view{
		Account: l.Account, Inviter: l.Inviter, note: l.Note, roles: l.Roles, expires: l.Expires,
		Link: l.Link, Unsubscribe: l.Unsubscribe, brand: l.Brand,
	}
}

func (l Withdrawn) view() view {
	return view{Account: l.Account, Inviter: l.Inviter, Unsubscribe: l.Unsubscribe, brand: l.Brand}
}

func (l Expired) view() view {
	return view{Account: l.Account, Address: l.Address, expired: l.Expired, Link: l.Link, brand: l.Brand}
}

func (l Reminder) view() view {
	v := l.Invitation.view()
	v.left = l.Left
	return v
}

func (l ExpiredMany) view() view {
	return view{Account: l.Account, addresses: l.Addresses, Count: l.Count, Link: l.Link, brand: l.Brand}
}

func (l Accepted) view() view {
	return view{Account: l.Account, Address: l.Address, Person: l.Person, roles: l.Roles, Link: l.Link, brand: l.Brand}
}

func (l MembershipEnds) view() view {
	return view{Account: l.Account, roles: l.Roles, ends: l.Ends, left: l.Left, brand: l.Brand}
}

func (l MemberEnds) view() view {
	return view{Account: l.Account, Address: l.Address, roles: l.Roles, ends: l.Ends, left: l.Left, brand: l.Brand}
}

func (l WebhookOff) view() view {
	return view{
		Account: l.Account, Webhook: l.Webhook, Host: l.Host, Reason: l.Reason, Path: l.Path, left: l.Failing, time: l.Off, brand: l.Brand,
	}
}

func (l LinkAsked) view() view {
	return view{Account: l.Account, Address: l.Address, roles: l.Roles, time: l.Asked, Link: l.Link, brand: l.Brand}
}

func (l SignIn) view() view {
	return view{Link: l.Link, Code: l.Code, lasts: l.Lasts, time: l.Asked, Place: l.Place}
}

func (l AddressChange) view() view {
	return view{Link: l.Link, Code: l.Code, lasts: l.Lasts, time: l.Asked, Place: l.Place}
}

func (n Notice) view() view {
	return view{What: n.What, time: n.Time, Place: n.Place, Link: n.Link}
}

func (l Test) view() view { return view{time: l.Sent} }
