package e2e_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"hither/test/harness"
)

// limitOf reads one item of RateLimit-Policy or RateLimit as RFC 9651 wants it
// read: the member of that name, and its integer parameters.
func limitOf(t *testing.T, header http.Header, field, name string) map[string]int64 {
	t.Helper()
	list, err := httpsfv.UnmarshalList(header.Values(field))
	if err != nil {
		t.Fatalf("%s: %q: %v", field, header.Values(field), err)
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok || item.Value != name {
			continue
		}
		found := map[string]int64{}
		for _, key := range item.Params.Names() {
			value, _ := item.Params.Get(key)
			if found[key], ok = value.(int64); !ok {
				t.Fatalf("%s: %s is %v, want an integer", field, key, value)
			}
		}
		return found
	}
	return nil
}

// TestPrincipalsAreLimited: a user's keys and tokens share what it may ask,
// others lose nothing by it, and the answer says how it stands and when to come back.
func TestPrincipalsAreLimited(t *testing.T) {
	t.Parallel()
	const other = "other@example.com"
	s := newSite(t, newSeed().Account("Account", theSuper).User(other), "--rate-limit=3/1h")
	user := s.Client().As(theSuper)
	for left := int64(2); left >= 0; left-- {
		got := user.OK(t, http.MethodGet, "/user", nil)
		policy, stands := limitOf(t, got.Header, "RateLimit-Policy", "default"), limitOf(t, got.Header, "RateLimit", "default")
		if policy["q"] != 3 || policy["w"] != 3600 || stands["r"] != left || stands["t"] < 3500 || stands["t"] > 3600 {
			t.Errorf("with %d left: got %v, %v", left, policy, stands)
		}
	}
	token := secretIn(t, s.Run(t, "token", "add", "--user", theSuper, "--name", "another credential", "--json"))
	for what, client := range map[string]harness.Client{"the key": user, "a token of the same user": s.Client().Bearer(token)} {
		got := client.Refused(t, http.MethodPost, members("Account"),
			object{"email": "new@example.com", "roles": []string{viewer}}, http.StatusTooManyRequests, 10429)
		after, err := strconv.Atoi(got.Header.Get("Retry-After"))
		if err != nil || after < 3500 || after > 3600 || got.Header.Get("X-Should-Retry") != "true" || limitOf(t, got.Header, "RateLimit", "default")["r"] != 0 {
			t.Errorf("%s: the refusal says %v", what, got.Header)
		}
	}
	if got := s.Client().As(other).OK(t, http.MethodGet, "/user", nil); limitOf(t, got.Header, "RateLimit", "default")["r"] != 2 {
		t.Errorf("another user: %v", got.Header)
	}
	if rows := s.content(t).of("memberships"); len(rows) != 1 {
		t.Errorf("memberships: got %d, want only the one that was there", len(rows))
	}
}

// TestAddressesAreLimited: KF-65. Requests of one address are refused before
// anything is looked up, whoever it claims to be, with credentials or without, on
// pages too; whoever watches the server's health isn't.
func TestAddressesAreLimited(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper), "--rate-limit=1200/5m", "--address-rate-limit=4/1h", "--trusted-proxies=192.0.2.0/24")
	client := &http.Client{Timeout: time.Minute}
	ask := func(path, claimed string) (int, http.Header) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = forwarded(claimed)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode, answer.Header
	}
	for i := range 4 {
		status, header := ask("/client/v4/user", "198.51.100."+strconv.Itoa(i))
		if stands := limitOf(t, header, "RateLimit", "address"); status != http.StatusBadRequest || stands["r"] != int64(3-i) {
			t.Errorf("request %d: got %d, %v", i, status, header)
		}
	}
	if got := s.Client().As(theSuper).Refused(t, http.MethodGet, "/user", nil, http.StatusTooManyRequests, 10429); got.Header.Get("Retry-After") == "" {
		t.Errorf("the refusal says %v", got.Header)
	}
	for i, path := range []string{"/client/v4/user", "/client/v4/nothing", "/openapi.yaml", "/sign-in"} {
		if status, _ := ask(path, "203.0.113."+strconv.Itoa(i)); status != http.StatusTooManyRequests {
			t.Errorf("%s from an address that is claimed: got %d, want 429", path, status)
		}
	}
	if status, _ := ask("/healthz", "203.0.113.1"); status != http.StatusOK {
		t.Errorf("health: got %d", status)
	}
}
