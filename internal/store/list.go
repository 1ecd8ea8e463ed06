package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

// A list is made of branches, one for each state in it: a branch walks one
// index in the order that was asked for, and the engine merges them. So a page
// costs what it skips and shows, however many rows there are, and rows
// themselves are read only for what is shown.
//
// SQLite takes the order into the branches by itself. PostgreSQL does not: it
// reads and sorts all of them, whatever it knows of the account's size. So there
// each branch is sorted and cut by itself (Store.cutBranches). SQLite would not
// see that what is cut is sorted, and sort it once more.

// branch selects ids of one state as it is stored, and as it reads: the two
// differ for what is due.
type branch struct{ stored, reads iam.Status }

// branchesOf are the branches behind some states as they read. However often
// and in whatever order a caller names the states, the statement is the same:
// it is prepared once.
func branchesOf(statuses []iam.Status) []branch {
	var list []branch
	for _, status := range []iam.Status{
		iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled, iam.Left, iam.Removed,
	} {
		if !slices.Contains(statuses, status) {
			continue
		}
		list = append(list, branch{status, status})
		if status == iam.Expired {
			list = append(list, branch{iam.Pending, iam.Expired})
		}
	}
	return list
}

// where is the branch's condition on row m; now names the parameter.
func (p branch) where(now func() string) string {
	where := ` AND m.status = '` + string(p.stored) + `'`
	switch {
	case p.stored == iam.Accepted:
		return where + ` AND ` + lasting("m", now())
	case p.stored != iam.Pending || p.reads == "":
		return where
	case p.reads == iam.Pending:
		return where + ` AND ` + notDue(now())
	default:
		return where + ` AND ` + due(now())
	}
}

// together makes one branch of the pending rows where the due ones among them
// are listed as well, and it is of no account which is which.
func together(list []branch) []branch {
	current, due := slices.Index(list, branch{iam.Pending, iam.Pending}), slices.Index(list, branch{iam.Pending, iam.Expired})
	if current < 0 || due < 0 {
		return list
	}
	list[current].reads = ""
	return slices.Delete(list, due, due+1)
}

// present is the id of an account unless it was deleted.
func present(account string) string {
	return `(SELECT a.id FROM accounts a WHERE a.id = ` + account + ` AND a.deleted_on = 0)`
}

// Members implements iam.Store.
func (s *Store) Members(ctx context.Context, accountID iam.ID, query iam.MemberQuery, now time.Time) (iam.Page[iam.Member], error) {
	statuses := []iam.Status{query.Status}
	switch query.Status {
	case "":
		statuses = []iam.Status{iam.Pending, iam.Accepted}
	case iam.Pending, iam.Accepted, iam.Rejected:
	case iam.Expired, iam.Canceled, iam.Left, iam.Removed:
		return iam.Page[iam.Member]{}, nil // none of them is a member
	}
	list := accountList{
		accountID: accountID, statuses: statuses, email: query.Email, order: memberOrdering(query.Order),
		descending: query.Descending, page: query.PageRequest, after: query.After, now: now, cut: s.cutBranches,
	}
	return snapshot(ctx, s, list.read)
}

// ordering is how a list is sorted: by what its branches select, and at last
// by id.
type ordering struct {
	// columns are what a branch sorts by; all branches have as many.
	columns func(stored iam.Status) []string
	// against are the ways of the columns, all turned where the list goes
	// downward: true goes against it.
	against []bool
}

// memberOrdering is the ordering of a wire's order. A column is named as it
// stands in an index, or is the state, which is the same in all of a branch:
// so the engine sees that the index has the order already.
func memberOrdering(order iam.MemberOrder) ordering {
	by := func(column string) ordering {
		return ordering{func(iam.Status) []string { return []string{column} }, []bool{false}}
	}
	// Only accepted rows have names: the others come before them all.
	byName := func(column string) ordering {
		return ordering{func(stored iam.Status) []string {
			if stored == iam.Accepted {
				return []string{`m.status`, column}
			}
			return []string{`m.status`, `m.status`}
		}, []bool{true, false}}
	}
	switch order {
	case iam.ByFirstName:
		return byName(`m.first_name`)
	case iam.ByLastName:
		return byName(`m.last_name`)
	case iam.ByEmail:
		return by(`m.email`)
	case iam.ByMemberStatus:
		return by(`m.status`)
	}
	return byID()
}

func byID() ordering { return ordering{columns: func(iam.Status) []string { return nil }} }

// selects are the columns of a branch.
func (o ordering) selects(stored iam.Status) string {
	var list strings.Builder
	for i, column := range o.columns(stored) {
		_, _ = fmt.Fprintf(&list, `, %s AS sort%d`, column, i)
	}
	return list.String()
}

