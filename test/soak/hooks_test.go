package soak_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hither/test/harness"
	"hither/test/load"
)

// abreast is how many events a webhook is sent at once.
const abreast = 4

// hook is a webhook of an account, and who receives what it sends.
type hook struct {
	account, admin string   // by name
	events         []string // none: all
	spells         bool     // it takes nothing at all for a while, now and then

	url, id string
	secret  *standardwebhooks.Webhook

	mu     sync.Mutex
	came   map[string]*notice // by webhook-id
	closed bool               // it takes nothing
	kind   bool               // it takes everything

	copies int // that came of what had been taken
}

// notice is an event as it was sent.
type notice struct {
	body         [sha256.Size]byte
	times, taken int // came, and of these was taken

	ID       string
	Sequence int64
	Action   struct{ Type string }
	Resource struct{ ID string }
	NewValue string
}

func newHooks(t *testing.T) []*hook {
	t.Helper()
	hooks := []*hook{
		{account: load.Account, admin: load.Admin},
		{account: load.Account, admin: load.Admin, events: []string{"invite.*"}, spells: true},
		{account: lists, admin: listsAdmin, spells: true},
		{account: lapsed(0), admin: lapsedOwner(0), events: []string{"invite.*", "member.*"}},
	}
	for _, h := range hooks {
		h.came = map[string]*notice{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.receive(t, w, r) }))
		t.Cleanup(server.Close)
		h.url = server.URL
	}
	return hooks
}

func (h *hook) path() string { return "/accounts/" + harness.ID(h.account) + "/webhooks" }

// register makes the webhook; before that nobody has its secret.
func (h *hook) register(t *testing.T, c harness.Client) {
	t.Helper()
	var made struct{ ID, Secret string }
	answer := c.As(h.admin).OK(t, http.MethodPost, h.path(), map[string]any{"url": h.url, "events": append([]string{}, h.events...)})
	if err := json.Unmarshal(answer.Result, &made); err != nil {
		t.Fatal(err)
	}
	secret, err := standardwebhooks.NewWebhook(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.id, h.secret = made.ID, secret
}

// receive notes an event, and takes it or not: now and then it fails, hangs up, or
// takes its time.
func (h *hook) receive(t *testing.T, w http.ResponseWriter, r *http.Request) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil { // it was killed
		return
	}
	m := h.note(t, r.Header, body)
	if m == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch mood := rand.IntN(25); {
	case h.is(&h.closed), !h.is(&h.kind) && mood == 0:
		w.WriteHeader(http.StatusInternalServerError)
	case h.is(&h.kind), mood > 2:
		h.take(m)
	case mood == 1:
		panic(http.ErrAbortHandler)
	default:
		select {
		case <-time.After(rand.N(500 * time.Millisecond)):
			h.take(m)
		case <-r.Context().Done():
		}
	}
}

func (h *hook) is(mood *bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *mood
}

func (h *hook) set(mood *bool, to bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*mood = to
}

func (h *hook) take(m *notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.taken++
}

// note holds an event to its signature, and to what came by the same id before.
func (h *hook) note(t *testing.T, header http.Header, body []byte) *notice {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.secret == nil {
		return nil // its webhook was made a moment ago: it comes again
	}
	id := header.Get("Webhook-Id")
	if err := h.secret.Verify(body, header); err != nil {
		t.Errorf("event %s: %v", id, err)
	}
	m := h.came[id]
	if m == nil {
		var sent struct{ Data *notice }
		if err := json.Unmarshal(body, &sent); err != nil || sent.Data == nil {
			t.Errorf("event %s: %v: %s", id, err, body)
			return nil
		}
		m = sent.Data
		m.body = sha256.Sum256(body)
		h.came[id] = m
	}
	if m.body != sha256.Sum256(body) {
		t.Errorf("event %s: came with two bodies, one of them %s", id, body)
	}
	if m.times++; m.taken > 0 {
		h.copies++
	}
	return m
}

// impatient is somebody who has events sent once more, whatever became of them, and
// sees to it that some receivers are away for a while.
type impatient struct {
	aside

	hooks    []*hook
	spell    time.Duration
	began    time.Time
	replayed int
}

func (i *impatient) resume(t *testing.T, c harness.Client) {
	t.Helper()
	i.begin(func(ctx context.Context) time.Duration {
		for _, h := range i.hooks {
			h.set(&h.closed, h.spells && time.Since(i.began)/i.spell%3 == 1)
		}
		i.replay(ctx, t, c, i.hooks[rand.IntN(len(i.hooks))])
		return rand.N(time.Second)
	})
}

// replay has one of the last deliveries made again, if there is any.
func (i *impatient) replay(ctx context.Context, t *testing.T, c harness.Client, h *hook) {
	t.Helper()
	c = c.As(h.admin)
	path := h.path() + "/" + h.id + "/deliveries"
	answer, err := c.Do(ctx, http.MethodGet, path, nil)
	if err != nil || answer.HTTPStatus != http.StatusOK {
		return
	}
	var deliveries []struct{ ID string }
	if err := json.Unmarshal(answer.Result, &deliveries); err != nil {
		t.Error(err)
	}
	if len(deliveries) == 0 {
		return
	}
	i.replayed++ // also where the answer is lost
	path += "/" + deliveries[rand.IntN(len(deliveries))].ID + "/replay"
	answer, err = c.Do(ctx, http.MethodPost, path, nil)
	if err == nil && answer.HTTPStatus != http.StatusOK && answer.HTTPStatus != http.StatusServiceUnavailable {
		t.Errorf("POST %s: got %d %s, want 200 or 503", path, answer.HTTPStatus, answer.Body)
	}
}

// open has all receivers take everything from now on.
func (i *impatient) open() {
	i.pause()
	for _, h := range i.hooks {
		h.set(&h.closed, false)
		h.set(&h.kind, true)
	}
}

func lapsed(i int) string { return fmt.Sprint("Lapsing ", i) }

func lapsedOwner(i int) string { return "owner@" + harness.ID(lapsed(i))[:8] + ".example.com" }
