package store

import (
	"cmp"
	"context"
	"fmt"

	"hither/internal/iam"
)

const membershipColumns = `m.id, m.account_id, m.email, m.user_id, m.status, m.roles, m.invited, m.invited_by,
	m.invited_on, m.expires_on, m.grantor_kind, COALESCE(m.grantor_user, m.grantor_token), m.created_on, m.answered_on, m.revision,
	m.note, m.ends_on, m.end_wake`

// membershipRow is a membership whose roles are still ids; view.resolve turns
// them into roles.
type membershipRow struct {
	iam.Membership
	roles string
}

func (m *membershipRow) dest(to []any) []any {
	return append(to,
		(*text)(&m.ID), (*text)(&m.AccountID), (*text)(&m.Email), (*text)(&m.UserID), (*text)(&m.Status), (*text)(&m.roles),
		(*flag)(&m.Invited), (*text)(&m.InvitedBy), (*stamp)(&m.InvitedOn), (*stamp)(&m.ExpiresOn),
		(*text)(&m.Grantor.Kind), (*text)(&m.Grantor.ID), (*stamp)(&m.CreatedOn), (*stamp)(&m.AnsweredOn),
		(*number)(&m.Revision), (*text)(&m.Note), (*stamp)(&m.EndsOn), (*stamp)(&m.EndWake))
}

// orNil is the membership, nil where an outer join found none.
func (m *membershipRow) orNil() *iam.Membership {
	if m == nil || m.ID == "" {
		return nil
	}
	return &m.Membership
}

// invitationRow is a membership with its account.
type invitationRow struct {
	membershipRow
	account accountRow
}

const invitationColumns = membershipColumns + `, ` + accountColumns

// fromInvitation is the rest of a statement of invitations by their id.
const fromInvitation = `FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0 WHERE m.id`

func (i *invitationRow) dest(to []any) []any { return i.account.dest(i.membershipRow.dest(to)) }

func (i *invitationRow) invitation() iam.Invitation {
	return iam.Invitation{Membership: i.Membership, Account: i.account.account()}
}

// Invitation implements iam.Store.
func (s *Store) Invitation(ctx context.Context, id iam.ID) (iam.Invitation, error) {
	if s.points != nil {
		return s.points.invitations.get(ctx, id)
	}
	return read(ctx, s, func(v *view) (iam.Invitation, error) {
		var (
			version int64
			i       invitationRow
		)
		err := one(v, `SELECT (SELECT i.roles_version FROM instance i), `+invitationColumns+` `+fromInvitation+` = $1`,
			[]any{string(id)}, i.dest(destinations((*number)(&version)))...)
		if err == nil {
			err = v.resolve(version, &i.membershipRow)
		}
		if err != nil {
			return iam.Invitation{}, fmt.Errorf("read membership: %w", err)
		}
		return i.invitation(), nil
	})
}

// AnswerFacts implements iam.Tx.
func (t *tx) AnswerFacts(id, userID iam.ID) (iam.AnswerFacts, error) {
	if err := t.lockAccountOf(id); err != nil {
		return iam.AnswerFacts{}, err
	}
	if _, err := t.shareUser(userID); err != nil {
		return iam.AnswerFacts{}, err
	}
	facts, _, err := t.answerFacts(id, userID, `JOIN`)
	return facts, err
}

