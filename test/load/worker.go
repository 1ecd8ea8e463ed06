// Package load writes to a server as its clients do, while something takes the
// server away or breaks what it stands on, and knows afterwards what has to be
// there.
package load

import (
	"fmt"
	"math/rand/v2" //nolint:depguard // draws what to do next, and guards nothing
	"net/http"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// Account is where the workers' memberships are, and Admin who manages them.
const (
	Account = "Account"
	Admin   = "super@example.com"
)

// object is a JSON object of a request.
type object map[string]any

// fact is a membership as its worker was told that it is.
type fact struct {
	id     string
	status string
	role   string // id
}

// deed is a request: by whom, to whom it is done, and what becomes of that.
type deed struct {
	by           string
	method, path string
	body         any
	target       *fact // nil: there is a new one
	becomes      fact  // without an id where it is new
}

// Worker changes one address's membership, one request after the other, and
// notes what was acknowledged. What was asked for last and not acknowledged is
// in flight: it may have taken place or not, whole.
type Worker struct {
	Acknowledged int  // requests
	Refused      int  // requests that were to be sent again
	Resends      bool // has invitations sent again, too, which changes no row

	email    string
	account  string
	random   *rand.Rand
	mu       sync.Mutex // held while facts change
	facts    []*fact
	told     []fact // every acknowledgement, in order
	inFlight *deed
}

// New are workers and the seed that they start from.
func New(n int) ([]*Worker, *harness.Seed) {
	seed := new(harness.Seed).Account(Account, Admin)
	workers := make([]*Worker, n)
	for i := range workers {
		workers[i] = &Worker{
			email: fmt.Sprintf("guest%d@example.com", i), account: harness.ID(Account),
			random: rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano()))),
		}
		seed.User(workers[i].email)
	}
	return workers, seed
}

// Step makes a request and returns the status of its answer, 0 where there is
// none. What was refused for now is sent again, as such an answer asks for;
// any other answer than these and a good one fails the test.
func (w *Worker) Step(t testing.TB, c harness.Client) int {
	t.Helper()
	if w.inFlight == nil {
		w.inFlight = w.next()
	}
	do := w.inFlight
	answer, err := c.As(do.by).Do(t.Context(), do.method, do.path, do.body)
	switch {
	case err != nil:
		return 0
	case answer.HTTPStatus == http.StatusOK:
		if do.target == nil {
			do.becomes.id = answer.Row(t).ID
		}
		w.note(do)
		w.told = append(w.told, do.becomes)
		w.Acknowledged++
		w.inFlight = nil
	case answer.HTTPStatus == http.StatusServiceUnavailable && answer.Code() == 10503 && answer.Header.Get("Retry-After") != "":
		w.Refused++
	default:
		t.Errorf("%s %s %v as %s: got %d %s, retry after %q, want 200, or 503 with code 10503 and when to come back",
			do.method, do.path, do.body, do.by, answer.HTTPStatus, answer.Body, answer.Header.Get("Retry-After"))
	}
	return answer.HTTPStatus
}

// Waits says that there is a request without an acknowledgement.
func (w *Worker) Waits() bool { return w.inFlight != nil }

// Live is the id and status of the membership that is pending or accepted, ""
// where there is none.
func (w *Worker) Live() (id, status string) {
	if f := w.live(); f != nil {
		return f.id, f.status
	}
	return "", ""
}

