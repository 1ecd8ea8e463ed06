package api_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/id"
)

// logged is an audit row on the wire, in its older form.
type logged struct {
	ID     string
	Action struct {
		Result bool
		Type   string
	}
	Actor              struct{ ID, Email, IP, Type string }
	Interface          string
	Metadata           map[string]string
	NewValue, OldValue string
	Owner              struct{ ID string }
	Resource           struct{ ID, Type string }
	When               time.Time
}

func (l logged) String() string {
	return fmt.Sprintf("%s %t by %s %s of %s", l.Action.Type, l.Action.Result, l.Actor.Type, l.Actor.Email, l.Resource.ID)
}

func (w *world) logs(t *testing.T, who principal, path string) []logged {
	t.Helper()
	var rows []logged
	got := w.do(t, who, http.MethodGet, path, "").want(t, 200, 0)
	if err := json.Unmarshal(got.Result, &rows); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	if got.Info.Count != len(rows) {
		t.Errorf("%s: count %d of %d rows", path, got.Info.Count, len(rows))
	}
	return rows
}

const (
	logOfA = "/accounts/" + string(tenantA) + "/audit_logs"
	logOfB = "/accounts/" + string(tenantB) + "/audit_logs"
)

// TestAuditLogTellsWhatHappened walks an invitation and reads it back, from the
// account's side and from the user's.
func TestAuditLogTellsWhatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	w.ahead.Store(int64(time.Minute))
	made := w.do(t, ownerB, http.MethodPost, "/accounts/"+string(tenantB)+"/members",
		`{"email":"new@example.com","roles":["05784afa30c1afe1440e79d9351c7430"]}`).want(t, 200, 0)
	w.ahead.Store(int64(2 * time.Minute))
	w.do(t, guest, http.MethodPatch, "/user/invites/"+string(pendB), `{"status":"rejected"}`).want(t, 200, 0)
	w.ahead.Store(int64(3 * time.Minute))
	w.do(t, ownerA, http.MethodDelete, "/accounts/"+string(tenantB)+"/members/"+string(rowB), "").want(t, 404, 7003)

	since := "?since=" + start.Add(time.Minute).Format(time.RFC3339)
	rows := w.logs(t, ownerB, logOfB+since)
	if len(rows) != 3 {
		t.Fatalf("got %v, want three rows", rows)
	}
	denied, rejected, invited := rows[0], rows[1], rows[2]
	if invited.Action.Type != "invite.create" || !invited.Action.Result || invited.Actor.Email != ownerB.email || invited.Actor.ID == "" ||
		invited.Actor.IP != "192.0.2.1" || invited.Actor.Type != "user" || invited.Interface != "API" || invited.OldValue != "" ||
		!strings.Contains(invited.NewValue, `"email":"new@example.com"`) || invited.Owner.ID != string(tenantB) ||
		invited.Resource.ID != made.row(t).ID || invited.Resource.Type != "invite" || !invited.When.Equal(start.Add(time.Minute)) ||
		invited.Metadata["request_id"] != made.header.Get("X-Request-Id") {
		t.Errorf("the invitation: %+v", invited)
	}
	// Who declines is an invited address, and nothing else (KF-46).
	if rejected.Action.Type != "invite.reject" || rejected.Actor.Email != guest.email || rejected.Actor.ID != "" || rejected.Actor.IP != "" ||
		strings.Contains(rejected.NewValue, "user_id") || !strings.Contains(rejected.NewValue, `"status":"rejected"`) ||
		len(rejected.Metadata) != 0 {
		t.Errorf("the answer: %+v", rejected)
	}
	// Who tried its ids is a user of others (KF-47): that somebody did is told.
	if denied.Action.Result || denied.Metadata["refused"] != "account_not_found" || denied.Actor.Email != "" || denied.Actor.ID != "" || denied.Actor.IP != "" {
		t.Errorf("the attempt: %+v", denied)
	}
	for _, filter := range []string{"actor.email=" + ownerA.email, "actor.ip=192.0.2.1&action.type=member.remove", "actor.ip=192.0.2.0/24&action.type=invite.reject"} {
		if found := w.logs(t, ownerB, logOfB+since+"&"+filter); len(found) > 0 {
			t.Errorf("%s finds what is not shown: %v", filter, found)
		}
	}
	// The user itself sees all of what it did; the older path is the same log.
	mine := w.logs(t, guest, "/user/audit_logs"+since)
	if len(mine) != 1 || mine[0].ID != rejected.ID || mine[0].Actor.IP != "192.0.2.1" || mine[0].Owner.ID != string(tenantB) {
		t.Errorf("the guest's own log: %+v", mine)
	}
	if older := w.logs(t, ownerB, "/organizations/"+string(tenantB)+"/audit_logs"+since); len(older) != 3 || older[1].ID != rejected.ID {
		t.Errorf("the older path: %+v", older)
	}
	for _, row := range w.logs(t, ownerA, logOfA+"?per_page=1000") {
		if row.Owner.ID != string(tenantA) {
			t.Errorf("A's log has %+v", row)
		}
	}
}

