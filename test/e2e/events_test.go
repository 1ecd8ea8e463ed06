package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// followed is an answer of the event stream.
type followed struct {
	Result []struct {
		auditRow

		Cursor string `json:"cursor"`
	} `json:"result"`
	Info struct {
		Cursor string `json:"cursor"`
	} `json:"result_info"`
}

func events(t testing.TB, client harness.Client, account, query string) (f followed) {
	t.Helper()
	answer := client.OK(t, http.MethodGet, "/accounts/"+account+"/events?"+query, nil)
	if err := json.Unmarshal(answer.Body, &f); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return f
}

// TestEventsAreFollowed has many write at once while a reader goes from cursor to
// cursor: it sees what the log has, each event once.
func TestEventsAreFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test").Account("b", "owner@b.test"))
	owner, a := s.as("owner@a.test"), harness.ID("a")
	cursor := events(t, owner, a, "after=latest").Info.Cursor
	const writers, each = 6, 12
	written := make(chan struct{})
	go func() {
		defer close(written)
		together(writers, func(w int) {
			for i := range each {
				ask(t, owner, http.MethodPost, "/accounts/"+a+"/members", object{"email": fmt.Sprintf("%d-%d@x.test", w, i), "roles": []string{viewer}})
			}
		})
	}()
	seen := map[string]int{}
	for done := false; ; {
		f := events(t, owner, a, "limit=7&after="+cursor)
		for _, e := range f.Result {
			seen[e.ID]++
		}
		cursor = f.Info.Cursor
		if len(f.Result) == 0 && done {
			break
		}
		select {
		case <-written:
			done = true
		default:
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s came %d times", id, n)
		}
	}
	if len(seen) != writers*each {
		t.Errorf("got %d events, want %d", len(seen), writers*each)
	}
	// Another account's cursor finds nothing of this one, and nobody else reads.
	if f := events(t, s.as("owner@b.test"), harness.ID("b"), ""); slices.ContainsFunc(f.Result, func(e struct {
		auditRow

		Cursor string `json:"cursor"`
	},
	) bool {
		return e.Owner.ID != harness.ID("b")
	}) {
		t.Errorf("the events of b are %+v", f.Result)
	}
	s.as("owner@b.test").Refused(t, http.MethodGet, "/accounts/"+a+"/events", nil, http.StatusNotFound, 7003)
	odd(owner).Refused(t, http.MethodGet, "/accounts/"+a+"/events?after=!", nil, http.StatusBadRequest, 1001)
}

// TestEventsAreWaitedFor has an answer wait for what comes, and a stop end the wait.
func TestEventsAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test"))
	owner, a := s.as("owner@a.test"), harness.ID("a")
	cursor := events(t, owner, a, "after=latest").Info.Cursor
	came := make(chan followed, 1)
	go func() { came <- events(t, owner, a, "wait=15&after="+cursor) }()
	owner.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "x@x.test", "roles": []string{viewer}})
	f := <-came
	if len(f.Result) != 1 || f.Result[0].Action.Type != "invite.create" {
		t.Fatalf("got %+v", f)
	}
	start := time.Now()
	if f = events(t, owner, a, "wait=1&after="+f.Info.Cursor); len(f.Result) != 0 || time.Since(start) < 900*time.Millisecond {
		t.Errorf("without an event: %+v after %s", f, time.Since(start))
	}
}

// TestEventsAreStreamed reads server-sent events, goes on from the last one, and is
// cut off when its key dies.
func TestEventsAreStreamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test"))
	owner, a := s.as("owner@a.test"), harness.ID("a")
	invite := func(name string) {
		s.operator().OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": name + "@x.test", "roles": []string{viewer}})
	}
	open := func(last string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Client().URL+"/client/v4/accounts/"+a+"/events?after=latest", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Auth-Email", owner.Email)
		request.Header.Set("X-Auth-Key", owner.Key)
		request.Header.Set("Accept", "text/event-stream")
		if last != "" {
			request.Header.Set("Last-Event-ID", last)
		}
		response, err := (&http.Client{}).Do(request) // whole answers are what a validator waits for
		if err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
			t.Fatalf("open a stream: %v, %v", response, err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	next := func(lines *bufio.Scanner, field string) string {
		for lines.Scan() {
			if value, ok := strings.CutPrefix(lines.Text(), field+": "); ok {
				return value
			}
		}
		return ""
	}
	first := open("")
	lines := bufio.NewScanner(first.Body)
	invite("one")
	id, kind := next(lines, "id"), next(lines, "event")
	var row auditRow
	if err := json.Unmarshal([]byte(next(lines, "data")), &row); err != nil || kind != "invite.create" || !strings.Contains(row.NewValue, "one@x.test") {
		t.Fatalf("the first event: %q %q %+v, %v", id, kind, row, err)
	}
	_ = first.Body.Close()
	invite("two")
	second := open(id)
	defer func() { _ = second.Body.Close() }()
	again := bufio.NewScanner(second.Body)
	if data := next(again, "data"); !strings.Contains(data, "two@x.test") {
		t.Errorf("gone on from the first: %s", data)
	}
	s.Run(t, "user", "disable", "--force", "owner@a.test")
	invite("three")
	if data := next(again, "data"); data != "" {
		t.Errorf("after its key died: %s", data)
	}
}
