package iam

import (
	"errors"
	"fmt"
	"time"
)

// Kind says why a use case refused. The wire's codes stand in internal/api;
// the two vocabularies meet in one table there.
type Kind uint8

// The refusals, in the order of the wire's table.
const (
	Internal           Kind = iota // not a refusal: something broke
	Invalid                        // a field is wrong; Field names it
	NotFound                       // no such row, or not yours: never told apart
	AccountNotFound                // no such account, or not one that the actor can see
	Forbidden                      // the actor lacks the permission
	InviteExpired                  // the invitation's time ran out
	AlreadyAnswered                // it was answered the other way
	TwoFactorRequired              // the account enforces two-factor authentication
	NoSeat                         // the account's member limit is reached
	GrantorLost                    // who granted it may no longer grant it
	AlreadyMember                  // the address is a member already
	AlreadyInvited                 // the address is invited already, with other roles
	RoleCeiling                    // more than the actor itself may do
	LastSuperAdmin                 // the account would be left without a Super Administrator
	DomainRefused                  // the account's domains leave the address out
	BudgetSpent                    // a budget of the inviting side is spent; RetryAfter says for how long
	KeyReused                      // the idempotency key was used with another request
	AccountSuspended               // the account is suspended: reads only
	DirectAddForbidden             // adding without asking belongs to the operator
	Conflict                       // a concurrent change won; the store's guard failed
	Unavailable                    // the store cannot take the request on now
	InviteWithdrawn                // it was taken back; told to who holds its link
	LinkReplaced                   // a newer link was made for the same invitation
	WrongAddress                   // the link is for another address than that of who is signed in
	SignInFirst                    // the link alone does not do: its user has to sign in
	SignInAgain                    // the session's sign-in is too long ago for this
	ProofRefused                   // a code or link that proves a mailbox is wrong, used or too old
	IdentityUnlinked               // a provider's identity stands for no user yet
	TooManyAttempts                // too many of them, or too many mails asked for; RetryAfter says how long
	FactorFirst                    // the session has yet to show its user's second factor
	InviteCanceled                 // it was taken back; told to who may manage it, and sees that it was
)

// Error is a refusal. Message is for the client: it never holds an address
// that the actor didn't send or see, and names the way out. Field is a JSON
// pointer into the request, "" where no field is to blame.
type Error struct {
	Kind    Kind
	Field   string
	Message string
	Err     error // the cause, for the log only
	// Undecided says of an Unavailable write that it may have taken place.
	Undecided bool
	// RetryAfter is when to come back, of a BudgetSpent or TooManyAttempts.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the Error in err's chain, Internal where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Sentinels of the store. They become refusals where a use case meets them.
var (
	// ErrNoRow means that a row asked for by id does not exist.
	ErrNoRow = errors.New("no such row")
	// ErrDuplicate means that a unique constraint refused a row.
	ErrDuplicate = errors.New("the row exists already")
	// ErrStale means that a guarded update found the row changed.
	ErrStale = errors.New("the row was changed meanwhile")
)

func refuse(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func invalid(field, format string, args ...any) error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// notFound is the one answer to a missing row and to one of somebody else's.
func notFound(noun string) error {
	return refuse(NotFound, "%s not found", noun)
}

func accountNotFound() error {
	return refuse(AccountNotFound, "no such account")
}

// missing turns the store's ErrNoRow into the refusal that the actor sees.
func missing(err, refusal error) error {
	if errors.Is(err, ErrNoRow) {
		return refusal
	}
	return err
}
