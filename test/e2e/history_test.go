package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"hither/test/disk"
	"hither/test/harness"
)

// lateEnd is when an invitation ends if somebody says so.
var lateEnd = sync.OnceValue(func() string {
	return time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
})

// TestHistoriesAreSequential: KF-11, KF-13, KF-15, KF-16. The guest accepts and
// rejects, the manager who invited it edits and withdraws, with a notice or without, the chief
// removes that manager and withdraws too, both go after the last seat, one by one and by lists,
// a super administrator forbids the invitations and allows them again, everybody looks: all at once, at random. Every answer is what it would
// have been had all this been done one by one, in an order that agrees with the
// clock; porcupine finds that order or says that there is none.
func TestHistoriesAreSequential(t *testing.T) {
	t.Parallel()
	const clients, each = 12, 3
	n := rounds(45, 12)
	seed := newSeed().User(theGuest).User(theManager).User(theChief).User(theSuper)
	seed.Roles = append(seed.Roles, harness.SeedRole{ID: scribe, Name: "Scribe", Permissions: map[string][]string{"documents": {"write"}}})
	name := func(round int) string { return fmt.Sprint("History ", round) }
	for round := range n {
		account := harness.ID(name(round))
		seed.Accounts = append(seed.Accounts, harness.SeedAccount{
			ID: account, Name: name(round), Settings: &harness.SeedSettings{MemberLimit: seatLimit},
		})
		seed.Member(name(round), theSuper, harness.SuperAdministrator)
		seed.Member(name(round), theChief, manager)
		seed.Memberships = append(seed.Memberships, harness.SeedMembership{
			ID: harness.ID(account + " " + theManager), Account: account, Email: theManager, Roles: []string{manager},
		})
		invited(seed, name(round), theGuest, theManager, viewer)
	}
	s := harness.Serve(t, seed, "--base-url="+base, "--mail=file", "--mail-dir="+t.TempDir(), "--mail-from=Example <invites@example.com>",
		"--budget-inviter=0", "--budget-open=0")
	var seen tally
	for round := range n {
		random := rand.New(rand.NewPCG(uint64(round), uint64(time.Now().UnixNano())))
		plans := make([][]step, clients)
		for i := range plans {
			who := []string{theGuest, theManager, theChief, theChief}[i%4]
			theme := themes[round%len(themes)]
			if _, takesPart := theme[theSuper]; takesPart && i == 3 {
				who = theSuper
			}
			steps := theme[who]
			for range each {
				plans[i] = append(plans[i], step{who, steps[random.IntN(len(steps))]})
			}
		}
		history := record(t, s.Client(), harness.ID(name(round)), rowID(name(round), theGuest), plans)
		history = append(history, notices(t, s, rowID(name(round), theGuest), history))
		for _, operation := range history {
			seen.add(fmt.Sprint(operation.Input.(step).what, " → ", operation.Output))
		}
		if result := porcupine.CheckOperationsTimeout(model, history, time.Minute); result != porcupine.Ok {
			t.Errorf("round %d: history: got %s, want one that could have been one by one:\n%s", round, result, describe(history))
		}
	}
	d := disk.Read(t, s.Data)
	for round := range n {
		replaySeats(t, d, harness.ID(name(round)), seatLimit)
	}
	t.Logf("%d histories of %d steps; answers: %v", n, clients*each, seen.count)
}

// record runs the plans at once and notes who was told what, and when.
func record(t testing.TB, c harness.Client, account, row string, plans [][]step) []porcupine.Operation {
	t.Helper()
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	together(len(plans), func(i int) {
		for _, do := range plans[i] {
			called := time.Since(began)
			note := func(do step, output string) {
				returned := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				history = append(history, porcupine.Operation{
					ClientId: i, Input: do, Call: int64(called), Output: output, Return: int64(returned),
				})
			}
			if do.what == "list x and y" {
				performList(t, c, account, do.who, note)
				continue
			}
			note(do, perform(t, c, account, row, do))
		}
	})
	return history
}

func describe(history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, o := range history {
		fmt.Fprintf(&text, "%8dµs to %8dµs, client %2d: %s\n", o.Call/1000, o.Return/1000, o.ClientId, model.DescribeOperation(o.Input, o.Output))
	}
	return text.String()
}

