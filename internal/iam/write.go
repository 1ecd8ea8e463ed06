package iam

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// maxAttempts bounds how often a use case meets a row that changed between its
// facts and its guarded update before it gives up. Where transactions run side
// by side, of two requests with one idempotency key the second is such a case:
// when its turn comes it finds the first one's outcome.
const maxAttempts = 4

// write runs a use case in a transaction. Each run of fn gets a fresh copy of
// the audit entry, to fill in as it learns what is touched. What an actor was
// refused in an account is audited in a transaction of its own, under the action
// that the entry came to.
func write[T any](ctx context.Context, s *Service, entry AuditEntry, fn func(tx Tx, entry *AuditEntry) (T, error)) (T, error) {
	var (
		result T
		err    error
		last   AuditEntry
	)
	for range maxAttempts {
		result, err = Update(ctx, s.store, func(tx Tx) (T, error) {
			last = entry
			return fn(tx, &last)
		})
		if !errors.Is(err, ErrStale) {
			break
		}
	}
	if errors.Is(err, ErrStale) {
		return result, &Error{Kind: Conflict, Message: "the row is being changed by others; try again", Err: err}
	}
	// An id that nothing has is a typo, not a denial: the account stays unknown.
	if denial := denied(err); denial != "" && last.AccountID != "" {
		s.deny(ctx, last, denial)
	}
	return result, err
}

// denied names a refusal that the audit log keeps: what the actor was not
// allowed to do, rather than what it got wrong. A row of somebody else's is
// among them, though the actor is told that there is none.
func denied(err error) string {
	switch KindOf(err) {
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not_found"
	case AccountNotFound:
		return "account_not_found"
	case TwoFactorRequired:
		return "two_factor_required"
	case GrantorLost:
		return "grantor_lost"
	case RoleCeiling:
		return "role_ceiling"
	case LastSuperAdmin:
		return "last_super_admin"
	case DomainRefused:
		return "domain_refused"
	case BudgetSpent:
		return "budget_spent"
	case AccountSuspended:
		return "account_suspended"
	case DirectAddForbidden:
		return "direct_add_forbidden"
	case WrongAddress:
		return "mismatch"
	case SignInAgain:
		return "sign_in_again"
	case Internal, Invalid, InviteExpired, AlreadyAnswered, NoSeat, AlreadyMember, AlreadyInvited, KeyReused, Conflict, Unavailable,
		InviteWithdrawn, LinkReplaced, SignInFirst, ProofRefused, IdentityUnlinked, TooManyAttempts, FactorFirst, InviteCanceled:
	}
	return ""
}

// deny records a refusal. That it could not be recorded doesn't change the
// answer: the refusal stands either way, and the store's failure shows in its
// own metrics.
func (s *Service) deny(ctx context.Context, entry AuditEntry, why string) {
	entry.Denied, entry.Before, entry.After = why, "", refusalSnapshot(entry.RefusedDomain, "")
	_ = s.store.Update(context.WithoutCancel(ctx), func(tx Tx) error { return tx.Record(entry) })
}

// refusal is what an audit row of a refusal keeps of whom it was about.
type refusal struct {
	Domain string `json:"domain,omitempty"`
}

// refusalSnapshot is a refusal as its audit row holds it.
func refusalSnapshot(domain string, bulkID ID) string {
	if domain == "" {
		return inBulk("", bulkID)
	}
	return inBulk(encode(refusal{domain}), bulkID)
}

// refusedDomain reads what refusalSnapshot wrote.
func refusedDomain(snapshot string) string {
	var kept refusal
	if json.Unmarshal([]byte(snapshot), &kept) != nil {
		return ""
	}
	return kept.Domain
}

// encode writes a snapshot. Its fields are strings, lists and times, which
// always encode.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("iam: snapshot: " + err.Error())
	}
	return string(text)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
