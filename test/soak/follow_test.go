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
	aside

	mu     sync.Mutex
	client harness.Client
	cursor string
	seen   map[string]int
	order  []string
}

// resume goes on where the follower was; the server may have another address.
func (f *follower) resume(c harness.Client) {
	f.client = c.As(load.Admin)
	f.begin(func(ctx context.Context) time.Duration {
		if _, err := f.next(ctx, "&wait=5"); err != nil {
			return 50 * time.Millisecond // the server is gone, or busy
		}
		return 0
	})
}

// finish reads what is left.
func (f *follower) finish(t *testing.T, c harness.Client) {
	t.Helper()
	f.client = c.As(load.Admin)
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
