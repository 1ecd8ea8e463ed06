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

// Who takes part in a history: the guest is invited by a manager, whom the
// chief, a manager too, may remove meanwhile. Two strangers are after the last
// seat.
const (
	theGuest   = "guest@example.com"
	theManager = "manager@example.com"
	theChief   = "chief@example.com"
	theSuper   = "super@example.com" // of other tests
	strangerX  = "x@example.com"
	strangerY  = "y@example.com"
	seatLimit  = 4 // chief, manager, guest, and one more
)

// scribe is a second role that the manager may give.
var scribe = harness.ID("role scribe")

// tenancy is the model: all that the operations of a history can see of one
// account, as one value. An operation takes it from one value to the next and
// has one right answer.
type tenancy struct {
	status  string // of the guest's row
	role    string // of the guest's row, by name
	grantor string // of the guest's row
	manager bool   // is a member
	x, y    bool   // are invited
}

func (s tenancy) live() bool { return s.status == "pending" || s.status == "accepted" }

func (s tenancy) seats() int {
	n := 1
	for _, taken := range []bool{s.live(), s.manager, s.x, s.y} {
		if taken {
			n++
		}
	}
	return n
}

// unconfirmed: whoever granted the pending row may no longer do so.
func (s tenancy) unconfirmed() bool {
	return s.status == "pending" && s.grantor == theManager && !s.manager
}

// shown is the guest's row in an answer.
func (s tenancy) shown() string { return "200 " + s.status + " " + s.role }

// step is what somebody asks for.
type step struct {
	who, what string
}

// themes are what histories draw their steps from, by who may ask for them.
// Looking at the account is left to the chief: whether somebody may look is read
// a moment before what there is to see, and between the two a member may be
// removed.
var themes = []map[string][]string{
	{ // everything
		theGuest: {"accept", "accept", "accept by membership", "accept by membership", "reject", "leave", "read own", "read own"},
		theManager: {
			"cancel", "edit to Viewer", "edit to Viewer", "edit to Scribe", "edit to Scribe", "invite x", "invite y",
		},
		theChief: {
			"cancel", "remove", "remove manager", "remove manager", "edit to Viewer", "edit to Scribe", "invite x", "invite y", "invite y",
			"count", "count", "read", "read", "read",
		},
	},
	{ // whose rights the invitation rests on
		theGuest:   {"accept", "accept by membership", "read own", "read own", "read own", "read own", "read own"},
		theManager: {"edit to Viewer", "edit to Scribe", "edit to Scribe"},
		theChief:   {"remove manager", "remove manager", "read", "read", "read", "read", "read", "edit to Viewer"},
	},
	{ // the last seat
		theGuest:   {"reject", "read own", "accept", "read own"},
		theManager: {"invite x", "invite y", "edit to Viewer"},
		theChief:   {"remove manager", "count", "count", "count", "invite x", "invite y", "invite x", "invite y"},
	},
}

// apply is the model's right answer and what comes after. It repeats the rules
// as invitation-rules.md has them, one at a time and without concurrency.
func (s tenancy) apply(do step) (string, tenancy) {
	if do.who == theManager && !s.manager {
		return "404/7003", s
	}
	switch do.what {
	case "accept", "accept by membership":
		return s.answer("accepted")
	case "reject":
		return s.answer("rejected")
	case "leave":
		switch s.status {
		case "pending":
			s.status = "rejected"
		case "accepted":
			s.status = "left"
		default:
			return "404/1003", s
		}
		return "200", s
	case "cancel":
		switch s.status {
		case "pending", "canceled":
			s.status = "canceled"
			return "200", s
		case "accepted", "rejected":
			return "400/1201", s
		}
		return "404/1003", s
	case "remove":
		switch s.status {
		case "pending":
			s.status = "canceled"
		case "accepted":
			s.status = "removed"
		default:
			return "404/1003", s
		}
		return "200", s
	case "remove manager":
		if !s.manager {
			return "404/1003", s
		}
		s.manager = false
		return "200", s
	case "edit to Viewer", "edit to Scribe":
		if !s.live() {
			return "404/1003", s
		}
		s.role = strings.TrimPrefix(do.what, "edit to ")
		if s.status == "pending" {
			s.grantor = do.who
		}
		return s.shown(), s
	case "invite x", "invite y":
		seat := &s.x
		if do.what == "invite y" {
			seat = &s.y
		}
		if !*seat && s.seats() >= seatLimit {
			return "400/1204", s
		}
		*seat = true
		return "200 pending Viewer", s
	}
	return s.read(do.what), s
}

