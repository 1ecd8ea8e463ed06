package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hither/internal/api"
	"hither/internal/dataset"
)

// TestNoSecretInTheLog is KF-44 with everything real: each route is asked with
// keys that are good and with canaries in every other place, at the level debug.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	const canary = "CANARY0123456789abcdefghijklmnopqrstuvwxyz"
	p, text := demo(t, "--listen=127.0.0.1:0", "--log-level=debug")
	base := regexp.MustCompile(`http://[^/]+`).FindString(text)
	var log strings.Builder
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(&log, p.stderr)
	}()
	credentials := []map[string]string{
		{"X-Auth-Email": dataset.DocumentationUser, "X-Auth-Key": dataset.DocumentationKey},
		{"Authorization": "Bearer " + dataset.DocumentationToken},
		{"X-Auth-Email": canary + "@example.com", "X-Auth-Key": canary},
		{"X-Auth-Email": dataset.DocumentationUser, "X-Auth-Key": canary + "!"},
		{"Authorization": "Bearer " + canary},
		{"Authorization": "Basic " + canary},
	}
	asked := 0
	for _, route := range api.Routes() {
		for _, path := range []string{
			regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Pattern, string(dataset.DocumentationInviter)),
			regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Pattern, canary),
			route.Pattern + "/" + canary,
		} {
			for _, shown := range credentials {
				body := `{"` + canary + `":"` + canary + `","email":"` + canary + `@example.com","status":"` + canary + `","roles":["` + canary + `"],"name":"` + canary + `\u0000"}`
				request, err := http.NewRequestWithContext(t.Context(), route.Method, base+path+"?"+canary+"="+canary+"&key="+canary, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"Cookie", "User-Agent", "Referer", "Origin", "X-Forwarded-For", "X-Request-Id", "Idempotency-Key", "X-Hither"} {
					request.Header.Set(name, canary)
				}
				request.Header.Set("Content-Type", "application/json")
				for name, value := range shown {
					request.Header.Set(name, value)
				}
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				asked++
			}
		}
	}
	p.stop()
	_, _ = io.Copy(io.Discard, p.stdout)
	<-copied
	if got := strings.Count(log.String(), `"msg":"request"`); got != asked {
		t.Errorf("got %d log lines, want one for each of %d requests", got, asked)
	}
	for _, secret := range []string{canary, strings.ToLower(canary), dataset.DocumentationKey, dataset.DocumentationToken, dataset.DocumentationUser} {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, secret) {
				t.Fatalf("the log has %s: %s", secret, line)
			}
		}
	}
}

// TestIdentitiesDoNotMix is KF-95: 200 users ask at once who they are, and each
// answer names the one who asked.
func TestIdentitiesDoNotMix(t *testing.T) {
	t.Parallel()
	const identities, requests, workers = 200, 10_000, 32
	key := func(i int) string { return fmt.Sprintf("%040x", i+1) }
	email := func(i int) string { return fmt.Sprintf("user%d@example.com", i) }
	var seed bytes.Buffer
	seed.WriteString("users:\n")
	for i := range identities {
		fmt.Fprintf(&seed, "  - {email: %s, keys: [%q]}\n", email(i), key(i))
	}
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(path, seed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, text := demo(t, "--listen=127.0.0.1:0", "--seed", path)
	url := regexp.MustCompile(`http://[^/]+`).FindString(text) + "/client/v4/user"
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()

	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for n := worker; n < requests; n += workers {
				i := n % identities
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("X-Auth-Email", email(i))
				request.Header.Set("X-Auth-Key", key(i))
				answer, err := client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				var body struct{ Result struct{ Email string } }
				err = json.NewDecoder(answer.Body).Decode(&body)
				_ = answer.Body.Close()
				if err != nil || body.Result.Email != email(i) {
					t.Errorf("%s asked who it is: got %q (%v)", email(i), body.Result.Email, err)
					return
				}
			}
		})
	}
	group.Wait()
	p.end()
}

// zeros is a body without end that counts what was read of it.
type zeros struct{ read atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read.Add(int64(len(p)))
	return len(p), nil
}

// TestHugeBodiesAreCutOff is KF-63: of 1 GB the server takes little more than
// its limit, whether the length is announced or not, and keeps none of it.
func TestHugeBodiesAreCutOff(t *testing.T) { //nolint:paralleltest // it measures the process's memory
	p, text := demo(t, "--listen=127.0.0.1:0")
	url := regexp.MustCompile(`http://[^/]+`).FindString(text) + "/client/v4/user"
	const huge, most = 1 << 30, 32 << 20 // what lies in the buffers of both ends is in between
	for _, length := range []int64{huge, -1} {
		for range 4 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			body := &zeros{}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url, io.LimitReader(body, huge))
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = length
			request.Header.Set("X-Auth-Email", dataset.DocumentationUser)
			request.Header.Set("X-Auth-Key", dataset.DocumentationKey)
			request.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatalf("a body of 1 GB, announced as %d: %v", length, err)
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), `"success":false`) {
				t.Errorf("a body of 1 GB, announced as %d: got %d %s, want 413 in the envelope", length, answer.StatusCode, text)
			}
			if read := body.read.Load(); read > most {
				t.Errorf("a body of 1 GB, announced as %d: %d bytes were taken, want %d at most", length, read, most)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("a body of 1 GB, announced as %d: the heap grew by %d bytes", length, grown)
			}
		}
	}
	p.end()
}
