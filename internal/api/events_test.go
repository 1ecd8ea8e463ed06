package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/id"
)

const (
	eventsOfA = "/accounts/" + string(tenantA) + "/events"
	eventsOfB = "/accounts/" + string(tenantB) + "/events"
)

// overtaken is a store in which something happens right behind the first read of a log.
type overtaken struct {
	iam.Store

	happens func()
}

func (o *overtaken) AuditLog(ctx context.Context, query iam.AuditQuery) ([]iam.AuditEntry, error) {
	defer o.meanwhile()
	return o.Store.AuditLog(ctx, query)
}

func (o *overtaken) Events(ctx context.Context, query iam.EventQuery) ([]iam.AuditEntry, error) {
	defer o.meanwhile()
	return o.Store.Events(ctx, query)
}

func (o *overtaken) meanwhile() {
	if happens := o.happens; happens != nil {
		o.happens = nil
		happens()
	}
}

// Who lost its credential, or what it may do, while it waits or reads is told nothing
// more: neither an event nor the rest of an export.
func TestReadersAreAskedAgain(t *testing.T) {
	t.Parallel()
	losses := map[string]func(w *world, who iam.User) error{
		"its user": func(w *world, who iam.User) error {
			return w.service.SuspendUser(context.Background(), commandLine, who.ID, true)
		},
		"the operator's rights": func(w *world, who iam.User) error {
			no := false
			_, err := w.service.SetUserFlags(context.Background(), commandLine, who.ID, iam.UserFlags{Operator: &no})
			return err
		},
	}
	for name, lose := range losses {
		for _, path := range []string{eventsOfB + "?limit=1000", logOfB + "?export=true"} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, twoTenants())
				yes := true
				user, err := w.service.User(t.Context(), commandLine, guest.email)
				if err == nil {
					_, err = w.service.SetUserFlags(t.Context(), commandLine, user.ID, iam.UserFlags{Operator: &yes})
				}
				for i := 0; i < 600 && err == nil; i++ {
					entry := iam.AuditEntry{OperationID: fmt.Sprintf("op-%03d", i), Action: iam.MemberEdit, AccountID: tenantB}
					err = w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) })
				}
				if err != nil {
					t.Fatal(err)
				}
				now := func() time.Time { return start }
				ids := id.NewSource(now)
				store := &overtaken{Store: w.store}
				store.happens = func() {
					if err := lose(w, user); err != nil {
						t.Error(err)
					}
				}
				handler := api.New(api.Options{
					Service: iam.NewService(store, ids.New, now), Auth: auth.New(w.store, now), Logger: slog.New(slog.DiscardHandler), NewID: ids.New, Now: now,
				})
				r := ask(t, http.MethodGet, api.Prefix+path, "")
				r.Header = guest.headers()
				got := httptest.NewRecorder()
				brokenOff := func() (yes bool) {
					defer func() {
						cause, _ := recover().(error)
						yes = errors.Is(cause, http.ErrAbortHandler)
					}()
					handler.ServeHTTP(got, r)
					return false
				}()
				if store.happens != nil {
					t.Fatal("nothing was read")
				}
				if !brokenOff && got.Code == http.StatusOK || strings.Contains(got.Body.String(), "op-550") && strings.Contains(got.Body.String(), "op-010") {
					t.Errorf("got %d with %d bytes, broken off: %t", got.Code, got.Body.Len(), brokenOff)
				}
			})
		}
	}
}

// A cursor is the id of an event of the account, and moves by nothing that happens in
// another one.
func TestCursorsTellNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	latest := func() string {
		var answer struct {
			Info struct{ Cursor string } `json:"result_info"`
		}
		got := w.do(t, ownerB, http.MethodGet, eventsOfB+"?after=latest", "").want(t, 200, 0)
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Info.Cursor
	}
	record := func(operation string, account iam.ID) {
		entry := iam.AuditEntry{OperationID: operation, Action: iam.MemberEdit, AccountID: account}
		if err := w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) }); err != nil {
			t.Fatal(err)
		}
	}
	record("mine", tenantB)
	record("theirs", tenantA)
	if got := latest(); got != "mine" {
		t.Errorf("the last cursor of B is %q, want the id of its last event", got)
	}
	record("mine-too", tenantB)
	for after, want := range map[string]int{"mine": 1, "mine-too": 0} {
		if rows := w.events(t, ownerB, eventsOfB+"?after="+after); len(rows) != want {
			t.Errorf("after %s: %v", after, rows)
		}
	}
	// What is no event of the account, as one that retention dropped, is before all.
	whole := w.events(t, ownerB, eventsOfB)
	for _, after := range []string{"theirs", "dropped"} {
		if rows := w.events(t, ownerB, eventsOfB+"?after="+after); len(rows) != len(whole) {
			t.Errorf("after %s: %d rows, want all %d", after, len(rows), len(whole))
		}
	}
	if rows := w.events(t, ownerA, eventsOfA+"?after=mine-too"); len(rows) == 0 {
		t.Error("B's event is a place in A's log")
	}
}

