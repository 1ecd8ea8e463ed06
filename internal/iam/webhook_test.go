package iam_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

func allowed(networks ...string) iam.WebhookPolicy {
	policy := iam.WebhookPolicy{Own: []string{"hither.example.com"}}
	for _, text := range networks {
		policy.Allow = append(policy.Allow, netip.MustParsePrefix(text))
	}
	return policy
}

func TestWebhookURLs(t *testing.T) {
	t.Parallel()
	plain, open := allowed(), allowed("10.0.0.0/8", "::1/128")
	for _, test := range []struct {
		policy     iam.WebhookPolicy
		text, want string // "" is refused
	}{
		{plain, "https://example.com/hooks?a=b", "https://example.com/hooks?a=b"},
		{plain, " https://EXAMPLE.com:8443/x ", "https://example.com:8443/x"},
		{plain, "https://example.com.", "https://example.com"},
		{plain, "https://bücher.example/", "https://xn--bcher-kva.example/"},
		{plain, "https://93.184.216.34/", "https://93.184.216.34/"},
		{plain, "https://[2606:2800:220:1::1]:443/", "https://[2606:2800:220:1::1]:443/"},
		{plain, "http://example.com/", ""},
		{open, "http://example.com/", "http://example.com/"}, // where it leads is asked when it is sent to
		{open, "http://10.1.2.3:8080/x", "http://10.1.2.3:8080/x"},
		{open, "http://93.184.216.34/", ""}, // of these alone without TLS
		{open, "http://[::1]:9000/", "http://[::1]:9000/"},
		{open, "https://192.168.0.1/", ""},
		{plain, "https://10.1.2.3/", ""},
		{plain, "https://127.0.0.1/", ""},
		{plain, "https://2130706433/", ""},
		{plain, "https://0x7f000001/", ""},
		{plain, "https://0177.0.0.1/", ""},
		{plain, "https://127.1/", ""},
		{plain, "https://a.1/", ""},
		{plain, "https://[::ffff:127.0.0.1]/", ""},
		{plain, "https://[::ffff:93.184.216.34]/", ""},
		{plain, "https://[fe80::1%25eth0]/", ""},
		{plain, "https://hither.example.com/client/v4/user", ""},
		{plain, "https://HITHER.example.com.:443/", ""},
		{plain, "https://user@example.com/", ""},
		{plain, "https://example.com/#a", ""},
		{plain, "https://example.com/#", ""},
		{plain, "https:example.com", ""},
		{plain, "https://", ""},
		{plain, "https:///x", ""},
		{plain, "//example.com/", ""},
		{plain, "ftp://example.com/", ""},
		{plain, "https://exa mple.com/", ""},
		{plain, "https://example.com/\n", "https://example.com/"},
		{plain, "https://exam_ple.com/", ""},
		{plain, "https://example.com/" + strings.Repeat("a", iam.MaxWebhookURL), ""},
	} {
		got, err := test.policy.CheckURL("/url", test.text)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v, want %q", test.text, got, err, test.want)
		}
		if err != nil && iam.KindOf(err) != iam.Invalid {
			t.Errorf("%q: got %v, want a refusal of a field", test.text, err)
		}
	}
}

// Addresses that are not of the public internet are no receivers, in any of their
// forms (KF-89).
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
		"192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "3fff::1", "5f00::1",
	} {
		if allowed().Permits("https", netip.MustParseAddr(address)) {
			t.Errorf("%s is permitted", address)
		}
	}
	for _, address := range []string{"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"} {
		if !allowed().Permits("https", netip.MustParseAddr(address)) {
			t.Errorf("%s is refused", address)
		}
		if allowed("10.0.0.0/8").Permits("http", netip.MustParseAddr(address)) {
			t.Errorf("%s is permitted without TLS", address)
		}
	}
	for _, address := range []string{"10.9.8.7", "::ffff:10.9.8.7"} {
		if !allowed("10.0.0.0/8").Permits("http", netip.MustParseAddr(address)) {
			t.Errorf("%s is refused, which the operator allows", address)
		}
	}
}

