package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// linkColumns are a row's link.
const linkColumns = `m.locale, m.generation, m.sent_on, m.wake_on, m.asked_on`

func linkDest(to []any, l *iam.Link) []any {
	return append(to, (*text)(&l.Locale), (*count)(&l.Generation), (*stamp)(&l.SentOn), (*stamp)(&l.WakeOn), (*stamp)(&l.AskedOn))
}

// linkRow is an invitation with its link and its grantor.
type linkRow struct {
	invitationRow
	link    iam.Link
	grantor grantorRow
}

const linkRowColumns = invitationColumns + `, ` + linkColumns + `, ` + grantorColumns

func (l *linkRow) dest(to []any) []any {
	return l.grantor.dest(linkDest(l.invitationRow.dest(to), &l.link))
}

func (l *linkRow) facts(now time.Time) iam.LinkFacts {
	return iam.LinkFacts{Invitation: l.invitation(), Link: l.link, Grantor: l.grantor.facts(l.Grantor, now)}
}

// LinkFacts implements iam.Tx.
func (t *tx) LinkFacts(id iam.ID) (iam.LinkFacts, error) {
	if err := t.lockAccountOf(id); err != nil {
		return iam.LinkFacts{}, err
	}
	var (
		version int64
		l       linkRow
		live    bool
		super   membershipRow
	)
	dest := l.dest(destinations((*number)(&version)))
	dest = append(dest, (*flag)(&live), (*text)(&super.ID), (*text)(&super.UserID), (*text)(&super.Email), (*text)(&super.roles))
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), `+linkRowColumns+`,
			CASE WHEN EXISTS (`+liveElsewhere("$1")+`) THEN 1 ELSE 0 END, sa.id, sa.user_id, sa.email, sa.roles
		FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
		`+joinGrantor+`
		LEFT JOIN memberships sa ON sa.id = (SELECT s.id FROM memberships s JOIN users su ON su.id = s.user_id AND su.suspended = 0
			WHERE s.account_id = m.account_id AND s.super = 1 AND s.status = 'accepted' AND `+lasting("s", "$1")+` ORDER BY s.id LIMIT 1)
		WHERE m.id = $2`, []any{toMicros(t.now), string(id)}, dest...)
	if err == nil {
		super.AccountID, super.Status = l.AccountID, iam.Accepted
		err = t.resolve(version, &l.membershipRow, l.grantor.of(&l.membershipRow), &super)
	}
	if err != nil {
		return iam.LinkFacts{}, fmt.Errorf("read facts of a link: %w", err)
	}
	facts := l.facts(t.now)
	facts.LiveElsewhere, facts.SuperAdmin = live, super.orNil()
	return facts, nil
}

// liveElsewhere is what the address of row m holds at a time in its account beside
// m.
func liveElsewhere(now string) string {
	return `SELECT 1 FROM memberships l WHERE l.account_id = m.account_id AND l.email = m.email
		AND (l.status = 'pending' OR l.status = 'accepted') AND l.id <> m.id
		AND ((l.status = 'accepted' AND ` + lasting("l", now) + `)
			OR (l.status = 'pending' AND (l.expires_on = 0 OR l.expires_on > ` + now + `)))`
}

// bouncedMail is a mail with the newest link of row m that came back. The ids of an
// invitation's messages begin with its own.
const bouncedMail = `SELECT 1 FROM deliveries d WHERE d.id >= m.id || '-' AND d.id < m.id || '.' AND d.membership_id = m.id
	AND d.generation = m.generation AND d.kind IN ('invitation', 'reminder') AND d.state = 'bounced'`

// WakeFacts implements iam.Tx. However few rows are named, the statement is the
// same.
func (t *tx) WakeFacts(accountID iam.ID, ids []iam.ID) ([]iam.LinkFacts, error) {
	if err := t.lockAccount(accountID); err != nil {
		return nil, err
	}
	var b builder
	now := b.lazy(toMicros(t.now))
	b.add(`SELECT (SELECT i.roles_version FROM instance i), CASE WHEN EXISTS (`+bouncedMail+`) THEN 1 ELSE 0 END, `, linkRowColumns, `
		FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
		`, joinGrantor, `
		WHERE m.status = 'pending' AND m.wake_on > 0 AND m.wake_on <= `, now(), ` AND `, notDue(now()), `
		AND m.account_id = `, b.arg(string(accountID)), ` AND m.id IN (`)
	for i := range iam.MaxWaking {
		id := ""
		if i < len(ids) {
			id = string(ids[i])
		}
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(id))
	}
	b.add(`) ORDER BY m.id`)
	var (
		version int64
		rows    []*linkRow
		bounced []bool
		named   []*membershipRow
	)
	err := t.query(b.String(), b.args, func(r row) error {
		var (
			l        linkRow
			cameBack bool
		)
		if err := r.Scan(l.dest(append(destinations((*number)(&version)), (*flag)(&cameBack)))...); err != nil {
			return fmt.Errorf("scan link: %w", err)
		}
		bounced = append(bounced, cameBack)
		rows, named = append(rows, &l), append(named, &l.membershipRow, l.grantor.of(&l.membershipRow))
		return nil
	})
	if err == nil {
		err = t.resolve(version, named...)
	}
	if err != nil {
		return nil, fmt.Errorf("read what wakes: %w", err)
	}
	facts := make([]iam.LinkFacts, len(rows))
	for i, l := range rows {
		facts[i] = l.facts(t.now)
		facts[i].Bounced = bounced[i]
	}
	return facts, nil
}

// UpdateInvitation implements iam.Tx. Both statements are of one transaction, and
// the guard of the first stands before the second.
func (t *tx) UpdateInvitation(before, after iam.Membership, link iam.Link, entry iam.AuditEntry) error {
	if err := t.UpdateMembership(before, after, entry); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE memberships SET locale = $1, generation = $2, sent_on = $3, wake_on = $4, asked_on = $5 WHERE id = $6`,
		link.Locale, link.Generation, toMicros(link.SentOn), toMicros(link.WakeOn), toMicros(link.AskedOn), string(before.ID))
	if err != nil {
		return fmt.Errorf("update link: %w", err)
	}
	return nil
}

