package iam

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"
)

// MaxBulkRows is how many rows one bulk of invitations may have.
const MaxBulkRows = 10_000

// BulkBatch is how many rows of a bulk one transaction works off: few enough for
// other writers of the account, and of an engine with one writer, to get their turn.
const BulkBatch = 25

// BulkLease is for how long a worker keeps a bulk to itself after each batch. It
// only keeps workers out of each other's way: what a batch rests on is locked.
const BulkLease = 5 * time.Second

// BulkState is where a bulk stands.
type BulkState string

// The states of a bulk; what ended has no rows that wait.
const (
	BulkRunning  BulkState = "running"
	BulkFinished BulkState = "finished"
	BulkCanceled BulkState = "canceled"
)

// BulkOutcome is what became of a row.
type BulkOutcome string

// The outcomes of a row. BulkWouldInvite is a preview's, which has none of
// BulkWaiting, BulkInvited and BulkNotSent.
const (
	BulkWaiting        BulkOutcome = "waiting"
	BulkInvited        BulkOutcome = "invited"
	BulkWouldInvite    BulkOutcome = "would_invite"
	BulkAlreadyInvited BulkOutcome = "already_invited" // with the same roles: it stands
	BulkAlreadyMember  BulkOutcome = "already_member"
	BulkRefused        BulkOutcome = "refused"
	BulkNotSent        BulkOutcome = "canceled" // the bulk was canceled before its turn
)

// BulkRow is one row of a bulk.
type BulkRow struct {
	Number int // its place among the rows, from 1
	Line   int // of the file, on which it begins
	// Email is canonical, "" where the file has no address there: what is none is
	// not kept.
	Email     string
	Roles     []string // ids or names, as the file has them; later they are ids
	ExpiresOn time.Time
	EndsOn    time.Time // of the membership; zero: never
	Locale    string
	Note      string

	Outcome  BulkOutcome
	Reason   Kind // of an outcome that has one
	Field    string
	Message  string // for the client: it holds no address
	InviteID ID     // the invitation that was made, or stands
}

// Refuse ends a row whose field will not do.
func (r *BulkRow) Refuse(err error) {
	r.Outcome, r.Reason, r.Message = BulkRefused, KindOf(err), "internal error; the log has more"
	if refusal, ok := errors.AsType[*Error](err); ok {
		r.Field, r.Message = refusal.Field, refusal.Message
	}
}

// request is what the row asks for.
func (r *BulkRow) request() InviteRequest {
	ids := make([]ID, len(r.Roles))
	for i, role := range r.Roles {
		ids[i] = ID(role)
	}
	return InviteRequest{
		Email: r.Email, RoleIDs: ids, ExpiresOn: r.ExpiresOn, EndsOn: r.EndsOn, Locale: r.Locale, Note: r.Note,
	}
}

// BulkCounts are how many rows have which outcome.
type BulkCounts map[BulkOutcome]int

// Bulk is a list of people to invite, worked off row by row after it was taken on.
type Bulk struct {
	ID, AccountID ID
	// Actor is who asked; of its user only the id is kept, and the address that it
	// has at the time is read.
	Actor     Actor  `json:"-"`
	By        string // who that is, as others see it
	State     BulkState
	Rows      int
	Counts    BulkCounts
	CreatedOn time.Time
	EndedOn   time.Time // zero while it runs
	// Worker keeps it to itself until LeasedTo; "" nobody does.
	Worker   string    `json:"-"`
	LeasedTo time.Time `json:"-"`
}

// with is the bulk with other counts.
func (b Bulk) with(change BulkCounts) Bulk {
	counts := maps.Clone(b.Counts)
	for outcome, n := range change {
		counts[outcome] += n
	}
	b.Counts = counts
	return b
}

// BulkFacts are what a batch rests on. The account is locked with them.
type BulkFacts struct {
	AccountFacts

	Bulk Bulk
	// Gone says that the account was deleted.
	Gone bool
	// Shown says that the credential that the bulk was asked for with still holds.
	Shown bool
	Seats Seats
	// AnyDue says that some row of the account is past its end and not written down so.
	AnyDue bool
	Rows   []BulkRow // the next ones that wait
	// Standing are the live rows of the addresses, by address, and memberships whose
	// time is up but which are not ended yet.
	Standing map[string]Member
}

