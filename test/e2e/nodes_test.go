package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
)

// nodes are processes of hither on one database, behind a proxy that gives each
// request to the next one.
type nodes struct {
	servers []*harness.Server
	front   harness.Client
}

func newNodes(t *testing.T, n int, seed *harness.Seed) nodes {
	t.Helper()
	servers := []*harness.Server{harness.Serve(t, seed)}
	for len(servers) < n {
		servers = append(servers, harness.Open(t, servers[0].Data))
	}
	proxies := make([]http.Handler, n)
	for i, s := range servers {
		target, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		proxies[i] = httputil.NewSingleHostReverseProxy(target)
	}
	var turn atomic.Uint64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[turn.Add(1)%uint64(n)].ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	front := servers[0].Client()
	front.URL = proxy.URL
	return nodes{servers: servers, front: front}
}

// TestNodesBehindAProxy: KF-13, KF-14, KF-16, KF-88. What holds in one process
// holds across three: one invitation of an address, one answer to it, no seat
// too many, one effect of a key, one Super Administrator left.
func TestNodesBehindAProxy(t *testing.T) {
	t.Parallel()
	const racers, limit, leavers = 32, 5, 8
	seed := newSeed().Account("Account", theSuper).User("guest@example.com").Account("Small", "small@example.com").Account("Led", "lead0@example.com")
	seed.Accounts[1].Settings = &harness.SeedSettings{MemberLimit: limit}
	for i := range leavers - 1 {
		employ(seed, "Led", fmt.Sprintf("lead%d@example.com", i+1), harness.SuperAdministrator)
	}
	n := newNodes(t, 3, seed)
	c := n.front.As(theSuper)
	for round := range rounds(6, 2) {
		var ids tally
		together(racers, func(int) {
			answer := ask(t, c, http.MethodPost, members("Account"), object{"email": fmt.Sprintf("twin%d@example.com", round), "roles": []string{viewer}})
			if answer.HTTPStatus != http.StatusOK {
				t.Errorf("inviting: got %d %s, want 200", answer.HTTPStatus, answer.Body)
				return
			}
			ids.add(answer.Row(t).ID)
		})
		if len(ids.count) != 1 {
			t.Errorf("KF-14: round %d: ids of %d identical invitations: got %v, want one", round, racers, ids.count)
		}

		id := c.OK(t, http.MethodPost, members("Account"), object{"email": "guest@example.com", "roles": []string{viewer}}).Row(t).ID
		var answers tally
		together(racers, func(i int) {
			status := []string{"accepted", "rejected"}[i%2]
			answers.add(status + " " + outcome(ask(t, n.front.As("guest@example.com"), http.MethodPatch, "/user/invites/"+id, object{"status": status})))
		})
		won, lost := "accepted", "rejected"
		if answers.count["rejected 200"] > 0 {
			won, lost = lost, won
		}
		if answers.count[won+" 200"] != racers/2 || answers.count[lost+" 400/1201"] != racers/2 {
			t.Errorf("KF-13: round %d: answers: got %v, want one of them to win", round, answers.count)
		}
		if won == "accepted" {
			c.OK(t, http.MethodDelete, members("Account")+"/"+id, nil)
		}

		body := object{"email": fmt.Sprintf("keyed%d@example.com", round), "roles": []string{viewer}}
		bodies, firsts := make([][]byte, racers), atomic.Int32{}
		together(racers, func(i int) {
			answer := ask(t, c.Once(fmt.Sprint("nodes ", round)), http.MethodPost, members("Account"), body)
			bodies[i] = answer.Body
			if answer.Header.Get(replayed) == "" {
				firsts.Add(1)
			}
		})
		for _, got := range bodies {
			if !bytes.Equal(got, bodies[0]) || firsts.Load() != 1 {
				t.Errorf("one key: got %s, %d times as the first, want %s, once", got, firsts.Load(), bodies[0])
			}
		}
	}
	var seats, left tally
	together(racers, func(i int) {
		seats.add(outcome(ask(t, n.front.As("small@example.com"), http.MethodPost, members("Small"),
			object{"email": fmt.Sprintf("seat%d@example.com", i), "roles": []string{viewer}})))
	})
	if seats.count["200"] != limit-1 || seats.count["400/1204"] != racers-limit+1 {
		t.Errorf("KF-16: %d invitations for %d seats: got %v", racers, limit-1, seats.count)
	}
	together(leavers, func(i int) {
		left.add(outcome(ask(t, n.front.As(fmt.Sprintf("lead%d@example.com", i)), http.MethodDelete, "/user/organizations/"+harness.ID("Led"), nil)))
	})
	if left.count["200"] != leavers-1 || left.count["400/1210"] != 1 {
		t.Errorf("KF-88: %d Super Administrators leaving: got %v, want all but one to", leavers, left.count)
	}
	disk.Read(t, n.servers[0].Data)
}