// TestAuditLogFilters asks for everything by which the older form can be narrowed.
func TestAuditLogFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	invite := func(email string) string {
		return w.do(t, ownerB, http.MethodPost, "/accounts/"+string(tenantB)+"/members",
			`{"email":"`+email+`","roles":["05784afa30c1afe1440e79d9351c7430"]}`).want(t, 200, 0).row(t).ID
	}
	w.ahead.Store(int64(24 * time.Hour)) // 2 January, 05:20
	first := invite("1@example.com")
	w.ahead.Store(int64(48 * time.Hour))
	second := invite("2@example.com")
	w.do(t, ownerB, http.MethodDelete, "/accounts/"+string(tenantB)+"/members/"+second, "").want(t, 200, 0)
	id := w.logs(t, ownerB, logOfB+"?per_page=1&page=3")[0].ID
	for filter, want := range map[string][]string{
		"action.type=invite.create&direction=asc":                           {first, second},
		"action.type=invite.create":                                         {second, first},
		"action.type=invite.cancel":                                         {second},
		"action.type=nothing":                                               {},
		"since=2026-01-03":                                                  {second, second},
		"since=2026-01-02&before=2026-01-03":                                {first},
		"since=2026-01-02T05:20:00Z&before=2026-01-02T05:20:00.000001Z":     {first},
		"since=2026-01-02T06:20:00%2B01:00&before=2026-01-02T05:20:01Z":     {first},
		"since=2026-01-02&actor.email=" + strings.ToUpper(ownerB.email):     {second, second, first},
		"since=2026-01-02&actor.email=nobody@example.com":                   {},
		"since=2026-01-02&actor.ip=192.0.2.1":                               {second, second, first},
		"since=2026-01-02&actor.ip=192.0.2.0/24&per_page=2&page=2":          {first},
		"since=2026-01-02&actor.ip=192.0.2.0/24&direction=asc&per_page=1":   {first},
		"since=2026-01-02&actor.ip=192.0.3.0/24":                            {},
		"since=2026-01-02&actor.ip=%3A%3Affff:192.0.2.1":                    {second, second, first},
		"since=2026-01-02&actor.ip=2001:db8%3A%3A/32":                       {},
		"zone.name=example.com":                                             {},
		"since=2026-01-02&zone.name=":                                       {second, second, first},
		"since=2026-01-02&hide_user_logs=true":                              {second, second, first},
		"id=" + id:                                                          {first},
		"id=" + strings.Repeat("f", 32):                                     {},
		"since=2026-01-02&page=99":                                          {},
		"since=2026-01-02&per_page=2&page=2&export=false&unknown=parameter": {first},
	} {
		var got []string
		for _, row := range w.logs(t, ownerB, logOfB+"?"+filter) {
			got = append(got, row.Resource.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got rows of %v, want %v", filter, got, want)
		}
	}
	for filter, pointer := range map[string]string{
		"since=yesterday": "/since", "before=2026-13-01": "/before", "direction=up": "/direction", "per_page=0": "/per_page",
		"per_page=1001": "/per_page", "page=0": "/page", "actor.ip=300.1.1.1": "/actor.ip", "actor.ip=10.0.0.0/33": "/actor.ip",
		"actor.ip=fe80::1%25eth0": "/actor.ip", "actor.email=x": "/actor.email", "export=1": "/export", "format=xml": "/format",
		"hide_user_logs=yes": "/hide_user_logs", "id=%00": "/id", "id=%ff": "/id", "action.type=" + strings.Repeat("x", 321): "/action.type",
		"id=1&id=2": "/id",
	} {
		got := w.bad(t, ownerB, http.MethodGet, logOfB+"?"+filter, "").want(t, 400, 1001)
		if got.pointer() != pointer {
			t.Errorf("%s: the pointer is %q, want %q", filter, got.pointer(), pointer)
		}
	}
}

