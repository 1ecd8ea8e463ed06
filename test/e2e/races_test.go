package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// TestOneAnswerWins: KF-13, KF-14. Of 64 answers that a user gives to one
// invitation at once, by either path, one counts; the same again is 200, the
// other one 1201. One row, one audit row, one member.
func TestOneAnswerWins(t *testing.T) {
	t.Parallel()
	const racers, guest = 64, "guest@example.com"
	seed := newSeed().User(guest)
	account := func(round int) string { return fmt.Sprint("Account ", round) }
	admin := func(round int) string { return fmt.Sprintf("admin%d@example.com", round) }
	n := rounds(8, 2)
	for round := range n {
		seed.Account(account(round), admin(round))
		invited(seed, account(round), guest, admin(round), viewer)
	}
	s := harness.Serve(t, seed)
	c := s.Client()
	for round := range n {
		id := rowID(account(round), guest)
		var got tally
		together(racers, func(i int) {
			status, method, path := "accepted", http.MethodPatch, "/user/invites/"
			if (i+round)%2 == 0 {
				status = "rejected"
			}
			if i%4 < 2 {
				method, path = http.MethodPut, "/memberships/"
			}
			answer := ask(t, c.As(guest), method, path+id, object{"status": status})
			if answer.HTTPStatus == http.StatusOK && answer.Row(t).Status != status {
				t.Errorf("answering %s: got %s", status, answer.Body)
			}
			got.add(status + " " + outcome(answer))
		})
		won := c.As(guest).OK(t, http.MethodGet, "/memberships/"+id, nil).Row(t).Status
		lost := map[string]string{"accepted": "rejected", "rejected": "accepted"}[won]
		if half := racers / 2; got.count[won+" 200"] != half || got.count[lost+" 400/1201"] != half {
			t.Errorf("round %d: %d answers each way, %s won: got %v, want its %d 200 and the other %d 1201", round, half, won, got.count, half, half)
		}
		members := map[string]int{"accepted": 2, "rejected": 1}[won]
		page := c.As(admin(round)).OK(t, http.MethodGet, "/accounts/"+harness.ID(account(round))+"/members?status=accepted", nil)
		if page.ResultInfo.TotalCount != members || len(page.Rows(t)) != members {
			t.Errorf("round %d: members after %s: got %s, want %d", round, won, page.Body, members)
		}
	}
	d := disk.Read(t, s.Data)
	for round := range n {
		id := rowID(account(round), guest)
		want := map[string]string{"accepted": "import invite.accept", "rejected": "import invite.reject"}[d.Rows[id].Status]
		if got := d.Actions(id); got != want || len(d.Of(harness.ID(account(round)), guest)) != 1 {
			t.Errorf("round %d: audit rows: got %q of %v, want %q of one row", round, got, d.Of(harness.ID(account(round)), guest), want)
		}
	}
}

// TestIdenticalInvites: 32 times the same invitation at once, by both paths, by
// two administrators and in several spellings, is one invitation.
func TestIdenticalInvites(t *testing.T) {
	t.Parallel()
	const racers, super, second = 32, "super@example.com", "manager@example.com"
	account := harness.ID("Account")
	seed := newSeed().Account("Account", super)
	employ(seed, "Account", second, manager)
	s := harness.Serve(t, seed)
	c := s.Client()
	for round := range rounds(10, 2) {
		email := fmt.Sprintf("new%d@example.com", round)
		var ids tally
		together(racers, func(i int) {
			by := []string{super, second}[i%2]
			spelled := []string{email, strings.ToUpper(email), strings.Replace(email, "example", "Example", 1)}[i%3]
			path, body := "/accounts/"+account+"/members", object{"email": spelled, "roles": []string{viewer}}
			if i%4 < 2 {
				path, body = "/organizations/"+account+"/invites", object{"invited_member_email": spelled, "roles": []string{viewer}}
			}
			answer := ask(t, c.As(by), http.MethodPost, path, body)
			if answer.HTTPStatus != http.StatusOK {
				t.Errorf("POST %s %v: got %d %s, want 200", path, body, answer.HTTPStatus, answer.Body)
				return
			}
			ids.add(answer.Row(t).ID)
		})
		if len(ids.count) != 1 {
			t.Errorf("round %d: ids of %d identical invitations: got %v, want one", round, racers, ids.count)
		}
		page := c.As(super).OK(t, http.MethodGet, "/accounts/"+account+"/members?email="+email, nil)
		if len(page.Rows(t)) != 1 {
			t.Errorf("round %d: members of the address: got %s, want one", round, page.Body)
		}
		d := disk.Read(t, s.Data)
		for id := range d.Of(account, email) {
			if ids.count[id] != racers || d.Actions(id) != "invite.create" {
				t.Errorf("round %d: row %s: got %d answers and audit rows %q, want %d and invite.create", round, id, ids.count[id], d.Actions(id), racers)
			}
		}
	}
}

