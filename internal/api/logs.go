package api

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// The newer form of an audit log: a cursor instead of pages, and filters for
// whatever a row has.

// logRow is an audit row in the newer form.
type logRow struct {
	ID       string      `json:"id"`
	Account  logAccount  `json:"account"`
	Action   logAction   `json:"action"`
	Actor    logActor    `json:"actor"`
	Raw      logRaw      `json:"raw"`
	Resource logResource `json:"resource"`
}

type logAccount struct {
	ID   iam.ID `json:"id"`
	Name string `json:"name"`
}

type logAction struct {
	Description string `json:"description"`
	Result      string `json:"result"`
	Time        moment `json:"time"`
	Type        string `json:"type"`
}

type logActor struct {
	Type      string `json:"type"`
	Context   string `json:"context,omitempty"`
	ID        string `json:"id,omitempty"`
	Email     string `json:"email,omitempty"`
	IPAddress string `json:"ip_address,omitempty"`
	TokenID   iam.ID `json:"token_id,omitempty"`
}

// logRaw has the request's id in the field for the upstream's. What else the
// upstream notes of a request is not kept here.
type logRaw struct {
	RayID string `json:"cf_ray_id,omitempty"`
}

type logResource struct {
	ID       iam.ID     `json:"id"`
	Product  string     `json:"product"`
	Type     string     `json:"type"`
	Response *logChange `json:"response,omitempty"`
}

// logChange is the resource as it was and as it is, in JSON; "" where there was none.
type logChange struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// The types of actions in the newer form.
const (
	createType = "create"
	deleteType = "delete"
	viewType   = "view" // nothing here has it: who only looks leaves no trace
	updateType = "update"
)

// verbsOf are the verbs of actions that create and of those that delete; every
// other one updates.
func verbsOf(kind string) []string {
	switch kind {
	case createType:
		return []string{"create", "renew", "add", "define", "start", "import"}
	case deleteType:
		return []string{"delete", "cancel", "expire", "remove", "leave", "disable", "revoke", "end", "drop", "lift", "erase"}
	}
	return nil
}

func logType(action iam.Action) string {
	for _, kind := range []string{createType, deleteType} {
		if slices.Contains(verbsOf(kind), action.Verb()) {
			return kind
		}
	}
	return updateType
}

// products are the parts of hither by the nouns of their actions; other nouns are
// their own.
func products() map[string][]string {
	return map[string][]string{
		"members":  {"invite", "bulk", "member", "delivery", "suppression"},
		"accounts": {"account"},
		"roles":    {"role"},
		"users":    {"user", "key", "token", "session", "sign_in", "address", "factor", "recovery_code", "identity"},
	}
}

func productOf(noun string) string {
	for product, nouns := range products() {
		if slices.Contains(nouns, noun) {
			return product
		}
	}
	return noun
}

// kindsOf are the kinds of actors of a type in the newer form.
func kindsOf(actor string) []string {
	switch actor {
	case "user":
		return []string{string(iam.ByUser), string(iam.ByVisitor)}
	case "cloudflare_admin":
		return []string{string(iam.ByOperator), string(iam.ByCommandLine)}
	case "system":
		return []string{"", string(iam.ByReporter)}
	}
	return nil // "account": no account acts by itself here
}

func logActorType(kind iam.ActorKind) string {
	for _, name := range []string{"user", "cloudflare_admin"} {
		if slices.Contains(kindsOf(name), string(kind)) {
			return name
		}
	}
	return "system"
}

// meansOf are the means of a context; "dash" is whoever was at a page.
func meansOf(context string) []string {
	switch context {
	case "api_key":
		return []string{string(iam.MeansKey)}
	case "api_token":
		return []string{string(iam.MeansToken)}
	case "dash":
		return []string{string(iam.MeansSession), string(iam.MeansLink), string(iam.MeansIdentity)}
	}
	return nil
}

func contextOf(means iam.Means) string {
	for _, name := range []string{"api_key", "api_token", "dash"} {
		if slices.Contains(meansOf(name), string(means)) {
			return name
		}
	}
	return ""
}