func TestWebhookEvents(t *testing.T) {
	t.Parallel()
	events, err := iam.NewWebhookEvents("/events", []string{"member.remove", " invite.* ", "member.remove"})
	if err != nil || events != "invite.* member.remove" {
		t.Fatalf("got %q, %v", events, err)
	}
	for action, want := range map[iam.Action]bool{
		iam.InviteAccept: true, iam.InviteSnooze: true, iam.MemberRemove: true, iam.MemberAdd: false, iam.AccountChange: false, iam.Import: false,
	} {
		if got := events.Match(action); got != want {
			t.Errorf("%s: got %v, want %v", action, got, want)
		}
	}
	if !iam.WebhookEvents("").Match(iam.RoleDrop) {
		t.Error("none names every event")
	}
	for _, wrong := range []string{"", "*", "invites.*", "invite", "invite.", "invite.accepted", "invite.accept member.add", "user.create", "invite.*.*"} {
		if _, err := iam.NewWebhookEvents("/events", []string{"invite.*", wrong}); fieldOf(err) != "/events/1" {
			t.Errorf("%q: got %v, want a refusal that says which", wrong, err)
		}
	}
	if _, err := iam.NewWebhookEvents("/events", slices.Repeat([]string{"invite.*"}, iam.MaxWebhookEvents+1)); iam.KindOf(err) != iam.Invalid {
		t.Errorf("too many: got %v", err)
	}
}

// Every action that is about an account's people is one that a webhook can name.
func TestAccountActionsAreAllNamed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		action := iam.Action(strings.Trim(literal.Value, `"`))
		switch action.Noun() {
		case "invite", "member", "account", "webhook", "role", "delivery", "suppression":
		default:
			return true
		}
		if action == iam.AccountCreate || action == iam.AccountDelete || action.Verb() == string(action) {
			return true // no webhook is there before the one, or after the other
		}
		if named++; !slices.Contains(iam.AccountActions(), action) {
			t.Errorf("AccountActions lacks %s", action)
		}
		return true
	})
	if named < 20 {
		t.Errorf("found %d actions", named)
	}
}

var hookNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func hookLane(edits ...func(*iam.WebhookLane)) iam.WebhookLane {
	lane := iam.WebhookLane{
		Webhook: iam.Webhook{ID: "w"}, Account: iam.Account{ID: "a"},
		Grantor: iam.WebhookGrantor{GrantorFacts: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByCommandLine}}},
	}
	for i := range 6 {
		id := iam.ID(fmt.Sprint(i))
		lane.Due = append(lane.Due, iam.WebhookMessage{
			WebhookDelivery: iam.WebhookDelivery{ID: id, State: iam.WebhookPending, Since: hookNow.Add(-time.Hour)},
			Event:           iam.AuditEntry{OperationID: "e" + string(id)},
		})
	}
	for _, edit := range edits {
		edit(&lane)
	}
	return lane
}

func byUser(active, operator bool, roles ...iam.Role) func(*iam.WebhookLane) {
	return func(l *iam.WebhookLane) {
		l.Grantor.Grantor, l.Grantor.Active, l.Grantor.Operator = iam.Grantor{Kind: iam.ByUser, ID: "u"}, active, operator
		if roles != nil {
			l.Grantor.Membership = &iam.Membership{Roles: roles}
		}
	}
}