// TestLogsByCursor reads the newer form to its end, as its pagers do.
func TestLogsByCursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	for i := range 7 {
		w.do(t, ownerB, http.MethodPost, "/accounts/"+string(tenantB)+"/members",
			fmt.Sprintf(`{"email":"%d@example.com","roles":["05784afa30c1afe1440e79d9351c7430"]}`, i)).want(t, 200, 0)
	}
	w.do(t, ownerA, http.MethodDelete, "/accounts/"+string(tenantB)+"/members/"+string(rowB), "").want(t, 404, 7003)
	type page struct {
		Result []struct {
			ID      string
			Account struct{ ID, Name string }
			Action  struct{ Description, Result, Type string }
			Actor   struct{ Type, Context, Email string }
			Raw     struct {
				RayID string `json:"cf_ray_id"`
			}
			Resource struct {
				ID, Product, Type string
				Response          struct{ Before, After string }
			}
		}
		Info struct {
			Count   string
			Cursor  string
			Cursors struct{ After string }
		} `json:"result_info"`
	}
	const path = "/accounts/" + string(tenantB) + "/logs/audit"
	ask := func(filter string) (p page) {
		t.Helper()
		got := w.do(t, ownerB, http.MethodGet, path+"?"+filter, "").want(t, 200, 0)
		if err := json.Unmarshal([]byte(got.body), &p); err != nil {
			t.Fatal(err)
		}
		if p.Info.Count != fmt.Sprint(len(p.Result)) || p.Info.Cursor != p.Info.Cursors.After {
			t.Errorf("%s: result_info is %+v of %d rows", filter, p.Info, len(p.Result))
		}
		return p
	}
	whole := ask("limit=1000")
	newest := whole.Result[1] // before it somebody tried
	if newest.Account.Name != "B" || newest.Action.Description != "invite.create" || newest.Action.Result != "success" || newest.Action.Type != "create" ||
		newest.Actor.Type != "user" || newest.Actor.Context != "api_key" || newest.Actor.Email != ownerB.email || newest.Raw.RayID == "" ||
		newest.Resource.Product != "members" || newest.Resource.Type != "invite" || newest.Resource.Response.Before != "" ||
		!strings.Contains(newest.Resource.Response.After, `"email":"6@example.com"`) {
		t.Errorf("the newest row: %+v", newest)
	}
	for _, direction := range []string{"desc", "asc"} {
		var ids, want []string
		for _, row := range whole.Result {
			want = append(want, row.ID)
		}
		if direction == "asc" {
			slices.Reverse(want)
		}
		cursor := ""
		for {
			p := ask("limit=3&direction=" + direction + "&cursor=" + cursor)
			for _, row := range p.Result {
				ids = append(ids, row.ID)
			}
			if cursor = p.Info.Cursor; cursor == "" {
				break
			}
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: the pages together are %v, want %v", direction, ids, want)
		}
	}
	all, tried := len(whole.Result), 1
	made := 7
	for filter, want := range map[string]int{
		"action_result=failure": tried, "action_result.not=failure": all - tried, "action_result=success&action_result=failure": all,
		"resource_type=invite&resource_type=member&action_type=create": made, "resource_product=members&action_result=failure": tried,
		"action_type=view": 0, "action_type.not=view": all, "action_type=create&action_type=delete&action_type=update": all,
		"action_type=delete": tried, "action_type=update&action_type=delete&action_result=failure": tried,
		"action_type.not=create&action_type.not=update": tried,
		"actor_email=" + ownerB.email:                   made, "actor_email=" + ownerA.email: 0, "actor_email.not=" + ownerB.email: all - made,
		"actor_context=api_key": made, "actor_context=api_token": 0, "actor_context=oauth": 0, "actor_context=dash": 0,
		"actor_type=user&action_result=failure": tried, "actor_type=account": 0, "actor_ip_address=192.0.2.1": made,
		"raw_cf_ray_id=" + newest.Raw.RayID: 1, "resource_id=" + newest.Resource.ID: 1, "id=" + newest.ID: 1, "audit_log_id=" + newest.ID: 1,
		"audit_log_id.not=" + newest.ID: all - 1, "account_name=B": all, "account_name=A": 0, "account_name.not=B": 0, "account_name.not=A": all,
		"zone_id=x": 0, "zone_id.not=x": all, "raw_method=POST": 0, "raw_uri.not=/": all, "resource_scope=accounts": all, "resource_scope=user": 0,
		"resource_scope.not=accounts": 0, "resource_scope.not=zones": all, "actor_token_id=x": 0,
		"since=2026-01-01&before=2026-01-02": all, "since=2026-01-02": 0, "before=2026-01-01": 0,
	} {
		if got := ask(filter + "&limit=1000"); len(got.Result) != want {
			t.Errorf("%s: got %d rows, want %d", filter, len(got.Result), want)
		}
	}
	for filter, pointer := range map[string]string{
		"cursor=x": "/cursor", "cursor=" + url.QueryEscape("-1.1"): "/cursor", "limit=0": "/limit", "limit=1001": "/limit", "action_type=x": "/action_type",
		"action_result=maybe": "/action_result", "actor_type=cat": "/actor_type", "actor_context=x": "/actor_context", "actor_email=x": "/actor_email",
		"product_category=zerotrust": "/product_category", "since=x": "/since", strings.Repeat("id=1&", 101): "/id",
	} {
		if got := w.bad(t, ownerB, http.MethodGet, path+"?"+filter, "").want(t, 400, 1001); got.pointer() != pointer {
			t.Errorf("%s: the pointer is %q, want %q", filter, got.pointer(), pointer)
		}
	}
}