// LinkedInvitation implements iam.Store.
func (s *Store) LinkedInvitation(ctx context.Context, id iam.ID, now time.Time) (iam.LinkedInvitation, error) {
	return read(ctx, s, func(v *view) (iam.LinkedInvitation, error) {
		var (
			version int64
			l       linkRow
			linked  iam.LinkedInvitation
		)
		dest := append(l.dest(destinations((*number)(&version))), (*flag)(&linked.Known))
		err := one(v, `SELECT (SELECT i.roles_version FROM instance i), `+linkRowColumns+`,
				CASE WHEN EXISTS (SELECT 1 FROM users u WHERE u.email = m.email) THEN 1 ELSE 0 END,
				`+lookColumns+`
			FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
			`+joinGrantor+`
			WHERE m.id = $1`, []any{string(id)}, append(dest, lookDest(&linked.Look)...)...)
		if err == nil {
			err = v.resolve(version, &l.membershipRow, l.grantor.of(&l.membershipRow))
		}
		if err != nil {
			return iam.LinkedInvitation{}, fmt.Errorf("read what a link shows: %w", err)
		}
		linked.Invitation, linked.Link = l.invitation(), l.link
		member := iam.Member{Membership: l.Membership, GrantorFacts: l.grantor.facts(l.Grantor, now)}
		linked.NeedsConfirmation = member.NeedsConfirmation(now)
		return linked, nil
	})
}

// asked reads for which of an account's invitations somebody waits. There are few
// of them, and an index has nothing else: they may be counted and skipped.
func (v *view) asked(accountID iam.ID, query iam.InvitationQuery, now time.Time) (iam.Page[iam.Member], error) {
	var b builder
	clock := b.lazy(toMicros(now))
	b.add(`FROM memberships m `, joinMember, `
		WHERE m.account_id = `, present(b.arg(string(accountID))), ` AND m.asked_on > 0 AND m.invited = 1
		AND NOT EXISTS (`, liveElsewhere(clock()), `) AND (`)
	switch query.Status {
	case "":
		b.add(`m.status = 'pending' OR m.status = 'expired')`)
	case iam.Pending:
		b.add(`m.status = 'pending' AND `, notDue(clock()), `)`)
	case iam.Expired:
		b.add(`m.status = 'expired' OR (m.status = 'pending' AND `, due(clock()), `))`)
	case iam.Accepted, iam.Rejected, iam.Canceled, iam.Left, iam.Removed:
		return iam.Page[iam.Member]{}, nil // nobody waits for these
	}
	var page iam.Page[iam.Member]
	err := one(v, `SELECT count(*) `+b.String(), b.args, (*count)(&page.Total))
	if err == nil && query.Offset() < page.Total {
		b.add(` ORDER BY m.asked_on, m.id LIMIT `, b.arg(query.Size), ` OFFSET `, b.arg(query.Offset()))
		page.Items, err = v.members(b.String(), b.args, query.Size, now)
	}
	if err != nil {
		return iam.Page[iam.Member]{}, fmt.Errorf("list who asked for a link: %w", err)
	}
	return page, nil
}
