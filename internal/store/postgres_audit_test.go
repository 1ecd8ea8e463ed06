package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
)

// TestAuditPageOnPostgresCostsWhatItShows holds that no step of PostgreSQL's plan
// for a page of a log handles more rows than the page skips and shows, of an
// account and of a user, in both directions, by number, by place and within a
// time, however long the log is.
func TestAuditPageOnPostgresCostsWhatItShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	const account, user = iam.ID("aaaa0000000000000000000000000001"), iam.ID("bbbb0000000000000000000000000001")
	conn := rawPostgres(t, w.url)
	mustExec(t, conn, `INSERT INTO audit (operation_id, at, actor, actor_id, actor_email, credential, action, denied, account_id,
			target_id, state_before, state_after, remote_addr, request_id, means, user_id, shown)
		SELECT 'op' || i, i * 1000, 'user', CASE WHEN i % 4 = 0 THEN '`+string(user)+`' ELSE md5('u' || i % 500) END, 'u@example.com', '',
			'invite.create', '', CASE WHEN i % 2 = 0 THEN '`+string(account)+`' ELSE md5('a' || i % 500) END,
			md5(i::text), '', '', '192.0.2.1', '', 'api_key', CASE WHEN i % 4 = 1 THEN '`+string(user)+`' ELSE '' END, 2
		FROM generate_series(1, 40000) i`)
	mustExec(t, conn, `VACUUM ANALYZE audit`)
	middle := time.UnixMicro(20_000_000).UTC()
	for _, query := range []iam.AuditQuery{
		{Limit: 100},
		{Limit: 100, Skip: 400},
		{Limit: 100, After: iam.AuditPlace{At: middle, Seq: 20_000}},
		{Limit: 100, Since: middle, Before: middle.Add(10 * time.Second)},
	} {
		for _, descending := range []bool{false, true} {
			for _, ofUser := range []bool{false, true} {
				query.Descending, query.AccountID, query.UserID = descending, account, ""
				if ofUser {
					query.AccountID, query.UserID = "", user
				}
				w.boundedLog(query)
			}
		}
	}
}

func (w *world) boundedLog(query iam.AuditQuery) {
	w.Helper()
	session, err := w.store.readers.ready(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer w.store.readers.give(session)
	if _, err := session.exec(w.store.beginRead); err != nil {
		w.Fatal(err)
	}
	watch := &explainer{connection: session}
	got, err := (&Store{readers: newPool([]connection{watch}), now: clock.Now, cutBranches: w.store.cutBranches}).AuditLog(w.Context(), query)
	if _, ended := session.exec(`COMMIT`); ended != nil {
		w.Fatal(ended)
	}
	what := fmt.Sprintf("AuditLog %+v", query)
	if err != nil || len(got) != query.Limit || len(watch.plan) == 0 {
		w.Fatalf("%s: %d rows, a plan of %d steps, %v", what, len(got), len(watch.plan), err)
	}
	most := 2 * (query.Skip + query.Limit) // a user's log has two branches
	for _, step := range watch.plan {
		if n := handled(step); n > most {
			w.Errorf("%s: a step handles %d rows, more than %d: %s\n\t%s", what, n, most, step, strings.Join(watch.plan, "\n\t"))
			return
		}
	}
}
