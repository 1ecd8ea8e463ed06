package iam

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Me reads the actor's own user as of now, with its live memberships, newest
// first.
func (s *Service) Me(ctx context.Context, actor Actor) (User, []Invitation, error) {
	if err := mustBeUser(actor); err != nil {
		return User{}, nil, err
	}
	query := MembershipQuery{
		PageRequest: PageRequest{Number: 1, Size: MaxInvitations},
		Statuses:    []Status{Pending, Accepted},
		Descending:  true,
	}
	page, err := s.store.Memberships(ctx, actor.User.Invitee(), query, s.now())
	return actor.User, page.Items, err
}

// EditMe changes the actor's own profile.
func (s *Service) EditMe(ctx context.Context, actor Actor, profile Profile) (User, error) {
	if err := mustBeUser(actor); err != nil {
		return User{}, err
	}
	return s.editUser(ctx, actor, actor.User.ID, profile.Apply)
}

// UserFlags are facts about a user that the operator sets; nil leaves one as
// it is.
type UserFlags struct {
	Verified, TwoFactor, Operator *bool
	Locale                        *string // "" takes it away
}

// SetUserFlags changes facts about a user, which belongs to the operator.
func (s *Service) SetUserFlags(ctx context.Context, actor Actor, id ID, flags UserFlags) (User, error) {
	if err := mustOperate(actor); err != nil {
		return User{}, err
	}
	return s.editUser(ctx, actor, id, func(u User) (User, error) {
		for _, flag := range []struct{ value, target *bool }{
			{flags.Verified, &u.Verified}, {flags.TwoFactor, &u.TwoFactor}, {flags.Operator, &u.Operator},
		} {
			if flag.value != nil {
				*flag.target = *flag.value
			}
		}
		if flags.Locale == nil {
			return u, nil
		}
		var err error
		u.Locale, err = localeTag("/locale", strings.TrimSpace(*flags.Locale))
		return u, err
	})
}

func (s *Service) editUser(ctx context.Context, actor Actor, id ID, edit func(User) (User, error)) (User, error) {
	entry := actor.Entry(s.newID(), UserEdit, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (User, error) {
		facts, err := tx.UserFacts(id)
		if err != nil {
			return User{}, missing(err, notFound("user"))
		}
		after, err := edit(facts.User)
		if err != nil || after == facts.User {
			return after, err
		}
		entry.Before, entry.After = userSnapshot(facts.User), userSnapshot(after)
		return after, tx.UpdateUser(after, *entry)
	})
}

// CreateUser adds a user, which belongs to the operator. ID "" draws a fresh
// one; Email is brought to its canonical form.
func (s *Service) CreateUser(ctx context.Context, actor Actor, user User) (User, error) {
	if err := mustOperate(actor); err != nil {
		return User{}, err
	}
	user, err := CheckUser(user)
	if err != nil {
		return User{}, err
	}
	if user.ID == "" {
		user.ID = s.drawID()
	}
	entry := actor.Entry(s.newID(), UserCreate, "", user.ID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (User, error) {
		user.CreatedOn = tx.Now()
		entry.After = userSnapshot(user)
		return user, taken(tx.InsertUser(user, *entry), "/email", "a user with this address or id exists already")
	})
}

// CheckUser returns the user with its address canonical and its texts trimmed,
// or which field is wrong.
func CheckUser(user User) (User, error) {
	email, err := CanonicalEmail(user.Email)
	if err != nil {
		return User{}, at("/email", err)
	}
	user.Email = email
	if user.Locale, err = localeTag("/locale", strings.TrimSpace(user.Locale)); err != nil {
		return User{}, err
	}
	return Profile{&user.FirstName, &user.LastName, &user.Telephone, &user.Country, &user.Zipcode}.Apply(user)
}

// User finds a user by id or address, which belongs to the operator.
func (s *Service) User(ctx context.Context, actor Actor, idOrEmail string) (User, error) {
	if err := mustOperate(actor); err != nil {
		return User{}, err
	}
	if id, ok := ParseID(idOrEmail); ok {
		user, err := s.store.User(ctx, id)
		return user, missing(err, notFound("user"))
	}
	email, err := CanonicalEmail(idOrEmail)
	if err != nil {
		return User{}, at("/email", err)
	}
	user, err := s.store.UserByEmail(ctx, email)
	return user, missing(err, notFound("user"))
}

