package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
)

// The benchmarks call the store as use cases do, rules and wire apart. Writers
// and readers work 48 at a time.
const callers = 48

type bench struct {
	*testing.B
	store   *store.Store
	service *iam.Service
	ids     *id.Source
	account iam.Account
	users   []iam.User
}

var operator = iam.Actor{Kind: iam.ByCommandLine}

func newBench(b *testing.B, users int) *bench {
	b.Helper()
	s := openFile(b, filepath.Join(b.TempDir(), "bench.db"), store.Options{})
	ids := id.NewSource(time.Now)
	x := &bench{B: b, store: s, ids: ids, service: iam.NewService(s, ids.New, clock.Now)}
	var err error
	if x.account, err = x.service.CreateAccount(b.Context(), operator, iam.NewAccount{Name: "Bench"}); err != nil {
		b.Fatal(err)
	}
	x.users = make([]iam.User, users)
	err = s.Update(b.Context(), func(tx iam.Tx) error {
		for i := range x.users {
			u := iam.User{ID: iam.ID(ids.New()), Email: fmt.Sprintf("user%d@example.com", i), Verified: true}
			if err := tx.InsertUser(u, operator.Entry(ids.New(), iam.UserCreate, "", u.ID)); err != nil {
				return err
			}
			x.users[i] = u
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return x
}

func (x *bench) invite(i int) iam.ID {
	invited, err := x.service.Invite(context.Background(), operator, x.account.ID, iam.InviteRequest{
		Email: x.users[i].Email, RoleIDs: []iam.ID{"5c35d2bf3a545e6b7560b826c0d23c39"},
	})
	if err != nil {
		x.Error(err)
	}
	return invited.Member.ID
}

// run calls fn for each of n, by several callers, and reports a rate.
func (x *bench) run(n int, workers int, fn func(i int)) {
	x.Helper()
	var next atomic.Int64
	x.ResetTimer()
	x.StartTimer()
	before := cpuTime(x)
	done := make(chan struct{})
	for range workers {
		go func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				fn(int(i))
			}
			done <- struct{}{}
		}()
	}
	for range workers {
		<-done
	}
	x.StopTimer()
	x.ReportMetric(float64(n)/x.Elapsed().Seconds(), "ops/s")
	x.ReportMetric(float64((cpuTime(x)-before).Microseconds())/float64(n), "cpu-µs/op")
}

// cpuTime is what this process used so far: a busy machine falsifies it less
// than a rate.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkInvite(b *testing.B) {
	x := newBench(b, b.N)
	x.run(b.N, callers, func(i int) { x.invite(i) })
}

func BenchmarkInviteOneByOne(b *testing.B) {
	x := newBench(b, b.N)
	x.run(b.N, 1, func(i int) { x.invite(i) })
}

func BenchmarkAccept(b *testing.B) {
	x := newBench(b, b.N)
	ids := make([]iam.ID, b.N)
	x.run(b.N, callers, func(i int) { ids[i] = x.invite(i) })
	x.run(b.N, callers, func(i int) {
		_, err := x.service.AnswerInvitation(context.Background(), iam.Actor{Kind: iam.ByUser, User: x.users[i]}, ids[i], iam.Accepted)
		if err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkInvitation(b *testing.B) {
	const rows = 5_000
	x := newBench(b, rows)
	ids := make([]iam.ID, rows)
	x.run(rows, callers, func(i int) { ids[i] = x.invite(i) })
	b.ReportAllocs()
	x.run(b.N, callers, func(i int) {
		if _, err := x.store.Invitation(b.Context(), ids[i*7919%rows]); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkMembersPage(b *testing.B) {
	const rows = 5_000
	x := newBench(b, rows)
	x.run(rows, callers, func(i int) { x.invite(i) })
	b.ReportAllocs()
	x.run(b.N, callers, func(i int) {
		query := iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1 + i%900, Size: 20}}
		if _, err := x.store.Members(b.Context(), x.account.ID, query, time.Now()); err != nil {
			b.Error(err)
		}
	})
}
