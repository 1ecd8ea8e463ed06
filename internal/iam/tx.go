package iam

import (
	"context"
	"time"
)

// Tx is a transaction that may write. Facts are read in one go and hold until
// the transaction ends; writes carry the audit row that records them.
type Tx interface {
	// Now is the transaction's time, the same for everything in it.
	Now() time.Time

	// Settle writes down what the clock ended already: due pending rows of the
	// address ("": of none), and of the account up to a bound, each with its audit
	// row. It returns them, as the account sees them, for who tells of it.
	Settle(accountID ID, email string) ([]Member, error)

	AnswerFacts(id, userID ID) (AnswerFacts, error)
	AccountFacts(accountID ID, actor Actor) (AccountFacts, error)
	InviteFacts(accountID ID, email string, actor Actor) (InviteFacts, error)
	MemberFacts(accountID, memberID ID, actor Actor) (MemberFacts, error)
	UserFacts(userID ID) (UserFacts, error)
	// ActingUser and UserOfAddress read one user, which stays as it is until the
	// transaction ends.
	ActingUser(userID ID) (User, error)
	UserOfAddress(email string) (User, error)
	// LinkAnswerFacts are AnswerFacts by link; userID is "" where nobody is signed in.
	LinkAnswerFacts(id, userID ID) (LinkAnswerFacts, error)
	ChallengeFacts(id ID) (ChallengeFacts, error)
	// IdentityFacts reads who an assertion may stand for. Who has its address stays
	// as it is, and gets no other identity meanwhile.
	IdentityFacts(assertion Assertion) (IdentityFacts, error)
	LinkFacts(id ID) (LinkFacts, error)
	// WakeFacts are LinkFacts of those of an account's rows, MaxWaking at most, that
	// the clock has to do with: pending ones, not due, that wake by now. What is
	// said of others than the row and its grantor is left out.
	WakeFacts(accountID ID, ids []ID) ([]LinkFacts, error)
	// TermFacts are those of an account's members, MaxWaking at most, that have an end
	// with which the clock has to do by now.
	TermFacts(accountID ID, ids []ID) ([]TermFacts, error)
	// MembersWith lists members of an account who can act and whose roles together
	// allow all of need, the first limit by id. Nobody is kept from changing them.
	MembersWith(accountID ID, need Permissions, limit int) ([]Membership, error)
	// RoleHolders counts the live rows that hold a role.
	RoleHolders(id ID) (int, error)
	// DefinedRoles lists the roles of one origin (see InsertRole).
	DefinedRoles(origin string) ([]Role, error)

	// InsertMembership adds a row; ErrDuplicate where the address or the user
	// holds a live one already, or the id was used.
	InsertMembership(row Membership, link Link, entry AuditEntry) error
	// UpdateMembership changes a row that is still as before; else ErrStale.
	UpdateMembership(before, after Membership, entry AuditEntry) error
	// UpdateInvitation does the same, and changes the row's link too.
	UpdateInvitation(before, after Membership, link Link, entry AuditEntry) error
	InsertUser(user User, entry AuditEntry) error
	// UpdateUser changes a user and, where its name changed, the sort keys of
	// its memberships.
	UpdateUser(user User, entry AuditEntry) error
	// EraseFacts are what there is to know of a user that is to be erased, and had the
	// addresses. No other transaction writes until this one ends.
	EraseFacts(userID ID, addresses []string) (EraseFacts, error)
	// CloseUser ends the user's rows, pending ones of its addresses too, each with an
	// audit row of its own, and its credentials, and takes the person out of everything
	// but its own row and the audit log. It tells how many rows it ended.
	CloseUser(erasure Erasure, entry AuditEntry) (int, error)
	// EraseUser takes the person out of its own row, with no other transaction beside
	// it. RewriteAudit hands audit rows to clean, in the order of their numbers, and
	// keeps what it made of those for which it reports true; nobody else changes them
	// meanwhile. Neither has an audit row: CloseUser had.
	EraseUser(erasure Erasure) error
	RewriteAudit(part AuditPart, clean func(entry *AuditEntry) bool) (AuditRewrite, error)
	InsertAccount(account Account, entry AuditEntry) error
	UpdateAccount(account Account, entry AuditEntry) error
	// Look is how an account looks, UpdateLook changes it.
	Look(accountID ID) (Look, error)
	UpdateLook(accountID ID, look Look, entry AuditEntry) error
	// DeleteAccount ends every live row (pending: canceled, accepted: removed),
	// each with an audit row of its own, and hides the account for good.
	DeleteAccount(accountID ID, entry AuditEntry) error
	InsertKey(key Key, entry AuditEntry) error
	// DisableKey ends a key, RevokeToken a token; ErrNoRow where there is none.
	DisableKey(id ID, entry AuditEntry) error
	// EndKeyOf and EndTokenOf end a credential of a user that is not ended yet;
	// else ErrNoRow.
	EndKeyOf(userID, id ID, entry AuditEntry) error
	EndTokenOf(userID, id ID, entry AuditEntry) error
	// EndCredentials ends all keys and tokens of a user. Where there is none to end
	// there is no audit row.
	EndCredentials(userID ID, entry AuditEntry) error
	InsertToken(token Token, entry AuditEntry) error
	RevokeToken(id ID, entry AuditEntry) error
	// InsertRole adds a role, or replaces the one of the same id, account and
	// origin, which says where it was defined; ErrDuplicate where the id belongs
	// to another account or origin.
	InsertRole(role Role, origin string, entry AuditEntry) error
	DropRole(id ID, entry AuditEntry) error
	// InsertSession adds a session. It drops some of those whose time is over.
	InsertSession(session Session, entry AuditEntry) error
	// SeeSession notes that a session is in use, where that was not noted for
	// SeenEvery. There is no audit row.
	SeeSession(id ID) error
	// EndSession ends one that was not ended yet; else ErrNoRow.
	EndSession(id ID, entry AuditEntry) error
	// EndSessions ends a user's sessions but for keep ("": all of them). Where
	// there is none to end there is no audit row.
	EndSessions(userID, keep ID, entry AuditEntry) error
	// InsertIdentity links an identity; ErrDuplicate where it is linked already.
	InsertIdentity(identity Identity, entry AuditEntry) error
	// DeleteIdentity takes one of a user's away; ErrNoRow where there is none.
	DeleteIdentity(userID, id ID, entry AuditEntry) error
	// InsertChallenge adds a challenge. It drops some of those whose time is over.
	InsertChallenge(challenge Challenge, entry AuditEntry) error
	// FailChallenge counts a wrong code; UseChallenge settles a challenge that is
	// open, else ErrStale; EndChallenges makes a user's open ones useless.
	FailChallenge(id ID) error
	UseChallenge(id ID) error
	EndChallenges(userID ID) error
	// FactorFacts are a user's second factors. Nobody else tries one of its codes
	// or changes them until the transaction ends.
	FactorFacts(userID ID) (FactorFacts, error)
	// InsertFactor adds a factor that is being set up, in place of one that was.
	InsertFactor(factor Factor, entry AuditEntry) error
	// UseStep keeps the factor's LastStep and Sealed, if the last step lies behind;
	// else ErrStale. ConfirmFactor has one that is being set up ask for its codes;
	// ErrStale where it is none.
	UseStep(factor Factor) error
	ConfirmFactor(factor Factor, entry AuditEntry) error
	// DropFactors removes a user's factors, with their recovery codes.
	DropFactors(userID ID, entry AuditEntry) error
	// KeepRecoveryCodes keeps a user's recovery codes, blinded, in place of those
	// that there are. UseRecoveryCode uses up one of which any of the hashes is
	// kept; ErrStale where none is that was not used.
	KeepRecoveryCodes(userID ID, hashes []string, entry AuditEntry) error
	UseRecoveryCode(userID ID, hashes []string) error
	// RaiseSession notes that a session showed a factor now, and gives it another
	// secret; ErrStale where it ended, or its factor is not before any more.
	RaiseSession(id ID, before, factor string, hash [32]byte) (Session, error)
	// Queue adds a message; one of the same id that is there already stays.
	Queue(delivery Delivery) error
	// Gather adds a digest, or what it tells to one of the same id that was not
	// tried yet. It reports whether it could: one that was tried stays.
	Gather(digest Delivery) (bool, error)
	// PurgeDeliveries drops messages that ended before a moment, the oldest first, at
	// most limit, and tells how many.
	PurgeDeliveries(before time.Time, limit int) (int, error)
	// DueDelivery reads the message that has been due for longest, past those
	// that another transaction has in hand, and what proves a mailbox before all
	// else; ErrNoRow where none is.
	DueDelivery() (DueDelivery, error)
	// Delivery reads one by its id, with what it tells.
	Delivery(id string) (DueDelivery, error)
	// UpdateDelivery changes one that was not claimed since before and has not
	// ended since, and adds to its history; else ErrStale.
	UpdateDelivery(before, after Delivery, steps ...DeliveryStep) error
	// ReportFacts are the messages of ids, and the last ones that were mailed to
	// recipients and invite them. Nobody else changes them until the transaction ends.
	ReportFacts(ids, recipients []string) (ReportedMessages, error)
	// MarkDelivered notes since when an invitation's mail is taken to have arrived, the
	// zero time that it is not. MarkOpened notes that the page of a pending one was
	// opened, with the newest link, and reports whether that is news. Neither changes the
	// row for anybody who reads it, and neither has an audit row.
	MarkDelivered(id ID, on time.Time) error
	MarkOpened(id ID, generation int) (bool, error)
	// Spend counts one more against every tally, or against none and returns the
	// first that its limit refused.
	Spend(tallies []Tally) (refused *Tally, err error)
	// Spent only looks: it returns the first that Spend would refuse.
	Spent(tallies []Tally) (refused *Tally, err error)
	// Suppress adds a suppression, or leaves the one that is there, without an audit
	// row then. Unsuppress
	// takes one away; ErrNoRow where there is none.
	Suppress(suppression Suppression, entry AuditEntry) error
	Unsuppress(suppression Suppression, entry AuditEntry) error
	// Record writes an audit row of its own, for what was refused.
	Record(entry AuditEntry) error

	// PlaceEvents gives committed rows their positions, limit of them at most, and tells
	// how many. One transaction does at a time, and positions become visible in their
	// order: whoever read up to one has missed none before it.
	PlaceEvents(limit int) (int, error)

	// Webhooks lists an account's webhooks, Webhook reads one that is not deleted.
	Webhooks(accountID ID) ([]Webhook, error)
	Webhook(accountID, id ID) (Webhook, error)
	// StartWebhook is the position behind which events come for a webhook that is
	// turned on now.
	StartWebhook() (int64, error)
	InsertWebhook(webhook Webhook, entry AuditEntry) error
	// UpdateWebhook changes the settings of one that is still as before; else ErrStale.
	UpdateWebhook(before, after Webhook, entry AuditEntry) error
	// DeleteWebhook ends one, with its secrets.
	DeleteWebhook(webhook Webhook, entry AuditEntry) error
	// MoveWebhooks notes that deliveries of the events up to a position are made;
	// ErrStale where those from which on were made by somebody else.
	MoveWebhooks(from, to int64) error
	// QueueWebhooks adds deliveries.
	QueueWebhooks(deliveries []WebhookDelivery) error
	// WebhookMessage reads a delivery with its event.
	WebhookMessage(accountID, webhookID, id ID) (WebhookMessage, error)
	// ReplayWebhook begins a delivery anew that is still as before; else ErrStale.
	ReplayWebhook(before, after WebhookDelivery) error
	// DueWebhook reads the webhook that has been due for longest, past those that
	// another transaction has in hand, with what is due for it; healthy leaves out
	// those that failed last. ErrNoRow where none is due.
	DueWebhook(healthy bool) (WebhookLane, error)
	// HeldWebhook reads one that was not claimed since a turn; else ErrStale.
	HeldWebhook(id ID, turn int64) (Webhook, error)
	// KeepWebhook keeps where a webhook stands: its lane, that it is disabled, and what
	// became of deliveries and attempts. Its DueOn is the earliest time that it may be
	// sent anything at; kept is when something is due then, or that nothing is.
	KeepWebhook(before, after Webhook, deliveries []WebhookDelivery, attempts []WebhookOutcome) error
	// DropWebhookDeliveries drops deliveries that were made before a moment, with their
	// attempts, limit at most, and tells how many.
	DropWebhookDeliveries(before time.Time, limit int) (int, error)

	// DropAudit drops audit rows of an account, "" of none, from before a moment: the
	// oldest, limit of them at most. It tells how many.
	DropAudit(accountID ID, before time.Time, limit int) (int, error)
	// DropEnded drops rows of an account that ended by a moment, and of which no message
	// has yet to tell: those among the limit oldest ones of all accounts. It tells how
	// many.
	DropEnded(accountID ID, by time.Time, limit int) (int, error)

	// RunningBulks counts an account's bulks that run; Bulk reads one, whose account
	// must be locked.
	RunningBulks(accountID ID) (int, error)
	Bulk(accountID, id ID) (Bulk, error)
	// BulkFacts reads a bulk with the next rows that wait, limit of them at most;
	// ErrNoRow where there is no such bulk.
	BulkFacts(id ID, limit int) (BulkFacts, error)
	// InsertBulk adds a bulk with its rows. UpdateBulk keeps its state, counts and
	// lease, and the outcomes of rows, BulkBatch at most. EndBulkRows gives all that
	// wait the outcome of last, and tells how many these were. The latter two have no
	// audit row.
	InsertBulk(bulk Bulk, rows []BulkRow, entry AuditEntry) error
	UpdateBulk(bulk Bulk, rows []BulkRow) error
	EndBulkRows(id ID, last BulkRow) (int, error)
	// DropBulks drops bulks that ended before a moment, with their rows: limit rows at
	// most, and a bulk when its last row goes. It tells how many rows and bulks it was.
	DropBulks(before time.Time, limit int) (int, error)

	// Outcome reads what was kept under the record of an idempotency key;
	// ErrNoRow from IdempotencyLife after that on, as if it had never been.
	Outcome(id [32]byte) (Outcome, error)
	// KeepOutcome keeps one; ErrStale where another transaction did meanwhile.
	// It drops some of those whose life is over.
	KeepOutcome(id [32]byte, outcome Outcome) error
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
