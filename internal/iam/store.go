package iam

import (
	"context"
	"time"
)

// Store is what the heart needs of a database. Every method is safe for
// concurrent use. Reads see what was committed before they began; where one
// takes now, rows that are due at now read as expired. A missing row is
// ErrNoRow.
type Store interface {
	// Update runs fn in one transaction and returns after it is durable. fn may
	// run more than once and must have no effect but through tx: whatever it
	// returned last is what counts. An error of fn undoes what fn did.
	Update(ctx context.Context, fn func(tx Tx) error) error

	// Moment says that the reads of the context that it returns follow each
	// other closely, one at a time, until the func is called, which must be soon.
	// A store for which that is cheaper lets all of them see one moment; the first
	// Update in the context ends it.
	Moment(ctx context.Context) (context.Context, func())

	// KeyPrincipal finds an enabled or disabled key by the SHA-256 of its secret.
	KeyPrincipal(ctx context.Context, hash [32]byte) (KeyPrincipal, error)
	// TokenPrincipal finds an active or revoked token likewise.
	TokenPrincipal(ctx context.Context, hash [32]byte) (TokenPrincipal, error)
	// SessionPrincipal finds a session likewise, whether or not it still holds.
	SessionPrincipal(ctx context.Context, hash [32]byte) (SessionPrincipal, error)
	// Challenge reads a challenge, whatever became of it.
	Challenge(ctx context.Context, id ID) (Challenge, error)
	// IdentityFacts reads who an assertion may stand for.
	IdentityFacts(ctx context.Context, assertion Assertion, now time.Time) (IdentityFacts, error)
	// Identities lists a user's identities, oldest first.
	Identities(ctx context.Context, userID ID) ([]Identity, error)
	// Sessions lists a user's sessions that were not ended, oldest first.
	Sessions(ctx context.Context, userID ID) ([]Session, error)

	// Factors are a user's second factors; ErrNoRow where there is no such user.
	Factors(ctx context.Context, userID ID) (FactorFacts, error)

	// User finds a user by id, UserByEmail by its canonical address.
	User(ctx context.Context, id ID) (User, error)
	UserByEmail(ctx context.Context, email string) (User, error)
	// Users lists users by id, oldest first.
	Users(ctx context.Context, page PageRequest) (Page[User], error)
	// Keys and Tokens list a user's credentials, oldest first; Tokens of "" are
	// the operator's.
	Keys(ctx context.Context, userID ID) ([]Key, error)
	Tokens(ctx context.Context, userID ID) ([]Token, error)

	// Invitation reads one membership with its account.
	Invitation(ctx context.Context, id ID) (Invitation, error)
	// Invitations lists what who was invited to, newest first, pending ones
	// before all others, at most limit rows.
	Invitations(ctx context.Context, who Invitee, statuses []Status, now time.Time, limit int) ([]Invitation, error)
	// Memberships lists what who is or may become a member of.
	Memberships(ctx context.Context, who Invitee, query MembershipQuery, now time.Time) (Page[Invitation], error)
	// LiveMembership is the pending or accepted membership of who in an account.
	LiveMembership(ctx context.Context, accountID ID, who Invitee, now time.Time) (Invitation, error)

	// Access reads an account and the accepted membership of a user in it.
	Access(ctx context.Context, accountID, userID ID) (Account, *Membership, error)
	// Accounts lists the accounts of which userID is an accepted member, all of
	// them where userID is "".
	Accounts(ctx context.Context, userID ID, query AccountQuery) (Page[Account], error)
	// Look is how an account looks.
	Look(ctx context.Context, accountID ID) (Look, error)
	// Members lists an account's members.
	Members(ctx context.Context, accountID ID, query MemberQuery, now time.Time) (Page[Member], error)
	// Member reads one row of an account, in any state, whoever answered it.
	Member(ctx context.Context, accountID, id ID) (Member, error)
	// AccountInvitations lists what the account asked people, newest first.
	AccountInvitations(ctx context.Context, accountID ID, query InvitationQuery, now time.Time) (Page[Member], error)
	// LinkedInvitation reads what the page of a link shows.
	LinkedInvitation(ctx context.Context, id ID, now time.Time) (LinkedInvitation, error)
	// Waking lists rows that the clock has to do with, those that wait longest
	// first; NextWake is when it next has, the zero time for never.
	Waking(ctx context.Context, now time.Time, limit int) ([]Waking, error)
	NextWake(ctx context.Context) (time.Time, error)
	// Catalog is the set of roles that members of the account may hold.
	Catalog(ctx context.Context, accountID ID) (*Catalog, error)
	// NextDelivery is when the next message is due, ErrNoRow where none waits;
	// Outbox says how much waits.
	NextDelivery(ctx context.Context) (time.Time, error)
	Outbox(ctx context.Context) (Outbox, error)
	// Deliveries lists messages of a state, "" for those that may still be sent:
	// what waits in the order of its turn, what ended the newest first.
	Deliveries(ctx context.Context, state DeliveryState, page PageRequest) ([]Delivery, error)
	// DeliveryRecord is one message with its history. InvitationDeliveries are those of
	// an invitation to the invited, the newest first.
	DeliveryRecord(ctx context.Context, id string) (DeliveryRecord, error)
	InvitationDeliveries(ctx context.Context, accountID, membershipID ID, page PageRequest) (Page[DeliveryRecord], error)
	// FirstEnded is when the message ended that did so first; ErrNoRow where none has.
	FirstEnded(ctx context.Context) (time.Time, error)
	// Funnel counts what became of invitations; ErrTooMuch where there are too many.
	Funnel(ctx context.Context, query FunnelQuery, now time.Time) (Funnel, error)
	// Suppressions lists who wants no more invitations, by mailbox.
	Suppressions(ctx context.Context, page PageRequest) ([]Suppression, error)
	// AuditLog lists rows of a log by time, each with what its reader may see.
	AuditLog(ctx context.Context, query AuditQuery) ([]AuditEntry, error)
	// OldAudit lists accounts, limit of them at most, whose log has rows from before a
	// moment; "" is among them where rows of no account are.
	OldAudit(ctx context.Context, before time.Time, limit int) ([]ID, error)
	// Ended lists the accounts of rows that ended by a moment, the limit oldest ones.
	Ended(ctx context.Context, by time.Time, limit int) ([]ID, error)
	// Unplaced reports whether committed rows wait for a position in the event stream.
	Unplaced(ctx context.Context) (bool, error)
	// Events lists an account's placed rows after a position, in that order; Seq is the
	// position. EventPosition is that of the row of an operation in an account, LastEvent
	// the account's last; ErrNoRow where there is none.
	Events(ctx context.Context, query EventQuery) ([]AuditEntry, error)
	EventPosition(ctx context.Context, accountID ID, operationID string) (int64, error)
	LastEvent(ctx context.Context, accountID ID) (EventPlace, error)
	// Bulks lists an account's bulks, newest first, Bulk reads one of them, BulkRows
	// lists rows of one in the order of the file.
	Bulks(ctx context.Context, accountID ID, page PageRequest) (Page[Bulk], error)
	Bulk(ctx context.Context, accountID, id ID) (Bulk, error)
	BulkRows(ctx context.Context, id ID, query BulkQuery) ([]BulkRow, error)
	// RunningBulks lists bulks that run and that no other worker has to itself, the
	// longest untouched first.
	RunningBulks(ctx context.Context, worker string, now time.Time, limit int) ([]ID, error)
	// FirstEndedBulk is when the bulk ended that did so first; ErrNoRow where none has.
	FirstEndedBulk(ctx context.Context) (time.Time, error)
	// Standing reads the live rows of addresses in an account, by address, and how many
	// seats are taken. Tallied is how much of each tally is spent.
	Standing(ctx context.Context, accountID ID, emails []string, now time.Time) (map[string]Member, Seats, error)
	Tallied(ctx context.Context, tallies []Tally) ([]int, error)
	// Webhooks lists an account's webhooks, oldest first; Webhook reads one of them.
	Webhooks(ctx context.Context, accountID ID) ([]Webhook, error)
	Webhook(ctx context.Context, accountID, id ID) (Webhook, error)
	// WebhookDeliveries lists those to a webhook; WebhookDelivery reads one with its
	// last attempts, limit of them at most.
	WebhookDeliveries(ctx context.Context, query WebhookQuery) ([]WebhookDelivery, error)
	WebhookDelivery(ctx context.Context, webhookID, id ID, limit int) (WebhookDelivery, []WebhookAttempt, error)
	// WebhookDuty and WebhookBacklog say what there is to do.
	WebhookDuty(ctx context.Context) (WebhookDuty, error)
	WebhookBacklog(ctx context.Context) (WebhookBacklog, error)
	// WebhookNews looks through window events behind those from which deliveries were
	// made, and stops where more than limit of these came together.
	WebhookNews(ctx context.Context, window, limit int) (WebhookNews, error)
	// Audit lists an account's audit rows after a position, oldest first; those
	// of no account where accountID is "".
	Audit(ctx context.Context, accountID ID, after int64, limit int) ([]AuditEntry, error)
}

