package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hither/internal/api"
)

// TestInviteFileBound holds the bound of the command to that of the API.
func TestInviteFileBound(t *testing.T) {
	t.Parallel()
	if maxInvited != api.MaxBulkBody {
		t.Errorf("the command sends up to %d bytes, the API takes %d", maxInvited, api.MaxBulkBody)
	}
}

// TestInviteUsage: a command line that cannot be meant is refused before anybody is
// spoken to, with the way out.
func TestInviteUsage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "people.csv")
	secret := filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{file: "email,roles\n", secret: "token-token-token-token-token-tok\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		args, env []string
		says      string
	}{
		"no file":             {[]string{"--token-file", secret}, nil, "--csv FILE"},
		"two files":           {[]string{"--token-file", secret, "--csv", file, "--jsonl", file}, nil, "one file"},
		"nobody":              {[]string{"--csv", file}, nil, "HITHER_API_TOKEN"},
		"a key of nobody":     {[]string{"--csv", file, "--key-file", secret}, nil, "--email"},
		"two of them":         {[]string{"--csv", file, "--key-file", secret, "--email", "a@b.test", "--token-file", secret}, nil, "not both"},
		"a token twice":       {[]string{"--csv", file, "--token-file", secret}, []string{"HITHER_API_TOKEN=x"}, "together"},
		"a token for all":     {[]string{"--csv", file, "--token", "x"}, nil, "can see command lines"},
		"a path":              {[]string{"--csv", file, "--token-file", secret, "--url", "https://a.test/client/v4"}, nil, "without a path"},
		"a secret in clear":   {[]string{"--csv", file, "--token-file", secret, "--url", "http://a.test"}, nil, "https://"},
		"to cancel and begin": {[]string{"--csv", file, "--token-file", secret, "--cancel", strings.Repeat("a", 32)}, nil, "begins none"},
		"to cancel, by no id": {[]string{"--token-file", secret, "--cancel", "people.csv"}, nil, "32 hex characters"},
		"a file too long":     {[]string{"--csv", "-", "--token-file", secret}, nil, "divide it"},
	} {
		var out, complaint strings.Builder
		stdin := strings.NewReader(strings.Repeat("x", maxInvited+1))
		code := run(t.Context(), append([]string{"invite", "--account", "A"}, test.args...), test.env, stdin, &out, &complaint)
		if code == 0 || !strings.Contains(complaint.String(), test.says) {
			t.Errorf("%s: %d, %q, want %q in it", name, code, complaint.String(), test.says)
		}
	}
}

// TestInviteFollowsNoRedirect: credentials go nowhere but to the server that was
// named.
func TestInviteFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	var out, complaint strings.Builder
	code := run(context.WithoutCancel(t.Context()), []string{"invite", "--csv", "-", "--account", strings.Repeat("a", 32), "--url", server.URL},
		[]string{"HITHER_API_TOKEN=token-token-token-token-token-tok"}, strings.NewReader("email,roles\n"), &out, &complaint)
	if code != 1 || !strings.Contains(complaint.String(), "status 307") {
		t.Errorf("got %d, %q", code, complaint.String())
	}
}
