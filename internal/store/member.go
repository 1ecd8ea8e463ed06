package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// memberRow is a membership as its account sees it.
type memberRow struct {
	membershipRow
	user    iam.User
	grantor grantorRow
	locale  string
	askedOn time.Time
}

const memberColumns = membershipColumns + `, ` + userColumns + `, ` + grantorColumns + `, m.locale, m.asked_on`

// joinMember joins what an account sees beside row m: the user only of an
// accepted row, and the grantor only of a pending one. CASE says so before the
// grantor is looked up; an AND would after it, for each of the many that were
// accepted.
const joinMember = `LEFT JOIN users u ON u.id = m.user_id AND m.status = 'accepted'
	LEFT JOIN users gu ON gu.id = CASE WHEN m.status = 'pending' THEN m.grantor_user END
	LEFT JOIN tokens gt ON gt.id = CASE WHEN m.status = 'pending' THEN m.grantor_token END
	LEFT JOIN memberships g ON g.account_id = m.account_id AND g.user_id = gu.id AND g.status = 'accepted'`

func (m *memberRow) dest(to []any) []any {
	return append(m.grantor.dest(userDest(m.membershipRow.dest(to), &m.user)), (*text)(&m.locale), (*stamp)(&m.askedOn))
}

func (m *memberRow) member(now time.Time) iam.Member {
	member := iam.Member{Membership: m.Membership, User: m.user, Locale: m.locale, AskedOn: m.askedOn}
	if m.Status == iam.Pending {
		member.GrantorFacts = m.grantor.facts(m.Grantor, now)
	}
	return member
}

// Member implements iam.Store.
func (s *Store) Member(ctx context.Context, accountID, id iam.ID) (iam.Member, error) {
	return read(ctx, s, func(v *view) (iam.Member, error) {
		members, err := v.members(`FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0 `+joinMember+`
			WHERE m.id = $1 AND m.account_id = $2`, []any{string(id), string(accountID)}, 1, s.now())
		if err == nil && len(members) == 0 {
			err = iam.ErrNoRow
		}
		if err != nil {
			return iam.Member{}, fmt.Errorf("read member: %w", err)
		}
		return members[0], nil
	})
}

// members reads memberRows, of which there are most; from is the statement from
// its FROM on.
func (v *view) members(from string, args []any, most int, now time.Time) ([]iam.Member, error) {
	var (
		version int64
		m       memberRow // each row in turn
		rows    []memberRow
	)
	dest := m.dest(destinations((*number)(&version)))
	err := v.query(`SELECT (SELECT i.roles_version FROM instance i), `+memberColumns+` `+from, args, func(r row) error {
		if err := r.Scan(dest...); err != nil {
			return fmt.Errorf("scan member: %w", err)
		}
		if rows == nil {
			rows = make([]memberRow, 0, most)
		}
		rows = append(rows, m)
		return nil
	})
	named := make([]*membershipRow, 0, 2*len(rows))
	for i := range rows {
		named = append(named, &rows[i].membershipRow, rows[i].grantor.of(&rows[i].membershipRow))
	}
	if err == nil {
		err = v.resolve(version, named...)
	}
	if err != nil {
		return nil, err
	}
	members := make([]iam.Member, len(rows))
	for i := range rows {
		members[i] = rows[i].member(now)
	}
	return members, nil
}

// MemberFacts implements iam.Tx.
func (t *tx) MemberFacts(accountID, memberID iam.ID, actor iam.Actor) (iam.MemberFacts, error) {
	account, err := t.AccountFacts(accountID, actor)
	if err != nil {
		return iam.MemberFacts{}, err
	}
	facts, err := t.targetFacts(account, memberID)
	if err != nil {
		return iam.MemberFacts{}, err
	}
	if late, err := t.shareUser(facts.TargetUser.ID); err != nil || !late {
		return facts, err
	}
	return t.targetFacts(account, memberID)
}