// Check holds the disk to what was acknowledged, and finds out what became of
// the request in flight: true where it took place.
func (w *Worker) Check(t testing.TB, d disk.State) (done bool) {
	t.Helper()
	found := d.Of(w.account, w.email)
	do := w.inFlight
	w.inFlight = nil
	for _, f := range w.facts {
		r, there := found[f.id]
		delete(found, f.id)
		onDisk := fact{r.ID, r.Status, r.Roles}
		if do != nil && do.target == f && onDisk == do.becomes && onDisk != *f {
			w.note(do)
			done = true
			continue
		}
		if !there || onDisk != *f {
			t.Errorf("acknowledged %+v of %s, in flight %+v: got %+v on disk", *f, w.email, do, r)
		}
	}
	for id, r := range found {
		if do == nil || do.target != nil || done || r.Status != do.becomes.status || r.Roles != do.becomes.role {
			t.Errorf("row that nobody was told of: got %+v, want none, or what was in flight: %+v", r, do)
			continue
		}
		do.becomes.id = id
		w.note(do)
		done = true
	}
	return done
}

// Lost counts, at the least, the acknowledged requests whose effect is not in
// rows, nor what was in flight after them.
func (w *Worker) Lost(rows map[string]disk.Row) int {
	lost := map[string]int{} // by membership, since it was last as it is on disk
	for _, f := range w.told {
		lost[f.id]++
		if r := rows[f.id]; f == (fact{r.ID, r.Status, r.Roles}) {
			lost[f.id] = 0
		}
	}
	if do := w.inFlight; do != nil && do.target != nil {
		if r := rows[do.becomes.id]; do.becomes == (fact{r.ID, r.Status, r.Roles}) {
			lost[do.becomes.id] = 0
		}
	}
	n := 0
	for _, of := range lost {
		n += of
	}
	return n
}

// Noted is what was acknowledged so far, by id, while the worker goes on: of
// each row its id, status and roles.
func (w *Worker) Noted() map[string]disk.Row {
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := make(map[string]disk.Row, len(w.facts))
	for _, f := range w.facts {
		rows[f.id] = disk.Row{ID: f.id, Status: f.status, Roles: f.role}
	}
	return rows
}

// live is the pending or accepted membership, nil where there is none.
func (w *Worker) live() *fact {
	for _, f := range w.facts {
		if f.status == "pending" || f.status == "accepted" {
			return f
		}
	}
	return nil
}

// next draws what to do: each time something that changes a row, or sends it again.
func (w *Worker) next() *deed {
	members := "/accounts/" + w.account + "/members"
	role := []string{harness.ReadOnly, harness.MinimalAccess}[w.random.IntN(2)]
	f := w.live()
	if f == nil {
		return &deed{
			Admin, http.MethodPost, members,
			object{"email": w.email, "roles": []string{role}},
			nil,
			fact{status: "pending", role: role},
		}
	}
	other := map[string]string{harness.ReadOnly: harness.MinimalAccess, harness.MinimalAccess: harness.ReadOnly}[f.role]
	edit := &deed{
		Admin, http.MethodPut, members + "/" + f.id, object{"roles": []object{{"id": other}}}, f, fact{f.id, f.status, other},
	}
	if f.status == "accepted" {
		return []*deed{
			edit,
			{Admin, http.MethodDelete, members + "/" + f.id, nil, f, fact{f.id, "removed", f.role}},
			{w.email, http.MethodDelete, "/memberships/" + f.id, nil, f, fact{f.id, "left", f.role}},
		}[w.random.IntN(3)]
	}
	answer := func(status string) *deed {
		return &deed{w.email, http.MethodPatch, "/user/invites/" + f.id, object{"status": status}, f, fact{f.id, status, f.role}}
	}
	invite := "/organizations/" + w.account + "/invites/" + f.id
	deeds := []*deed{
		answer("accepted"), answer("accepted"), answer("rejected"), edit,
		{Admin, http.MethodDelete, invite, nil, f, fact{f.id, "canceled", f.role}},
	}
	if w.Resends {
		deeds = append(deeds, &deed{Admin, http.MethodPost, invite + "/resend", nil, f, *f})
	}
	return deeds[w.random.IntN(len(deeds))]
}

// note takes a deed as done.
func (w *Worker) note(do *deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if do.target != nil {
		*do.target = do.becomes
		return
	}
	w.facts = append(w.facts, &do.becomes)
}
