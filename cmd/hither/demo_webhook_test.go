package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/dataset"
)

// hooked is a receiver of a demo's webhooks, which answers as it is told to.
type hooked struct {
	*httptest.Server

	mu   sync.Mutex
	code int
	ids  []string    // of what came
	sent []time.Time // by the clock of the demo
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	h := &hooked{code: http.StatusServiceUnavailable}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		seconds, _ := strconv.ParseInt(r.Header.Get("Webhook-Timestamp"), 10, 64)
		h.ids, h.sent = append(h.ids, r.Header.Get("Webhook-Id")), append(h.sent, time.Unix(seconds, 0))
		w.WriteHeader(h.code)
	}))
	t.Cleanup(h.Close)
	return h
}

// came are the ids of what came, and when the last of it was sent; from now on it
// answers with code.
func (h *hooked) came(code int) ([]string, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.code = code
	var last time.Time
	if len(h.sent) > 0 {
		last = h.sent[len(h.sent)-1]
	}
	return append([]string{}, h.ids...), last
}

// TestDemoClockMovesWebhooks has a receiver fail while the clock is moved: what is
// tried again tomorrow is when the clock is there, under the same id, and a webhook is
// turned off, of which there is a mail.
func TestDemoClockMovesWebhooks(t *testing.T) {
	t.Parallel()
	d, to := newTried(t), newHooked(t)
	hooks := "/accounts/" + string(dataset.DocumentationInviter) + "/webhooks"
	type row struct {
		ID             string
		Status         string
		Enabled        bool
		DisabledReason string `json:"disabled_reason"`
	}
	made := must[row](t, d.admin(http.MethodPost, hooks, fmt.Sprintf(`{"url":%q,"events":["webhook.ping"]}`, to.URL)))
	path := hooks + "/" + made.ID
	ping := func() string { t.Helper(); return must[row](t, d.admin(http.MethodPost, path+"/ping", "")).ID }
	id := ping()
	d.forward("20h")
	tried, _ := to.came(http.StatusServiceUnavailable)
	if len(tried) < 9 {
		t.Fatalf("in 20 hours it was tried %d times, want 9 or more", len(tried))
	}
	d.forward("1h")
	if again, _ := to.came(http.StatusNoContent); len(again) != len(tried) {
		t.Fatalf("an hour later it was tried %d times, want %d still", len(again), len(tried))
	}
	moved := d.forward("1d").Now
	came, last := to.came(http.StatusServiceUnavailable)
	if len(came) != len(tried)+1 || last.Before(moved.Add(-24*time.Hour)) || last.After(moved) {
		t.Errorf("a day later it was tried %d times, last at %s, want %d and within the day before %s", len(came), last, len(tried)+1, moved)
	}
	for _, one := range came {
		if one != id {
			t.Errorf("an attempt has the id %s, want %s", one, id)
		}
	}
	if got := must[row](t, d.admin(http.MethodGet, path+"/deliveries/"+id, "")); got.Status != "delivered" {
		t.Errorf("the delivery is %+v", got)
	}

	ping()
	d.forward("5d")
	if got := must[row](t, d.admin(http.MethodGet, path, "")); !got.Enabled {
		t.Fatalf("before its time is over it is %+v", got)
	}
	ping()
	d.forward("1m")
	if got := must[row](t, d.admin(http.MethodGet, path, "")); got.Enabled || got.DisabledReason != "failing" {
		t.Errorf("after five days it is %+v", got)
	}
	for _, letter := range d.mail("?to=" + dataset.DocumentationAdmin) {
		if strings.Contains(letter.Subject, "turned off") && strings.Contains(letter.Text, path) {
			return
		}
	}
	t.Errorf("no mail tells that it is off: %+v", d.mail("?to="+dataset.DocumentationAdmin))
}
