package iam

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

// MaxAuditPage is how many audit rows one read returns at most.
const MaxAuditPage = 1000

// AuditField names what an audit log can be filtered by.
type AuditField string

// The fields. Those about the actor compare with what the reader is shown of it,
// so that no filter tells more than the rows do.
const (
	AuditID         AuditField = "id"
	AuditAction     AuditField = "action"
	AuditNoun       AuditField = "noun"    // the part of the action before the dot
	AuditVerb       AuditField = "verb"    // and the one behind it
	AuditOutcome    AuditField = "outcome" // AuditSuccess, AuditFailure
	AuditActorKind  AuditField = "actor_kind"
	AuditActorID    AuditField = "actor_id"
	AuditActorEmail AuditField = "actor_email"
	AuditRemoteAddr AuditField = "remote_addr"
	AuditCredential AuditField = "credential"
	AuditMeans      AuditField = "means"
	AuditTarget     AuditField = "target"
	AuditRequest    AuditField = "request"
	AuditAccount    AuditField = "account"
)

// The values of AuditOutcome.
const (
	AuditSuccess = "success"
	AuditFailure = "failure"
)

// AuditTerm keeps the rows whose field has one of the values, or none of them.
type AuditTerm struct {
	Field  AuditField
	Values []string
	Not    bool
}

// AuditPlace is where in a log a row stands.
type AuditPlace struct {
	At  time.Time
	Seq int64
}

// Place is where the row stands.
func (e *AuditEntry) Place() AuditPlace { return AuditPlace{e.At, e.Seq} }

// AuditQuery asks for rows of one log in the order of time: that of an account,
// or with AccountID "" that of a user, which has what it did and what was done to
// what is its own.
type AuditQuery struct {
	AccountID ID
	UserID    ID
	// Open shows every actor whole, as the operator sees an account's log. Else
	// rows come back with what their reader may see: Shown of an account's log; of
	// a user's the actor where it is that user.
	Open          bool
	Since, Before time.Time // at or after, and before; zero bounds nothing
	Terms         []AuditTerm
	Network       netip.Prefix // of the client's address; the zero Prefix is any
	Descending    bool
	After         AuditPlace // rows behind that one, in the order of the list; zero is all
	Skip          int
	Limit         int
}

// AuditPart is a part of the whole audit log: rows behind a number, Limit of them at
// most, and with a UserID only those of what that user did and what was done to it.
type AuditPart struct {
	UserID ID
	After  int64
	Limit  int
}

// AuditRewrite is what became of a part: the number of its last row, that of
// AuditPart.After where it has none, and how many rows changed.
type AuditRewrite struct {
	Last    int64
	Changed int
}

// AccountAudit reads a page of an account's log, with the account.
func (s *Service) AccountAudit(ctx context.Context, actor Actor, accountID ID, query AuditQuery) (Account, []AuditEntry, error) {
	account, err := s.auditor(ctx, actor, accountID)
	if err != nil {
		return Account{}, nil, err
	}
	query.AccountID, query.UserID, query.Open = accountID, "", actor.Operator()
	entries, err := s.auditLog(ctx, query)
	return account, entries, err
}

// auditor reads an account whose audit log the actor may read.
func (s *Service) auditor(ctx context.Context, actor Actor, accountID ID) (Account, error) {
	account, rights, err := s.access(ctx, actor, accountID)
	if err != nil {
		return Account{}, err
	}
	if !actor.Operator() && !rights.May(AreaAudit, Read) {
		return Account{}, refuse(Forbidden, "this needs read permission on the area %q", AreaAudit)
	}
	return account, nil
}

// UserAudit reads a page of the actor's own log.
func (s *Service) UserAudit(ctx context.Context, actor Actor, query AuditQuery) ([]AuditEntry, error) {
	if err := mustBeUser(actor); err != nil {
		return nil, err
	}
	query.AccountID, query.UserID, query.Open = "", actor.User.ID, false
	return s.auditLog(ctx, query)
}

// auditLog reads a page as its reader may see it.
func (s *Service) auditLog(ctx context.Context, query AuditQuery) ([]AuditEntry, error) {
	entries, err := s.auditRows(ctx, query)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		query.hide(&entries[i])
	}
	return entries, nil
}

// hide takes out of the states of a row what its reader may not see: of an account's
// log the user behind an address that rejected, to which it remains an address, and
// the token of the operator by which rights were given; of a user's own log by whom
// they were, unless that was itself.
func (q AuditQuery) hide(e *AuditEntry) {
	if q.Open {
		return
	}
	for _, state := range []*string{&e.Before, &e.After} {
		var fields map[string]json.RawMessage
		if !strings.Contains(*state, `_id"`) || json.Unmarshal([]byte(*state), &fields) != nil {
			continue
		}
		is := func(field, value string) bool { return string(fields[field]) == `"`+value+`"` }
		size := len(fields)
		if q.AccountID != "" && is("status", string(Rejected)) && fields["user_id"] != nil {
			delete(fields, "user_id")
			e.UserID = ""
		}
		if q.AccountID != "" && !is("grantor_kind", string(ByUser)) || q.AccountID == "" && !is("grantor_id", string(q.UserID)) {
			delete(fields, "grantor_id")
		}
		if len(fields) < size {
			*state = encode(fields)
		}
	}
}

// auditRows reads a page. A network is no term that every engine knows: for one
// that is more than an address rows are read in turn and looked at here.
func (s *Service) auditRows(ctx context.Context, query AuditQuery) ([]AuditEntry, error) {
	if !query.Network.IsValid() {
		return s.store.AuditLog(ctx, query)
	}
	network := query.Network.Masked()
	if network.IsSingleIP() {
		query.Terms = append(query.Terms, AuditTerm{Field: AuditRemoteAddr, Values: []string{network.Addr().String()}})
		return s.store.AuditLog(ctx, query)
	}
	var found []AuditEntry
	step := query
	step.Skip, step.Limit = 0, MaxAuditPage
	for skip := query.Skip; ; {
		if err := ctx.Err(); err != nil {
			return nil, err //nolint:wrapcheck // the caller's own context
		}
		entries, err := s.store.AuditLog(ctx, step)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			addr, err := netip.ParseAddr(entry.RemoteAddr)
			if err != nil || !network.Contains(addr.Unmap()) {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			if found = append(found, entry); len(found) == query.Limit {
				return found, nil
			}
		}
		if len(entries) < step.Limit {
			return found, nil
		}
		step.After = entries[len(entries)-1].Place()
	}
}
