package sdk_test

import (
	"errors"
	"os"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"hither/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// What the demo is known to hold.
const (
	userEmail  = "user@example.com"
	userKey    = "144c9defac04969c7bfad8efaa8ea194"
	userToken  = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY"
	tokenID    = "ed17574386854bf78a67040be0a770b0"
	adminEmail = "admin@example.com"
	adminKey   = "5f0c6e1d2b3a49788695a4b3c2d1e0f9ad312"

	demoAccount   = "023e105f4ecef8ad9ca31a8372d0c353" // userEmail is a Super Administrator of it
	secondAccount = "a67e14daa5f8dceeb91fe5449ba496ef" // and of this one, where it is the only one
	inviter       = "5a7805061c76ada191ed06f989cc3dac" // "Example, Inc.", which has invited userEmail
	invitation    = "4f5f0c14a2a41d5063dd301b2f829f04"
	ownMember     = "4536bcfad5faccb111b47003c79917fa" // of userEmail in demoAccount
	demoRole      = "3536bcfad5faccb999b47003c79917fb"
	nothing       = "00000000000000000000000000000000"
)

// principal is a way to sign in.
type principal struct {
	name    string
	options []option.RequestOption
}

func byKey(email, key string) principal {
	return principal{"key pair of " + email, []option.RequestOption{option.WithAPIEmail(email), option.WithAPIKey(key)}}
}

func byToken(secret string) principal {
	return principal{"API token", []option.RequestOption{option.WithAPIToken(secret)}}
}

func nobody() principal { return principal{name: "nobody"} }

// client is the published SDK, with nothing changed but its host and its
// transport: every request and answer is held to api/openapi.yaml. It retries
// nothing, so that a test sees what happened.
func client(t *testing.T, server *harness.Server, who principal) *cloudflare.Client {
	t.Helper()
	options := []option.RequestOption{
		option.WithBaseURL(server.URL + "/client/v4"),
		option.WithHTTPClient(server.Client().HTTP),
		option.WithMaxRetries(0),
	}
	// The SDK takes credentials from the environment too; only the test's own may count.
	for _, header := range []string{"Authorization", "X-Auth-Email", "X-Auth-Key", "X-Auth-User-Service-Key"} {
		options = append(options, option.WithHeaderDel(header))
	}
	return cloudflare.NewClient(append(options, who.options...)...)
}

// refused checks that the SDK's own error carries our status and first code.
func refused(t *testing.T, what string, err error, status int, code int64) {
	t.Helper()
	_ = refusal(t, what, err, status, code)
}

// refusal is that error.
func refusal(t *testing.T, what string, err error, status int, code int64) *cloudflare.Error {
	t.Helper()
	var found *cloudflare.Error
	if !errors.As(err, &found) {
		t.Fatalf("%s: got error %v, want the SDK's with status %d and code %d", what, err, status, code)
	}
	if found.StatusCode != status || len(found.Errors) == 0 || found.Errors[0].Code != code {
		t.Fatalf("%s: got %v, want status %d and code %d", what, found, status, code)
	}
	return found
}

// must is the result of a call that has to succeed.
func must[T any](t *testing.T, what string) func(result T, err error) T {
	t.Helper()
	return func(result T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return result
	}
}
