package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"hither/test/contract"
	"hither/test/harness"
)

// TestUpstream runs the SDK's own tests, straight from its module, each alone
// on a fresh demo. They are smoke tests: they call one operation and assert
// that no error comes back, and many skip themselves. What they do not look at
// is looked at on the way: a proxy holds each request and answer to
// api/openapi.yaml, and sees that a test that passes did ask us something.
//
// What does not pass is in one of two tables; whatever else fails, or an entry
// that nothing needs any more, fails here.
func TestUpstream(t *testing.T) {
	t.Parallel()
	var suites []suite
	for _, name := range []string{"accounts", "memberships", "user"} {
		suites = append(suites, compileSuite(t, name))
	}
	expected := expectations()
	unused := maps.Clone(expected)
	var (
		mu     sync.Mutex // guards report and unused
		report = map[outcome][]string{}
		group  sync.WaitGroup
	)
	seats := make(chan struct{}, 2)
	for _, suite := range suites {
		for _, test := range suite.tests {
			group.Go(func() {
				seats <- struct{}{}
				defer func() { <-seats }()
				full := suite.name + "." + test
				t.Run(full, func(t *testing.T) {
					got, remark := suite.run(t, test, expected[full])
					mu.Lock()
					defer mu.Unlock()
					report[got] = append(report[got], full+remark)
					delete(unused, full)
				})
			})
		}
	}
	group.Wait()
	for full, entry := range unused {
		t.Errorf("%s is expected to end as %q, and the SDK has no such test", full, entry.outcome)
	}
	printReport(t, report)
}

// outcome is how a test of the SDK may end.
type outcome string

const (
	passed    outcome = "passed"
	skipped   outcome = "skipped by the SDK itself"
	refusedBy outcome = "refused on purpose"
	notServed outcome = "not served yet: 7000"
	unread    outcome = "answered as asked, which the SDK cannot read"
	failed    outcome = "FAILED"
)

// expectation is what a test that must not pass gets to see, and why.
type expectation struct {
	outcome outcome
	status  int
	code    int
	why     string
}

// expectations are by package and test.
func expectations() map[string]expectation {
	table := map[string]expectation{
		"accounts.TestAccountDelete": {
			refusedBy, http.StatusNotFound, 7003, `its account is the literal "account_id", which is no id`,
		},
		"user.TestAuditLogListWithOptionalParams": {
			unread, http.StatusOK, 0, "it asks for export=true, which is CSV on this wire, and reads JSON",
		},
	}
	for full, operation := range map[string]string{
		"accounts.TestAccountOrganizationNew":               "POST /accounts/{}/move",
		"accounts.TestAccountProfileGet":                    "GET /accounts/{}/profile",
		"accounts.TestAccountProfileUpdate":                 "PUT /accounts/{}/profile",
		"accounts.TestLogAuditHistoryWithOptionalParams":    "GET /accounts/{}/logs/audit/{}/history",
		"accounts.TestLogAuditProductCategories":            "GET /accounts/{}/logs/audit/product_categories",
		"accounts.TestSpeedSettingTransformationGet":        "GET /accounts/{}/settings/transformations",
		"accounts.TestSubscriptionDelete":                   "DELETE /accounts/{}/subscriptions/{}",
		"accounts.TestSubscriptionGetWithOptionalParams":    "GET /accounts/{}/subscriptions",
		"accounts.TestSubscriptionNewWithOptionalParams":    "POST /accounts/{}/subscriptions",
		"accounts.TestSubscriptionUpdateWithOptionalParams": "PUT /accounts/{}/subscriptions/{}",
		"user.TestBillingHistoryListWithOptionalParams":     "GET /user/billing/history",
		"user.TestBillingProfileGet":                        "GET /user/billing/profile",
		"user.TestSubscriptionDelete":                       "DELETE /user/subscriptions/{}",
		"user.TestSubscriptionGet":                          "GET /user/subscriptions",
		"user.TestSubscriptionUpdateWithOptionalParams":     "PUT /user/subscriptions/{}",
		"user.TestTenantList":                               "GET /user/tenants",
	} {
		table[full] = expectation{notServed, http.StatusNotFound, 7000, operation}
	}
	return table
}

// suite is the compiled tests of one of the SDK's packages.
type suite struct {
	name, binary string
	tests        []string
}