// file asks for an export and returns it with its content type.
func (w *world) file(t *testing.T, who principal, path string) (kind, text string) {
	t.Helper()
	r := ask(t, http.MethodGet, api.Prefix+path, "")
	r.Header = who.headers()
	r.Body = http.NoBody
	res, err := w.wire.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Length") != "" {
		t.Fatalf("%s: %d, %v, %v: %s", path, res.StatusCode, res.Header, err, body)
	}
	return res.Header.Get("Content-Type"), string(body)
}

// TestAuditExports reads a log of several chunks as a file, in both forms.
func TestAuditExports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	const rows = 1203
	formula := iam.User{ID: w.fresh(), Email: `=cmd|'/c calc'!a1@example.com`}
	for i := range rows {
		actor := iam.Actor{Kind: iam.ByUser, User: formula, RemoteAddr: "192.0.2.9"}
		entry := actor.Entry(fmt.Sprintf("op-%04d", i), iam.MemberEdit, tenantB, pendB)
		entry.After = `{"name":"a,\"b\"` + "\u2028" + `"}`
		if err := w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) }); err != nil {
			t.Fatal(err)
		}
	}
	const filter = "?action.type=member.edit&direction=asc"
	kind, text := w.file(t, ownerB, logOfB+filter+"&export=true&per_page=5&page=7")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || kind != "text/csv; charset=utf-8; header=present" || len(lines) != 1+rows || lines[0][0] != "id" {
		t.Fatalf("CSV: %q, %d lines, %v: %.300s", kind, len(lines), err, text)
	}
	for i, line := range lines[1:] {
		if line[0] != fmt.Sprintf("op-%04d", i) || line[7] != "'"+formula.Email || line[15] != "{\"name\":\"a,\\\"b\\\"\u2028\"}" {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	kind, text = w.file(t, ownerB, logOfB+filter+"&format=jsonl")
	parts := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if kind != "application/x-ndjson; charset=utf-8" || len(parts) != rows {
		t.Fatalf("JSON: %q, %d lines", kind, len(parts))
	}
	for i, part := range parts {
		var row logged
		if err := json.Unmarshal([]byte(part), &row); err != nil || row.ID != fmt.Sprintf("op-%04d", i) || row.Actor.Email != formula.Email {
			t.Fatalf("line %d is %s, %v", i, part, err)
		}
	}
	// One who may not read is refused like everywhere, and HEAD has no file.
	w.do(t, guest, http.MethodGet, logOfB+"?export=true", "").want(t, 404, 7003)
	r := ask(t, http.MethodHead, api.Prefix+logOfB+"?export=true", "")
	r.Header = ownerB.headers()
	if got := send(w.handler, r); got.Code != 200 || got.Body.Len() > 0 {
		t.Errorf("HEAD: %d with %d bytes", got.Code, got.Body.Len())
	}
}

// What begins like a formula is text to every spreadsheet, whatever kind of
// beginning it is; everything else stays as it is.
func TestCellsAreNoFormulas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	cells := []string{
		"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", "plain", "1=1", "'=1", "é=", " x",
		`{"name":"a;=1;@b"}`,
	}
	for i, cell := range cells {
		entry := iam.AuditEntry{OperationID: fmt.Sprint("op", i), Action: iam.MemberEdit, AccountID: tenantB, After: cell}
		if err := w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) }); err != nil {
			t.Fatal(err)
		}
	}
	_, text := w.file(t, ownerB, logOfB+"?action.type=member.edit&direction=asc&export=true")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) != len(cells)+1 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, cell := range cells {
		want := cell
		if i < 11 {
			want = "'" + cell
		}
		want = strings.ReplaceAll(want, ";", `\u003b`)                        // at which some spreadsheets divide, whatever the quotes
		if got := lines[i+1][15]; got != strings.ReplaceAll(want, "\r", "") { // which a writer of CSV leaves out
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
}

// breaking is a store whose log cannot be read a second time.
type breaking struct {
	iam.Store

	reads int
}

func (b *breaking) AuditLog(ctx context.Context, query iam.AuditQuery) ([]iam.AuditEntry, error) {
	if b.reads++; b.reads > 1 {
		return nil, errors.New("the disk is gone")
	}
	return b.Store.AuditLog(ctx, query)
}

// Half a log is not taken for a whole one: the connection breaks off.
func TestBrokenExportIsNoWholeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	for i := range 600 {
		entry := iam.AuditEntry{OperationID: fmt.Sprint("op", i), Action: iam.MemberEdit, AccountID: tenantB}
		if err := w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) }); err != nil {
			t.Fatal(err)
		}
	}
	now := func() time.Time { return start }
	ids := id.NewSource(now)
	handler := api.New(api.Options{
		Service: iam.NewService(&breaking{Store: w.store}, ids.New, now), Auth: auth.New(w.store, now),
		Logger: slog.New(slog.DiscardHandler), NewID: ids.New, Now: now,
	})
	r := ask(t, http.MethodGet, api.Prefix+logOfB+"?export=true", "")
	r.Header = ownerB.headers()
	var trace api.Trace
	defer func() {
		cause, _ := recover().(error)
		if !errors.Is(cause, http.ErrAbortHandler) || trace.Cause == nil {
			t.Errorf("it ended with %v, for the log %v; want the connection broken off", cause, trace.Cause)
		}
	}()
	handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(api.WithTrace(r.Context(), &trace)))
}
