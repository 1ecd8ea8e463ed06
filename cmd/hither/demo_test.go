package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hither/internal/dataset"
)

// demo starts a demo and reads its text to its last line.
func demo(t *testing.T, args ...string) (*process, string) {
	t.Helper()
	p := start(t, append([]string{"demo"}, args...)...)
	var text strings.Builder
	for !strings.Contains(text.String(), "/openapi.yaml\n") {
		line, err := p.stdout.ReadString('\n')
		text.WriteString(line)
		if err != nil {
			said, _ := io.ReadAll(p.stderr)
			t.Fatalf("the demo ended with %q and %q: %v", text.String(), said, err)
		}
	}
	return p, text.String()
}

// pasted does what a shell would with a curl line of the demo's text.
func pasted(t *testing.T, line string) (int, string) {
	t.Helper()
	var url, body string
	method := ""
	header := http.Header{}
	words := regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1)
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X":
			method = words[i+1]
			i++
		case "-H":
			name, value, _ := strings.Cut(strings.Trim(words[i+1], `"`), ": ")
			header.Set(name, value)
			i++
		case "-d":
			body = strings.Trim(words[i+1], "'")
			method = cmp.Or(method, http.MethodPost)
			i++
		default:
			url = strings.Trim(words[i], `"`)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	request.Header = header
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return answer.StatusCode, string(text)
}

func curlLines(text string) []string {
	return regexp.MustCompile(`(?m)^ *curl .*$`).FindAllString(text, -1)
}

// TestDemoLinesWork pastes every line that the demo prints, in order.
func TestDemoLinesWork(t *testing.T) {
	t.Parallel()
	p, text := demo(t, "--listen=127.0.0.1:0")
	lines := curlLines(text)
	wants := []string{`"status":"pending"`, `"status":"accepted"`, `"email":"user@example.com"`, `"email":"somebody@example.org"`}
	if len(lines) != len(wants) {
		t.Fatalf("got %d lines to paste, want %d: %s", len(lines), len(wants), text)
	}
	for i, want := range wants {
		status, body := pasted(t, lines[i])
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s\ngot %d %s\nwant 200 with %s", lines[i], status, body, want)
		}
	}
	url := regexp.MustCompile(`http://[^/]+`).FindString(text)
	if want := fmt.Sprintf(`curl %s/client/v4/user/invites/%s -H "X-Auth-Email: user@example.com" -H "X-Auth-Key: 144c9defac04969c7bfad8efaa8ea194"`,
		url, dataset.DocumentationInvite); !strings.Contains(text, want) {
		t.Errorf("the text lacks the reference's own line %s: %s", want, text)
	}

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/client/v4/user", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example"
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a foreign Host: got %d, want 421", answer.StatusCode)
	}
	if code, rest, stderr := p.end(); code != exitOK || !strings.Contains(rest, "gone") || stderr != "" {
		t.Errorf("stop: got exit code %d, %q and %q, want 0, that the database is gone, and no message", code, rest, stderr)
	}
}

// TestDemoLeavesNothing holds that the database goes with the demo.
func TestDemoLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	p, _ := demo(t, "--listen=127.0.0.1:0")
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("while it runs: got %d folders, want 1", len(entries))
	}
	p.end()
	if entries, _ := os.ReadDir(folder); len(entries) != 0 {
		t.Errorf("after it stopped: got %v, want nothing", entries)
	}
}

// TestDemoBeyondLoopback holds that other machines cannot use the keys that
// everybody knows.
func TestDemoBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, seed := range []bool{false, true} {
		t.Run(fmt.Sprintf("seed %v", seed), func(t *testing.T) {
			t.Parallel()
			args := []string{"--listen=0.0.0.0:0"}
			if seed {
				// Whoever seeds a demo with a copy of the public rows has public keys too.
				path := filepath.Join(t.TempDir(), "rows.yaml")
				copied, err := os.ReadFile("../../internal/dataset/documentation.yaml")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, copied, 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--seed", path)
			}
			p, text := demo(t, args...)
			url := regexp.MustCompile(`http://[^/]+`).FindString(text) + "/client/v4"
			for _, key := range []string{dataset.DocumentationKey, dataset.DocumentationLongKey} {
				if status, body := pasted(t, fmt.Sprintf(`curl %s/user -H "X-Auth-Email: %s" -H "X-Auth-Key: %s"`, url, dataset.DocumentationUser, key)); status != http.StatusForbidden {
					t.Errorf("a public key: got %d %s, want 403", status, body)
				}
				if strings.Contains(text, key+`"`) || strings.Contains(text, key+" ") {
					t.Errorf("the text shows a public key: %s", text)
				}
			}
			if status, body := pasted(t, fmt.Sprintf(`curl %s/accounts -H "X-Auth-Email: %s" -H "X-Auth-Key: %s"`, url, dataset.DocumentationAdmin, dataset.DocumentationAdminKey)); status != http.StatusForbidden {
				t.Errorf("admin's public key: got %d %s, want 403", status, body)
			}
			if status, body := pasted(t, fmt.Sprintf(`curl %s/user -H "Authorization: Bearer %s"`, url, dataset.DocumentationToken)); status != http.StatusUnauthorized {
				t.Errorf("the public token: got %d %s, want 401", status, body)
			}
			drawn := regexp.MustCompile(`(?m)^  key +(\S+)  user@example.com$`).FindStringSubmatch(text)
			if drawn == nil {
				t.Fatalf("the text shows no random key: %s", text)
			}
			if status, body := pasted(t, fmt.Sprintf(`curl %s/user -H "X-Auth-Email: user@example.com" -H "X-Auth-Key: %s"`, url, drawn[1])); status != http.StatusOK {
				t.Errorf("the random key: got %d %s, want 200", status, body)
			}
			for _, line := range curlLines(text) {
				if status, body := pasted(t, line); status != http.StatusOK {
					t.Errorf("%s: got %d %s, want 200", line, status, body)
				}
			}
			p.end()
		})
	}
}