// TestSeatsRace: KF-16. However many ask at once, invitations and direct adds,
// an account of five seats has five.
func TestSeatsRace(t *testing.T) {
	t.Parallel()
	const limit, super = 5, "super@example.com"
	sizes := []int{10, 25, 50, 50}[:rounds(4, 2)]
	seed := newSeed().User(super)
	name := func(round int) string { return fmt.Sprint("Account ", round) }
	for round := range sizes {
		seed.Accounts = append(seed.Accounts, harness.SeedAccount{
			ID: harness.ID(name(round)), Name: name(round), Settings: &harness.SeedSettings{MemberLimit: limit},
		})
		seed.Member(name(round), super, harness.SuperAdministrator)
	}
	s := harness.Serve(t, seed)
	c := s.Client()
	for round, racers := range sizes {
		account := harness.ID(name(round))
		var got tally
		together(racers, func(i int) {
			by, path := c.As(super), "/accounts/"+account+"/members"
			email := fmt.Sprintf("new%d@example.com", i)
			body := object{"email": email, "roles": []string{viewer}}
			switch i % 3 {
			case 1:
				by = c.Bearer(operatorToken)
				body["status"] = "accepted"
			case 2:
				path, body = "/organizations/"+account+"/invites", object{"invited_member_email": email, "roles": []string{viewer}}
			}
			got.add(outcome(ask(t, by, http.MethodPost, path, body)))
		})
		if got.count["200"] != limit-1 || got.count["400/1204"] != racers-(limit-1) {
			t.Errorf("%d ask for the %d seats left: got %v, want %d times 200 and %d times 1204",
				racers, limit-1, got.count, limit-1, racers-(limit-1))
		}
		page := c.As(super).OK(t, http.MethodGet, "/accounts/"+account+"/members?per_page=50", nil)
		if d := disk.Read(t, s.Data); d.Live(account) != limit || page.ResultInfo.TotalCount != limit || len(page.Rows(t)) != limit {
			t.Errorf("seats taken after %d asked: got %d on disk, %s, want %d", racers, d.Live(account), page.Body, limit)
		}
	}
}

// TestSeatsAcrossProcesses: KF-16. Commands are processes of their own, and
// share the seats with the running server.
func TestSeatsAcrossProcesses(t *testing.T) {
	t.Parallel()
	const limit, processes, super = 5, 5, "super@example.com"
	account := harness.ID("Account")
	seed := newSeed().User(super)
	seed.Accounts = append(seed.Accounts, harness.SeedAccount{
		ID: account, Name: "Account", Settings: &harness.SeedSettings{MemberLimit: limit},
	})
	seed.Member("Account", super, harness.SuperAdministrator)
	s := harness.Serve(t, seed)
	c := s.Client().As(super)
	harness.Binary(t)
	var added, refused atomic.Int64
	together(2*processes, func(i int) {
		if i%2 == 0 { // the server fills and frees one seat again and again, beside them
			path := "/accounts/" + account + "/members"
			answer := ask(t, c, http.MethodPost, path, object{"email": fmt.Sprintf("guest%d@example.com", i), "roles": []string{viewer}})
			for range 10 {
				if answer.HTTPStatus != http.StatusOK {
					return
				}
				ask(t, c, http.MethodDelete, path+"/"+answer.Row(t).ID, nil)
				answer = ask(t, c, http.MethodPost, path, object{"email": fmt.Sprintf("guest%d@example.com", i), "roles": []string{viewer}})
			}
			return
		}
		_, stderr, code := harness.Try(t, s.Data, "account", "add-member", account, fmt.Sprintf("staff%d@example.com", i), "--role", viewer)
		switch {
		case code == 0:
			added.Add(1)
		case code == 1 && strings.Contains(stderr, "seats"):
			refused.Add(1)
		default:
			t.Errorf("add-member: got code %d, %q, want 0, or 1 for want of a seat", code, stderr)
		}
	})
	d := disk.Read(t, s.Data)
	if d.Live(account) > limit || int(added.Load()+refused.Load()) != processes {
		t.Errorf("seats taken: got %d by %d commands, %d refused, want %d at most of %d commands",
			d.Live(account), added.Load(), refused.Load(), limit, processes)
	}
	replaySeats(t, d, account, limit)
	t.Logf("%d commands added, %d refused, %d seats taken", added.Load(), refused.Load(), d.Live(account))
}