func logRowOf(e iam.AuditEntry, account iam.Account) logRow {
	row := logRow{
		ID:      e.OperationID,
		Account: logAccount{account.ID, account.Name},
		Action:  logAction{Description: string(e.Action), Result: iam.AuditSuccess, Time: moment(e.At), Type: logType(e.Action)},
		Actor: logActor{
			Type: logActorType(e.Actor), Context: contextOf(e.Means), ID: string(e.ActorID), Email: e.ActorEmail, IPAddress: e.RemoteAddr,
		},
		Raw:      logRaw{RayID: e.RequestID},
		Resource: logResource{ID: e.TargetID, Product: productOf(e.Action.Noun()), Type: e.Action.Noun()},
	}
	if e.Denied != "" {
		row.Action.Result = iam.AuditFailure
	}
	if e.Means == iam.MeansToken {
		row.Actor.TokenID = e.Credential
	}
	if e.Before != "" || e.After != "" {
		row.Resource.Response = &logChange{e.Before, e.After}
	}
	return row
}

// logPageInfo is the result_info of the newer form. Clients read the cursor in one
// of two places; the last page has none.
type logPageInfo struct {
	Count   string     `json:"count"`
	Cursor  string     `json:"cursor"`
	Cursors logCursors `json:"cursors"`
}

type logCursors struct {
	After string `json:"after"`
}

func listLogs(x *exchange) (answer, error) {
	params := x.query()
	query := iam.AuditQuery{
		Since: params.instant("since"), Before: params.instant("before"),
		Descending: params.choice("direction", "asc", "desc") != "asc",
		After:      params.cursor("cursor"),
	}
	limit := params.number("limit", defaultAuditPage, minAuditPage, iam.MaxAuditPage, false)
	query.Limit = limit + 1 // the one more says whether there are more
	names := params.logTerms(&query)
	if params.err != nil {
		return answer{}, params.err
	}
	account, entries, err := x.Service.AccountAudit(x.r.Context(), x.actor, x.id("account_id"), query)
	if err != nil {
		return answer{}, err
	}
	if !names.keep(account.Name) {
		entries = nil
	}
	info := &logPageInfo{}
	if len(entries) > limit {
		entries = entries[:limit]
		info.Cursor = cursorOf(entries[limit-1].Place())
		info.Cursors.After = info.Cursor
	}
	info.Count = strconv.Itoa(len(entries))
	return answer{result: each(entries, func(e iam.AuditEntry) logRow { return logRowOf(e, account) }), page: info}, nil
}

// maxLogValues bounds how many values are looked for at once.
const maxLogValues = 100

// eachWay hands on the values of a filter and those of its denial, as long as
// all that were handed on, which total counts, are few enough.
func (q *query) eachWay(name string, total *int, add func(values []string, not bool)) {
	for _, not := range []bool{false, true} {
		full := name
		if not {
			full += ".not"
		}
		values := q.bounded(full, q.values[full]...)
		if *total += len(values); *total > maxLogValues {
			q.refuse(full, "makes more than "+strconv.Itoa(maxLogValues)+" values to filter by")
		}
		if len(values) > 0 && q.err == nil {
			add(values, not)
		}
	}
}

// logTerms adds the filters of the newer form to a query. What nothing here has,
// zones and what the upstream keeps of a request, no row has. It returns which
// names the account may have.
func (q *query) logTerms(query *iam.AuditQuery) names {
	total := 0
	each := func(name string, add func(values []string, not bool)) { q.eachWay(name, &total, add) }
	by := func(name string, field iam.AuditField, translate func(string) []string) {
		each(name, func(values []string, not bool) {
			term := iam.AuditTerm{Field: field, Not: not}
			for _, value := range values {
				term.Values = append(term.Values, translate(value)...)
			}
			query.Terms = append(query.Terms, term)
		})
	}
	same := func(value string) []string { return []string{value} }
	of := func(name string, known func(string) []string, words ...string) func(string) []string {
		return func(word string) []string {
			if !slices.Contains(words, word) {
				q.refuse(name, "must be one of "+strings.Join(words, ", "))
			}
			return known(word)
		}
	}
	by("id", iam.AuditID, same)
	by("audit_log_id", iam.AuditID, same)
	by("action_result", iam.AuditOutcome, of("action_result", same, iam.AuditSuccess, iam.AuditFailure))
	by("actor_id", iam.AuditActorID, same)
	by("actor_email", iam.AuditActorEmail, func(value string) []string {
		email, err := iam.CanonicalEmail(value)
		if err != nil {
			q.refuse("actor_email", err.Error())
		}
		return []string{email}
	})
	by("actor_ip_address", iam.AuditRemoteAddr, same)
	by("actor_type", iam.AuditActorKind, of("actor_type", kindsOf, "account", "cloudflare_admin", "system", "user"))
	by("actor_context", iam.AuditMeans, of("actor_context", meansOf, "api_key", "api_token", "dash", "oauth", "origin_ca_key"))
	by("raw_cf_ray_id", iam.AuditRequest, same)
	by("resource_id", iam.AuditTarget, same)
	by("resource_type", iam.AuditNoun, same)
	by("resource_product", iam.AuditNoun, func(product string) []string {
		if nouns, ok := products()[product]; ok {
			return nouns
		}
		return []string{product}
	})
	q.moreLogTerms(query, each)
	if _, given := q.values["product_category"]; given {
		q.refuse("product_category", "is unknown: there are no product categories here")
	}
	var keep names
	each("account_name", func(values []string, not bool) {
		if not {
			keep.not = values
		} else {
			keep.only = values
		}
	})
	return keep
}

