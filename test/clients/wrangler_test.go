package clients_test

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hither/test/harness"
)

// TestWrangler has wrangler, with the build of esbuild that has no binary, say who is signed in, by token
// and by key, and to which accounts they belong, before and after one is taken from them.
func TestWrangler(t *testing.T) {
	t.Parallel()
	folder := installed(t, "wrangler")
	runsHere(t, folder)
	standIn(t, folder)
	demo := harness.Demo(t)
	w := watch(t, demo, nothing)
	whoami := func(credentials ...string) (string, error) {
		return tryNode(t, folder, append([]string{
			"CLOUDFLARE_API_BASE_URL=" + w.URL + "/client/v4",
			"WRANGLER_SEND_METRICS=false", "WRANGLER_HIDE_BANNER=true", // the banner asks for newer versions
			// Whatever else it would reach is behind a proxy that there is not.
			"HTTPS_PROXY=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1",
			"CI=1",
		}, credentials...), filepath.Join("node_modules", "wrangler", "bin", "wrangler.js"), "whoami")
	}
	const token, adminKey = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY", "5f0c6e1d2b3a49788695a4b3c2d1e0f9ad312"
	byKey := []string{"CLOUDFLARE_EMAIL=admin@example.com", "CLOUDFLARE_API_KEY=" + adminKey}

	said, err := whoami("CLOUDFLARE_API_TOKEN=" + token)
	if err != nil || !strings.Contains(said, "user@example.com") || !slices.Contains(accounts(said), "Demo Account 2") {
		t.Errorf("whoami by token: %v, want user@example.com and their accounts\n%s", err, said)
	}
	said, err = whoami(byKey...)
	if want := []string{"Demo Account", "Example, Inc."}; err != nil || !strings.Contains(said, "admin@example.com") || !slices.Equal(accounts(said), want) {
		t.Errorf("whoami by key: %v, got accounts %q, want admin@example.com and %q\n%s", err, accounts(said), want, said)
	}
	leave(t, demo, adminKey)
	said, err = whoami(byKey...)
	if want := []string{"Example, Inc."}; err != nil || !slices.Equal(accounts(said), want) {
		t.Errorf("whoami after leaving one: %v, got accounts %q, want %q\n%s", err, accounts(said), want, said)
	}
	if said, err = whoami("CLOUDFLARE_API_TOKEN=x" + token[1:]); err == nil || !strings.Contains(said, "Invalid API Token [code: 1000]") {
		t.Errorf("whoami by a wrong token: %v, want our refusal and its code\n%s", err, said)
	}
	for _, want := range []string{"GET /user/tokens/verify 200", "GET /user 200", "GET /accounts 200", "GET /user/tokens/verify 401"} {
		if !slices.Contains(w.exchanges(), want) {
			t.Errorf("wrangler did not ask %s; it asked %q", want, w.exchanges())
		}
	}
	report(t, "ran: wrangler "+version(t, folder, "wrangler")+", whoami by token and by key")
}

// accounts are those of the table that whoami prints, in its order.
func accounts(said string) []string {
	var names []string
	for _, row := range regexp.MustCompile(`│ (.+?) +│ [0-9a-f]{32} +│`).FindAllStringSubmatch(said, -1) {
		names = append(names, row[1])
	}
	return names
}

// leave ends the admin's membership in Demo Account.
func leave(t *testing.T, demo *harness.Server, key string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodDelete,
		demo.URL+"/client/v4/memberships/8c2f4a6b1d3e5079a8b7c6d5e4f30211", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Auth-Email", "admin@example.com")
	request.Header.Set("X-Auth-Key", key)
	answer, err := demo.Client().HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("leaving Demo Account: got %d, want 200", answer.StatusCode)
	}
}

// runsHere leaves the test out where Node is older than wrangler asks for.
func runsHere(t *testing.T, folder string) {
	t.Helper()
	has := strings.TrimSpace(node(t, folder, nil, "-p", "process.versions.node"))
	asks := node(t, folder, nil, "-p", `require('./node_modules/wrangler/package.json').engines.node`)
	const holds = `const [has, asks] = [process.versions.node, require('./node_modules/wrangler/package.json').engines.node.slice(2)]
		.map((v) => v.split('.').map(Number)); has[0] > asks[0] || has[0] === asks[0] && has[1] >= asks[1]`
	if strings.TrimSpace(node(t, folder, nil, "-p", holds)) != "true" {
		leaveOut(t, "Node is "+has+" and wrangler asks for "+strings.TrimSpace(asks))
	}
}

// standIn puts an empty file where wrangler looks for the runtime of Workers
// when it starts. That is a program of 125 megabytes, which whoami does not run.
func standIn(t *testing.T, folder string) {
	t.Helper()
	for _, platform := range []string{"linux-64", "linux-arm64", "darwin-64", "darwin-arm64"} {
		write(t, filepath.Join(folder, "node_modules", "workerd", "lib", "downloaded-@cloudflare-workerd-"+platform+"-workerd"), "")
	}
}
