package iam

import "context"

// Accounts lists the accounts that the actor can see, by name: those of which
// it is a member, all of them for the operator.
func (s *Service) Accounts(ctx context.Context, actor Actor, query AccountQuery) (Page[Account], error) {
	if err := actor.whole(); err != nil {
		return Page[Account]{}, err
	}
	userID := actor.User.ID
	if actor.Operator() {
		userID = ""
	}
	return s.store.Accounts(ctx, userID, query)
}

// Account reads one of them.
func (s *Service) Account(ctx context.Context, actor Actor, id ID) (Account, error) {
	account, _, err := s.access(ctx, actor, id)
	return account, err
}

// NewAccount describes an account to be made. Type "" is Standard; ID "" draws
// a fresh one.
type NewAccount struct {
	ID   ID
	Name string
	Type AccountType
}

// CreateAccount makes an account, which the operator does. A user who carries
// the operator flag becomes its Super Administrator; otherwise it is empty.
func (s *Service) CreateAccount(ctx context.Context, actor Actor, request NewAccount) (Account, error) {
	made, err := s.CreateAccountOnce(ctx, actor, request, IdempotencyKey{})
	return made.Result, err
}

// CreateAccountOnce does the same at most once for a key.
func (s *Service) CreateAccountOnce(ctx context.Context, actor Actor, request NewAccount, key IdempotencyKey) (Replayable[Account], error) {
	if !actor.Operator() {
		return Replayable[Account]{}, refuse(Forbidden, "creating accounts belongs to the operator")
	}
	account, err := s.newAccount(request)
	if err != nil {
		return Replayable[Account]{}, err
	}
	entry := actor.Entry(s.newID(), AccountCreate, account.ID, account.ID)
	memberEntry := actor.Entry(s.newID(), MemberAdd, account.ID, s.drawID())
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Account], error) {
		if err := stillOperator(tx, actor); err != nil {
			return Replayable[Account]{}, err
		}
		return once(tx, actor, key, func() (Account, error) {
			return insertAccount(tx, actor, account, *entry, memberEntry)
		})
	})
}

// stillOperator holds, as of the transaction, what the actor's credential said
// before it: whoever was suspended meanwhile, or lost the operator's flag, must
// not come to govern an account.
func stillOperator(tx Tx, actor Actor) error {
	if actor.Kind != ByUser {
		return nil
	}
	user, err := actingUser(tx, actor)
	if err == nil && !user.Operator {
		err = refuse(Forbidden, "creating accounts belongs to the operator")
	}
	return err
}

func (s *Service) newAccount(request NewAccount) (Account, error) {
	name, err := AccountName(request.Name)
	if err != nil {
		return Account{}, err
	}
	account := Account{ID: request.ID, Name: name, Type: request.Type}
	if account.ID == "" {
		account.ID = s.drawID()
	}
	if account.Type == "" {
		account.Type = Standard
	}
	if account.Type != Standard && account.Type != Enterprise {
		return Account{}, invalid("/type", "must be %q or %q", Standard, Enterprise)
	}
	return account, nil
}

func insertAccount(tx Tx, actor Actor, account Account, entry, memberEntry AuditEntry) (Account, error) {
	account.CreatedOn = tx.Now()
	entry.After = accountSnapshot(account)
	if err := tx.InsertAccount(account, entry); err != nil {
		return Account{}, taken(err, "/id", "this account id was used before; ids are never reused")
	}
	if actor.Kind != ByUser {
		return account, nil
	}
	super, _ := BuiltinRole(SuperAdministrator)
	row := Membership{
		ID: memberEntry.TargetID, AccountID: account.ID, Email: actor.User.Email, UserID: actor.User.ID,
		Status: Accepted, Roles: []Role{super}, Grantor: actor.Grantor(), CreatedOn: tx.Now(), AnsweredOn: tx.Now(),
	}
	memberEntry.After = snapshot(row)
	return account, tx.InsertMembership(row, Link{}, memberEntry)
}

