package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What a deadline of the standard library's tells is told here too, whether
// somebody waits for it or asks.
func TestAllottedIsADeadline(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			until := time.Now().Add(time.Minute)
			first, second := &allotted{Context: parent, until: until}, &allotted{Context: parent, until: until.Add(time.Minute)}
			defer first.end()
			defer second.end()
			if waits {
				first.Done()
				second.Done()
			}
			if got, ok := first.Deadline(); !ok || !got.Equal(until) {
				t.Errorf("waits %t: the deadline is %s, %t, want %s", waits, got, ok, until)
			}
			if err := first.Err(); err != nil {
				t.Errorf("waits %t: got %v before the time", waits, err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if err := first.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waits %t: got %v after the time", waits, err)
			}
			<-first.Done()
			cancel()
			synctest.Wait()
			if err := first.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waits %t: got %v after the time and the client's going away", waits, err)
			}
			if err := second.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("waits %t: got %v after the client went away", waits, err)
			}
			<-second.Done()
		})
	}
}
