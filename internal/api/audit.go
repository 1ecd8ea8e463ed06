package api

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hither/internal/iam"
)

// Bounds of a page of an audit log.
const (
	minAuditPage     = 1
	defaultAuditPage = 100
)

// auditLog is an audit row in its older form.
type auditLog struct {
	ID        string        `json:"id"`
	Action    auditAction   `json:"action"`
	Actor     auditActor    `json:"actor"`
	Interface string        `json:"interface"`
	Metadata  auditMetadata `json:"metadata"`
	NewValue  string        `json:"newValue"` // JSON, "" for none
	OldValue  string        `json:"oldValue"`
	Owner     auditOwner    `json:"owner"`
	Resource  auditResource `json:"resource"`
	When      moment        `json:"when"`
}

type auditAction struct {
	Result bool   `json:"result"`
	Type   string `json:"type"`
}

// auditActor has only what whoever asks may see of the actor.
type auditActor struct {
	Type  string `json:"type"`
	ID    string `json:"id,omitempty"`
	Email string `json:"email,omitempty"`
	IP    string `json:"ip,omitempty"`
}

// auditMetadata is what there is to know beside: what it says is ours.
type auditMetadata struct {
	Refused      string `json:"refused,omitempty"` // why
	RequestID    string `json:"request_id,omitempty"`
	CredentialID iam.ID `json:"credential_id,omitempty"`
	UserID       iam.ID `json:"user_id,omitempty"` // whom it concerns
}

type auditOwner struct {
	ID iam.ID `json:"id"`
}

type auditResource struct {
	ID   iam.ID `json:"id"`
	Type string `json:"type"`
}

// auditPageInfo is the result_info of a page of an audit log: what the whole log
// has is not counted.
type auditPageInfo struct {
	Page    int `json:"page"`
	PerPage int `json:"per_page"`
	Count   int `json:"count"`
}

// The types of actors in the older form. Its third means an automated system.
const (
	userActor   = "user"
	adminActor  = "admin"
	systemActor = "Cloudflare"
)

func actorType(kind iam.ActorKind) string {
	switch kind {
	case iam.ByUser, iam.ByVisitor:
		return userActor
	case iam.ByOperator, iam.ByCommandLine:
		return adminActor
	case iam.ByReporter:
	}
	return systemActor
}

// interfaceOf is where a row came from.
func interfaceOf(e iam.AuditEntry) string {
	switch {
	case e.Means == iam.MeansSession, e.Means == iam.MeansLink, e.Means == iam.MeansIdentity, e.Actor == iam.ByVisitor:
		return "UI"
	case e.Actor == iam.ByCommandLine:
		return "CLI"
	case e.Actor == "":
		return "system"
	}
	return "API"
}

// auditLogOf is a row in the log of owner: an account, or whoever asks for its own.
func auditLogOf(e iam.AuditEntry, owner iam.ID) auditLog {
	if e.AccountID != "" {
		owner = e.AccountID
	}
	return auditLog{
		ID:        e.OperationID,
		Action:    auditAction{Result: e.Denied == "", Type: string(e.Action)},
		Actor:     auditActor{Type: actorType(e.Actor), ID: string(e.ActorID), Email: e.ActorEmail, IP: e.RemoteAddr},
		Interface: interfaceOf(e),
		Metadata:  auditMetadata{Refused: e.Denied, RequestID: e.RequestID, CredentialID: e.Credential, UserID: e.UserID},
		NewValue:  e.After,
		OldValue:  e.Before,
		Owner:     auditOwner{owner},
		Resource:  auditResource{ID: e.TargetID, Type: e.Action.Noun()},
		When:      moment(e.At),
	}
}

func listAccountAudit(x *exchange) (answer, error) { return x.accountAudit(x.id("account_id")) }

func listOrganizationAudit(x *exchange) (answer, error) {
	return x.accountAudit(x.id("organization_id"))
}