// EditAccount changes an account's settings, which needs write permission on
// the area AreaAccount; some fields are the operator's (see AccountEdit).
func (s *Service) EditAccount(ctx context.Context, actor Actor, id ID, edit AccountEdit) (Account, error) {
	entry := actor.Entry(s.newID(), AccountChange, "", id)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Account, error) {
		facts, err := tx.AccountFacts(id, actor)
		if err != nil {
			return Account{}, missing(err, accountNotFound())
		}
		entry.AccountID = id
		after, err := DecideEditAccount(facts, actor, edit)
		if err != nil || after == facts.Account {
			return after, err
		}
		entry.Before, entry.After = accountSnapshot(facts.Account), accountSnapshot(after)
		return after, tx.UpdateAccount(after, *entry)
	})
}

// DecideEditAccount says what an account becomes by an edit.
func DecideEditAccount(f AccountFacts, actor Actor, edit AccountEdit) (Account, error) {
	rights, err := f.rights(actor)
	if err != nil {
		return f.lift(actor, edit, err)
	}
	if !rights.May(AreaAccount, Write) && !actor.Operator() {
		return Account{}, refuse(Forbidden, "changing the account needs write permission on the area %q", AreaAccount)
	}
	if f.Account.Suspended && !actor.Operator() {
		return Account{}, suspended()
	}
	return edit.Apply(f.Account, actor.Operator())
}

// DeleteAccount ends the account and all of its rows, which its Super
// Administrators and the operator may do.
func (s *Service) DeleteAccount(ctx context.Context, actor Actor, id ID) error {
	entry := actor.Entry(s.newID(), AccountDelete, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.AccountFacts(id, actor)
		if err != nil {
			return struct{}{}, missing(err, accountNotFound())
		}
		entry.AccountID = id
		rights, err := facts.rights(actor)
		if err != nil {
			return struct{}{}, err
		}
		if !rights.All && !actor.Operator() {
			return struct{}{}, refuse(Forbidden, "deleting an account belongs to its Super Administrators and to the operator")
		}
		if facts.Account.Suspended && !actor.Operator() {
			return struct{}{}, suspended()
		}
		entry.Before = accountSnapshot(facts.Account)
		return struct{}{}, tx.DeleteAccount(id, *entry)
	})
	return err
}

// Roles lists the roles that members of the account may hold, by name.
func (s *Service) Roles(ctx context.Context, actor Actor, accountID ID, page PageRequest) (Page[Role], error) {
	if _, _, err := s.access(ctx, actor, accountID); err != nil {
		return Page[Role]{}, err
	}
	catalog, err := s.store.Catalog(ctx, accountID)
	if err != nil {
		return Page[Role]{}, err
	}
	return cut(catalog.Visible(accountID), page), nil
}

// Role reads one of them.
func (s *Service) Role(ctx context.Context, actor Actor, accountID, id ID) (Role, error) {
	if _, _, err := s.access(ctx, actor, accountID); err != nil {
		return Role{}, err
	}
	catalog, err := s.store.Catalog(ctx, accountID)
	if err != nil {
		return Role{}, err
	}
	role, ok := catalog.Find(accountID, id)
	if !ok {
		return Role{}, notFound("role")
	}
	return role, nil
}

func accountSnapshot(a Account) string {
	return encode(struct {
		Name             string      `json:"name"`
		Type             AccountType `json:"type"`
		EnforceTwoFactor bool        `json:"enforce_twofactor"`
		AbuseContact     string      `json:"abuse_contact_email"`
		InviteLifetime   int         `json:"default_invite_lifetime"`
		InviteDomains    []string    `json:"invite_domains"`
		MemberLimit      int         `json:"member_limit"`
		Suspended        bool        `json:"suspended"`
		NeedsSuperAdmin  bool        `json:"needs_super_administrator"`
	}{
		a.Name, a.Type, a.EnforceTwoFactor, a.AbuseContactEmail, int(a.Lifetime().Seconds()), a.InviteDomains.List(),
		a.MemberLimit, a.Suspended, a.NeedsSuperAdmin,
	})
}
