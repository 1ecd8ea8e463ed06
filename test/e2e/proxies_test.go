package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// askers posts what asks for mails, each to another address, until that is
// refused, at most n times, and returns how many were not.
func (b *browsing) askers(from string, n int, header func(i int) http.Header) int {
	b.t.Helper()
	for i := range n {
		got := b.ask(http.MethodPost, "/sign-in", fmt.Sprintf("email=%s%d@example.org", from, i), header(i))
		switch got.status {
		case http.StatusSeeOther:
		case http.StatusTooManyRequests:
			return i
		default:
			b.t.Fatalf("ask for a mail: got %d\n%s", got.status, got.body)
		}
	}
	return n
}

func forwarded(hops string) http.Header {
	return http.Header{"X-Forwarded-For": {hops}, "X-Real-Ip": {hops}, "Cf-Connecting-Ip": {hops}, "Forwarded": {"for=" + hops}}
}

// asksPerClient is what one client may ask for in a quarter of an hour. A test
// that meets its end gets twice as many, and so on.
const asksPerClient = 100

// TestClaimedAddressesCountForNothing: KF-65. From who is no proxy of ours, a
// header for another client each time is still one client.
func TestClaimedAddressesCountForNothing(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("Account", theSuper), mailing(m, "--trusted-proxies=192.0.2.0/24,2001:db8::/32")...)
	spoofed := func(i int) http.Header { return forwarded(fmt.Sprintf("198.51.100.%d", i%250)) }
	if got := browse(t, s.Server).askers("a", 2*asksPerClient+1, spoofed); got < asksPerClient || got > 2*asksPerClient {
		t.Errorf("mails that were asked for: got %d, want the limit of one client, %d", got, asksPerClient)
	}
	for _, row := range s.content(t).of("audit") {
		if addr := row["remote_addr"]; addr != "" && addr != "127.0.0.1" {
			t.Errorf("an audit row has the address %s", addr)
		}
	}
}

// TestClientsBehindAProxy: behind a trusted proxy each client is one of its own,
// for limits and in audit rows, whatever it claims about itself.
func TestClientsBehindAProxy(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("Account", theSuper), mailing(m, "--trusted-proxies=127.0.0.0/8")...)
	b := browse(t, s.Server)
	claiming := func(i int) http.Header { return forwarded(fmt.Sprintf("192.0.2.%d, 203.0.113.5", i%250)) }
	if got := b.askers("a", 2*asksPerClient+1, claiming); got < asksPerClient || got > 2*asksPerClient {
		t.Errorf("mails that one client asked for: got %d, want its limit, %d", got, asksPerClient)
	}
	if got := b.askers("b", 1, func(int) http.Header { return forwarded("203.0.113.6") }); got != 1 {
		t.Error("a client is refused for what another one behind the same proxy did")
	}
	header := forwarded("203.0.113.7")
	header.Set("Content-Type", "application/json")
	body := fmt.Sprintf(`{"email":"guest@example.org","roles":[%q]}`, viewer)
	raw(t, s.as(theSuper), http.MethodPost, "/client/v4"+members("Account"), header, strings.NewReader(body))
	seen := map[string]bool{}
	for _, row := range s.content(t).of("audit") {
		seen[row["action"]+" "+row["remote_addr"]] = true
	}
	for _, want := range []string{"sign_in.ask 203.0.113.5", "sign_in.ask 203.0.113.6", "invite.create 203.0.113.7"} {
		if !seen[want] {
			t.Errorf("audit rows: got %v, want %q among them", seen, want)
		}
	}
}
