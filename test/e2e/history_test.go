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

// TestHistoriesAreSequential: KF-11, KF-13, KF-15, KF-16. The guest accepts and
// rejects, the manager who invited it edits and withdraws, the chief
// removes that manager and withdraws too, both go after the last seat,
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
	s := harness.Serve(t, seed)
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
			output := perform(t, c, account, row, do)
			operation := porcupine.Operation{
				ClientId: i, Input: do, Call: int64(called), Output: output, Return: int64(time.Since(began)),
			}
			mu.Lock()
			history = append(history, operation)
			mu.Unlock()
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
	return " " + r.Status + " " + strings.Join(names, "+")
}