func (w *world) events(t *testing.T, who principal, path string) []logged {
	t.Helper()
	var rows []logged
	if err := json.Unmarshal(w.do(t, who, http.MethodGet, path, "").want(t, 200, 0).Result, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// By which of its tokens the operator gave rights an account sees nowhere, and a user
// not by whom: the operator sees both, in the stream as well.
func TestStatesNameNobodyHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	user, err := w.service.User(t.Context(), commandLine, guest.email)
	if err != nil {
		t.Fatal(err)
	}
	for kind, grantor := range map[string]string{"operator": "11111111111111111111111111111111", "user": "22222222222222222222222222222222"} {
		entry := iam.AuditEntry{
			OperationID: kind, Actor: iam.ByOperator, ActorID: iam.ID(grantor), Action: iam.MemberEdit, AccountID: tenantB, UserID: user.ID,
			After: `{"status":"accepted","grantor_kind":"` + kind + `","grantor_id":"` + grantor + `"}`,
		}
		if err := w.store.Update(t.Context(), func(tx iam.Tx) error { return tx.Record(entry) }); err != nil {
			t.Fatal(err)
		}
	}
	operates, yes := ownerA, true
	owner, err := w.service.User(t.Context(), commandLine, operates.email)
	if err == nil {
		_, err = w.service.SetUserFlags(t.Context(), commandLine, owner.ID, iam.UserFlags{Operator: &yes})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		who              principal
		path             string
		token, user, all bool
	}{
		{ownerB, logOfB + "?per_page=1000", false, true, false},
		{ownerB, eventsOfB + "?limit=1000", false, true, false},
		{guest, "/user/audit_logs?per_page=1000", false, false, false},
		{operates, logOfB + "?per_page=1000", true, true, true},
		{operates, eventsOfB + "?limit=1000", true, true, true},
	} {
		text := string(w.do(t, test.who, http.MethodGet, test.path, "").want(t, 200, 0).Result)
		for grantor, want := range map[string]bool{"1111": test.token, "2222": test.user} {
			if got := strings.Contains(text, `grantor_id\":\"`+grantor); got != want {
				t.Errorf("%s tells of %s: %t, want %t", test.path, grantor, got, want)
			}
		}
		if got := strings.Contains(text, `"id":"11111111`); got != test.all {
			t.Errorf("%s tells who did it: %t, want %t", test.path, got, test.all)
		}
	}
}

// Nobody takes all the room for those who wait: of one user's streams so many are let in, and somebody else still is. Who
// left has room again.
func TestOwnStreamsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 16
	w := newWorld(t, twoTenants())
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(api.WithTrace(r.Context(), &api.Trace{Stopping: over})))
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	follow := func(who principal, method, path string) int {
		t.Helper()
		ctx, leave := context.WithCancel(t.Context())
		t.Cleanup(leave)
		r, err := http.NewRequestWithContext(ctx, method, server.URL+api.Prefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = who.headers()
		r.Header.Set("Accept", "text/event-stream")
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer.StatusCode
	}
	for i := range most + 1 { // these end at once
		if status := follow(ownerA, http.MethodHead, eventsOfA); status != http.StatusOK {
			t.Fatalf("stream %d without a body: got %d, want 200", i+1, status)
		}
	}
	for i := range most {
		if status := follow(ownerA, http.MethodGet, eventsOfA); status != http.StatusOK {
			t.Fatalf("stream %d: got %d, want 200", i+1, status)
		}
	}
	if status := follow(ownerA, http.MethodGet, eventsOfA); status != http.StatusServiceUnavailable {
		t.Errorf("stream %d: got %d, want 503", most+1, status)
	}
	if status := follow(ownerB, http.MethodGet, eventsOfB); status != http.StatusOK {
		t.Errorf("somebody else's stream: got %d, want 200", status)
	}
}