func (s tenancy) answer(status string) (string, tenancy) {
	switch s.status {
	case status:
		return s.shown(), s
	case "pending":
		if status == "accepted" && s.unconfirmed() {
			return "400/1205", s
		}
		s.status = status
		return s.shown(), s
	case "accepted", "rejected":
		return "400/1201", s
	}
	return "404/1003", s
}

func (s tenancy) read(what string) string {
	visible := s.live() || s.status == "rejected"
	switch {
	case what == "count":
		return fmt.Sprint("200 ", s.seats())
	case !visible:
		return "404/1003"
	case what == "read own":
		return s.shown()
	default:
		return fmt.Sprint(s.shown(), " ", s.unconfirmed())
	}
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
	case "read own":
		answer = ask(t, c, http.MethodGet, own, nil)
	case "read", "count":
		return performRead(t, c, members, row, do)
	default:
		t.Errorf("no such step: %+v", do)
	}
	return outcome(answer) + told(t, answer)
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

// model tells porcupine how a tenancy behaves.
var model = porcupine.Model{
	Init: func() any {
		return tenancy{status: "pending", role: "Viewer", grantor: theManager, manager: true}
	},
	Step: func(before, input, output any) (bool, any) {
		want, after := before.(tenancy).apply(input.(step))
		return output.(string) == want, after
	},
	DescribeOperation: func(input, output any) string {
		do := input.(step)
		return fmt.Sprintf("%s: %s → %s", do.who, do.what, output)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

// TestHistoriesAreSequential: KF-11, KF-13, KF-15, KF-16. The guest accepts and
// rejects, the manager who invited it edits and withdraws, the chief
// removes that manager and withdraws too, both go after the last seat,
// everybody looks: all at once, at random. Every answer is what it would
// have been had all this been done one by one, in an order that agrees with the
// clock; porcupine finds that order or says that there is none.
func TestHistoriesAreSequential(t *testing.T) {
	t.Parallel()
	const clients, each = 12, 3
	n := rounds(45, 12)
	seed := newSeed().User(theGuest).User(theManager).User(theChief)
	seed.Roles = append(seed.Roles, harness.SeedRole{ID: scribe, Name: "Scribe", Permissions: map[string][]string{"documents": {"write"}}})
	name := func(round int) string { return fmt.Sprint("History ", round) }
	for round := range n {
		account := harness.ID(name(round))
		seed.Accounts = append(seed.Accounts, harness.SeedAccount{
			ID: account, Name: name(round), Settings: &harness.SeedSettings{MemberLimit: seatLimit},
		})
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
			steps := themes[round%len(themes)][who]
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

// TestModelFindsFaults: a history that is not sequential is told apart from one
// that is, so that what passes above says something.
func TestModelFindsFaults(t *testing.T) {
	t.Parallel()
	at := func(client int, from, to int64, who, what, output string) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: step{who, what}, Call: from, Return: to, Output: output}
	}
	accepted, rejected := "200 accepted Viewer", "200 rejected Viewer"
	tests := []struct {
		name    string
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		{"one answer wins", []porcupine.Operation{
			at(0, 0, 9, theGuest, "accept", accepted), at(1, 1, 8, theGuest, "reject", "400/1201"),
		}, porcupine.Ok},
		{"two answers win", []porcupine.Operation{
			at(0, 0, 9, theGuest, "accept", accepted), at(1, 1, 8, theGuest, "reject", rejected),
		}, porcupine.Illegal},
		{"accepted after the grantor was gone", []porcupine.Operation{
			at(0, 0, 1, theChief, "remove manager", "200"), at(1, 2, 3, theGuest, "accept", accepted),
		}, porcupine.Illegal},
		{"accepted while the grantor goes", []porcupine.Operation{
			at(0, 0, 2, theChief, "remove manager", "200"), at(1, 1, 3, theGuest, "accept", accepted),
		}, porcupine.Ok},
		{"a seat too many", []porcupine.Operation{
			at(0, 0, 9, theChief, "invite x", "200 pending Viewer"), at(1, 0, 9, theChief, "invite y", "200 pending Viewer"),
		}, porcupine.Illegal},
		{"a lost withdrawal", []porcupine.Operation{
			at(0, 0, 1, theChief, "cancel", "200"), at(1, 2, 3, theGuest, "read own", "200 pending Viewer"),
		}, porcupine.Illegal},
	}
	for _, test := range tests {
		if got := porcupine.CheckOperationsTimeout(model, test.history, time.Minute); got != test.want {
			t.Errorf("%s: got %s, want %s:\n%s", test.name, got, test.want, describe(test.history))
		}
	}
}