// mayGoOn asks all that does not depend on the row: who asked for the bulk still
// may invite. Where it may not, no row that is left can be anything but refused.
func (f BulkFacts) mayGoOn() error {
	actor := f.Bulk.Actor
	switch {
	case f.Gone:
		return accountNotFound()
	case actor.Kind == ByUser && actor.User.Suspended:
		return refuse(Forbidden, "the user who asked for this was disabled meanwhile")
	case !f.Shown:
		return refuse(Forbidden, "the key or token that this was asked for with holds no more; ask anew with another one, "+
			"and who is invited already stays so")
	}
	_, err := f.manager(actor)
	return err
}

// invite are the facts of one row. seats are those taken before it.
func (f BulkFacts) invite(row BulkRow, seats Seats, now time.Time) InviteFacts {
	facts := InviteFacts{AccountFacts: f.AccountFacts, Seats: seats}
	switch standing, ok := f.Standing[row.Email]; {
	case ok && standing.over(now):
		facts.Over = standing.ID
	case ok:
		facts.Existing, facts.Grantor, facts.Locale = &standing.Membership, standing.GrantorFacts, standing.Locale
	}
	return facts
}

// settle notes on a row what a decision, or its refusal, makes of it.
func (r *BulkRow) settle(decision InviteDecision, err error) {
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil && decision.Action == InviteCreate:
		r.Outcome, r.InviteID = BulkInvited, decision.Row.ID
	case err == nil:
		r.Outcome, r.Reason, r.Message, r.InviteID = BulkAlreadyInvited, AlreadyInvited, decision.Message, decision.Row.ID
	case refused && refusal.Kind == AlreadyMember:
		r.Outcome, r.Reason, r.Message = BulkAlreadyMember, refusal.Kind, refusal.Message
	default:
		r.Refuse(err)
	}
}

// roleNames finds roles by what people call them.
type roleNames struct {
	accountID ID
	catalog   *Catalog
	byName    map[string][]ID // in lower case
}

func newRoleNames(catalog *Catalog, accountID ID) roleNames {
	names := roleNames{accountID, catalog, map[string][]ID{}}
	for _, role := range catalog.Visible(accountID) {
		name := strings.ToLower(role.Name)
		names.byName[name] = append(names.byName[name], role.ID)
	}
	return names
}

// find are the roles that a text may mean: by its id, or by its name.
func (n roleNames) find(text string) []ID {
	if _, ok := n.catalog.Find(n.accountID, ID(text)); ok {
		return []ID{ID(text)}
	}
	return n.byName[strings.ToLower(text)]
}

// resolve turns ids and names into ids. A text that is neither may be several, a
// comma between two; that the name of a role has one is why this comes second.
// Refusals don't repeat the text: where columns are mixed up it is somebody's address.
func (n roleNames) resolve(texts []string) ([]string, error) {
	var ids []string
	for i, text := range texts {
		parts := []string{text}
		if len(n.find(text)) == 0 {
			parts = strings.Split(text, ",")
		}
		if len(ids)+len(parts) > MaxRolesPerMember {
			return nil, invalid("/roles", "must name at most %d roles", MaxRolesPerMember)
		}
		for _, part := range parts {
			switch found := n.find(strings.TrimSpace(part)); len(found) {
			case 1:
				ids = append(ids, string(found[0]))
			case 0:
				return nil, invalid(indexed("/roles", i), "is neither the id nor the name of a role of this account")
			default:
				return nil, invalid(indexed("/roles", i), "%d roles have this name; give the id of one", len(found))
			}
		}
	}
	return ids, nil
}

// resolveRoles turns the names of roles into ids, as members of an account may
// hold them. What is neither is refused on its row.
func resolveRoles(rows []BulkRow, names roleNames) {
	for i := range rows {
		row := &rows[i]
		if row.Outcome != BulkWaiting {
			continue
		}
		ids, err := names.resolve(row.Roles)
		if err != nil {
			row.Refuse(err)
			continue
		}
		row.Roles = ids
	}
}

