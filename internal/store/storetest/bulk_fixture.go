package storetest

import (
	"fmt"
	"maps"

	"hither/internal/iam"
)

// bulkFixture is an account with somebody who invites.
type bulkFixture struct {
	*fixture
	account iam.Account
	inviter iam.User
	own     iam.Membership
	key     iam.Key
	limited iam.AuditEntry
}

func (f *fixture) bulkFixture() *bulkFixture {
	f.Helper()
	b := &bulkFixture{fixture: f, account: f.account("A")}
	b.inviter = f.user("inviter-" + string(b.account.ID) + "@example.com")
	b.own = f.member(b.account, b.inviter, withRoles(f.super()))
	b.key = iam.Key{ID: f.id(), UserID: b.inviter.ID, Name: "k", CreatedOn: f.clock.Now()}
	b.key.Hash = iam.HashSecret(string(b.key.ID))
	entry := f.entry(iam.KeyCreate, "", b.key.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertKey(b.key, entry) })
	b.limited = f.entry(iam.AccountChange, b.account.ID, b.account.ID)
	return b
}

// rows are n rows that wait, each of somebody else.
func (b *bulkFixture) rows(n int) []iam.BulkRow {
	rows := make([]iam.BulkRow, n)
	for i := range rows {
		rows[i] = iam.BulkRow{
			Number: i + 1, Line: i + 2, Email: fmt.Sprintf("p%d@example.com", i), Roles: []string{string(readerID)}, Outcome: iam.BulkWaiting,
		}
	}
	return rows
}

func (b *bulkFixture) start(rows []iam.BulkRow) iam.Bulk {
	b.Helper()
	actor := byUser(b.inviter)
	actor.CredentialID, actor.Means, actor.Key, actor.RemoteAddr = b.key.ID, iam.MeansKey, true, "192.0.2.1"
	started, err := b.service().StartBulk(b.ctx(), actor, b.account.ID, rows, iam.IdempotencyKey{})
	if err != nil {
		b.Fatalf("StartBulk: %v", err)
	}
	return started.Result
}

func (b *bulkFixture) work(id iam.ID, worker string) iam.BulkProgress {
	b.Helper()
	progress, err := b.service().WorkBulk(b.ctx(), iam.BulkStep{ID: id, Worker: worker, Limit: iam.BulkBatch})
	if err != nil {
		b.Fatalf("WorkBulk: %v", err)
	}
	return progress
}

// finish works a bulk off to its end.
func (b *bulkFixture) finish(id iam.ID) iam.Bulk {
	b.Helper()
	for range 1000 {
		if progress := b.work(id, "w"); progress.Bulk.State != iam.BulkRunning {
			stored := b.read(id)
			want := maps.Clone(progress.Bulk.Counts)
			maps.DeleteFunc(want, func(_ iam.BulkOutcome, n int) bool { return n == 0 })
			equal(b.fixture, "counts as they are kept", stored.Counts, want)
			return progress.Bulk
		}
	}
	b.Fatal("the bulk does not end")
	return iam.Bulk{}
}

func (b *bulkFixture) read(id iam.ID) iam.Bulk {
	b.Helper()
	bulk, err := b.store.Bulk(b.ctx(), b.account.ID, id)
	if err != nil {
		b.Fatalf("Bulk: %v", err)
	}
	return bulk
}

// ends are the audit rows of the end of a bulk.
func (b *bulkFixture) ends(id iam.ID) []iam.Action {
	b.Helper()
	var ends []iam.Action
	for _, entry := range b.audit(b.account.ID) {
		if entry.TargetID == id && (entry.Action == iam.BulkCancel || entry.Action == iam.BulkFinish) {
			ends = append(ends, entry.Action)
		}
	}
	return ends
}

func (b *bulkFixture) results(id iam.ID) []iam.BulkRow {
	b.Helper()
	rows, err := b.store.BulkRows(b.ctx(), id, iam.BulkQuery{Limit: iam.MaxBulkRows})
	if err != nil {
		b.Fatalf("BulkRows: %v", err)
	}
	return rows
}