// replaySeats goes through the audit log: no moment had more than limit seats
// taken.
func replaySeats(t testing.TB, d disk.State, account string, limit int) {
	t.Helper()
	live := map[string]bool{}
	for _, e := range d.Order {
		if e.After.Account != account {
			continue
		}
		delete(live, e.After.ID)
		if e.After.Status == "pending" || e.After.Status == "accepted" {
			live[e.After.ID] = true
		}
		if len(live) > limit {
			t.Errorf("after %s of %s: got %d seats taken, want %d at most", e.Action, e.After.Email, len(live), limit)
		}
	}
}

// TestSuperAdministratorsRace: KF-88. All Super Administrators of an account
// leave, step down or take each other's role at once: at every moment, told by
// the audit log, one is left, and who would have been the last gets 1210.
func TestSuperAdministratorsRace(t *testing.T) {
	t.Parallel()
	const n = 8
	email := func(i int) string { return fmt.Sprintf("super%d@example.com", i%n) }
	ways := []struct {
		name string
		do   func(c harness.Client, account string, row func(i int) string, i int) harness.Answer
		// With exact, each only gives up what is its own: n-1 do, one may not.
		exact bool
	}{
		{"leave", func(c harness.Client, _ string, row func(int) string, i int) harness.Answer {
			return ask(t, c, http.MethodDelete, "/memberships/"+row(i), nil)
		}, true},
		{"leave the organization", func(c harness.Client, account string, _ func(int) string, _ int) harness.Answer {
			return ask(t, c, http.MethodDelete, "/user/organizations/"+account, nil)
		}, true},
		{"step down", func(c harness.Client, account string, row func(int) string, i int) harness.Answer {
			return ask(t, c, http.MethodPut, "/accounts/"+account+"/members/"+row(i), object{"roles": []object{{"id": viewer}}})
		}, true},
		{"remove oneself", func(c harness.Client, account string, row func(int) string, i int) harness.Answer {
			return ask(t, c, http.MethodDelete, "/accounts/"+account+"/members/"+row(i), nil)
		}, true},
		{"remove the next", func(c harness.Client, account string, row func(int) string, i int) harness.Answer {
			return ask(t, c, http.MethodDelete, "/accounts/"+account+"/members/"+row(i+1), nil)
		}, false},
		{"demote the next", func(c harness.Client, account string, row func(int) string, i int) harness.Answer {
			return ask(t, c, http.MethodPut, "/accounts/"+account+"/members/"+row(i+1), object{"roles": []object{{"id": viewer}}})
		}, false},
		{"all of it", nil, false},
	}
	for i, way := range ways {
		if way.do == nil {
			ways[i].do = func(c harness.Client, account string, row func(int) string, i int) harness.Answer {
				return ways[i%(len(ways)-1)].do(c, account, row, i)
			}
		}
	}
	repeats := rounds(4, 1)
	seed := newSeed()
	for i := range n {
		seed.User(email(i))
	}
	name := func(way, round int) string { return fmt.Sprint(ways[way].name, " ", round) }
	for way := range ways {
		for round := range repeats {
			seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: harness.ID(name(way, round)), Name: name(way, round)})
			for i := range n {
				seed.Member(name(way, round), email(i), harness.SuperAdministrator)
			}
		}
	}
	s := harness.Serve(t, seed)
	c := s.Client()
	allowed := map[string]bool{
		"200": true, "400/1210": true, // done, or the last one
		"403/9109": true, "404/7003": true, "404/1003": true, // the actor or the target was overtaken
	}
	for way := range ways {
		var all tally
		for round := range repeats {
			account := harness.ID(name(way, round))
			row := func(i int) string { return rowID(name(way, round), email(i)) }
			var got tally
			together(n, func(i int) {
				result := outcome(ways[way].do(c.As(email(i)), account, row, i))
				got.add(result)
				all.add(result)
			})
			for result := range got.count {
				if !allowed[result] {
					t.Errorf("%s: got %v, want none but %v", ways[way].name, got.count, allowed)
				}
			}
			if ways[way].exact && (got.count["200"] != n-1 || got.count["400/1210"] != 1) {
				t.Errorf("%d Super Administrators at once %s: got %v, want %d times 200 and once 1210", n, ways[way].name, got.count, n-1)
			}
		}
		t.Logf("%s: %v", ways[way].name, all.count)
	}
	d := disk.Read(t, s.Data)
	for way := range ways {
		for round := range repeats {
			replaySuperAdministrators(t, d, name(way, round), n)
		}
	}
}