// Users lists users, oldest first, which belongs to the operator.
func (s *Service) Users(ctx context.Context, actor Actor, page PageRequest) (Page[User], error) {
	if err := mustOperate(actor); err != nil {
		return Page[User]{}, err
	}
	return s.store.Users(ctx, page)
}

// SuspendUser refuses every credential of a user from the next request on.
// Where that leaves an account without an active Super Administrator it is
// refused, unless force says that it is meant: then the account is flagged.
func (s *Service) SuspendUser(ctx context.Context, actor Actor, id ID, force bool) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), UserSuspend, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.UserFacts(id)
		if err != nil {
			return struct{}{}, missing(err, notFound("user"))
		}
		if facts.User.Suspended {
			return struct{}{}, nil
		}
		if len(facts.LastAdminOf) > 0 && !force {
			return struct{}{}, refuse(LastSuperAdmin, "this user is the last active Super Administrator of %d account(s), %q among them; appoint another one first, or force it on purpose",
				len(facts.LastAdminOf), facts.LastAdminOf[0].Name)
		}
		for _, account := range facts.LastAdminOf {
			if err := flagAccount(tx, account, *entry); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, setSuspended(tx, facts.User, true, *entry)
	})
	return err
}

// ReactivateUser takes a suspension back.
func (s *Service) ReactivateUser(ctx context.Context, actor Actor, id ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), UserReactivate, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.UserFacts(id)
		if err != nil || !facts.User.Suspended {
			return struct{}{}, missing(err, notFound("user"))
		}
		if facts.User.Erased() {
			return struct{}{}, invalid("", "this user was erased, and nothing of it is left to come back")
		}
		if err := setSuspended(tx, facts.User, false, *entry); err != nil {
			return struct{}{}, err
		}
		// The user may be the Super Administrator that a flagged account lacks.
		after, err := tx.UserFacts(id)
		if err != nil {
			return struct{}{}, err
		}
		for _, account := range after.LastAdminOf {
			if !account.NeedsSuperAdmin {
				continue
			}
			account.NeedsSuperAdmin = false
			lifted := *entry
			lifted.OperationID += "-appoint-" + string(account.ID)
			lifted.Action, lifted.AccountID, lifted.TargetID = AccountChange, account.ID, account.ID
			if err := tx.UpdateAccount(account, lifted); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

func setSuspended(tx Tx, user User, suspended bool, entry AuditEntry) error {
	entry.Before = userSnapshot(user)
	user.Suspended = suspended
	entry.After = userSnapshot(user)
	if err := tx.UpdateUser(user, entry); err != nil || !suspended {
		return err
	}
	// They must not come back with the user.
	ended := entry
	ended.OperationID += "-sessions"
	ended.Action, ended.Before, ended.After = SessionEnd, "", ""
	if err := tx.EndSessions(user.ID, "", ended); err != nil {
		return err
	}
	return tx.EndChallenges(user.ID)
}

func mustOperate(actor Actor) error {
	if !actor.Operator() {
		return refuse(Forbidden, "this belongs to the operator")
	}
	return nil
}

// taken turns the store's ErrDuplicate into a refusal that names the field.
func taken(err error, field, message string) error {
	if errors.Is(err, ErrDuplicate) {
		return &Error{Kind: Invalid, Field: field, Message: message, Err: err}
	}
	return err
}

// at says which field a refusal is about.
func at(pointer string, err error) error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		located := *refusal
		located.Field = pointer + refusal.Field
		return &located
	}
	return err
}

func userSnapshot(u User) string {
	return encode(struct {
		Email     string    `json:"email"`
		Verified  bool      `json:"verified"`
		TwoFactor bool      `json:"two_factor"`
		Suspended bool      `json:"suspended"`
		Operator  bool      `json:"operator"`
		FirstName string    `json:"first_name"`
		LastName  string    `json:"last_name"`
		CreatedOn time.Time `json:"created_on"`
		Locale    string    `json:"locale,omitempty"`
	}{u.Email, u.Verified, u.TwoFactor, u.Suspended, u.Operator, u.FirstName, u.LastName, u.CreatedOn, u.Locale})
}
