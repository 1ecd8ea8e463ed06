package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

const replayed = "Idempotency-Replayed"

// order is a request that makes something of a name that nothing else has, and
// has an idempotency key for it.
type order struct {
	name   string
	path   string
	body   object
	answer []byte // nil until there was one
}

// orders are the ways to make something.
func orders(account, name string) []*order {
	members, invites := "/accounts/"+account+"/members", "/organizations/"+account+"/invites"
	email, roles := name+"@example.com", []string{viewer}
	return []*order{
		{name: name, path: "/accounts", body: object{"name": name}},
		{name: name, path: members, body: object{"email": email, "roles": roles}},
		{name: name, path: members, body: object{"email": email, "roles": roles, "status": "accepted"}},
		{name: name, path: invites, body: object{"invited_member_email": email, "roles": roles}},
	}
}

// made counts what came of orders, by name: accounts, members and audit rows.
func made(t testing.TB, data string) map[string]int {
	t.Helper()
	db := disk.Open(t, data, "ro")
	defer db.Close()
	tx := disk.Begin(t, db)
	defer func() { _ = tx.Rollback() }()
	count := map[string]int{}
	for _, name := range disk.Texts(t, tx, `SELECT 'account ' || name FROM accounts
		UNION ALL SELECT 'member ' || replace(email, '@example.com', '') FROM memberships
		UNION ALL SELECT 'audited account ' || a.name FROM audit e JOIN accounts a ON a.id = e.target_id WHERE e.action = 'account.create'
		UNION ALL SELECT 'audited member ' || replace(m.email, '@example.com', '') FROM audit e JOIN memberships m ON m.id = e.target_id
			WHERE e.action IN ('invite.create', 'member.add', 'invite.confirm')
		UNION ALL SELECT 'outcomes' FROM idempotency`) {
		count[name]++
	}
	return count
}

// of is what made holds of an order.
func (o *order) of(count map[string]int) (things, audited int) {
	kind := "member "
	if o.path == "/accounts" {
		kind = "account "
	}
	return count[kind+o.name], count["audited "+kind+o.name]
}

// TestOneKeyOneEffect: of 32 times the same request at once, with one key, one
// takes place. All are told the same, all but one that it is a replay.
func TestOneKeyOneEffect(t *testing.T) {
	t.Parallel()
	const racers = 32
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	c := s.Client().Bearer(operatorToken)
	sent := 0
	for round := range rounds(5, 1) {
		for kind := range orders("", "") {
			o := orders(harness.ID("Account"), fmt.Sprintf("racing%d-%d", round, kind))[kind]
			answers := make([]harness.Answer, racers)
			together(racers, func(i int) { answers[i] = ask(t, c.Once(o.name), http.MethodPost, o.path, o.body) })
			firsts := 0
			for _, answer := range answers {
				if answer.HTTPStatus != http.StatusOK || !bytes.Equal(answer.Body, answers[0].Body) {
					t.Errorf("POST %s %v: got %d %s, want 200 and %s", o.path, o.body, answer.HTTPStatus, answer.Body, answers[0].Body)
				}
				if answer.Header.Get(replayed) == "" {
					firsts++
				}
			}
			if firsts != 1 {
				t.Errorf("POST %s %v: got %d answers that are no replay, want 1", o.path, o.body, firsts)
			}
			sent++
			if things, audited := o.of(made(t, s.Data)); things != 1 || audited != 1 {
				t.Errorf("POST %s %v: got %d made, %d audited, want 1", o.path, o.body, things, audited)
			}
		}
	}
	if n := made(t, s.Data)["outcomes"]; n != sent {
		t.Errorf("outcomes kept: got %d, want %d, one a key", n, sent)
	}
	disk.Read(t, s.Data)
}

// customer places one order after the other until the server is gone; the last
// one is then without an answer.
type customer struct {
	name   string
	random *rand.Rand
	placed []*order
}

func (c *customer) last() *order { return c.placed[len(c.placed)-1] }

// place sends an order, for the first time or again; it reports whether there
// was an answer, and whether that was a replay.
func (o *order) place(t testing.TB, c harness.Client) (answered, again bool) {
	t.Helper()
	answer, err := c.Once(o.name).Do(t.Context(), http.MethodPost, o.path, o.body)
	if err != nil {
		return false, false
	}
	again = answer.Header.Get(replayed) != ""
	switch {
	case answer.HTTPStatus != http.StatusOK:
		t.Errorf("POST %s %v: got %d %s, want 200", o.path, o.body, answer.HTTPStatus, answer.Body)
	case o.answer == nil:
		o.answer = answer.Body
	case !again || !bytes.Equal(answer.Body, o.answer):
		t.Errorf("POST %s %v again: got replay %v of %s, want one of %s", o.path, o.body, again, answer.Body, o.answer)
	}
	return true, again
}

func (c *customer) work(t testing.TB, client harness.Client, acked chan<- struct{}) {
	t.Helper()
	for {
		all := orders(harness.ID("Account"), fmt.Sprintf("%s-%d", c.name, len(c.placed)))
		c.placed = append(c.placed, all[c.random.IntN(len(all))])
		if answered, _ := c.last().place(t, client); !answered || t.Failed() {
			return
		}
		acked <- struct{}{}
	}
}

// TestKillWithKeys kills the server again and again in the middle of a load
// whose clients do what keys are for: what has no answer they send again. In
// the end each request has had its effect, once, whether it had come to it
// before the server was killed or not.
func TestKillWithKeys(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	customers := make([]*customer, 6)
	for i := range customers {
		customers[i] = &customer{name: fmt.Sprint("customer", i), random: rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))}
	}
	random := rand.New(rand.NewPCG(0, uint64(time.Now().UnixNano())))
	took, lost := 0, 0
	times := rounds(20, 4)
	for range times {
		acked := make(chan struct{}, 1<<16)
		client := s.Client().Bearer(operatorToken)
		var running sync.WaitGroup
		for _, c := range customers {
			running.Go(func() { c.work(t, client, acked) })
		}
		timeout := time.After(time.Minute)
		for range random.IntN(40) {
			select {
			case <-acked:
			case <-timeout:
				t.Fatal("no acknowledgements within a minute")
			}
		}
		<-time.After(time.Duration(random.IntN(3000)) * time.Microsecond) // the moment is random; nothing is awaited
		s.Kill(t)
		running.Wait()
		s.Start(t)
		client = s.Client().Bearer(operatorToken)
		for _, c := range customers {
			answered, again := c.last().place(t, client)
			if !answered {
				t.Fatalf("POST %s %v after the restart: no answer", c.last().path, c.last().body)
			}
			if again {
				took++
			} else {
				lost++
			}
			// What was answered before the server was killed is so again.
			c.placed[c.random.IntN(len(c.placed))].place(t, client)
		}
		if t.Failed() {
			return
		}
	}
	count, placed := made(t, s.Data), map[string]bool{}
	for _, c := range customers {
		for _, o := range c.placed {
			placed[o.name] = true
			if things, audited := o.of(count); things != 1 || audited != 1 {
				t.Errorf("POST %s %v: got %d made, %d audited, want 1", o.path, o.body, things, audited)
			}
		}
	}
	if count["outcomes"] != len(placed) {
		t.Errorf("outcomes kept: got %d, want %d, one a key", count["outcomes"], len(placed))
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if _, order, ok := strings.Cut(name, " customer"); ok && !placed["customer"+order] {
			t.Errorf("%s: nobody placed that order", name)
		}
	}
	disk.Read(t, s.Data)
	t.Logf("killed %d times; %d orders; of those without an answer %d had taken place, %d had not", times, len(placed), took, lost)
}
