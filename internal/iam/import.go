package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Dataset is what an import brings: rows with given ids or without, checked as
// a whole and applied all or nothing. Line tells where in its file an entry
// stands, for the messages; 0 where there is no file.
type Dataset struct {
	Roles       []ImportRole
	Users       []ImportUser
	Accounts    []ImportAccount
	Memberships []ImportMembership
	Tokens      []ImportToken
}

// ImportRole is a role of every account, or of one.
type ImportRole struct {
	Role

	Line int
}

// ImportUser is a user and the secrets of its keys, which the file holds in
// plain text.
type ImportUser struct {
	User

	Line int
	Keys []string

	keyIDs []ID // drawn once, so that they hold when the transaction runs again
}

// ImportAccount is an account.
type ImportAccount struct {
	Account

	Line int
}

// ImportMembership is a membership in any state. Account and address must be
// in the file or in the database; an answered row needs a user. Grantor is the
// address of the user whose rights a pending row rests on, "" for the
// operator. Times left zero are the import's own, for ExpiresOn the
// account's lifetime after it, and for EndsOn none.
type ImportMembership struct {
	Line       int
	ID         ID
	AccountID  ID
	Email      string
	Status     Status // "" is Accepted
	RoleIDs    []ID
	InvitedBy  string // "": was added directly, unless pending
	Grantor    string
	InvitedOn  time.Time
	ExpiresOn  time.Time
	EndsOn     time.Time // of the membership
	AnsweredOn time.Time
}

// ImportToken is a bearer token with its secret in plain text. Email "" makes
// it the operator's.
type ImportToken struct {
	Line   int
	ID     ID
	Email  string
	Name   string
	Secret string
}

// Size is how many rows the dataset has.
func (d Dataset) Size() int {
	return len(d.Roles) + len(d.Users) + len(d.Accounts) + len(d.Memberships) + len(d.Tokens)
}

// Problem is one thing wrong with a dataset.
type Problem struct {
	Line    int
	Message string
}

// Problems are everything that is wrong with a dataset, by line.
type Problems []Problem //nolint:errname // a list, named for what it lists

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = fmt.Sprintf("line %d: %s", problem.Line, problem.Message)
	}
	return strings.Join(lines, "\n")
}

// importPlan is a dataset that was checked against itself: ids drawn,
// addresses canonical, references within the file resolved.
type importPlan struct {
	Dataset
	operation string
	users     map[string]*User // by address
	userIDs   map[ID]int       // line
	accounts  map[ID]*Account
	roles     map[ID]Role
	live      map[string]int // account and address of live rows: line
	seats     map[ID]int
	problems  Problems
}

func (p *importPlan) problem(line int, err error) {
	message := err.Error()
	if refusal := (*Error)(nil); errors.As(err, &refusal) && refusal.Field != "" {
		message = strings.TrimPrefix(refusal.Field, "/") + ": " + message
	}
	p.problems = append(p.problems, Problem{Line: line, Message: message})
}

// plan checks a dataset against itself and draws the ids it lacks.
func (s *Service) plan(dataset Dataset) (*importPlan, error) {
	p := &importPlan{
		Dataset: Dataset{
			Roles:       slices.Clone(dataset.Roles),
			Users:       slices.Clone(dataset.Users),
			Accounts:    slices.Clone(dataset.Accounts),
			Memberships: slices.Clone(dataset.Memberships),
			Tokens:      slices.Clone(dataset.Tokens),
		},
		operation: s.newID(),
		users:     make(map[string]*User, len(dataset.Users)),
		userIDs:   make(map[ID]int, len(dataset.Users)),
		accounts:  make(map[ID]*Account, len(dataset.Accounts)),
		roles:     make(map[ID]Role, len(dataset.Roles)),
		live:      make(map[string]int, len(dataset.Memberships)),
		seats:     make(map[ID]int, len(dataset.Accounts)),
	}
	p.planRoles(s)
	p.planUsers(s)
	p.planAccounts(s)
	p.planMemberships(s)
	p.planTokens(s)
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, p.problems
	}
	return p, nil
}

func (p *importPlan) planRoles(s *Service) {
	for i := range p.Roles {
		row := &p.Roles[i]
		if row.ID == "" {
			row.ID = s.drawID()
		}
		role, err := CheckDefinedRole(row.Role)
		switch _, twice := p.roles[role.ID]; {
		case err != nil:
			p.problem(row.Line, err)
		case twice:
			p.problem(row.Line, fmt.Errorf("role %q stands in the file twice", role.ID))
		default:
			row.Role = role
			p.roles[role.ID] = role
		}
	}
}

func (p *importPlan) planUsers(s *Service) {
	for i := range p.Users {
		row := &p.Users[i]
		if row.ID == "" {
			row.ID = s.drawID()
		} else if _, ok := ParseID(string(row.ID)); !ok {
			p.problem(row.Line, invalid("/id", "must be 32 lower-case hex characters"))
		}
		user, err := CheckUser(row.User)
		if err != nil {
			p.problem(row.Line, err)
			continue
		}
		if _, twice := p.users[user.Email]; twice {
			p.problem(row.Line, fmt.Errorf("user %s stands in the file twice", user.Email))
		}
		if line, twice := p.userIDs[user.ID]; twice {
			p.problem(row.Line, fmt.Errorf("user id %s is that of line %d too", user.ID, line))
		}
		row.keyIDs = make([]ID, len(row.Keys))
		for i, secret := range row.Keys {
			row.keyIDs[i] = s.drawID()
			if !WellFormedSecret(secret) {
				p.problem(row.Line, invalid("/keys", "a key is %d to %d of 0-9, a-z, A-Z, - and _", MinSecret, MaxSecret))
			}
		}
		row.User = user
		p.users[user.Email], p.userIDs[user.ID] = &row.User, row.Line
	}
}