// perform asks for a step and tells the answer as the model does.
func perform(t testing.TB, c harness.Client, account, row string, do step) string {
	t.Helper()
	c = c.As(do.who)
	members, own := "/accounts/"+account+"/members", "/user/invites/"+row
	var answer harness.Answer
	switch do.what {
	case "accept":
		answer = ask(t, c, http.MethodPatch, own, object{"status": "accepted"})
	case "accept by membership":
		answer = ask(t, c, http.MethodPut, "/memberships/"+row, object{"status": "accepted"})
	case "reject":
		answer = ask(t, c, http.MethodPatch, own, object{"status": "rejected"})
	case "leave":
		return outcome(ask(t, c, http.MethodDelete, "/memberships/"+row, nil))
	case "cancel":
		return outcome(ask(t, c, http.MethodDelete, "/organizations/"+account+"/invites/"+row, nil))
	case "cancel with notice":
		return outcome(ask(t, c, http.MethodDelete, "/organizations/"+account+"/invites/"+row+"?notify=true", nil))
	case "patch to Viewer":
		answer = ask(t, c, http.MethodPatch, "/organizations/"+account+"/invites/"+row, object{"roles": []string{viewer}})
	case "patch to Scribe":
		answer = ask(t, c, http.MethodPatch, "/organizations/"+account+"/invites/"+row, object{"roles": []string{scribe}})
	case "patch the end":
		answer = ask(t, c, http.MethodPatch, "/organizations/"+account+"/invites/"+row, object{"expires_on": lateEnd()})
	case "remove":
		return outcome(ask(t, c, http.MethodDelete, members+"/"+row, nil))
	case "remove manager":
		return outcome(ask(t, c, http.MethodDelete, members+"/"+harness.ID(account+" "+theManager), nil))
	case "edit to Viewer":
		answer = ask(t, c, http.MethodPut, members+"/"+row, object{"roles": []object{{"id": viewer}}})
	case "edit to Scribe":
		answer = ask(t, c, http.MethodPut, members+"/"+row, object{"roles": []object{{"id": scribe}}})
	case "invite x":
		answer = ask(t, c, http.MethodPost, members, object{"email": strangerX, "roles": []string{viewer}})
	case "invite y":
		answer = ask(t, c, http.MethodPost, members, object{"email": strangerY, "roles": []string{viewer}})
	case "narrow":
		return nameDomains(t, c, account, "elsewhere.example")
	case "widen":
		return nameDomains(t, c, account)
	case "read own":
		answer = ask(t, c, http.MethodGet, own, nil)
	case "read", "count":
		return performRead(t, c, members, row, do)
	default:
		t.Errorf("no such step: %+v", do)
	}
	return outcome(answer) + told(t, answer)
}

// performList has both strangers invited by one list. What becomes of each is an
// operation of its own, which took place some time before it is seen.
func performList(t testing.TB, c harness.Client, account, who string, note func(do step, output string)) {
	t.Helper()
	c = c.As(who)
	path := "/organizations/" + account + "/invites/bulk"
	answer := ask(t, c, http.MethodPost, path, harness.CSV("email,roles\n"+strangerX+","+viewer+"\n"+strangerY+","+viewer+"\n"))
	note(step{who, "list x and y"}, outcome(answer))
	if answer.HTTPStatus != http.StatusOK {
		return
	}
	c = c.As(theSuper) // who asked may be gone
	path += "/" + bulkOf(t, answer).ID
	for deadline := time.Now().Add(time.Minute); ; { // closely: how long it takes is how much it may mean
		b := bulkOf(t, ask(t, c, http.MethodGet, path, nil))
		if ended(b) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("a minute later the list is %+v", b)
			return
		}
		<-time.After(2 * time.Millisecond)
	}
	for i, row := range resultsOf(t, c, path) {
		output := row.Outcome
		if row.Outcome == "refused" {
			output = fmt.Sprint("refused ", row.Reason.Code)
		}
		note(step{who, []string{"listed x", "listed y"}[i]}, output)
	}
}

// notices counts afterwards what the guest was told of a withdrawal.
func notices(t testing.TB, s *harness.Server, row string, history []porcupine.Operation) porcupine.Operation {
	t.Helper()
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	tx := disk.Begin(t, db)
	defer func() { _ = tx.Rollback() }()
	found := disk.Texts(t, tx, `SELECT id FROM deliveries WHERE kind = 'withdrawn' AND membership_id = $1`, row)
	last := int64(0)
	for _, o := range history {
		last = max(last, o.Return)
	}
	return porcupine.Operation{Input: step{theChief, "count notices"}, Call: last + 1, Output: fmt.Sprint(len(found)), Return: last + 2}
}

func nameDomains(t testing.TB, c harness.Client, account string, domains ...string) string {
	t.Helper()
	return outcome(ask(t, c, http.MethodPut, "/accounts/"+account, object{
		"name": account, "settings": object{"invite_domains": append([]string{}, domains...)},
	}))
}

func performRead(t testing.TB, c harness.Client, members, row string, do step) string {
	t.Helper()
	if do.what == "count" {
		answer := ask(t, c, http.MethodGet, members+"?per_page=5", nil)
		if answer.HTTPStatus != http.StatusOK {
			return outcome(answer)
		}
		return fmt.Sprint(outcome(answer), " ", answer.ResultInfo.TotalCount)
	}
	answer := ask(t, c, http.MethodGet, members+"/"+row, nil)
	if answer.HTTPStatus != http.StatusOK {
		return outcome(answer)
	}
	return fmt.Sprint(outcome(answer), told(t, answer), " ", answer.Row(t).NeedsConfirmation)
}

// told is what a successful answer says of the row: " status role".
func told(t testing.TB, answer harness.Answer) string {
	t.Helper()
	if answer.HTTPStatus != http.StatusOK {
		return ""
	}
	r := answer.Row(t)
	var names []string
	for _, raw := range r.Roles {
		var name string
		var role struct{ Name string }
		if json.Unmarshal(raw, &name) != nil && json.Unmarshal(raw, &role) == nil {
			name = role.Name
		}
		names = append(names, name)
	}
	if at, err := time.Parse(time.RFC3339, r.ExpiresOn); r.Status == "pending" && err == nil && at.Format(time.RFC3339) == lateEnd() {
		names = append(names, "late")
	}
	return " " + r.Status + " " + strings.Join(names, " ")
}
