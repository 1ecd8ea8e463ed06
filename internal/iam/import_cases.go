package iam

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Import checks a dataset as a whole and writes it all or nothing. What is
// wrong comes back as Problems. progress is told how many rows are done, and
// may hear a row twice; it may be nil.
func (s *Service) Import(ctx context.Context, actor Actor, dataset Dataset, progress func(done, total int)) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	plan, err := s.plan(dataset)
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	_, err = Update(ctx, s.store, func(tx Tx) (struct{}, error) {
		run := importRun{importPlan: plan, tx: tx, actor: actor, mailing: s.mailing, progress: progress}
		return struct{}{}, run.apply()
	})
	return err
}

// importRun is one run of an import's transaction.
type importRun struct {
	*importPlan
	tx       Tx
	catalog  *Catalog
	actor    Actor
	mailing  Mailing
	progress func(done, total int)
	done     int
}

func (r *importRun) apply() error {
	for _, step := range []func() error{r.addAccounts, r.addRoles, r.readCatalog, r.addUsers, r.addMemberships, r.addTokens} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// added names the line of a row that the database refused, and counts it.
func (r *importRun) added(line int, what string, err error) error {
	var refusal *Error
	switch {
	case errors.Is(err, ErrDuplicate):
		return Problems{{line, what + " is in the database already, under this id or another"}}
	case errors.As(err, &refusal) && refusal.Kind != Internal && refusal.Kind != Unavailable:
		return Problems{{line, what + ": " + refusal.Message}}
	case err != nil:
		return fmt.Errorf("line %d: %w", line, err)
	}
	r.done++
	r.progress(r.done, r.Size())
	return nil
}

func (r *importRun) entry(accountID, targetID ID, after string) AuditEntry {
	entry := r.actor.Entry(fmt.Sprintf("%s-%d", r.operation, r.done), Import, accountID, targetID)
	entry.After = after
	return entry
}

func (r *importRun) addAccounts() error {
	for _, row := range r.Accounts {
		row.CreatedOn = r.orNow(row.CreatedOn)
		err := r.tx.InsertAccount(row.Account, r.entry(row.ID, row.ID, accountSnapshot(row.Account)))
		if err := r.added(row.Line, "account "+string(row.ID), err); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) addRoles() error {
	for _, row := range r.Roles {
		if row.AccountID != "" && r.accounts[row.AccountID] == nil {
			if _, err := r.tx.AccountFacts(row.AccountID, r.actor); err != nil {
				return r.added(row.Line, "account "+string(row.AccountID), missing(err, accountNotFound()))
			}
		}
		err := r.tx.InsertRole(row.Role, OriginImport, r.entry(row.AccountID, row.ID, roleSnapshot(row.Role)))
		if err := r.added(row.Line, "role "+string(row.ID), err); err != nil {
			return err
		}
	}
	return nil
}

// readCatalog takes up the roles that the database has, the file's now among
// them.
func (r *importRun) readCatalog() error {
	var defined []Role
	for _, origin := range []string{OriginFile, OriginImport} {
		roles, err := r.tx.DefinedRoles(origin)
		if err != nil {
			return err
		}
		defined = append(defined, roles...)
	}
	r.catalog = NewCatalog(defined)
	return nil
}

func (r *importRun) addUsers() error {
	for _, row := range r.Users {
		row.CreatedOn = r.orNow(row.CreatedOn)
		entry := r.entry("", row.ID, userSnapshot(row.User))
		err := r.tx.InsertUser(row.User, entry)
		for i, secret := range row.Keys {
			if err != nil {
				break
			}
			keyEntry := entry
			keyEntry.OperationID += fmt.Sprintf("-key-%d", i)
			keyEntry.Action, keyEntry.After = KeyCreate, ""
			key := Key{ID: row.keyIDs[i], UserID: row.ID, Name: "imported", Hash: HashSecret(secret), CreatedOn: r.tx.Now()}
			keyEntry.TargetID = key.ID
			err = r.tx.InsertKey(key, keyEntry)
		}
		if err := r.added(row.Line, "user "+row.Email+" or one of its keys", err); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) addTokens() error {
	for _, row := range r.Tokens {
		token := Token{ID: row.ID, Name: row.Name, Hash: HashSecret(row.Secret), CreatedOn: r.tx.Now()}
		if row.Email != "" {
			token.UserID = r.users[row.Email].ID
		}
		entry := r.entry("", row.ID, "")
		entry.Action = TokenCreate
		if err := r.added(row.Line, "token "+string(row.ID), r.tx.InsertToken(token, entry)); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) addMemberships() error {
	for _, row := range r.Memberships {
		if err := r.added(row.Line, "membership of "+row.Email, r.addMembership(row)); err != nil {
			return err
		}
	}
	return nil
}

// addMembership adds a row. In an account that was there before, what the clock
// ended makes room first, and a missing Super Administrator may be found.
func (r *importRun) addMembership(row ImportMembership) error {
	account, catalog, user, err := r.references(row)
	if err != nil {
		return err
	}
	m, err := r.membership(row, account, catalog, user)
	if err != nil {
		return err
	}
	entry := r.entry(m.AccountID, m.ID, snapshot(m))
	if r.accounts[m.AccountID] == nil && m.Status.Live() {
		if err := r.mailing.settle(r.tx, m.AccountID, m.Email); err != nil {
			return err
		}
		if err := appoint(r.tx, account, m, user != nil && !user.Suspended, entry); err != nil {
			return err
		}
	}
	// Whoever imports told the invited by other means: the clock ends a row, and
	// reminds of none.
	return r.tx.InsertMembership(m, Link{WakeOn: m.ExpiresOn}, entry)
}

// membership is the row that an entry describes, its references resolved.
func (r *importRun) membership(row ImportMembership, account Account, catalog *Catalog, user *User) (Membership, error) {
	roles, err := AccountFacts{Account: account, Catalog: catalog}.resolve(row.RoleIDs)
	if err != nil {
		return Membership{}, err
	}
	m := Membership{
		ID: row.ID, AccountID: row.AccountID, Email: row.Email, Status: row.Status, Roles: roles,
		Invited:   row.InvitedBy != "" || row.Status == Pending || row.Status == Expired,
		InvitedBy: row.InvitedBy, CreatedOn: r.orNow(row.InvitedOn), AnsweredOn: row.AnsweredOn, EndsOn: row.EndsOn,
	}
	if m.Status == Pending {
		if err := account.mayAsk(m.Email); err != nil {
			return Membership{}, err
		}
	}
	if m.Invited {
		m.InvitedOn = m.CreatedOn
		if m.InvitedBy == "" {
			m.InvitedBy = r.actor.Name()
		}
		if m.ExpiresOn = row.ExpiresOn; m.ExpiresOn.IsZero() {
			m.ExpiresOn = m.InvitedOn.Add(account.Lifetime())
		}
	}
	switch m.Status {
	case Pending:
		if m, err = withinMembership(m, row.ExpiresOn); err != nil {
			return Membership{}, err
		}
	case Accepted:
		m.EndWake = endWake(m, false, r.tx.Now())
	case Rejected, Expired, Canceled, Left, Removed:
	}
	if err := r.answered(&m, user); err != nil {
		return Membership{}, err
	}
	m.Grantor, err = r.grantor(row)
	return m, err
}

// grantor is whose rights a row rests on: who is named, else the user who
// invited, else whoever imports.
func (r *importRun) grantor(row ImportMembership) (Grantor, error) {
	address := row.Grantor
	if address == "" {
		var err error
		if address, err = CanonicalEmail(row.InvitedBy); err != nil {
			return r.actor.Grantor(), nil //nolint:nilerr // a name, not an address
		}
	}
	user, err := r.user(row.AccountID, address)
	switch {
	case err != nil:
		return Grantor{}, err
	case user != nil:
		return Grantor{Kind: ByUser, ID: user.ID}, nil
	case row.Grantor == "":
		return r.actor.Grantor(), nil
	}
	return Grantor{}, invalid("/grantor", "user %s is neither in the file nor in the database", row.Grantor)
}

// answered ties an answered row to its user.
func (r *importRun) answered(m *Membership, user *User) error {
	if m.Status != Accepted && m.Status != Rejected && m.Status != Left && m.Status != Removed {
		return nil
	}
	if user == nil {
		return invalid("/email", "a row that is %s needs a user with its address, in the file or in the database", m.Status)
	}
	m.UserID = user.ID
	m.AnsweredOn = r.orNow(m.AnsweredOn)
	return nil
}

// references finds what an entry names: in the file where it can, else in the
// database.
func (r *importRun) references(row ImportMembership) (Account, *Catalog, *User, error) {
	account, user := r.accounts[row.AccountID], r.users[row.Email]
	if account != nil && (user != nil || !needsUser(row.Status)) {
		return *account, r.catalog, user, nil
	}
	facts, err := r.tx.InviteFacts(row.AccountID, row.Email, r.actor)
	if err != nil {
		return Account{}, nil, nil, missing(err, invalid("/account", "account %s is neither in the file nor in the database", row.AccountID))
	}
	if row.Status.Live() && facts.Account.MemberLimit > 0 && facts.Seats.Taken() >= facts.Account.MemberLimit {
		return Account{}, nil, nil, refuse(NoSeat, "all %d seats of the account are taken", facts.Account.MemberLimit)
	}
	if user == nil {
		user = facts.User
	}
	return facts.Account, facts.Catalog, user, nil
}

func needsUser(status Status) bool {
	return status != Pending && status != Expired && status != Canceled
}

// user finds a user by address: in the file, else in the database.
func (r *importRun) user(accountID ID, email string) (*User, error) {
	if user := r.users[email]; user != nil {
		return user, nil
	}
	facts, err := r.tx.InviteFacts(accountID, email, r.actor)
	return facts.User, err
}

func (r *importRun) orNow(t time.Time) time.Time {
	if t.IsZero() {
		return r.tx.Now()
	}
	return t
}
