package storetest

import (
	"context"
	"fmt"

	"pgregory.net/rapid"

	"hither/internal/iam"
)

// The steps of the model that have to do with bulks. A bulk is its rows, one by one:
// each is invited as anybody else would be by who asked, when its turn comes.

type modelBulk struct {
	id    iam.ID
	user  *modelUser
	rows  []*modelBulkRow
	state iam.BulkState
}

type modelBulkRow struct {
	asked

	outcome iam.BulkOutcome
	reason  iam.Kind
	invite  iam.ID
}

// waiting are the rows that have no outcome yet.
func (b *modelBulk) waiting() []*modelBulkRow {
	var rows []*modelBulkRow
	for _, r := range b.rows {
		if r.outcome == iam.BulkWaiting {
			rows = append(rows, r)
		}
	}
	return rows
}

func (m *model) beginBulk(t *rapid.T) {
	user, actor := m.actor(t)
	b := &modelBulk{user: user, state: iam.BulkRunning}
	var rows []iam.BulkRow
	seen := map[string]bool{}
	for i, invited := range rapid.SliceOfN(rapid.SampledFrom(m.users), 1, 6).Draw(t, "rows") {
		r := &modelBulkRow{asked: asked{email: invited.Email, grade: pickGrade(t), ends: m.pickTerm(t)}, outcome: iam.BulkWaiting}
		rows = append(rows, iam.BulkRow{
			Number: i + 1, Line: i + 2, Email: r.email, Roles: []string{string(m.roles[r.grade])}, EndsOn: r.ends, Outcome: iam.BulkWaiting,
		})
		if seen[r.email] { // which of the two is meant nobody can tell
			r.outcome, r.reason = iam.BulkRefused, iam.Invalid
		}
		seen[r.email] = true
		b.rows = append(b.rows, r)
	}
	begun, err := m.service.StartBulk(context.Background(), actor, m.account.ID, rows, iam.IdempotencyKey{})
	want := m.manages(m.acts(user))
	if running := m.running(); want == iam.Internal && len(running) >= iam.MaxRunningBulks {
		want = iam.Invalid
	}
	expect(t, "begin a bulk", err, want)
	if err == nil {
		b.id = begun.Result.ID
		m.bulks = append(m.bulks, b)
	}
}

func (m *model) running() []*modelBulk {
	var running []*modelBulk
	for _, b := range m.bulks {
		if b.state == iam.BulkRunning {
			running = append(running, b)
		}
	}
	return running
}

func (m *model) pickBulk(t *rapid.T) *modelBulk {
	running := m.running()
	if len(running) == 0 {
		t.Skip("none runs")
	}
	return rapid.SampledFrom(running).Draw(t, "bulk")
}

// workBulk works some rows off. Ids are the store's to tell: who was invited is found
// among the account's rows afterwards.
func (m *model) workBulk(t *rapid.T) {
	b := m.pickBulk(t)
	rows := b.waiting()
	step := iam.BulkStep{ID: b.id, Worker: "model", Limit: rapid.IntRange(1, 6).Draw(t, "limit")}
	_, err := m.service.WorkBulk(context.Background(), step)
	must(t, err)
	results := m.results(t, b)
	stop := m.manages(m.acts(b.user))
	if b.user.Suspended {
		stop = iam.Forbidden
	}
	if stop != iam.Internal {
		for _, r := range rows {
			r.outcome, r.reason = iam.BulkRefused, stop
		}
		b.state = iam.BulkFinished
		return
	}
	for _, r := range rows[:min(step.Limit, len(rows))] {
		m.work(b, r, results)
	}
	if len(b.waiting()) == 0 {
		b.state = iam.BulkFinished
	}
}

// work gives a row its outcome.
func (m *model) work(b *modelBulk, r *modelBulkRow, results map[string]iam.ID) {
	want, existing := m.inviting(m.acts(b.user), r.asked)
	switch {
	case want == iam.Internal && existing == nil:
		r.outcome, r.invite = iam.BulkInvited, results[r.email]
		m.invited(b.user, r.asked, nil, r.invite)
	case want == iam.Internal:
		r.outcome, r.reason, r.invite = iam.BulkAlreadyInvited, iam.AlreadyInvited, existing.id
		m.invited(b.user, r.asked, existing, "")
	case want == iam.AlreadyMember:
		r.outcome, r.reason = iam.BulkAlreadyMember, want
		if over := m.over(r.email); over != nil {
			over.stay() // the last Super Administrator
		}
	default:
		r.outcome, r.reason = iam.BulkRefused, want
	}
}

// results are the invitations that rows of a bulk made, by address.
func (m *model) results(t *rapid.T, b *modelBulk) map[string]iam.ID {
	rows, err := m.store.BulkRows(context.Background(), b.id, iam.BulkQuery{Limit: 100})
	must(t, err)
	made := map[string]iam.ID{}
	for _, r := range rows {
		if r.Outcome == iam.BulkInvited {
			made[r.Email] = r.InviteID
		}
	}
	return made
}

func (m *model) cancelBulk(t *rapid.T) {
	b := m.pickBulk(t)
	user, actor := m.actor(t)
	_, err := m.service.CancelBulk(context.Background(), actor, m.account.ID, b.id)
	expect(t, "cancel a bulk", err, m.manages(m.acts(user)))
	if err == nil {
		for _, r := range b.waiting() {
			r.outcome = iam.BulkNotSent
		}
		b.state = iam.BulkCanceled
	}
}

// compareBulks holds what became of each row, and of how many.
func (m *model) compareBulks(t *rapid.T) {
	ctx := context.Background()
	for _, b := range m.bulks {
		bulk, err := m.store.Bulk(ctx, m.account.ID, b.id)
		must(t, err)
		rows, err := m.store.BulkRows(ctx, b.id, iam.BulkQuery{Limit: 100})
		must(t, err)
		if len(rows) != len(b.rows) || bulk.State != b.state {
			t.Fatalf("bulk %s is %s with %d rows, want %s with %d", b.id, bulk.State, len(rows), b.state, len(b.rows))
		}
		counts := iam.BulkCounts{}
		for outcome := range bulk.Counts {
			counts[outcome] = 0
		}
		for i, got := range rows {
			want := b.rows[i]
			counts[want.outcome]++
			if got.Outcome != want.outcome || got.Reason != want.reason || got.InviteID != want.invite {
				t.Fatalf("row %d of bulk %s is %s (%d) of %q, want %s (%d) of %q",
					got.Number, b.id, got.Outcome, got.Reason, got.InviteID, want.outcome, want.reason, want.invite)
			}
		}
		if fmt.Sprint(bulk.Counts) != fmt.Sprint(counts) {
			t.Fatalf("bulk %s counts %v, want %v", b.id, bulk.Counts, counts)
		}
	}
}
