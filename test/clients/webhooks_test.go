package clients_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hither/test/harness"
)

// TestWebhookExamples runs what docs/webhooks.md shows: its curl line makes a webhook
// of a demo, and its receivers, in Go and in Node, take what the demo sends by the
// secrets that are good at the time, and nothing else (KF-94).
func TestWebhookExamples(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			leaveOut(t, "there is no "+program)
		}
	}
	sent := newSent(t)
	const owner = "owner@example.org"
	demo := harness.Demo(t, "--seed="+(&harness.Seed{}).Account("a", owner).Write(t))
	c, account := demo.Client().As(owner), harness.ID("a")
	made := curled(t, demo.URL, account, owner)
	hook := "/accounts/" + account + "/webhooks/" + made.ID
	first := secretOf(t, c.OK(t, http.MethodPatch, hook, map[string]any{"url": sent.URL, "events": []string{"webhook.ping"}}))

	// One that is tried again comes under the same id, and each of them is good.
	sent.answers(http.StatusServiceUnavailable)
	c.OK(t, http.MethodPost, hook+"/ping", nil)
	failed := sent.await(t, 1)[0]
	sent.answers(http.StatusNoContent)
	forward(t, demo, "20s")
	retried := sent.await(t, 2)[1]
	if id := retried.header.Get("Webhook-Id"); id == "" || id != failed.header.Get("Webhook-Id") {
		t.Errorf("the second attempt has the webhook-id %q, want %q", id, failed.header.Get("Webhook-Id"))
	}
	second := secretOf(t, c.OK(t, http.MethodPost, hook+"/rotate", nil))
	c.OK(t, http.MethodPost, hook+"/ping", nil)
	both := sent.await(t, 3)[2]
	third := secretOf(t, c.OK(t, http.MethodPost, hook+"/rotate", map[string]any{"overlap": 0}))
	c.OK(t, http.MethodPost, hook+"/ping", nil)
	only := sent.await(t, 4)[3]

	wrong := "whsec_" + strings.Repeat("A", 43) + "="
	secrets := []string{first, second, third, wrong}
	signed := func(age time.Duration) message {
		library, err := standardwebhooks.NewWebhook(first)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		m := message{header: failed.header.Clone(), body: failed.body}
		signature, err := library.Sign(m.header.Get("Webhook-Id"), at, m.body)
		if err != nil {
			t.Fatal(err)
		}
		m.header.Set("Webhook-Timestamp", stamp(at))
		m.header.Set("Webhook-Signature", signature)
		return m
	}
	for language, start := range map[string]func(t *testing.T, secrets []string) string{"Go": goReceiver, "Node": nodeReceiver} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			receiver := start(t, secrets)
			for name, test := range map[string]struct {
				m    message
				good []string // the secrets that it is taken by
			}{
				"one that failed":         {failed, []string{first}},
				"one that is tried again": {retried, []string{first}},
				"within an overlap":       {both, []string{first, second}},
				"without an overlap":      {only, []string{third}},
				"another body":            {failed.with(func(m *message) { m.body = bytes.Replace(m.body, []byte("ping"), []byte("pong"), 1) }), nil},
				"another id":              {failed.with(func(m *message) { m.header.Set("Webhook-Id", "msg_1") }), nil},
				"another time":            {signed(4 * time.Minute).with(func(m *message) { m.header.Set("Webhook-Timestamp", stamp(time.Now().Add(-2*time.Minute))) }), nil},
				"no signature of ours":    {failed.with(func(m *message) { m.header.Set("Webhook-Signature", "v2,"+strings.Repeat("A", 43)+"=") }), nil},
				"of four minutes ago":     {signed(4 * time.Minute), []string{first}},
				"of six minutes ago":      {signed(6 * time.Minute), nil},
				"of in six minutes":       {signed(-6 * time.Minute), nil},
			} {
				for i, secret := range secrets {
					want := http.StatusBadRequest
					if slices.Contains(test.good, secret) {
						want = http.StatusOK
					}
					if got := test.m.post(t, receiver, i); got != want {
						t.Errorf("%s, by secret %d: got %d, want %d", name, i+1, got, want)
					}
				}
			}
		})
	}
	report(t, "ran: the curl line and the receivers of docs/webhooks.md")
}

// message is a webhook's, as it came.
type message struct {
	header http.Header
	body   []byte
}

func (m message) with(edit func(m *message)) message {
	changed := message{header: m.header.Clone(), body: slices.Clone(m.body)}
	edit(&changed)
	return changed
}

