package store

import (
	"time"

	"hither/internal/iam"
)

// What the grantor of row m may do now: its user or token, and the user's
// accepted membership in m's account. Of that only what rights are computed
// from is read; lists read it for every row.
const (
	grantorColumns = `gu.id, gu.suspended, gt.id, gt.disabled, gt.expires_on, g.id, g.email, g.roles, g.ends_on`
	joinGrantor    = `LEFT JOIN users gu ON gu.id = m.grantor_user
		LEFT JOIN tokens gt ON gt.id = m.grantor_token
		LEFT JOIN memberships g ON g.account_id = m.account_id AND g.user_id = m.grantor_user AND g.status = 'accepted'`
)

type grantorRow struct {
	userID, tokenID     iam.ID
	suspended, disabled bool
	expiresOn           time.Time
	memberID            iam.ID
	email, roles        string
	endsOn              time.Time      // of the membership
	membership          *membershipRow // nil: none
}

func (g *grantorRow) dest(to []any) []any {
	return append(to,
		(*text)(&g.userID), (*flag)(&g.suspended), (*text)(&g.tokenID), (*flag)(&g.disabled), (*stamp)(&g.expiresOn),
		(*text)(&g.memberID), (*text)(&g.email), (*text)(&g.roles), (*stamp)(&g.endsOn))
}

// of is the grantor's membership, with what it shares with the row that it was
// read for, for its roles to be resolved; nil where the grantor has none.
func (g *grantorRow) of(m *membershipRow) *membershipRow {
	if g.memberID == "" {
		return nil
	}
	g.membership = &membershipRow{roles: g.roles, Membership: iam.Membership{
		ID: g.memberID, AccountID: m.AccountID, Email: g.email, UserID: g.userID, Status: iam.Accepted, EndsOn: g.endsOn,
	}}
	return g.membership
}

func (g *grantorRow) facts(grantor iam.Grantor, now time.Time) iam.GrantorFacts {
	facts := iam.GrantorFacts{Grantor: grantor, Membership: g.membership.orNil()}
	if facts.Membership != nil && facts.Membership.StatusAt(now) != iam.Accepted {
		facts.Membership = nil // its time is up
	}
	switch grantor.Kind {
	case iam.ByUser:
		facts.Active = g.userID != "" && !g.suspended
	case iam.ByOperator:
		facts.Active = g.tokenID != "" && !g.disabled && (g.expiresOn.IsZero() || now.Before(g.expiresOn))
	case iam.ByCommandLine:
		facts.Active = true
	case iam.ByVisitor, iam.ByReporter:
	}
	return facts
}