// replaySuperAdministrators goes through the audit log of an account: no moment
// was without one.
func replaySuperAdministrators(t testing.TB, d disk.State, name string, n int) {
	t.Helper()
	super := map[string]bool{}
	began := false
	for _, e := range d.Order {
		if e.After.Account != harness.ID(name) {
			continue
		}
		delete(super, e.After.ID)
		if e.After.Status == "accepted" && strings.Contains(e.After.Roles, harness.SuperAdministrator) {
			super[e.After.ID] = true
		}
		began = began || len(super) == n
		if began && len(super) == 0 {
			t.Errorf("%s: after %s of %s: got no Super Administrator, want one at every moment", name, e.Action, e.After.Email)
		}
	}
	if !began {
		t.Errorf("%s: the audit log tells of %d Super Administrators, want %d at first", name, len(super), n)
	}
}

// TestInvitesAcrossExpiry: KF-15. While an invitation expires, everybody goes on
// inviting the same address: before that moment it is the same invitation, from
// then on one new one; the old one ends once, and never are there two.
func TestInvitesAcrossExpiry(t *testing.T) {
	t.Parallel()
	seed := newSeed()
	seed.User(theSuper)
	s := harness.Serve(t, seed)
	// A machine that is too slow to ask once before that moment gets more time.
	for _, margin := range []time.Duration{2 * time.Second, 6 * time.Second, 20 * time.Second} {
		if n := inviteAcrossExpiry(t, s, margin); n > 0 || t.Failed() {
			t.Logf("%d times the same invitation, then the new one", n)
			return
		}
	}
	t.Error("inviting again before the invitation expired: got no chance, want one")
}

// inviteAcrossExpiry tells how often it was the same invitation.
func inviteAcrossExpiry(t *testing.T, s *harness.Server, margin time.Duration) int64 {
	t.Helper()
	const racers = 8
	name := "Account " + margin.String()
	account, old := harness.ID(name), rowID(name, theGuest)
	ends := time.Now().Add(margin).UTC().Truncate(time.Microsecond)
	more := &harness.Seed{Accounts: []harness.SeedAccount{{ID: account, Name: name}}}
	more.Member(name, theSuper, harness.SuperAdministrator)
	invited(more, name, theGuest, "", harness.ReadOnly)
	more.Memberships[1].ExpiresOn = ends.Format(time.RFC3339Nano)
	s.Run(t, "import", more.Write(t))

	c := s.Client().As(theSuper)
	fresh := make([]string, racers) // the new id that each saw
	var before atomic.Int64
	together(racers, func(i int) {
		for deadline := ends.Add(time.Minute); fresh[i] == "" && time.Now().Before(deadline); {
			sent := time.Now()
			answer := ask(t, c, http.MethodPost, "/accounts/"+account+"/members",
				object{"email": theGuest, "roles": []string{harness.ReadOnly}})
			if answer.HTTPStatus != http.StatusOK {
				t.Errorf("inviting again: got %d %s, want 200", answer.HTTPStatus, answer.Body)
				return
			}
			switch id := answer.Row(t).ID; {
			case id != old && time.Now().Before(ends):
				t.Errorf("inviting again before %s: got the new id %s, want %s", ends, id, old)
				return
			case id != old:
				fresh[i] = id
			case !sent.Before(ends):
				t.Errorf("inviting again at %s: got the id of the invitation that expired %s, want a new one", sent, ends)
				return
			default:
				before.Add(1)
			}
		}
	})
	for _, id := range fresh {
		if id == "" || id != fresh[0] {
			t.Errorf("new ids: got %v, want one", fresh)
			break
		}
	}
	d := disk.Read(t, s.Data)
	if got, want := d.Actions(old), "import invite.expire"; got != want {
		t.Errorf("audit rows of the old invitation: got %q, want %q", got, want)
	}
	if rows := d.Of(account, theGuest); len(rows) != 2 || d.Actions(fresh[0]) != "invite.create" {
		t.Errorf("rows of the address: got %v, %q, want the expired one and one new", rows, d.Actions(fresh[0]))
	}
	return before.Load()
}