// moreLogTerms adds those filters that are no field of a row by themselves.
func (q *query) moreLogTerms(query *iam.AuditQuery, each func(name string, add func(values []string, not bool))) {
	each("action_type", func(types []string, not bool) { query.Terms = append(query.Terms, q.typeTerm(types, not)) })
	each("actor_token_id", func(ids []string, not bool) { query.Terms = append(query.Terms, tokenTerms(ids, not)...) })
	each("resource_scope", func(scopes []string, not bool) {
		if slices.Contains(scopes, "accounts") == not { // which everything here is of
			query.Terms = append(query.Terms, iam.AuditTerm{})
		}
	})
	for _, name := range []string{"raw_method", "raw_status_code", "raw_uri", "zone_id", "zone_name", "actor_token_name"} {
		each(name, func(_ []string, not bool) { query.Terms = append(query.Terms, iam.AuditTerm{Not: not}) })
	}
}

// typeTerm keeps the actions of some types.
func (q *query) typeTerm(types []string, not bool) iam.AuditTerm {
	for _, name := range types {
		if !slices.Contains([]string{createType, deleteType, viewType, updateType}, name) {
			q.refuse("action_type", "must be one of create, delete, view, update")
		}
	}
	updates := slices.Contains(types, updateType)
	term := iam.AuditTerm{Field: iam.AuditVerb, Not: not != updates}
	for _, name := range []string{createType, deleteType} {
		if slices.Contains(types, name) != updates {
			term.Values = append(term.Values, verbsOf(name)...)
		}
	}
	return term
}

// tokenTerms keep what was done by some tokens, or not by them: keys and sessions
// have ids as well.
func tokenTerms(ids []string, not bool) []iam.AuditTerm {
	terms := []iam.AuditTerm{{Field: iam.AuditCredential, Values: ids, Not: not}}
	if !not {
		terms = append(terms, iam.AuditTerm{Field: iam.AuditMeans, Values: []string{string(iam.MeansToken)}})
	}
	return terms
}

// names are those that an account may have; empty keeps all.
type names struct{ only, not []string }

func (n names) keep(name string) bool {
	return (len(n.only) == 0 || slices.Contains(n.only, name)) && !slices.Contains(n.not, name)
}

// cursorOf writes a place in a log as a cursor.
func cursorOf(at iam.AuditPlace) string {
	return base64.RawURLEncoding.EncodeToString([]byte(
		strconv.FormatInt(at.At.UnixMicro(), 36) + "." + strconv.FormatInt(at.Seq, 36)))
}

// cursor reads it back.
func (q *query) cursor(name string) iam.AuditPlace {
	text, given := q.one(name)
	if !given || text == "" {
		return iam.AuditPlace{}
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	at, seq, found := strings.Cut(string(plain), ".")
	micros, badTime := strconv.ParseInt(at, 36, 64)
	number, badSeq := strconv.ParseInt(seq, 36, 64)
	if err != nil || !found || badTime != nil || badSeq != nil || number < 1 || len(text) > maxAuditFilter {
		q.refuse(name, "is none that an answer gave; leave it out to begin with the first page")
		return iam.AuditPlace{}
	}
	return iam.AuditPlace{At: time.UnixMicro(micros).UTC(), Seq: number}
}