// UserFacts are a user and the accounts that would be left without an active
// Super Administrator if the user could no longer act.
type UserFacts struct {
	User        User
	LastAdminOf []Account
}

// MembershipOrder and the like name the sort orders of the wire.
type MembershipOrder string

// Orders of a user's memberships.
const (
	ByMembershipID     MembershipOrder = "id"
	ByAccountName      MembershipOrder = "account.name"
	ByMembershipStatus MembershipOrder = "status"
)

// MembershipQuery filters and sorts a user's memberships. Statuses is empty for
// pending and accepted. AccountName "" filters nothing; it matches whole and
// by exact case.
type MembershipQuery struct {
	PageRequest
	Statuses    []Status
	AccountName string
	Order       MembershipOrder // "" is by id
	Descending  bool
}

// AccountQuery filters and sorts accounts, always by name.
type AccountQuery struct {
	PageRequest
	Name       string
	Descending bool
}

// MemberOrder names a sort order of members.
type MemberOrder string

// Orders of an account's members; "" is by id.
const (
	ByFirstName    MemberOrder = "user.first_name"
	ByLastName     MemberOrder = "user.last_name"
	ByEmail        MemberOrder = "user.email"
	ByMemberStatus MemberOrder = "status"
)

// MemberQuery filters and sorts an account's members. Status "" lists pending
// and accepted ones.
//
// After goes through a list by id, however long it is and whatever becomes of its
// rows meanwhile: the page begins behind the row of that id, which need not be
// there any more. Its Number doesn't count then, and there is no Total.
type MemberQuery struct {
	PageRequest
	Status     Status
	Email      string // canonical; "" filters nothing
	Order      MemberOrder
	Descending bool
	After      ID // with Order "" only
}

// InvitationQuery filters an account's invitations. Status "" lists all. Asked
// lists those for which somebody waits for a new link, the longest first: pending
// and expired ones whose address got no other row since.
type InvitationQuery struct {
	PageRequest
	Status Status
	Asked  bool
	After  ID // as in MemberQuery, though newest first; not with Asked
}