// compileSuite builds a test binary once, from the module as it was published.
func compileSuite(t *testing.T, name string) suite {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name+".test")
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, sdkModule+"/"+name).CombinedOutput()
	if err != nil {
		t.Fatalf("compile the SDK's tests of %s: %v\n%s", name, err, out)
	}
	if out, err = exec.CommandContext(t.Context(), binary, "-test.list", ".").Output(); err != nil {
		t.Fatalf("list the SDK's tests of %s: %v", name, err)
	}
	return suite{name: name, binary: binary, tests: strings.Fields(string(out))}
}

// run runs one test and judges how it ended. The remark is for the report.
func (s suite) run(t *testing.T, test string, want expectation) (outcome, string) {
	t.Helper()
	proxy := newRecorder(t, harness.Example(t).URL, want)
	command := exec.CommandContext(t.Context(), s.binary, "-test.run", "^"+test+"$", "-test.v", "-test.count=1", "-test.timeout=1m")
	// What the SDK would take from the environment is left out.
	command.Env = []string{"TEST_API_BASE_URL=" + proxy.URL + "/client/v4", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", test, err)
	}
	asked := proxy.exchanges()
	switch {
	case strings.Contains(string(out), "--- SKIP: "+test+" "):
		if want.outcome != "" {
			t.Errorf("is expected to end as %q, but skips itself", want.outcome)
		}
		return skipped, ""
	case strings.Contains(string(out), "--- PASS: "+test+" "):
		if want.outcome != "" {
			t.Errorf("is expected to end as %q (%s), but passes: take it from the table", want.outcome, want.why)
		}
		if len(asked) == 0 {
			t.Errorf("passes, but has asked nothing\n%s", out)
		}
		return passed, ""
	case want.outcome == "":
		t.Errorf("fails after %v\n%s", asked, out)
		return failed, ""
	}
	expected := fmt.Sprintf("%d %d", want.status, want.code)
	if len(asked) == 0 || slices.ContainsFunc(asked, func(e exchange) bool { return e.answer() != expected }) {
		t.Errorf("got the answers %v, want %s (%s)\n%s", asked, expected, want.why, out)
		return failed, ""
	}
	return want.outcome, fmt.Sprintf(" (%d: %s)", want.code, want.why)
}

// exchange is a request and how we answered it.
type exchange struct {
	request string
	status  int
	code    int
}

func (e exchange) String() string { return e.request + ": " + e.answer() }

func (e exchange) answer() string { return fmt.Sprintf("%d %d", e.status, e.code) }

// recorder stands between a test of the SDK and a demo.
type recorder struct {
	*httptest.Server

	mu   sync.Mutex
	seen []exchange
}

func newRecorder(t *testing.T, demo string, want expectation) *recorder {
	t.Helper()
	target, err := url.Parse(demo)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport:      contract.New(t).RoundTripper(&http.Transport{DisableCompression: true}),
		ModifyResponse: r.note,
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx := request.Context()
		switch {
		case request.URL.Path == "/client/v4":
			ctx = contract.Exempt(ctx, "the SDK's tests look first whether somebody is there")
		case want.outcome != "":
			ctx = contract.Exempt(ctx, want.why)
		}
		proxy.ServeHTTP(w, request.WithContext(ctx))
	}))
	t.Cleanup(r.Close)
	return r
}

// note keeps what was answered, but for the look whether somebody is there.
func (r *recorder) note(response *http.Response) error {
	if response.Request.URL.Path == "/client/v4" {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	var refusal struct {
		Errors []struct {
			Code int `json:"code"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(body, &refusal) // the bare deletes have no errors
	e := exchange{request: response.Request.Method + " " + response.Request.URL.Path, status: response.StatusCode}
	if len(refusal.Errors) > 0 {
		e.code = refusal.Errors[0].Code
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
	return nil
}

func (r *recorder) exchanges() []exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// printReport says it in full, also where everything is as expected: how much
// these tests prove is for the reader to judge. It goes to stdout, which go
// test hides where all is well, or to the file that HITHER_SDK_REPORT names.
func printReport(t *testing.T, report map[outcome][]string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "The SDK's own smoke tests of accounts, memberships and user (%s), each alone on a fresh demo:\n", sdkModule)
	for _, o := range []outcome{passed, refusedBy, unread, notServed, skipped, failed} {
		names := report[o]
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		fmt.Fprintf(&text, "%4d %s\n", len(names), o)
		for _, name := range names {
			fmt.Fprintf(&text, "       %s\n", name)
		}
	}
	path := os.Getenv("HITHER_SDK_REPORT")
	if path == "" {
		_, _ = os.Stdout.WriteString(text.String())
		return
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Errorf("HITHER_SDK_REPORT: %v", err)
	}
}
