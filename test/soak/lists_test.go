package soak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// Two accounts have lists of people invited: in the narrow one there are not enough
// seats for all.
const (
	lists      = "Lists"
	listsAdmin = "owner@lists.example.com"
	narrow     = "Narrow"
	narrowAdm  = "owner@narrow.example.com"
	seats      = 100
	listed     = 100 // rows of a list
	standing   = listed / 10
)

// list is a file of people, and what may become of each row.
type list struct {
	account, admin, key string
	rows                []row
	canceled            bool // somebody tried to

	id string // of the bulk, "" while nobody was told
}

// row is one line of a list, by what is known beforehand.
type row struct {
	email, role string
	outcomes    []string
	code        int // of a refusal
}

// clerk has lists worked off, one after the other, over every crash: what was not
// acknowledged is sent again, by the same key.
type clerk struct {
	aside

	every  time.Duration
	client harness.Client
	sent   []*list
	midway int // how often the server was killed in the middle of one
}

// populate gives the seed the accounts, and who stands in them already.
func populate(seed *harness.Seed) {
	seed.Account(lists, listsAdmin)
	seed.Account(narrow, narrowAdm)
	seed.Accounts[len(seed.Accounts)-1].Settings = &harness.SeedSettings{MemberLimit: seats}
	for i := range standing {
		seed.User(member(i))
		seed.Member(lists, member(i), harness.MinimalAccess)
		now := time.Now().UTC()
		for _, email := range []string{asked(i), otherwise(i)} {
			seed.Memberships = append(seed.Memberships, harness.SeedMembership{
				ID: harness.ID(email), Account: harness.ID(lists), Email: email, Status: "pending",
				Roles: []string{harness.MinimalAccess}, InvitedBy: listsAdmin, Grantor: listsAdmin,
				InvitedOn: now.Format(time.RFC3339), ExpiresOn: now.Add(30 * 24 * time.Hour).Format(time.RFC3339),
			})
		}
	}
}

func member(i int) string    { return fmt.Sprintf("member%d@lists.example.com", i) }
func asked(i int) string     { return fmt.Sprintf("asked%d@lists.example.com", i) }
func otherwise(i int) string { return fmt.Sprintf("otherwise%d@lists.example.com", i) }

// draw makes the n-th list: of ten rows five are of people that nobody knows, one of
// somebody whom the list before or after this one has, too.
func draw(n int) *list {
	l := &list{account: lists, admin: listsAdmin, key: fmt.Sprint("list ", n)}
	fresh := []string{"invited"}
	if n%4 == 3 {
		l.account, l.admin = narrow, narrowAdm
		fresh = append(fresh, "refused")
	}
	for i := range listed {
		r := row{fmt.Sprintf("p%d.%d@people.example.com", n, i), harness.MinimalAccess, fresh, 1204}
		switch at := i / 10; {
		case l.account == narrow || i%10 < 5:
		case i%10 == 5:
			r.email, r.outcomes = fmt.Sprintf("shared%d.%d@people.example.com", n/2, i), []string{"invited", "already_invited"}
		case i%10 == 6:
			r.email, r.outcomes = asked(at), []string{"already_invited"}
		case i%10 == 7:
			r.email, r.outcomes = member(at), []string{"already_member"}
		case i%10 == 8:
			r = row{otherwise(at), harness.ReadOnly, []string{"refused"}, 1208}
		case at%3 == 0:
			r = row{"nobody", r.role, []string{"refused"}, 1001}
		case at%3 == 1:
			r = row{strings.ToUpper(l.rows[i-9].email), r.role, []string{"refused"}, 1001} // once more
		default:
			r = row{r.email, "no such role", []string{"refused"}, 1001}
		}
		l.rows = append(l.rows, r)
	}
	return l
}

func (l *list) file() harness.File {
	lines := []string{"email,roles"}
	for _, r := range l.rows {
		lines = append(lines, r.email+","+r.role)
	}
	return harness.CSV(strings.Join(lines, "\n") + "\n")
}

func (l *list) path() string { return "/organizations/" + harness.ID(l.account) + "/invites/bulk" }

// bulk is how far one is.
type bulk struct {
	ID, Status string
	Rows       int
	Counts     map[string]int
}

func (c *clerk) resume(t *testing.T, client harness.Client) {
	t.Helper()
	c.client = client
	c.begin(func(ctx context.Context) time.Duration {
		if !c.next(ctx, t) {
			return 50 * time.Millisecond
		}
		if l := c.sent[len(c.sent)-1]; len(c.sent)%5 == 0 {
			l.canceled = true
			c.ask(ctx, t, l, http.MethodDelete, l.path()+"/"+l.id, nil)
		}
		return c.every
	})
}

// next has the next list taken on, and reports whether it was.
func (c *clerk) next(ctx context.Context, t *testing.T) bool {
	t.Helper()
	if len(c.sent) == 0 || c.sent[len(c.sent)-1].id != "" {
		c.sent = append(c.sent, draw(len(c.sent)))
	}
	l := c.sent[len(c.sent)-1]
	b, ok := c.ask(ctx, t, l, http.MethodPost, l.path(), l.file())
	if !ok {
		return false
	}
	l.id = b.ID
	// As if the answer had been lost: the same file by the same key is the same list.
	if again, ok := c.ask(ctx, t, l, http.MethodPost, l.path(), l.file()); ok && again.ID != l.id {
		t.Errorf("sent again: got bulk %s, want %s", again.ID, l.id)
	}
	return true
}

// ask makes a request; what is refused for now may be asked again.
func (c *clerk) ask(ctx context.Context, t *testing.T, l *list, method, path string, body any) (b bulk, ok bool) {
	t.Helper()
	answer, err := c.client.As(l.admin).Once(l.key).Do(ctx, method, path, body)
	switch {
	case err != nil || answer.HTTPStatus == http.StatusServiceUnavailable:
		return b, false
	case answer.HTTPStatus != http.StatusOK:
		t.Errorf("%s %s: got %d %s, want 200 or 503", method, path, answer.HTTPStatus, answer.Body)
		return b, false
	}
	if err := json.Unmarshal(answer.Result, &b); err != nil {
		t.Errorf("%s %s: %v: %s", method, path, err, answer.Body)
	}
	return b, err == nil
}

// catch begins a list, and returns when a part of it is done.
func (c *clerk) catch(t *testing.T) {
	t.Helper()
	c.pause()
	for deadline := time.Now().Add(time.Minute); !c.next(t.Context(), t); {
		if time.Now().After(deadline) || t.Failed() {
			return
		}
	}
	l := c.sent[len(c.sent)-1]
	waiting := -1
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		b, ok := c.ask(t.Context(), t, l, http.MethodGet, l.path()+"/"+l.id, nil)
		switch now := b.Counts["waiting"]; {
		case !ok:
		case b.Status != "running":
			return
		case waiting < 0:
			waiting = now
		case now < waiting:
			c.midway++
			return
		}
	}
}

// finish has the last list taken on, which may not have been acknowledged.
func (c *clerk) finish(t *testing.T, client harness.Client) {
	t.Helper()
	c.client = client
	for deadline := time.Now().Add(time.Minute); len(c.sent) > 0 && c.sent[len(c.sent)-1].id == ""; {
		if c.next(t.Context(), t); time.Now().After(deadline) {
			t.Fatal("the last list was not taken on within a minute")
		}
	}
}