func TestDecideWebhookTurn(t *testing.T) {
	t.Parallel()
	role := func(permissions iam.Permissions) iam.Role { return iam.Role{ID: "r", Permissions: permissions} }
	both := role(iam.Permissions{iam.AreaAccount: iam.Write | iam.Read, iam.AreaAudit: iam.Read})
	for name, test := range map[string]struct {
		lane    iam.WebhookLane
		send    []iam.ID
		end     map[iam.ID]iam.WebhookState
		disable iam.WebhookDisabled
		pause   bool
	}{
		"a few at once":           {lane: hookLane(), send: []iam.ID{"0", "1", "2", "3"}},
		"one, where it failed":    {lane: hookLane(func(l *iam.WebhookLane) { l.Failures = 1 }), send: []iam.ID{"0"}},
		"none of a suspended one": {lane: hookLane(func(l *iam.WebhookLane) { l.Account.Suspended = true }), pause: true},
		"what is over ends": {
			lane: hookLane(func(l *iam.WebhookLane) {
				l.Due[0].Event = iam.AuditEntry{}
				l.Due[1].Since = hookNow.Add(-iam.WebhookLife)
				l.Due[2].Since = hookNow.Add(-iam.WebhookLife + time.Microsecond)
			}),
			send: []iam.ID{"2", "3", "4", "5"}, end: map[iam.ID]iam.WebhookState{"0": iam.WebhookDropped, "1": iam.WebhookFailed},
		},
		"of a member who may":                   {lane: hookLane(byUser(true, false, both)), send: []iam.ID{"0", "1", "2", "3"}},
		"of the operator's user":                {lane: hookLane(byUser(true, true)), send: []iam.ID{"0", "1", "2", "3"}},
		"of who was removed (KF-87)":            {lane: hookLane(byUser(true, false)), disable: iam.WebhookGrantorLost},
		"of who was suspended":                  {lane: hookLane(byUser(false, true, both)), disable: iam.WebhookGrantorLost},
		"of who may not read the log any more":  {lane: hookLane(byUser(true, false, role(iam.Permissions{iam.AreaAccount: iam.Write}))), disable: iam.WebhookGrantorLost},
		"of who may not change the account now": {lane: hookLane(byUser(true, false, role(iam.Permissions{iam.AreaAudit: iam.Read | iam.Write}))), disable: iam.WebhookGrantorLost},
		"of a token that was revoked": {
			lane: hookLane(func(l *iam.WebhookLane) { l.Grantor.Grantor = iam.Grantor{Kind: iam.ByOperator, ID: "t"} }), disable: iam.WebhookGrantorLost,
		},
		"of nobody": {lane: hookLane(func(l *iam.WebhookLane) { l.Grantor.Grantor = iam.Grantor{} }), disable: iam.WebhookGrantorLost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turn := iam.DecideWebhookTurn(test.lane, hookNow)
			var send []iam.ID
			for _, m := range turn.Send {
				send = append(send, m.ID)
				if m.Attempts != 1 {
					t.Errorf("attempt %d of %s, want 1", m.Attempts, m.ID)
				}
			}
			ended := map[iam.ID]iam.WebhookState{}
			for _, d := range turn.End {
				ended[d.ID] = d.State
				if d.EndedOn != hookNow || d.Words == "" {
					t.Errorf("ended as %+v", d)
				}
			}
			if test.end == nil {
				test.end = map[iam.ID]iam.WebhookState{}
			}
			if !slices.Equal(send, test.send) || !reflect.DeepEqual(ended, test.end) || turn.Disable != test.disable || turn.Pause != test.pause {
				t.Errorf("got %v, %v, %q, %v", send, ended, turn.Disable, turn.Pause)
			}
		})
	}
}

// An event is tried for three days, with growing pauses, and a receiver that takes
// nothing is turned off after five.
func TestWebhookPatience(t *testing.T) {
	t.Parallel()
	for _, id := range []iam.ID{"a", "b", "0123456789abcdef"} {
		hook := iam.Webhook{ID: "w"}
		d := iam.WebhookDelivery{ID: id, State: iam.WebhookPending, Since: hookNow}
		now, last := hookNow, time.Duration(0)
		for d.State == iam.WebhookPending {
			d.Attempts++
			done := iam.DecideWebhookFinish(hook, []iam.WebhookOutcome{{WebhookDelivery: d, Code: 503, Words: "no"}}, now)
			hook, d = done.Webhook, done.Deliveries[0]
			if d.State == iam.WebhookPending {
				wait := d.DueOn.Sub(now)
				if wait < last || wait > 9*time.Hour {
					t.Fatalf("attempt %d: waits %s after %s", d.Attempts, wait, last)
				}
				if held := done.HeldUntil.Sub(now); held <= 0 || held > time.Hour || held > wait {
					t.Fatalf("attempt %d: the webhook is held for %s", d.Attempts, held)
				}
				now, last = d.DueOn, wait
			}
		}
		if d.State != iam.WebhookFailed || now.Sub(hookNow) > iam.WebhookLife || now.Sub(hookNow) < iam.WebhookLife-9*time.Hour || d.Attempts < 10 || d.Attempts > 25 {
			t.Errorf("given up as %s at attempt %d, %s after it began", d.State, d.Attempts, now.Sub(hookNow))
		}
		if hook.Disabled != "" || hook.FailingSince != hookNow {
			t.Errorf("the webhook is %+v", hook)
		}
		late := iam.DecideWebhookFinish(hook, []iam.WebhookOutcome{{WebhookDelivery: d, Code: 500}}, hookNow.Add(iam.WebhookPatience))
		if late.Webhook.Disabled != iam.WebhookFailing {
			t.Errorf("after %s: got %+v, want it turned off", iam.WebhookPatience, late.Webhook)
		}
	}
}

