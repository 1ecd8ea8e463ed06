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
	// Members lists an account's members.
	Members(ctx context.Context, accountID ID, query MemberQuery, now time.Time) (Page[Member], error)
	// Member reads one row of an account, in any state, whoever answered it.
	Member(ctx context.Context, accountID, id ID) (Member, error)
	// AccountInvitations lists what the account asked people, newest first.
	AccountInvitations(ctx context.Context, accountID ID, query InvitationQuery, now time.Time) (Page[Member], error)
	// Catalog is the set of roles that members of the account may hold.
	Catalog(ctx context.Context, accountID ID) (*Catalog, error)
	// Audit lists an account's audit rows after a position, oldest first; those
	// of no account where accountID is "".
	Audit(ctx context.Context, accountID ID, after int64, limit int) ([]AuditEntry, error)
}

// Tx is a transaction that may write. Facts are read in one go and hold until
// the transaction ends; writes carry the audit row that records them.
type Tx interface {
	// Now is the transaction's time, the same for everything in it.
	Now() time.Time

	// Settle writes down what the clock ended already: due pending rows of the
	// address, and of the account up to a bound, each with its audit row.
	Settle(accountID ID, email string) error

	AnswerFacts(id, userID ID) (AnswerFacts, error)
	AccountFacts(accountID ID, actor Actor) (AccountFacts, error)
	InviteFacts(accountID ID, email string, actor Actor) (InviteFacts, error)
	MemberFacts(accountID, memberID ID, actor Actor) (MemberFacts, error)
	UserFacts(userID ID) (UserFacts, error)
	// RoleHolders counts the live rows that hold a role.
	RoleHolders(id ID) (int, error)
	// DefinedRoles lists the roles of one origin (see InsertRole).
	DefinedRoles(origin string) ([]Role, error)

	// InsertMembership adds a row; ErrDuplicate where the address or the user
	// holds a live one already, or the id was used.
	InsertMembership(row Membership, entry AuditEntry) error
	// UpdateMembership changes a row that is still as before; else ErrStale.
	UpdateMembership(before, after Membership, entry AuditEntry) error
	InsertUser(user User, entry AuditEntry) error
	// UpdateUser changes a user and, where its name changed, the sort keys of
	// its memberships.
	UpdateUser(user User, entry AuditEntry) error
	InsertAccount(account Account, entry AuditEntry) error
	UpdateAccount(account Account, entry AuditEntry) error
	// DeleteAccount ends every live row (pending: canceled, accepted: removed),
	// each with an audit row of its own, and hides the account for good.
	DeleteAccount(accountID ID, entry AuditEntry) error
	InsertKey(key Key, entry AuditEntry) error
	// DisableKey ends a key, RevokeToken a token; ErrNoRow where there is none.
	DisableKey(id ID, entry AuditEntry) error
	InsertToken(token Token, entry AuditEntry) error
	RevokeToken(id ID, entry AuditEntry) error
	// InsertRole adds a role, or replaces the one of the same id, account and
	// origin, which says where it was defined; ErrDuplicate where the id belongs
	// to another account or origin.
	InsertRole(role Role, origin string, entry AuditEntry) error
	DropRole(id ID, entry AuditEntry) error
	// Record writes an audit row of its own, for what was refused.
	Record(entry AuditEntry) error

	// Outcome reads what was kept under the record of an idempotency key;
	// ErrNoRow from IdempotencyLife after that on, as if it had never been.
	Outcome(id [32]byte) (Outcome, error)
	// KeepOutcome keeps one; ErrStale where another transaction did meanwhile.
	// It drops some of those whose life is over.
	KeepOutcome(id [32]byte, outcome Outcome) error
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
type MemberQuery struct {
	PageRequest
	Status     Status
	Email      string // canonical; "" filters nothing
	Order      MemberOrder
	Descending bool
}

// InvitationQuery filters an account's invitations. Status "" lists all.
type InvitationQuery struct {
	PageRequest
	Status Status
}

// Update runs fn in one transaction of the store and returns what it returned.
func Update[T any](ctx context.Context, store Store, fn func(tx Tx) (T, error)) (T, error) {
	var result T
	err := store.Update(ctx, func(tx Tx) error {
		var err error
		result, err = fn(tx)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return result, nil
}