// TestListsAreOfOneMoment: while members come and go, a list that fits on its
// page has as many rows as it says that there are.
func TestListsAreOfOneMoment(t *testing.T) {
	t.Parallel()
	const writers, readers = 4, 4
	reads := rounds(100, 30)
	account := harness.ID("Account")
	seed := newSeed()
	seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: account, Name: "Account"})
	employ(seed, "Account", theManager, manager)
	s := harness.Serve(t, seed)
	c := s.Client().As(theManager)
	lists := []string{
		"/accounts/" + account + "/members?per_page=50",
		"/organizations/" + account + "/invites?per_page=50&status=pending",
		"/accounts/" + account + "/members?per_page=50&order=user.email",
	}
	var left atomic.Int64
	left.Store(readers)
	together(writers+readers, func(i int) {
		if i < readers {
			defer left.Add(-1)
			for n := range reads {
				path := lists[n%len(lists)]
				answer := ask(t, c, http.MethodGet, path, nil)
				if rows := len(answer.Rows(t)); rows != answer.ResultInfo.TotalCount || rows != answer.ResultInfo.Count {
					t.Errorf("GET %s: got %d rows, count %d, total_count %d, want the same thrice",
						path, rows, answer.ResultInfo.Count, answer.ResultInfo.TotalCount)
					return
				}
			}
			return
		}
		for left.Load() > 0 && !t.Failed() {
			answer := ask(t, c, http.MethodPost, "/accounts/"+account+"/members",
				object{"email": fmt.Sprintf("guest%d@example.com", i), "roles": []string{viewer}})
			if answer.HTTPStatus != http.StatusOK {
				t.Errorf("inviting: got %d %s, want 200", answer.HTTPStatus, answer.Body)
				return
			}
			ask(t, c, http.MethodDelete, "/organizations/"+account+"/invites/"+answer.Row(t).ID, nil)
		}
	})
}

// TestIdentitiesDoNotMix: KF-95. Two hundred people ask at once who they are,
// by key and by token, on shared connections; each is told of itself.
func TestIdentitiesDoNotMix(t *testing.T) {
	t.Parallel()
	const people, workers = 200, 32
	requests := rounds(1600, 400)
	email := func(i int) string { return fmt.Sprintf("person%d@example.com", i) }
	token := func(i int) string { return harness.Key("token of " + email(i)) }
	seed := newSeed().Account("Account", "super@example.com")
	for i := range people {
		person(seed, harness.SeedUser{ID: harness.ID(email(i)), Email: email(i)})
		seed.Tokens = append(seed.Tokens, harness.SeedToken{User: email(i), Name: "own", Secret: token(i)})
		invited(seed, "Account", email(i), "super@example.com", viewer)
	}
	s := harness.Serve(t, seed)
	c := s.Client()
	var next atomic.Int64
	together(workers, func(int) {
		for {
			n := int(next.Add(1))
			if n > requests || t.Failed() {
				return
			}
			i := n % people
			as := c.As(email(i))
			if n/people%2 == 0 {
				as = c.Bearer(token(i))
			}
			if n%4 == 0 {
				answer := ask(t, as, http.MethodGet, "/user/invites/"+rowID("Account", email(i)), nil)
				if answer.HTTPStatus != http.StatusOK || answer.Row(t).InvitedMemberEmail != email(i) {
					t.Errorf("GET /user/invites/… as %s: got %d %s, want its own", email(i), answer.HTTPStatus, answer.Body)
				}
				continue
			}
			answer := ask(t, as, http.MethodGet, "/user", nil)
			if answer.HTTPStatus != http.StatusOK || answer.Row(t).ID != harness.ID(email(i)) || answer.Row(t).Email != email(i) {
				t.Errorf("GET /user as %s: got %d %s, want its own", email(i), answer.HTTPStatus, answer.Body)
			}
		}
	})
}
