package soak_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"hither/test/harness"
	"hither/test/load"
)

// follower goes from cursor to cursor of an account's events, over every crash.
type follower struct {
	mu      sync.Mutex
	client  harness.Client
	cursor  string
	seen    map[string]int
	order   []string
	stop    context.CancelFunc
	stopped chan struct{}
}

func follow(t *testing.T, s *harness.Server) *follower {
	t.Helper()
	f := &follower{seen: map[string]int{}}
	f.resume(s.Client())
	t.Cleanup(f.pause)
	return f
}

// resume goes on where the follower was; the server may have another address.
func (f *follower) resume(c harness.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	f.client, f.stop, f.stopped = c.As(load.Admin), cancel, make(chan struct{})
	go func() {
		defer close(f.stopped)
		for ctx.Err() == nil {
			if _, err := f.next(ctx, "&wait=5"); err != nil {
				select { // the server is gone, or busy
				case <-time.After(50 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	}()
}

func (f *follower) pause() {
	f.stop()
	<-f.stopped
}

// finish reads what is left, and stops.
func (f *follower) finish(t *testing.T) {
	t.Helper()
	f.pause()
	for {
		n, err := f.next(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// next takes one answer, and notes its events and its cursor together.
func (f *follower) next(ctx context.Context, more string) (int, error) {
	path := "/accounts/" + harness.ID(load.Account) + "/events?limit=1000" + more
	if f.cursor != "" {
		path += "&after=" + f.cursor
	}
	answer, err := f.client.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	var page struct {
		Result []struct {
			ID string `json:"id"`
		} `json:"result"`
		Info struct {
			Cursor string `json:"cursor"`
		} `json:"result_info"`
	}
	if err := json.Unmarshal(answer.Body, &page); err != nil {
		return 0, err
	}
	if answer.HTTPStatus != http.StatusOK {
		return 0, errBusy
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range page.Result {
		f.seen[e.ID]++
		f.order = append(f.order, e.ID)
	}
	f.cursor = page.Info.Cursor
	return len(page.Result), nil
}
