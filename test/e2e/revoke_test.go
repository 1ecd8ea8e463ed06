package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"hither/test/harness"
)

// TestCommandLineRevokesAtOnce: KF-81. What the operator takes away by a
// command, a process of its own, the running server refuses at the very next
// request, in the middle of a stream of them.
func TestCommandLineRevokesAtOnce(t *testing.T) {
	t.Parallel()
	account := harness.ID("Account")
	token := harness.Key("bearer")
	tests := []struct {
		name    string
		bearer  bool
		path    string
		command func(t *testing.T, s *harness.Server, email string) []string
		want    string
	}{
		{"a disabled key", false, "/user", func(t *testing.T, s *harness.Server, email string) []string {
			t.Helper()
			return []string{"key", "disable", onlyID(t, s.Run(t, "key", "list", "--json", email))}
		}, "403/9103"},
		{"a disabled user, by key", false, "/accounts/" + account, func(_ *testing.T, _ *harness.Server, email string) []string {
			return []string{"user", "disable", email}
		}, "403/9103"},
		{"a disabled user, by token", true, "/user", func(_ *testing.T, _ *harness.Server, email string) []string {
			return []string{"user", "disable", email}
		}, "401/1000"},
		{"a revoked token", true, "/accounts/" + account + "/members", func(t *testing.T, s *harness.Server, email string) []string {
			t.Helper()
			return []string{"token", "revoke", onlyID(t, s.Run(t, "token", "list", "--json", "--user", email))}
		}, "401/1000"},
		{"a removed member", false, "/accounts/" + account + "/members", func(_ *testing.T, _ *harness.Server, email string) []string {
			return []string{"account", "remove-member", account, email}
		}, "404/7003"},
		{"a suspended account", false, "", func(*testing.T, *harness.Server, string) []string {
			return []string{"account", "set", account, "--suspend"}
		}, "403/1214"},
		{"an operator no longer", true, "/accounts/" + harness.ID("Foreign"), func(_ *testing.T, _ *harness.Server, email string) []string {
			return []string{"user", "set", email, "--no-operator"}
		}, "404/7003"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const email = "somebody@example.com"
			seed := newSeed().Account("Account", theSuper).Account("Foreign", "foreigner@example.com")
			person(seed, harness.SeedUser{Email: email, Operator: test.name == "an operator no longer"})
			seed.Member("Account", email, manager)
			seed.Tokens = append(seed.Tokens, harness.SeedToken{User: email, Name: "own", Secret: token})
			s := harness.Serve(t, seed)
			c := s.Client().As(email)
			if test.bearer {
				c = s.Client().Bearer(token)
			}
			method, path, body := http.MethodGet, test.path, any(nil)
			if path == "" { // what changes nothing, but would be a change
				method, path = http.MethodPost, "/accounts/"+account+"/members"
				body = object{"email": "somebody.else@example.com", "roles": []string{viewer}}
			}
			stream := watch(t, c, method, path, body)
			s.Run(t, test.command(t, s, email)...)
			stream.expect(t, time.Now(), test.want)
		})
	}
}

// onlyID is the id of the one row that a command listed as JSON.
func onlyID(t testing.TB, printed string) string {
	t.Helper()
	var rows []struct{ ID string }
	if err := json.Unmarshal([]byte(printed), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("list: got %s, %v, want one row", printed, err)
	}
	return rows[0].ID
}

// stream is the same request sent over and over.
type stream struct {
	sent chan sample
	stop chan struct{}
}

type sample struct {
	at      time.Time
	outcome string
}

// watch starts a stream and returns after its first success.
func watch(t *testing.T, c harness.Client, method, path string, body any) *stream {
	t.Helper()
	s := &stream{sent: make(chan sample), stop: make(chan struct{})}
	go func() {
		defer close(s.sent)
		for {
			at := time.Now()
			answer, err := c.Do(t.Context(), method, path, body)
			result := outcome(answer)
			if err != nil {
				result = err.Error()
			}
			select {
			case s.sent <- sample{at, result}:
			case <-s.stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(s.stop)
		for range s.sent {
			continue // until it has ended
		}
	})
	if first := <-s.sent; first.outcome != "200" {
		t.Fatalf("%s %s before: got %s, want 200", method, path, first.outcome)
	}
	return s
}

// expect holds the stream to: 200, and from the first request on that was sent
// after the command had ended, nothing but the refusal.
func (s *stream) expect(t testing.TB, ended time.Time, want string) {
	t.Helper()
	const enough = 5
	var outcomes []string
	for after := 0; after < enough; {
		got := <-s.sent
		outcomes = append(outcomes, got.outcome)
		if !got.at.After(ended) {
			continue
		}
		after++
		if got.outcome != want {
			t.Errorf("request %s after the command: got %s, want %s", got.at.Sub(ended), got.outcome, want)
		}
	}
	first := slices.Index(outcomes, want)
	if first < 0 || slices.ContainsFunc(outcomes[first:], func(o string) bool { return o != want }) {
		t.Errorf("outcomes: got %v, want %s once and for all", outcomes, want)
	}
}