// targetFacts reads what MemberFacts adds to those of the account.
func (t *tx) targetFacts(account iam.AccountFacts, memberID iam.ID) (iam.MemberFacts, error) {
	var (
		version int64
		others  int
		target  memberRow
		link    iam.Link
	)
	dest := linkDest(target.dest(destinations((*number)(&version), (*count)(&others))), &link)
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), `+countOtherSupers+`, `+memberColumns+`, `+linkColumns+`
		FROM memberships m
		LEFT JOIN users u ON u.id = m.user_id AND m.status = 'accepted'
		`+joinGrantor+`
		WHERE m.id = $1 AND m.account_id = $2`, []any{string(memberID), string(account.Account.ID)}, dest...)
	if err == nil {
		err = t.resolve(version, &target.membershipRow, target.grantor.of(&target.membershipRow))
	}
	if err != nil {
		return iam.MemberFacts{}, fmt.Errorf("read facts of a member: %w", err)
	}
	return iam.MemberFacts{
		AccountFacts:     account,
		Target:           target.Membership,
		Link:             link,
		Grantor:          target.grantor.facts(target.Grantor, t.now),
		TargetUser:       target.user,
		TargetActive:     target.user.ID != "" && !target.user.Suspended,
		OtherSuperAdmins: others,
	}, nil
}

// InviteFacts implements iam.Tx.
func (t *tx) InviteFacts(accountID iam.ID, email string, actor iam.Actor) (iam.InviteFacts, error) {
	account, err := t.AccountFacts(accountID, actor)
	if err != nil {
		return iam.InviteFacts{}, err
	}
	if err := t.shareUserOf(email); err != nil {
		return iam.InviteFacts{}, err
	}
	facts := iam.InviteFacts{AccountFacts: account}
	var (
		user     iam.User
		existing iam.ID
		now      = toMicros(t.now)
	)
	seats := &facts.Seats
	dest := userDest(destinations((*count)(&seats.Open), (*count)(&seats.Members), (*text)(&existing), (*text)(&facts.Over)), &user)
	err = one(t, `SELECT (SELECT `+sumOfCounts(iam.Pending)+` FROM counts c WHERE c.account_id = a.id)
			- (SELECT count(*) FROM memberships m WHERE m.account_id = a.id AND m.status = 'pending' AND `+due("$1")+`),
			(SELECT `+sumOfCounts(iam.Accepted)+` FROM counts c WHERE c.account_id = a.id)
			- (SELECT count(*) FROM memberships m WHERE m.account_id = a.id AND m.status = 'accepted' AND `+over+`),
			COALESCE(
				(SELECT m.id FROM memberships m WHERE m.account_id = a.id AND m.email = $2 AND m.status = 'pending'
					AND `+notDue("$1")+`),
				(SELECT m.id FROM memberships m WHERE m.account_id = a.id AND m.email = $2 AND m.status = 'accepted'
					AND `+lasting("m", "$1")+`),
				(SELECT m.id FROM memberships m WHERE m.account_id = a.id AND m.user_id = u.id AND u.verified = 1
					AND m.status = 'accepted' AND `+lasting("m", "$1")+`)),
			COALESCE(
				(SELECT m.id FROM memberships m WHERE m.account_id = a.id AND m.email = $2 AND m.status = 'accepted' AND `+over+`),
				(SELECT m.id FROM memberships m WHERE m.account_id = a.id AND m.user_id = u.id AND m.status = 'accepted' AND `+over+`)),
			`+userColumns+`
		FROM accounts a LEFT JOIN users u ON u.email = $2
		WHERE a.id = $3`, []any{now, email, string(accountID)}, dest...)
	if err != nil {
		return iam.InviteFacts{}, fmt.Errorf("read facts of an invitation: %w", err)
	}
	if user.ID != "" {
		facts.User = &user
	}
	if existing == "" {
		return facts, nil
	}
	members, err := t.members(`FROM memberships m `+joinMember+` WHERE m.id = $1`, []any{string(existing)}, 1, t.now)
	if err == nil && len(members) == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return iam.InviteFacts{}, fmt.Errorf("read the live row of an address: %w", err)
	}
	facts.Existing, facts.Grantor, facts.Locale = &members[0].Membership, members[0].GrantorFacts, members[0].Locale
	return facts, nil
}
