package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"hither/test/harness"
)

// Who takes part in a history: the guest is invited by a manager, whom the
// chief, a manager too, may remove meanwhile. Two strangers are after the last
// seat. The super administrator names the domains whose addresses may be invited,
// none of which is theirs, and takes that back.
const (
	theGuest   = "guest@example.com"
	theManager = "manager@example.com"
	theChief   = "chief@example.com"
	theSuper   = "super@example.com"
	strangerX  = "x@example.com"
	strangerY  = "y@example.com"
	seatLimit  = 5 // super, chief, manager, guest, and one more
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
	narrow  bool   // nobody of them may be invited
	late    bool   // the guest's invitation ends when somebody said
	told    bool   // that it was withdrawn
}

func (s tenancy) live() bool { return s.status == "pending" || s.status == "accepted" }

func (s tenancy) seats() int {
	n := 2
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
func (s tenancy) shown() string {
	if s.late && s.status == "pending" {
		return "200 pending " + s.role + " late"
	}
	return "200 " + s.status + " " + s.role
}

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
	{ // which domains may be invited
		theGuest:   {"accept", "accept by membership", "read own", "read own", "read own", "read own", "read own", "read own"},
		theManager: {"edit to Scribe", "invite x", "invite y"},
		theChief:   {"edit to Viewer", "invite x", "invite y", "count", "read"},
		theSuper:   {"narrow", "narrow", "widen"},
	},
	{ // what an invitation is to, until when, and whether its end is told
		theGuest:   {"accept", "read own", "read own", "read own", "read own", "read own", "read own", "read own"},
		theManager: {"patch to Scribe", "patch the end", "edit to Viewer"},
		theChief:   {"patch to Viewer", "patch to Scribe", "patch to Scribe", "patch the end", "read", "read", "read", "read", "cancel with notice"},
	},
	{ // the last seat, by lists too
		theGuest:   {"reject", "read own", "read own", "read own"},
		theManager: {"list x and y", "edit to Viewer", "edit to Scribe"},
		theChief:   {"count", "count", "count", "count", "count", "count", "read", "read", "read", "read", "read", "remove manager"},
	},
}

// apply is the model's right answer and what comes after. It repeats the rules
// as invitation-rules.md has them, one at a time and without concurrency.
func (s tenancy) apply(do step) (string, tenancy) {
	if do.who == theManager && !s.manager {
		if strings.HasPrefix(do.what, "listed ") {
			return "refused 7003", s
		}
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
	case "cancel", "cancel with notice":
		switch s.status {
		case "pending", "canceled":
			s.told = s.told || s.status == "pending" && do.what == "cancel with notice"
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
		if s.status == "pending" && s.narrow {
			return "400/1211", s
		}
		s.role = strings.TrimPrefix(do.what, "edit to ")
		if s.status == "pending" {
			s.grantor = do.who
		}
		return s.shown(), s
	case "patch to Viewer", "patch to Scribe", "patch the end":
		return s.patch(do)
	case "list x and y": // of which each is invited by itself
		return "200", s
	case "listed x", "listed y":
		return s.listed(do.what)
	case "invite x", "invite y":
		seat := &s.x
		if do.what == "invite y" {
			seat = &s.y
		}
		if s.narrow {
			return "400/1211", s
		}
		if !*seat && s.seats() >= seatLimit {
			return "400/1204", s
		}
		*seat = true
		return "200 pending Viewer", s
	case "narrow", "widen":
		s.narrow = do.what == "narrow"
		return "200", s
	}
	return s.read(do.what), s
}

// patch edits what is still an invitation.
func (s tenancy) patch(do step) (string, tenancy) {
	switch {
	case s.status == "accepted" || s.status == "rejected":
		return "400/1201", s
	case s.status != "pending":
		return "404/1003", s
	case s.narrow:
		return "400/1211", s
	case do.what == "patch the end":
		s.late = true
	default:
		s.role = strings.TrimPrefix(do.what, "patch to ")
	}
	s.grantor = do.who
	return s.shown(), s
}

// listed is a row of a list, at its turn.
func (s tenancy) listed(what string) (string, tenancy) {
	seat := &s.x
	if what == "listed y" {
		seat = &s.y
	}
	switch {
	case s.narrow:
		return "refused 1211", s
	case *seat:
		return "already_invited", s
	case s.seats() >= seatLimit:
		return "refused 1204", s
	}
	*seat = true
	return "invited", s
}

func (s tenancy) answer(status string) (string, tenancy) {
	switch s.status {
	case status:
		return s.shown(), s
	case "pending":
		if status == "accepted" && s.unconfirmed() {
			return "400/1205", s
		}
		if status == "accepted" && s.narrow {
			return "400/1211", s
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
	case what == "count notices":
		return map[bool]string{false: "0", true: "1"}[s.told]
	case !visible:
		return "404/1003"
	case what == "read own":
		return s.shown()
	default:
		return fmt.Sprint(s.shown(), " ", s.unconfirmed())
	}
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
		{"accepted with the roles before the edit", []porcupine.Operation{
			at(0, 0, 1, theChief, "patch to Scribe", "200 pending Scribe"), at(1, 2, 3, theGuest, "accept", accepted),
		}, porcupine.Illegal},
		{"an end that is forgotten", []porcupine.Operation{
			at(0, 0, 1, theChief, "patch the end", "200 pending Viewer late"), at(1, 2, 3, theGuest, "read own", "200 pending Viewer"),
		}, porcupine.Illegal},
		{"withdrawn in silence, and told", []porcupine.Operation{
			at(0, 0, 1, theChief, "cancel", "200"), at(0, 2, 3, theChief, "cancel with notice", "200"), at(1, 4, 5, theChief, "count notices", "1"),
		}, porcupine.Illegal},
		{"a list that takes a seat too many", []porcupine.Operation{
			at(0, 0, 9, theChief, "listed x", "invited"), at(0, 0, 9, theChief, "listed y", "invited"),
		}, porcupine.Illegal},
		{"a list that goes on after who asked for it was removed", []porcupine.Operation{
			at(0, 0, 1, theManager, "list x and y", "200"), at(1, 2, 3, theChief, "remove manager", "200"),
			at(0, 4, 5, theChief, "count", "200 3"), at(0, 0, 9, theManager, "listed x", "invited"), at(0, 6, 7, theChief, "count", "200 4"),
		}, porcupine.Illegal},
		{"accepted after its domain was forbidden", []porcupine.Operation{
			at(0, 0, 1, theSuper, "narrow", "200"), at(1, 2, 3, theGuest, "accept", accepted),
		}, porcupine.Illegal},
	}
	for _, test := range tests {
		if got := porcupine.CheckOperationsTimeout(model, test.history, time.Minute); got != test.want {
			t.Errorf("%s: got %s, want %s:\n%s", test.name, got, test.want, describe(test.history))
		}
	}
}