func (p *importPlan) planAccounts(s *Service) {
	for i := range p.Accounts {
		row := &p.Accounts[i]
		if row.ID == "" {
			row.ID = s.drawID()
		} else if _, ok := ParseID(string(row.ID)); !ok {
			p.problem(row.Line, invalid("/id", "must be 32 lower-case hex characters"))
		}
		if row.Type == "" {
			row.Type = Standard
		}
		account := row.Account
		edit := AccountEdit{
			Name: &account.Name, AbuseContactEmail: &account.AbuseContactEmail, Type: &account.Type, MemberLimit: &account.MemberLimit,
		}
		domains := account.InviteDomains.List()
		edit.InviteDomains = &domains
		if account.InviteLifetime != 0 {
			edit.InviteLifetime = &account.InviteLifetime
		}
		checked, err := edit.Apply(account, true)
		if err != nil {
			p.problem(row.Line, err)
		}
		if _, twice := p.accounts[row.ID]; twice {
			p.problem(row.Line, fmt.Errorf("account %s stands in the file twice", row.ID))
		}
		row.Account = checked
		row.ID = account.ID
		p.accounts[row.ID] = &row.Account
	}
}

func (p *importPlan) planTokens(s *Service) {
	for i := range p.Tokens {
		row := &p.Tokens[i]
		if row.ID == "" {
			row.ID = s.drawID()
		} else if _, ok := ParseID(string(row.ID)); !ok {
			p.problem(row.Line, invalid("/id", "must be 32 lower-case hex characters"))
		}
		if !WellFormedSecret(row.Secret) {
			p.problem(row.Line, invalid("/secret", "a token is %d to %d of 0-9, a-z, A-Z, - and _", MinSecret, MaxSecret))
		}
		if row.Email == "" {
			continue
		}
		email, err := CanonicalEmail(row.Email)
		if err != nil {
			p.problem(row.Line, at("/user", err))
		} else if p.users[email] == nil {
			p.problem(row.Line, invalid("/user", "user %s is not in the file", email))
		}
		row.Email = email
	}
}

func (p *importPlan) planMemberships(s *Service) {
	ids := make(map[ID]int, len(p.Memberships))
	for i := range p.Memberships {
		row := &p.Memberships[i]
		if row.ID == "" {
			row.ID = s.drawID()
		} else if _, ok := ParseID(string(row.ID)); !ok {
			p.problem(row.Line, invalid("/id", "must be 32 lower-case hex characters"))
		}
		if line, twice := ids[row.ID]; twice {
			p.problem(row.Line, fmt.Errorf("membership id %s is that of line %d too", row.ID, line))
		}
		ids[row.ID] = row.Line
		if err := p.planMembership(row, s.now()); err != nil {
			p.problem(row.Line, err)
		}
	}
	for id, seats := range p.seats {
		if account := p.accounts[id]; account != nil && account.MemberLimit > 0 && seats > account.MemberLimit {
			p.problem(0, fmt.Errorf("account %s: %d pending and accepted members are more than its limit of %d",
				id, seats, account.MemberLimit))
		}
	}
}

func (p *importPlan) planMembership(row *ImportMembership, now time.Time) error {
	email, err := CanonicalEmail(row.Email)
	if err != nil {
		return at("/email", err)
	}
	row.Email = email
	if row.Grantor != "" {
		if row.Grantor, err = CanonicalEmail(row.Grantor); err != nil {
			return at("/grantor", err)
		}
	}
	if row.InvitedBy, err = line("/invited_by", row.InvitedBy, MaxEmail); err != nil {
		return err
	}
	if row.Status == "" {
		row.Status = Accepted
	}
	if !slices.Contains([]Status{Pending, Accepted, Rejected, Expired, Canceled, Left, Removed}, row.Status) {
		return invalid("/status", "%q is not a state of a membership", row.Status)
	}
	if _, ok := ParseID(string(row.AccountID)); !ok {
		return invalid("/account", "must be the id of an account, 32 lower-case hex characters")
	}
	if len(row.RoleIDs) == 0 {
		return invalid("/roles", "must name at least one role")
	}
	if err := row.checkEnds(now); err != nil {
		return err
	}
	if row.Status.Live() {
		key := string(row.AccountID) + row.Email
		if line, twice := p.live[key]; twice {
			return fmt.Errorf("%s is pending or accepted in this account on line %d already", row.Email, line)
		}
		p.live[key] = row.Line
		p.seats[row.AccountID]++
	}
	return nil
}

// checkEnds checks when a membership is to end, as inviting and adding do. What ended
// before is taken as it was.
func (row *ImportMembership) checkEnds(now time.Time) error {
	if !row.Status.Live() {
		return nil
	}
	if _, err := membershipEnd("/membership_expires_on", row.EndsOn, now); err != nil {
		return err
	}
	if row.Status != Pending {
		return nil
	}
	_, err := withinMembership(Membership{ExpiresOn: row.ExpiresOn, EndsOn: row.EndsOn}, row.ExpiresOn)
	return err
}