// refuseRepeated refuses a row whose address an earlier one has: which of the two
// is meant nobody can tell.
func refuseRepeated(rows []BulkRow) {
	first := make(map[string]int, len(rows))
	for i := range rows {
		row := &rows[i]
		if row.Email == "" {
			continue
		}
		if line, twice := first[row.Email]; !twice {
			first[row.Email] = row.Line
		} else if row.Outcome == BulkWaiting {
			row.Refuse(invalid("/email", "line %d has this address already", line))
		}
	}
}

// count is how many rows have which outcome.
func count(rows []BulkRow) BulkCounts {
	counts := BulkCounts{}
	for _, row := range rows {
		counts[row.Outcome]++
	}
	return counts
}

// checkBulk refuses what cannot be a bulk as a whole.
func checkBulk(rows []BulkRow) error {
	switch {
	case len(rows) == 0:
		return invalid("", "there are no rows in it: give one person a line")
	case len(rows) > MaxBulkRows:
		return invalid("", "there are more than %d rows in it: divide it", MaxBulkRows)
	}
	return nil
}

// bulkReasons are the names under which the kinds of refusals are kept that a row
// can meet.
func bulkReasons() map[Kind]string {
	return map[Kind]string{
		Internal: "internal", Invalid: "invalid", AccountNotFound: "account_not_found", Forbidden: "forbidden",
		TwoFactorRequired: "two_factor_required", NoSeat: "no_seat", AlreadyMember: "already_member", AlreadyInvited: "already_invited",
		RoleCeiling: "role_ceiling", DomainRefused: "domain_refused", BudgetSpent: "budget_spent", AccountSuspended: "account_suspended",
	}
}

// ReasonName is a kind of refusal as it is kept with a row; ReasonKind reads it.
func ReasonName(kind Kind) string { return bulkReasons()[kind] }

// ReasonKind is the kind of that name, Internal where there is none.
func ReasonKind(name string) Kind {
	for kind, known := range bulkReasons() {
		if known == name {
			return kind
		}
	}
	return Internal
}

// inBulk is a snapshot that says of which bulk it is.
func inBulk(snapshot string, bulkID ID) string {
	if bulkID == "" {
		return snapshot
	}
	of := `"bulk_id":"` + string(bulkID) + `"}`
	if snapshot == "" {
		return "{" + of
	}
	return strings.TrimSuffix(snapshot, "}") + "," + of
}

// bulkSnapshot is a bulk as audit rows hold it.
func bulkSnapshot(b Bulk) string {
	return encode(struct {
		State  BulkState  `json:"state"`
		Rows   int        `json:"rows"`
		Counts BulkCounts `json:"counts"`
	}{b.State, b.Rows, b.Counts})
}

// entryOf is the audit row of one row of a bulk.
func (b Bulk) entryOf(operation string, row BulkRow) AuditEntry {
	return b.Actor.Entry(operation+"-"+strconv.Itoa(row.Number), InviteCreate, b.AccountID, "")
}

// budget counts in memory what a preview would spend.
type budget struct {
	mailing Mailing
	tallies []Tally
	used    []int
}

// spend takes one of each for one beside the places that are taken, or refuses as
// the first that is spent does.
func (b *budget) spend(seats Seats, now time.Time) error {
	if err := b.mailing.mayOpen(seats); err != nil {
		return err
	}
	for i, tally := range b.tallies {
		if b.used[i] >= tally.Limit {
			return spent(tally, now)
		}
	}
	for i := range b.tallies {
		b.used[i]++
	}
	return nil
}

// CheckLocale returns a language tag, "" too, or what is wrong with it; CheckNote
// does the same of a word to the invited.
func CheckLocale(s string) (string, error) { return localeTag("", strings.TrimSpace(s)) }

// CheckNote is beside CheckLocale.
func CheckNote(s string) (string, error) { return inviteNote("", s) }