// post gives it to a receiver that has several secrets, each at a path of its own.
func (m message) post(t *testing.T, receiver string, secret int) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, receiver+"/"+string(rune('0'+secret)), bytes.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = m.header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// sent is what a demo sends.
type sent struct {
	*httptest.Server

	mu   sync.Mutex
	code int
	got  []message
}

func newSent(t *testing.T) *sent {
	t.Helper()
	s := &sent{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read what is sent: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, message{r.Header.Clone(), body})
		w.WriteHeader(s.code)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sent) answers(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

func (s *sent) await(t *testing.T, n int) []message {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for over := time.After(time.Minute); ; {
		s.mu.Lock()
		got := slices.Clone(s.got)
		s.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-look.C:
		case <-over:
			t.Fatalf("after a minute %d messages came, want %d", len(got), n)
		}
	}
}

// webhook is what these tests look at of one.
type webhook struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

func secretOf(t *testing.T, answer harness.Answer) string {
	t.Helper()
	var made webhook
	if err := json.Unmarshal(answer.Result, &made); err != nil || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("%v: %s has no secret", err, answer.Body)
	}
	return made.Secret
}

// curled runs the curl line of docs/webhooks.md.
func curled(t *testing.T, base, account, email string) webhook {
	t.Helper()
	line := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", example(t, "webhooks.md", "sh"))
	line.Env = environment("BASE="+base, "ACCOUNT="+account, "EMAIL="+email, "KEY="+harness.Key(email))
	out, err := line.Output()
	var answer struct{ Result webhook }
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.Result.ID == "" || !strings.HasPrefix(answer.Result.Secret, "whsec_") {
		t.Fatalf("the curl line of docs/webhooks.md: %v: %s", err, out)
	}
	return answer.Result
}

// forward sets a demo's clock forward.
func forward(t *testing.T, demo *harness.Server, span string) {
	t.Helper()
	response, err := http.Post(demo.URL+"/__demo/clock", "application/json", strings.NewReader(`{"forward":"`+span+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the clock: got %d", response.StatusCode)
	}
}

func stamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// goReceiver serves the receiver in Go with each of the secrets.
func goReceiver(t *testing.T, secrets []string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "main.go"), `package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

`+example(t, "webhooks.md", "go")+`
func main() {
	for i, secret := range os.Args[1:] {
		http.HandleFunc(fmt.Sprintf("/%d", i), hooks(secret, func(string) bool { return false }))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + listener.Addr().String())
	_ = http.Serve(listener, nil)
}
`)
	mod, err := os.ReadFile(filepath.Join(harness.Root(), "go.mod"))
	needs := regexp.MustCompile(`(?m)^\s+(github.com/standard-webhooks/\S+ \S+)`).FindSubmatch(mod)
	if err != nil || needs == nil {
		t.Fatalf("go.mod names no library of Standard Webhooks: %v", err)
	}
	write(t, filepath.Join(folder, "go.mod"), "module example.com/hooks\n\ngo 1.26\n\nrequire "+string(needs[1])+"\n")
	copyFile(t, filepath.Join(harness.Root(), "go.sum"), filepath.Join(folder, "go.sum"))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "hooks", ".")
	build.Dir, build.Env = folder, environment("CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the receiver in Go of docs/webhooks.md: %v\n%s", err, out)
	}
	return serving(t, exec.CommandContext(t.Context(), filepath.Join(folder, "hooks"), secrets...))
}

// nodeReceiver serves the one in Node.
func nodeReceiver(t *testing.T, secrets []string) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		leaveOut(t, "there is no node")
	}
	folder := t.TempDir()
	write(t, filepath.Join(folder, "verify.mjs"), example(t, "webhooks.md", "js"))
	write(t, filepath.Join(folder, "serve.mjs"), `import { createServer } from "node:http";
import { verify } from "./verify.mjs";

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const secret = process.argv[2 + Number(request.url.slice(1))];
    response.writeHead(verify(secret, request.headers, body) ? 200 : 400).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));
`)
	return serving(t, exec.CommandContext(t.Context(), program, append([]string{filepath.Join(folder, "serve.mjs")}, secrets...)...))
}

// serving starts a server that says first where it is.
func serving(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	command.Env, command.Stderr = environment(), os.Stderr
	said, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	url, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatalf("%s does not say where it serves: %v", command, err)
	}
	return strings.TrimSpace(url)
}