// TestDemoSeed says what was loaded, and shows nobody's keys.
func TestDemoSeed(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "rows.json")
	const key = "0123456789abcdef0123456789abcdef01234"
	if err := os.WriteFile(seed, []byte(`{"users":[{"email":"a@example.com","keys":["`+key+`"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p, text := demo(t, "--listen=127.0.0.1:0", "--seed", seed)
	if !strings.Contains(text, "1 user, 0 accounts") || !strings.Contains(text, seed) || strings.Contains(text, key) || len(curlLines(text)) > 0 {
		t.Errorf("got %q, want the file, what it holds, and no key or line to paste", text)
	}
	url := regexp.MustCompile(`http://[^/]+`).FindString(text)
	status, body := pasted(t, fmt.Sprintf(`curl %s/client/v4/user -H "X-Auth-Email: a@example.com" -H "X-Auth-Key: %s"`, url, key))
	var answer struct{ Result struct{ Email string } }
	if err := json.Unmarshal([]byte(body), &answer); status != http.StatusOK || err != nil || answer.Result.Email != "a@example.com" {
		t.Errorf("a key of the file: got %d %s, want 200 and its user", status, body)
	}
	p.end()
}

// TestBaseURL is where the text says that the API is.
func TestBaseURL(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	for address, want := range map[string]string{
		"127.0.0.1:0": "http://127.0.0.1:" + port, "localhost:0": "http://localhost:" + port, "[::1]:0": "http://[::1]:" + port,
		":0": "http://127.0.0.1:" + port, "0.0.0.0:0": "http://127.0.0.1:" + port, "[::]:0": "http://127.0.0.1:" + port,
		"hither.lan:0": "http://hither.lan:" + port,
	} {
		if got := baseURL("http", address, server.Listener); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// TestDemoPagesBeyondLoopback: where the pages of a demo cannot work it says so,
// and how they would.
func TestDemoPagesBeyondLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for listen, want := range map[string]string{
		"127.0.0.1:8787": "http://127.0.0.1:", "0.0.0.0:8787": "http://127.0.0.1:", ":8787": "http://127.0.0.1:", "localhost:8787": "http://localhost:",
		"192.0.2.1:8787": "", "hither.lan:8787": "",
	} {
		base, err := (&demoCommand{Listen: listen}).pagesBase(server.Listener)
		refused := err != nil && strings.Contains(err.Error(), "0.0.0.0:8787") && strings.Contains(err.Error(), "--base-url https://")
		if !strings.HasPrefix(base, want) || refused != (want == "") {
			t.Errorf("%s: got %q, %v", listen, base, err)
		}
	}
	p, text := demo(t, "--listen=0.0.0.0:0")
	if !strings.Contains(text, "on this machine alone") {
		t.Errorf("the text does not say that the pages stay here: %s", text)
	}
	p.end()
}

// TestDemoBehindAProxy: with a base URL the pages are where that says, its host is
// answered, and nothing is public.
func TestDemoBehindAProxy(t *testing.T) {
	t.Parallel()
	p, text := demo(t, "--listen=127.0.0.1:0", "--base-url=https://demo.example.com/")
	if !strings.Contains(text, "https://demo.example.com/demo/mail") || !strings.Contains(text, "its key is ") || strings.Contains(text, dataset.DocumentationKey) ||
		strings.Contains(text, "on this machine alone") {
		t.Errorf("got %s", text)
	}
	url := regexp.MustCompile(`http://[^/]+`).FindString(text)
	for host, want := range map[string]int{"demo.example.com": http.StatusOK, "evil.example": http.StatusMisdirectedRequest} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/sign-in", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("Host %s: got %d, want %d", host, answer.StatusCode, want)
		}
	}
	p.end()
}