func (x *exchange) accountAudit(accountID iam.ID) (answer, error) {
	return x.auditPage(accountID, func(query iam.AuditQuery) ([]iam.AuditEntry, error) {
		_, entries, err := x.Service.AccountAudit(x.r.Context(), x.actor, accountID, query)
		return entries, err
	})
}

func listUserAudit(x *exchange) (answer, error) {
	return x.auditPage(x.actor.User.ID, func(query iam.AuditQuery) ([]iam.AuditEntry, error) {
		return x.Service.UserAudit(x.r.Context(), x.actor, query)
	})
}

// auditPage answers with one page of a log, or with all of it as a file.
func (x *exchange) auditPage(owner iam.ID, read func(iam.AuditQuery) ([]iam.AuditEntry, error)) (answer, error) {
	params := x.query()
	query := params.audit()
	number := params.number("page", 1, 1, maxPage, true)
	query.Limit = params.number("per_page", defaultAuditPage, minAuditPage, iam.MaxAuditPage, false)
	query.Skip = (number - 1) * query.Limit
	format := params.exportFormat()
	if params.err != nil {
		return answer{}, params.err
	}
	if format != "" {
		return x.export(format, query, owner, read)
	}
	entries, err := read(query)
	if err != nil {
		return answer{}, err
	}
	rows := each(entries, func(e iam.AuditEntry) auditLog { return auditLogOf(e, owner) })
	return answer{result: rows, page: &auditPageInfo{Page: number, PerPage: query.Limit, Count: len(rows)}}, nil
}

// maxAuditFilter bounds what is looked for, in bytes.
const maxAuditFilter = 320

// audit reads the filters of the older form.
func (q *query) audit() iam.AuditQuery {
	query := iam.AuditQuery{
		Since: q.instant("since"), Before: q.instant("before"),
		Descending: q.choice("direction", "asc", "desc") != "asc",
		Network:    q.network("actor.ip"),
	}
	for _, filter := range []struct {
		name  string
		field iam.AuditField
	}{{"id", iam.AuditID}, {"action.type", iam.AuditAction}} {
		if value, given := q.one(filter.name); given {
			query.Terms = append(query.Terms, iam.AuditTerm{Field: filter.field, Values: q.bounded(filter.name, value)})
		}
	}
	if email := q.email("actor.email"); email != "" {
		query.Terms = append(query.Terms, iam.AuditTerm{Field: iam.AuditActorEmail, Values: []string{email}})
	}
	if zone, given := q.one("zone.name"); given && zone != "" {
		query.Terms = append(query.Terms, iam.AuditTerm{}) // nothing here is of a zone
	}
	if q.choice("hide_user_logs", "true", "false") == "true" {
		query.Terms = append(query.Terms, iam.AuditTerm{Field: iam.AuditAccount, Values: []string{""}, Not: true})
	}
	return query
}

// bounded is a value that is looked for, unless nothing can have it.
func (q *query) bounded(name string, values ...string) []string {
	for _, value := range values {
		if len(value) > maxAuditFilter || strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			q.refuse(name, "must be a text of at most "+strconv.Itoa(maxAuditFilter)+" bytes")
		}
	}
	return values
}

// instant is a moment or a day, which begins in UTC; the zero time where it is not
// given.
func (q *query) instant(name string) time.Time {
	text, given := q.one(name)
	if !given {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		// Beyond these years microseconds since 1970 would not fit.
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1 && at.Year() <= 9999 {
			return at.UTC()
		}
	}
	q.refuse(name, "must be a date (2026-01-31) or a time of RFC 3339 (2026-01-31T12:00:00Z)")
	return time.Time{}
}

// network is an address, or a range of them; the zero Prefix where it is not given.
func (q *query) network(name string) netip.Prefix {
	text, given := q.one(name)
	if !given {
		return netip.Prefix{}
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		q.refuse(name, "must be an IP address or a range of them in CIDR notation (192.0.2.0/24)")
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
}
