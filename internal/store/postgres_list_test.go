package store

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hither/internal/clock"
	"hither/internal/iam"
)

// TestPageOnPostgresCostsWhatItShows holds, for every list of an account and
// every order, that no step of PostgreSQL's plan handles more rows than the
// page skips and shows of each state, however large the account is. The plan
// is the one for any account, which PostgreSQL settles on after a few uses: it
// expects an account of average size.
func TestPageOnPostgresCostsWhatItShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	large := w.account(0)
	w.fill(large)
	states := []iam.Status{"", iam.Pending, iam.Accepted, iam.Rejected}
	for _, page := range []iam.PageRequest{{Number: 1, Size: 20}, {Number: 5, Size: 20}} {
		for _, descending := range []bool{false, true} {
			for _, order := range []iam.MemberOrder{"", iam.ByEmail, iam.ByFirstName, iam.ByLastName, iam.ByMemberStatus} {
				for _, status := range states {
					query := iam.MemberQuery{PageRequest: page, Order: order, Descending: descending, Status: status}
					w.bounded(page, fmt.Sprintf("Members %+v", query), func(s *Store) (iam.Page[iam.Member], error) {
						return s.Members(t.Context(), large.ID, query, clock.Now())
					})
				}
			}
		}
		for _, status := range append(states, iam.Expired, iam.Canceled) {
			query := iam.InvitationQuery{PageRequest: page, Status: status}
			w.bounded(page, fmt.Sprintf("AccountInvitations %+v", query), func(s *Store) (iam.Page[iam.Member], error) {
				return s.AccountInvitations(t.Context(), large.ID, query, clock.Now())
			})
		}
	}
}

// fill gives an account 10,000 rows among as many of others, which have 50
// each. None of them is due.
func (w *world) fill(large iam.Account) {
	w.Helper()
	conn := rawPostgres(w.T, w.url)
	for _, statement := range []string{
		`INSERT INTO accounts SELECT md5('a' || i), 'A' || i, 'standard', 0, '', 0, 0, 0, 0, 1, 0 FROM generate_series(0, 199) i`,
		`INSERT INTO users SELECT md5('u' || i), i || '@example.com', 1, md5('f' || i), md5('l' || i), '', '', '', 0, 0, 0, 1
			FROM generate_series(1, 20000) i`,
		`INSERT INTO memberships (id, account_id, email, user_id, status, roles, super, invited, invited_by, invited_on, expires_on,
				grantor_kind, first_name, last_name, created_on, answered_on, revision)
			SELECT lpad(to_hex(i), 32, '0'), CASE WHEN i % 2 = 0 THEN '` + string(large.ID) + `' ELSE md5('a' || i % 200) END,
				i || '@example.com', CASE WHEN status IN ('accepted', 'rejected') THEN md5('u' || i) END, status,
				'5c35d2bf3a545e6b7560b826c0d23c39', 0, 1, 'x', 1, 0, 'command_line',
				CASE WHEN status = 'accepted' THEN md5('f' || i) ELSE '' END, CASE WHEN status = 'accepted' THEN md5('l' || i) ELSE '' END,
				1, 0, 1
			FROM generate_series(1, 20000) i
			CROSS JOIN LATERAL (SELECT ('{pending,accepted,rejected,expired,canceled}'::text[])[1 + i / 2 % 5] AS status) state`,
		`INSERT INTO counts SELECT account_id, status, invited, count(*) FROM memberships GROUP BY account_id, status, invited`,
		`VACUUM ANALYZE`,
	} {
		mustExec(w.T, conn, statement)
	}
}

// bounded runs a list, and complains of a step that handles too many rows.
func (w *world) bounded(page iam.PageRequest, what string, list func(*Store) (iam.Page[iam.Member], error)) {
	w.Helper()
	session, err := w.store.readers.take(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer w.store.readers.give(session)
	watch := &explainer{connection: session}
	got, err := list(&Store{
		readers: newPool([]connection{watch}), now: clock.Now, beginRead: w.store.beginRead, cutBranches: w.store.cutBranches,
	})
	if err != nil || len(got.Items) != page.Size {
		w.Fatalf("%s: got %d rows, %v", what, len(got.Items), err)
	}
	if len(watch.plan) == 0 {
		w.Fatalf("%s: no plan", what)
	}
	const branches = 6 // at most: five states, one of which is stored as two
	most := branches * (page.Offset() + page.Size)
	for _, step := range watch.plan {
		if n := handled(step); n > most {
			w.Errorf("%s: a step handles %d rows, more than %d: %s\n\t%s", what, n, most, step, strings.Join(watch.plan, "\n\t"))
			return
		}
	}
}

// explainer keeps what PostgreSQL did for the statement of a page.
type explainer struct {
	connection

	plan []string
}

func (e *explainer) query(statement string, args []any, each func(row) error) error {
	if strings.Contains(statement, `) page JOIN`) {
		if err := e.explain(statement, args); err != nil {
			return err
		}
	}
	return e.connection.query(statement, args, each)
}

func (e *explainer) explain(statement string, args []any) error {
	values := make([]string, len(args))
	for i, arg := range args {
		values[i] = fmt.Sprintf("'%v'", arg)
	}
	for _, step := range []string{`SET LOCAL plan_cache_mode = force_generic_plan`, `PREPARE page AS ` + statement} {
		if _, err := e.exec(step); err != nil {
			return err
		}
	}
	execute := `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE page(` + strings.Join(values, `, `) + `)`
	err := e.connection.query(execute, nil, func(r row) error {
		var step text
		err := r.Scan(&step)
		e.plan = append(e.plan, string(step))
		return err
	})
	if _, ended := e.exec(`DEALLOCATE page`); err == nil {
		err = ended
	}
	return err
}

var (
	rowsGiven    = regexp.MustCompile(`actual rows=([0-9.]+) loops=([0-9]+)`)
	rowsPassedBy = regexp.MustCompile(`Rows Removed by .*: ([0-9]+)`)
)

// handled are the rows that a line of a plan tells of.
func handled(step string) int {
	n := 1.0
	found := append(rowsGiven.FindStringSubmatch(step), rowsPassedBy.FindStringSubmatch(step)...)
	if found == nil {
		return 0
	}
	for _, digits := range found {
		if factor, err := strconv.ParseFloat(digits, 64); err == nil { // and not the whole match
			n *= factor
		}
	}
	return int(n)
}
