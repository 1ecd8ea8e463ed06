package iam

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Budgets bound how many invitations are mailed. 0 is no bound. Those of the
// inviting side refuse to invite; the others put mails off, and nobody is told:
// what one account sends to somebody is no business of another.
type Budgets struct {
	InviterDay    int // of one user, over all accounts
	AccountDay    int
	RecipientDay  int // to one mailbox, over all accounts
	RecipientWeek int
	DomainDay     int // to all mailboxes of a domain
	InstanceDay   int
	// Open is how many more invitations an account may have open than it has members.
	// Where few accept there is somebody who invites whoever comes to mind.
	Open int
}

// Tally counts what happens in a stretch of time, against a limit. Subject is a
// hash or an id, never an address.
type Tally struct {
	Name     string
	Subject  string
	StartsOn time.Time
	EndsOn   time.Time
	Limit    int
}

const (
	day  = 24 * time.Hour
	week = 7 * day

	inviterTally = "inviter"
)

// tallyOf is what is counted in the stretch around now: stretches follow each
// other, a week's begin on Monday.
func tallyOf(name, subject string, stretch time.Duration, limit int, now time.Time) Tally {
	start := now.Truncate(stretch)
	return Tally{Name: name, Subject: subject, StartsOn: start, EndsOn: start.Add(stretch), Limit: limit}
}

// bounded leaves out what has no limit.
func bounded(tallies ...Tally) []Tally {
	kept := tallies[:0]
	for _, tally := range tallies {
		if tally.Limit > 0 {
			kept = append(kept, tally)
		}
	}
	return kept
}

// inviting are the tallies of whoever invites. The operator's own programs have
// none but the account's.
func (b Budgets) inviting(actor Actor, accountID ID, now time.Time) []Tally {
	tallies := []Tally{tallyOf("account", string(accountID), day, b.AccountDay, now)}
	if actor.Kind == ByUser {
		tallies = append(tallies, tallyOf(inviterTally, string(actor.User.ID), day, b.InviterDay, now))
	}
	return bounded(tallies...)
}

// sending are the tallies of whom an invitation is mailed to.
func (b Budgets) sending(recipient string, now time.Time) []Tally {
	mailbox := Mailbox(recipient)
	_, domain, _ := strings.Cut(mailbox, "@")
	return bounded(
		tallyOf("recipient_day", hashed(mailbox), day, b.RecipientDay, now),
		tallyOf("recipient_week", hashed(mailbox), week, b.RecipientWeek, now),
		tallyOf("domain", hashed(domain), day, b.DomainDay, now),
		tallyOf("instance", "", day, b.InstanceDay, now),
	)
}

// Mailbox is where the mails of a canonical address arrive: what stands behind
// a plus in front of the @ is the recipient's own sorting. For access it is
// another identity, for how much mail somebody gets it is the same one.
func Mailbox(email string) string {
	local, domain, found := strings.Cut(email, "@")
	if at := strings.IndexByte(local, '+'); found && at > 0 {
		local = local[:at]
	}
	return local + "@" + domain
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// mayOpen refuses one invitation more than an account may have open, where the
// instance sends any.
func (m Mailing) mayOpen(seats Seats) error {
	limit := m.Budgets.Open + seats.Members
	if !m.Enabled || m.Budgets.Open == 0 || seats.Open < limit {
		return nil
	}
	return &Error{
		Kind: BudgetSpent, RetryAfter: day,
		Message: fmt.Sprintf("%d invitations of the account are open, and it may have %d: "+
			"wait for answers, withdraw some, or have the operator raise it", seats.Open, limit),
	}
}

// spendInvite is spend for an invitation that takes a place beside those that are
// taken.
func (m Mailing) spendInvite(tx Tx, actor Actor, seats Seats, decision InviteDecision) error {
	if decision.Action != InviteCreate {
		return nil
	}
	if err := m.mayOpen(seats); err != nil {
		return err
	}
	return m.spend(tx, actor, decision)
}

// spend takes one of each budget of the inviting side for a new invitation, or
// refuses, where the instance sends any.
func (m Mailing) spend(tx Tx, actor Actor, decision InviteDecision) error {
	if !m.Enabled || decision.Action != InviteCreate {
		return nil
	}
	refused, err := tx.Spend(m.Budgets.inviting(actor, decision.Row.AccountID, tx.Now()))
	if err != nil || refused == nil {
		return err
	}
	return spent(*refused, tx.Now())
}

// spent refuses an invitation that a budget has no room for.
func spent(refused Tally, now time.Time) error {
	whose := "the account's"
	if refused.Name == inviterTally {
		whose = "your"
	}
	return &Error{
		Kind: BudgetSpent, RetryAfter: refused.EndsOn.Sub(now),
		Message: whose + " budget of invitations for today is spent; go on tomorrow, or have the operator raise it",
	}
}