// answerFacts reads what an answer rests on, and of which generation the row's
// link is. joinUser says whether there has to be a user.
func (t *tx) answerFacts(id, userID iam.ID, joinUser string) (iam.AnswerFacts, int, error) {
	var (
		version            int64
		others, generation int
		i                  invitationRow
		user               iam.User
		grantor            grantorRow
	)
	dest := i.dest(destinations((*number)(&version), (*count)(&others), (*count)(&generation)))
	dest = grantor.dest(userDest(dest, &user))
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), `+countOtherSupers+`, m.generation,
			`+invitationColumns+`, `+userColumns+`, `+grantorColumns+`
		FROM memberships m
		JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
		`+joinUser+` users u ON u.id = $1
		`+joinGrantor+`
		WHERE m.id = $2`, []any{string(userID), string(id)}, dest...)
	if err == nil {
		err = t.resolve(version, &i.membershipRow, grantor.of(&i.membershipRow))
	}
	if err != nil {
		return iam.AnswerFacts{}, 0, fmt.Errorf("read facts of an answer: %w", err)
	}
	return iam.AnswerFacts{
		Invitation:       i.invitation(),
		User:             user,
		Grantor:          grantor.facts(i.Grantor, t.now),
		OtherSuperAdmins: others,
	}, generation, nil
}

// otherSupers are the active Super Administrators of m's account beside m, but for
// those whose time is bounded: an account is not left to them.
const otherSupers = `SELECT 1 FROM memberships s JOIN users su ON su.id = s.user_id AND su.suspended = 0
	WHERE s.account_id = m.account_id AND s.super = 1 AND s.status = 'accepted' AND s.ends_on = 0 AND s.id <> m.id`

// countOtherSupers counts them where m is one, the only case in which anybody
// asks. It stops at 100: what matters is whether there is one.
const countOtherSupers = `CASE WHEN m.super = 1 THEN (SELECT count(*) FROM (` + otherSupers + ` LIMIT 100) others) ELSE 0 END`

// notDue and due say at a time whether a pending row m still is one.
func notDue(now string) string { return `(m.expires_on = 0 OR m.expires_on > ` + now + `)` }

// lasting says at a time of an accepted row, by its alias, that it still is one.
func lasting(row, now string) string {
	return `(` + row + `.ends_on = 0 OR ` + row + `.ends_on > ` + now + `)`
}

// over says that an accepted row m is none any more at $1.
const over = `m.ends_on > 0 AND m.ends_on <= $1`

func due(now string) string { return `m.expires_on > 0 AND m.expires_on <= ` + now }

// InsertMembership implements iam.Tx. It adds nothing to an account that is
// gone.
func (t *tx) InsertMembership(m iam.Membership, link iam.Link, entry iam.AuditEntry) error {
	if err := t.lockMember(m); err != nil {
		return err
	}
	insert := statement{`INSERT INTO memberships (id, account_id, email, user_id, status, roles, super, invited, invited_by,
			invited_on, expires_on, grantor_kind, grantor_user, grantor_token, first_name, last_name, created_on, answered_on, revision,
			locale, generation, sent_on, wake_on, asked_on, ended_on, note, ends_on, end_wake)
		SELECT $1, a.id, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), $8,
			CAST($9 AS BIGINT), CAST($10 AS BIGINT), $11, $12, $13, COALESCE(u.first_name, ''), COALESCE(u.last_name, ''),
			CAST($14 AS BIGINT), CAST($15 AS BIGINT), CAST($16 AS BIGINT),
			$17, CAST($18 AS BIGINT), CAST($19 AS BIGINT), CAST($20 AS BIGINT), CAST($21 AS BIGINT), CAST($22 AS BIGINT), $23,
			CAST($24 AS BIGINT), CAST($25 AS BIGINT)
		FROM accounts a LEFT JOIN users u ON u.id = $26 WHERE a.id = $27 AND a.deleted_on = 0`, []any{
		string(m.ID), m.Email, reference(m.UserID), string(m.Status), joinIDs(m.Roles), bit(m.SuperAdmin()), bit(m.Invited), m.InvitedBy,
		toMicros(m.InvitedOn), toMicros(m.ExpiresOn),
		string(m.Grantor.Kind), grantorOf(m, iam.ByUser), grantorOf(m, iam.ByOperator),
		toMicros(m.CreatedOn), toMicros(m.AnsweredOn), m.Revision,
		link.Locale, link.Generation, toMicros(link.SentOn), toMicros(link.WakeOn), toMicros(link.AskedOn), t.endedOn(m),
		m.Note, toMicros(m.EndsOn), toMicros(m.EndWake), namedBy(m), string(m.AccountID),
	}}
	entry.UserID, entry.Sequence = m.UserID, m.Revision+1
	if err := t.guarded(iam.ErrNoRow, insert, added(seatOf(m), 1), t.recorded(entry)); err != nil {
		return fmt.Errorf("insert membership: %w", err)
	}
	return nil
}

// lockMember locks what a change of a row touches, where no facts did before.
func (t *tx) lockMember(m iam.Membership) error {
	if err := t.lockAccount(m.AccountID); err != nil {
		return err
	}
	_, err := t.shareUser(m.UserID)
	return err
}

// endedOn is since when a row that is written now is neither pending nor accepted:
// what ended is kept from then on as long as it is not touched, 0 for a live row.
func (t *tx) endedOn(m iam.Membership) int64 {
	if m.Status == iam.Pending || m.Status == iam.Accepted {
		return 0
	}
	return toMicros(t.now)
}

// namedBy is the user whose names the account may sort the row by.
func namedBy(m iam.Membership) any {
	if m.Status != iam.Accepted {
		return nil
	}
	return reference(m.UserID)
}

// grantorOf is the row's grantor where it is of a kind: each kind that has an
// id refers to a table of its own.
func grantorOf(m iam.Membership, kind iam.ActorKind) any {
	if m.Grantor.Kind != kind {
		return nil
	}
	return reference(m.Grantor.ID)
}

// UpdateMembership implements iam.Tx. The guard is in the statement itself, so
// that of any number of racing changes one wins on every engine.
func (t *tx) UpdateMembership(before, after iam.Membership, entry iam.AuditEntry) error {
	if err := t.lockMember(after); err != nil {
		return err
	}
	update := statement{`UPDATE memberships SET user_id = $1, status = $2, roles = $3, super = $4, invited = $5, invited_by = $6,
			invited_on = $7, expires_on = $8, grantor_kind = $9, grantor_user = $10, grantor_token = $11,
			first_name = COALESCE((SELECT u.first_name FROM users u WHERE u.id = $12), ''),
			last_name = COALESCE((SELECT u.last_name FROM users u WHERE u.id = $12), ''),
			answered_on = $13, ended_on = $14, note = $15, ends_on = $16, end_wake = $17, revision = revision + 1
		WHERE id = $18 AND account_id = $19 AND status = $20 AND revision = $21`, []any{
		reference(after.UserID), string(after.Status), joinIDs(after.Roles), bit(after.SuperAdmin()), bit(after.Invited), after.InvitedBy,
		toMicros(after.InvitedOn), toMicros(after.ExpiresOn),
		string(after.Grantor.Kind), grantorOf(after, iam.ByUser), grantorOf(after, iam.ByOperator),
		namedBy(after), toMicros(after.AnsweredOn), t.endedOn(after), after.Note,
		toMicros(after.EndsOn), toMicros(after.EndWake),
		string(before.ID), string(before.AccountID), string(before.Status), before.Revision,
	}}
	var more []statement
	if from, to := seatOf(before), seatOf(after); from != to {
		more = moved(from, to, 1)
	}
	entry.UserID, entry.Sequence = cmp.Or(after.UserID, before.UserID), before.Revision+2
	if err := t.guarded(iam.ErrStale, update, append(more, t.recorded(entry))...); err != nil {
		return fmt.Errorf("update membership: %w", err)
	}
	return nil
}