// clause is the ORDER BY of what the branches of source give.
func (o ordering) clause(source string, descending bool) string {
	var clause strings.Builder
	_, _ = clause.WriteString(` ORDER BY `)
	for i, against := range o.against {
		_, _ = fmt.Fprintf(&clause, `%ssort%d%s, `, source, i, direction(descending != against))
	}
	return clause.String() + source + `id` + direction(descending)
}

// AccountInvitations implements iam.Store.
func (s *Store) AccountInvitations(
	ctx context.Context, accountID iam.ID, query iam.InvitationQuery, now time.Time,
) (iam.Page[iam.Member], error) {
	statuses := []iam.Status{query.Status}
	switch query.Status {
	case "":
		statuses = []iam.Status{iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled}
	case iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled:
	case iam.Left, iam.Removed:
		return iam.Page[iam.Member]{}, nil // they are gone
	}
	if query.Asked {
		return snapshot(ctx, s, func(v *view) (iam.Page[iam.Member], error) { return v.asked(accountID, query, now) })
	}
	list := accountList{
		accountID: accountID, statuses: statuses, invitedOnly: true, order: byID(),
		descending: true, page: query.PageRequest, after: query.After, now: now, cut: s.cutBranches,
	}
	return snapshot(ctx, s, list.read)
}

// accountList is a list of an account's rows.
type accountList struct {
	accountID   iam.ID
	statuses    []iam.Status
	email       string // "" filters nothing
	invitedOnly bool
	order       ordering
	descending  bool
	page        iam.PageRequest
	after       iam.ID // the page is what follows that row; "": as it says
	now         time.Time
	cut         bool // each branch to what a page may need of it
}

func (l accountList) read(v *view) (iam.Page[iam.Member], error) {
	list := iam.Page[iam.Member]{}
	skip, size, backwards := 0, l.page.Size, false
	if l.after == "" {
		var err error
		if list.Total, err = l.total(v); err != nil || l.page.Offset() >= list.Total {
			return list, err
		}
		skip, size, backwards = span(l.page, list.Total)
	}
	var (
		b   builder
		err error
	)
	order := l.order.clause(``, l.descending != backwards)
	most := b.lazy(skip + size)
	b.add(`FROM (`)
	// The total is that of an account which is there, at the same moment.
	l.ids(&b, b.arg(string(l.accountID)), func(branch string) string {
		if !l.cut {
			return branch
		}
		return `SELECT * FROM (` + branch + order + ` LIMIT ` + most() + `) branch` //nolint:unqueryvet // the branch names them
	})
	b.add(order, ` LIMIT `, b.arg(size), ` OFFSET `, b.arg(skip),
		`) page JOIN memberships m ON m.id = page.id `, joinMember, l.order.clause(`page.`, l.descending))
	if list.Items, err = v.members(b.String(), b.args, size, l.now); err != nil {
		return iam.Page[iam.Member]{}, fmt.Errorf("list members: %w", err)
	}
	return list, nil
}

// span is how a page is reached in a list of total rows: how many to skip, how
// many to take, and whether from the end, where that is nearer. To skip costs a
// step for each row, and where branches are merged three.
func span(page iam.PageRequest, total int) (skip, size int, backwards bool) {
	skip, size = page.Offset(), page.Size
	if skip <= total/2 {
		return skip, size, false
	}
	size = min(size, total-skip)
	return total - skip - size, size, true
}

// ids writes the statement of the list's ids, not yet ordered; each has the
// last word on a branch.
func (l accountList) ids(b *builder, account string, each func(branch string) string) {
	more := ` FROM memberships m WHERE m.account_id = ` + account
	if l.invitedOnly {
		more += ` AND m.invited = 1`
	}
	if l.email != "" {
		more += ` AND m.email = ` + b.arg(l.email)
	}
	if l.after != "" {
		more += ` AND m.id ` + beyond(l.descending) + ` ` + b.arg(string(l.after))
	}
	now := b.lazy(toMicros(l.now))
	var selects []string
	for _, part := range together(branchesOf(l.statuses)) {
		selects = append(selects, each(`SELECT m.id AS id`+l.order.selects(part.stored)+more+part.where(now)))
	}
	b.add(strings.Join(selects, ` UNION ALL `))
}

// total is read from the kept counts, unless an address filters the list to a
// few rows.
func (l accountList) total(v *view) (int, error) {
	if l.email == "" {
		return v.countMembers(l.accountID, l.statuses, l.invitedOnly, l.now)
	}
	var (
		b     builder
		total int
	)
	b.add(`SELECT count(*) FROM (`)
	l.ids(&b, present(b.arg(string(l.accountID))), func(branch string) string { return branch })
	b.add(`) ids`)
	if err := one(v, b.String(), b.args, (*count)(&total)); err != nil {
		return 0, fmt.Errorf("count members: %w", err)
	}
	return total, nil
}

// beyond compares an id with those that follow it.
func beyond(descending bool) string {
	if descending {
		return `<`
	}
	return `>`
}
