package store

import (
	"context"
	"strings"

	"hither/internal/iam"
)

// A page of an audit log is cut out of an index by time. That of a user has two
// branches, what it did and what was done to it; each is cut to what the page may
// need before the two are merged (see list.go for why one engine is told so). What is filtered by is looked up row by row: an
// index for each filter would cost every write more than it spares the few who
// filter, who narrow by time what they look through.

// AuditLog implements iam.Store.
func (s *Store) AuditLog(ctx context.Context, query iam.AuditQuery) ([]iam.AuditEntry, error) {
	return read(ctx, s, func(v *view) ([]iam.AuditEntry, error) {
		var b builder
		auditLog{query, &b, s.cutBranches}.write()
		return v.entries(b.String(), b.args)
	})
}

// auditLog writes the statement of a query.
type auditLog struct {
	iam.AuditQuery

	b   *builder
	cut bool // each branch to what a page may need of it
}

func (l auditLog) write() {
	way := direction(l.Descending)
	order := func(source string) string { return ` ORDER BY ` + source + `at` + way + `, ` + source + `seq` + way }
	if l.AccountID != "" {
		// The page first, its rows after: what is skipped is skipped in the index.
		l.b.add(`SELECT `, l.columns(``), ` FROM (SELECT e.at AS at, e.seq AS seq FROM audit e WHERE e.account_id = `,
			l.b.arg(string(l.AccountID)), l.conditions(``), order(`e.`), ` LIMIT `, l.b.arg(l.Limit), ` OFFSET `, l.b.arg(l.Skip),
			`) page JOIN audit e ON e.seq = page.seq`, order(`page.`))
		return
	}
	me, most := l.b.arg(string(l.UserID)), l.b.lazy(l.Skip+l.Limit)
	branch := func(condition string) string {
		rows := `SELECT e.at AS at, e.seq AS seq FROM audit e WHERE ` + condition + l.conditions(me)
		if !l.cut {
			return rows
		}
		return `SELECT * FROM (` + rows + order(`e.`) + ` LIMIT ` + most() + `) branch` //nolint:unqueryvet // the branch names them
	}
	l.b.add(`SELECT `, l.columns(me), ` FROM (`, branch(`e.actor = 'user' AND e.actor_id = `+me), ` UNION ALL `,
		branch(`e.user_id <> '' AND e.user_id = `+me), order(``), ` LIMIT `, l.b.arg(l.Limit), ` OFFSET `, l.b.arg(l.Skip),
		`) page JOIN audit e ON e.seq = page.seq`, order(`page.`))
}

// columns are those of auditColumns, with what the reader may see.
func (l auditLog) columns(me string) string {
	shown := func(column string) string { return l.shown(column, me) }
	return strings.Join([]string{
		`e.seq, e.operation_id, e.at, e.actor`, shown(`e.actor_id`), shown(`e.actor_email`), shown(`e.credential`), shown(`e.means`),
		`e.action, e.denied, e.account_id, e.target_id, e.user_id, e.state_before, e.state_after`, shown(`e.remote_addr`),
		shown(`e.request_id`), `e.sequence`,
	}, `, `)
}

// shown is a column about the actor as the reader sees it.
func (l auditLog) shown(column, me string) string {
	switch {
	case l.AccountID == "":
		return `CASE WHEN e.actor_id = ` + me + ` THEN ` + column + ` ELSE '' END`
	case l.Open:
		return column
	case column == `e.actor_email`:
		return `CASE WHEN e.shown >= 1 THEN e.actor_email ELSE '' END`
	}
	return `CASE WHEN e.shown = 2 THEN ` + column + ` ELSE '' END`
}

// conditions narrow a log to what is asked for. Each of a user's two branches has
// parameters of its own.
func (l auditLog) conditions(me string) string {
	var where strings.Builder
	and := func(pieces ...string) { _, _ = where.WriteString(` AND ` + strings.Join(pieces, ``)) }
	if !l.Since.IsZero() {
		and(`e.at >= `, l.b.arg(toMicros(l.Since)))
	}
	if !l.Before.IsZero() {
		and(`e.at < `, l.b.arg(toMicros(l.Before)))
	}
	if l.After != (iam.AuditPlace{}) {
		behind := `>`
		if l.Descending {
			behind = `<`
		}
		and(`(e.at, e.seq) `, behind, ` (`, l.b.arg(toMicros(l.After.At)), `, `, l.b.arg(l.After.Seq), `)`)
	}
	for _, term := range l.Terms {
		and(l.term(term, me))
	}
	return where.String()
}

// term is the condition of a filter; of one without values all rows are kept or
// none.
func (l auditLog) term(term iam.AuditTerm, me string) string {
	var either []string
	for _, value := range term.Values {
		either = append(either, l.matches(term.Field, value, me))
	}
	if len(either) == 0 {
		either = []string{`1 = 0`}
	}
	condition := `(` + strings.Join(either, ` OR `) + `)`
	if term.Not {
		return `NOT ` + condition
	}
	return condition
}

func (l auditLog) matches(field iam.AuditField, value, me string) string {
	is := func(column string) string { return column + ` = ` + l.b.arg(value) }
	switch field {
	case iam.AuditID:
		return is(`e.operation_id`)
	case iam.AuditAction:
		return is(`e.action`)
	case iam.AuditNoun:
		return `(` + is(`e.action`) + ` OR substr(e.action, 1, ` + l.b.arg(len(value)+1) + `) = ` + l.b.arg(value+`.`) + `)`
	case iam.AuditVerb:
		return `(` + is(`e.action`) + ` OR e.action LIKE ` + l.b.arg(`%.`+value) + `)`
	case iam.AuditOutcome:
		if value == iam.AuditSuccess {
			return `e.denied = ''`
		}
		return `e.denied <> ''`
	case iam.AuditActorKind:
		return is(`e.actor`)
	case iam.AuditActorID:
		return is(l.shown(`e.actor_id`, me))
	case iam.AuditActorEmail:
		return is(l.shown(`e.actor_email`, me))
	case iam.AuditRemoteAddr:
		return is(l.shown(`e.remote_addr`, me))
	case iam.AuditCredential:
		return is(l.shown(`e.credential`, me))
	case iam.AuditMeans:
		return is(l.shown(`e.means`, me))
	case iam.AuditTarget:
		return is(`e.target_id`)
	case iam.AuditRequest:
		return is(l.shown(`e.request_id`, me))
	case iam.AuditAccount:
		return is(`e.account_id`)
	}
	return `1 = 0`
}
