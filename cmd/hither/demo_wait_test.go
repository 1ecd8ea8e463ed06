package main

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"hither/internal/dataset"
)

// waits asks for the events that are to come, as somebody who waits for them. The
// answer has begun when it returns, unless it is one that comes whole.
func (d tried) waits(ctx context.Context, query, accept string) (*http.Response, error) {
	d.t.Helper()
	url := d.url + wirePath + "/accounts/" + string(dataset.DocumentationInviter) + "/events?after=latest" + query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("X-Auth-Email", dataset.DocumentationAdmin)
	request.Header.Set("X-Auth-Key", dataset.DocumentationAdminKey)
	request.Header.Set("Accept", accept)
	return http.DefaultClient.Do(request)
}

// TestDemoResetEndsWhoWaits: nobody who waits for events of a world keeps that from
// being replaced; each gets to the end of its answer.
func TestDemoResetEndsWhoWaits(t *testing.T) {
	t.Parallel()
	d := newTried(t)
	stream, err := d.waits(t.Context(), "", "text/event-stream")
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatalf("open a stream: %v, %v", stream, err)
	}
	defer func() { _ = stream.Body.Close() }()
	polled := make(chan error, 1)
	go func() {
		answer, err := d.waits(t.Context(), "&wait=15", "application/json")
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		polled <- err
	}()
	for start := time.Now(); time.Since(start) < 200*time.Millisecond; { // the poll is there by then; if not, it finds the next world
		d.ask(http.MethodGet, clockPath, "")
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+resetPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("a reset while two wait for events: %v", err)
	}
	_ = answer.Body.Close()
	if took := time.Since(began); answer.StatusCode != http.StatusOK || took > 5*time.Second {
		t.Errorf("a reset while two wait for events: got %d after %s, want 200 at once", answer.StatusCode, took)
	}
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream of the world before: got %v, want its end", err)
	}
	if err := <-polled; err != nil {
		t.Errorf("who asked with wait: got %v, want an answer", err)
	}
	d.end()
}

// TestStreamEndsWithItsClient: what nobody reads any more ends at once, and not at
// the next word that it would say, a quarter of a minute later.
func TestStreamEndsWithItsClient(t *testing.T) {
	t.Parallel()
	d := newTried(t, "--log-level=info")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	stream, err := d.waits(ctx, "", "text/event-stream")
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatalf("open a stream: %v, %v", stream, err)
	}
	if _, err := io.ReadFull(stream.Body, make([]byte, len(": events follow\n\n"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	leave()
	_ = stream.Body.Close()
	line := d.logged(t, "request")
	if took := time.Since(began); took > 5*time.Second || line["status"] != float64(http.StatusOK) {
		t.Errorf("after its client had gone the stream ended after %s: %v, want at once", took, line)
	}
	d.end()
}
