package clients_test

import (
	"path/filepath"
	"slices"
	"testing"

	"hither/test/harness"
)

// TestNodeSDK has the published npm SDK walk the life of an invitation, once
// for each way to sign in: sdk/life.mjs says what it has to see.
func TestNodeSDK(t *testing.T) {
	t.Parallel()
	folder := installed(t, "sdk")
	copyFile(t, filepath.Join("sdk", "life.mjs"), filepath.Join(folder, "life.mjs"))
	for _, way := range []string{"key", "token"} {
		w := watch(t, harness.Example(t), nothing)
		node(t, folder, []string{"HITHER_URL=" + w.URL, "SIGN_IN=" + way}, "--test", "life.mjs")
		// A script that asserts nothing passes too; this it must have done.
		seen := w.exchanges()
		for _, want := range []string{
			"GET /accounts 200", "GET /accounts/{}/members 200", "POST /accounts/{}/members 200", "PUT /accounts/{}/members/{} 200",
			"DELETE /accounts/{}/members/{} 200", "GET /accounts/{}/members/{} 404", "GET /accounts/{}/roles 200",
			"GET /memberships 200", "PUT /memberships/{} 200", "DELETE /memberships/{} 200",
			"GET /user 200", "GET /user/invites 200", "GET /user/invites/{} 200", "PATCH /user/invites/{} 200", "PATCH /user/invites/{} 400",
		} {
			if !slices.Contains(seen, want) {
				t.Errorf("signed in by %s: the SDK's walk lacks %s; it has %q", way, want, seen)
			}
		}
	}
	report(t, "ran: the npm SDK cloudflare "+version(t, folder, "cloudflare")+", the life of an invitation")
}