func TestDecideWebhookFinish(t *testing.T) {
	t.Parallel()
	outcome := func(code int, edits ...func(*iam.WebhookOutcome)) iam.WebhookOutcome {
		o := iam.WebhookOutcome{WebhookDelivery: iam.WebhookDelivery{ID: "d", State: iam.WebhookPending, Attempts: 1, Since: hookNow}, Code: code}
		for _, edit := range edits {
			edit(&o)
		}
		return o
	}
	failing := iam.Webhook{ID: "w", Failures: 4, FailingSince: hookNow.Add(-time.Hour)}
	for name, test := range map[string]struct {
		outcomes []iam.WebhookOutcome
		state    iam.WebhookState
		failures int
		disabled iam.WebhookDisabled
		held     bool
	}{
		"200":                              {outcomes: []iam.WebhookOutcome{outcome(200)}, state: iam.WebhookDelivered},
		"204":                              {outcomes: []iam.WebhookOutcome{outcome(204)}, state: iam.WebhookDelivered},
		"a redirect is none (KF-90)":       {outcomes: []iam.WebhookOutcome{outcome(302)}, state: iam.WebhookPending, failures: 5, held: true},
		"404":                              {outcomes: []iam.WebhookOutcome{outcome(404)}, state: iam.WebhookPending, failures: 5, held: true},
		"no answer":                        {outcomes: []iam.WebhookOutcome{outcome(0)}, state: iam.WebhookPending, failures: 5, held: true},
		"one of several":                   {outcomes: []iam.WebhookOutcome{outcome(500), outcome(200)}, state: iam.WebhookPending},
		"410":                              {outcomes: []iam.WebhookOutcome{outcome(410)}, state: iam.WebhookPending, failures: 4, disabled: iam.WebhookGone},
		"one that was replayed long after": {outcomes: []iam.WebhookOutcome{outcome(500, func(o *iam.WebhookOutcome) { o.Attempts, o.Earlier = 31, 30 })}, state: iam.WebhookPending, failures: 5, held: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := iam.DecideWebhookFinish(failing, test.outcomes, hookNow)
			got := done.Deliveries[0]
			if got.State != test.state || done.Webhook.Failures != test.failures || done.Webhook.Disabled != test.disabled || done.HeldUntil.IsZero() == test.held {
				t.Errorf("got %+v", done)
			}
			if wait := got.DueOn.Sub(hookNow); test.state == iam.WebhookPending && (wait < 5*time.Second || wait > 6*time.Second) {
				t.Errorf("tried again after %s", wait)
			}
		})
	}
	asked := iam.DecideWebhookFinish(iam.Webhook{}, []iam.WebhookOutcome{outcome(429, func(o *iam.WebhookOutcome) { o.RetryAfter = 7 * time.Minute })}, hookNow)
	if asked.Deliveries[0].DueOn != hookNow.Add(7*time.Minute) || asked.HeldUntil != hookNow.Add(7*time.Minute) {
		t.Errorf("where it asks for seven minutes: got %+v", asked)
	}
	greedy := iam.DecideWebhookFinish(iam.Webhook{}, []iam.WebhookOutcome{outcome(429, func(o *iam.WebhookOutcome) { o.RetryAfter = 1000 * time.Hour })}, hookNow)
	if greedy.HeldUntil.After(hookNow.Add(time.Hour)) {
		t.Errorf("where it asks for a thousand hours: held until %s", greedy.HeldUntil)
	}
}

func TestDecideWebhookReplay(t *testing.T) {
	t.Parallel()
	message := iam.WebhookMessage{
		WebhookDelivery: iam.WebhookDelivery{ID: "d", State: iam.WebhookFailed, Attempts: 16, EndedOn: hookNow, Since: hookNow.Add(-99 * time.Hour)},
		Event:           iam.AuditEntry{OperationID: "e"},
	}
	now := hookNow.Add(time.Hour)
	got, err := iam.DecideWebhookReplay(iam.Webhook{}, message, now)
	want := iam.WebhookDelivery{ID: "d", State: iam.WebhookPending, Attempts: 16, Earlier: 16, Since: now, DueOn: now}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := iam.DecideWebhookReplay(iam.Webhook{Disabled: iam.WebhookAsked}, message, now); iam.KindOf(err) != iam.Invalid {
		t.Errorf("of one that is off: got %v", err)
	}
	message.Event = iam.AuditEntry{}
	if _, err := iam.DecideWebhookReplay(iam.Webhook{}, message, now); iam.KindOf(err) != iam.Invalid {
		t.Errorf("of an event that is gone: got %v", err)
	}
}
