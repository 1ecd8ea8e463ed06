package id_test

import (
	"regexp"
	"sync"
	"testing"
	"time"

	"hither/internal/id"
)

func TestIDsAreUUIDv7AndSortInTheOrderDrawn(t *testing.T) {
	t.Parallel()
	frozen := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	source := id.NewSource(func() time.Time { return frozen })
	form := regexp.MustCompile(`^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$`)

	previous := ""
	for range 10_000 {
		drawn := source.New()
		if !form.MatchString(drawn) {
			t.Fatalf("id %q is not a UUIDv7 without dashes", drawn)
		}
		if drawn <= previous {
			t.Fatalf("id %q does not sort after %q", drawn, previous)
		}
		previous = drawn
	}
}

func TestIDsAreUniqueUnderConcurrency(t *testing.T) {
	t.Parallel()
	source := id.NewSource(time.Now)
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
		wg   sync.WaitGroup
	)
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				drawn := source.New()
				mu.Lock()
				if seen[drawn] {
					t.Errorf("id %q was drawn twice", drawn)
				}
				seen[drawn] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
