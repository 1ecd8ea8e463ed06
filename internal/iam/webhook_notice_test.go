package iam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

// plainSecrets seal nothing.
type plainSecrets struct{}

func (plainSecrets) SealWebhook(_, _ iam.ID, secret []byte) []byte { return secret }

func (plainSecrets) OpenWebhook(_, _ iam.ID, sealed []byte) ([]byte, error) { return sealed, nil }

// hooked is a life whose account has a webhook of its founder's, and members of every
// kind.
func hooked(t *testing.T) (life, iam.Webhook) {
	t.Helper()
	l := newLife(t)
	l.Service = l.WithWebhooks(iam.Webhooks{Secrets: plainSecrets{}})
	role := func(name string, permissions iam.Permissions) iam.ID {
		return must(l.AddRole(t.Context(), operator, iam.Role{AccountID: l.account, Name: name, Permissions: permissions}))(t).ID
	}
	settings := role("Settings", iam.Permissions{iam.AreaAccount: iam.Read | iam.Write})
	auditor := role("Auditor", iam.Permissions{iam.AreaAudit: iam.Read})
	for email, roles := range map[string][]iam.ID{
		"both@example.com": {settings, auditor}, "settings@example.com": {settings}, "auditor@example.com": {auditor},
		"away@example.com": {iam.SuperAdministrator}, "past@example.com": {settings, auditor},
	} {
		user := l.user(t, email)
		request := iam.InviteRequest{Email: email, RoleIDs: roles, Direct: true}
		if email == "past@example.com" {
			request.EndsOn = l.now().Add(2 * time.Hour)
		}
		must(l.Invite(t.Context(), operator, l.account, request))(t)
		if email == "away@example.com" {
			if err := l.SuspendUser(t.Context(), operator, user.ID, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := must(l.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Other"}))(t).ID
	l.user(t, "other@example.com")
	l.add(t, other, "other@example.com", iam.SuperAdministrator)
	made, _, err := l.CreateWebhook(t.Context(), l.founder, l.account, iam.NewWebhook{
		Name: "Payroll", URL: "https://hooks.example.com/T0/secret?token=x", Events: []string{"webhook.ping"},
	}, iam.IdempotencyKey{})
	if err != nil {
		t.Fatal(err)
	}
	return l, made.Result
}

// ping has something to send, and answer sends it.
func (l life) ping(t *testing.T, hook iam.Webhook) {
	t.Helper()
	must(l.PingWebhook(t.Context(), l.founder, l.account, hook.ID, iam.IdempotencyKey{}))(t)
}

func (l life) answer(t *testing.T, code int) iam.Webhook {
	t.Helper()
	claim := must(l.ClaimWebhook(t.Context(), time.Minute, false))(t)
	outcomes := make([]iam.WebhookOutcome, len(claim.Messages))
	for i, m := range claim.Messages {
		outcomes[i] = iam.WebhookOutcome{WebhookDelivery: m.WebhookDelivery, At: l.now(), Code: code}
	}
	return must(l.FinishWebhook(t.Context(), claim, outcomes))(t)
}

// turn turns a webhook on or off.
func (l life) turn(t *testing.T, by iam.Actor, hook iam.Webhook, on bool) {
	t.Helper()
	if _, _, err := l.EditWebhook(t.Context(), by, l.account, hook.ID, iam.WebhookEdit{Enabled: &on}); err != nil {
		t.Fatal(err)
	}
}

func (l life) row(t *testing.T, email string) iam.ID {
	t.Helper()
	user := must(l.store.UserByEmail(t.Context(), email))(t)
	return must(l.store.LiveMembership(t.Context(), l.account, user.Invitee(), l.now()))(t).ID
}

func (l life) remove(t *testing.T, email string) {
	t.Helper()
	if err := l.RemoveMember(t.Context(), l.founder, l.account, l.row(t, email), false, false); err != nil {
		t.Fatal(err)
	}
}

// offMessages are the messages that wait about webhooks that are off.
func (l life) offMessages(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(slices.Values(l.messages(t, iam.WebhookOffMessage)))
}

var offTo = []string{"webhook_off to both@example.com", "webhook_off to founder@example.com"}

// Of a webhook that took nothing for too long, answered 410, or whose grantor may no
// more, everybody hears who may manage it then, once for each time; nobody hears of
// one that somebody turned off.
func TestWhoManagesWebhooksHearsThatOneIsOff(t *testing.T) {
	t.Parallel()
	l, hook := hooked(t)
	l.pass(3 * time.Hour)
	l.ping(t, hook)
	if got := l.answer(t, 500); got.Disabled != "" {
		t.Fatalf("after one failure it is %+v", got)
	}
	l.pass(iam.WebhookPatience - time.Microsecond)
	l.ping(t, hook)
	if got := l.answer(t, 500); got.Disabled != "" {
		t.Fatalf("a microsecond before its time it is %+v", got)
	}
	wantMessages(t, l.offMessages(t))
	l.pass(time.Hour)
	off := l.answer(t, 500)
	if off.Disabled != iam.WebhookFailing {
		t.Fatalf("then it is %+v", off)
	}
	wantMessages(t, l.offMessages(t), offTo...)

	// The next time is another one, whatever became of the message before.
	l.turn(t, l.founder, hook, true)
	l.pass(time.Second)
	l.ping(t, hook)
	if got := l.answer(t, 410); got.Disabled != iam.WebhookGone {
		t.Fatalf("after 410 it is %+v", got)
	}
	wantMessages(t, l.offMessages(t), offTo[0], offTo[0], offTo[1], offTo[1])
	l.turn(t, l.founder, hook, false)
	wantMessages(t, l.offMessages(t), offTo[0], offTo[0], offTo[1], offTo[1])

	both := iam.Actor{Kind: iam.ByUser, User: must(l.store.UserByEmail(t.Context(), "both@example.com"))(t)}
	l.turn(t, both, hook, true)
	l.ping(t, hook)
	l.remove(t, "both@example.com")
	l.pass(time.Minute)
	if _, err := l.ClaimWebhook(t.Context(), time.Minute, false); err == nil {
		t.Fatal("what nobody vouches for is sent")
	}
	got := must(l.Webhook(t.Context(), l.founder, l.account, hook.ID))(t)
	if got.Disabled != iam.WebhookGrantorLost {
		t.Fatalf("without its grantor it is %+v", got)
	}
	wantMessages(t, l.offMessages(t), offTo[0], offTo[0], offTo[1], offTo[1], offTo[1])
}

// What is told is what holds when the message leaves, to who may know it then.
func TestAMessageOfAWebhookThatIsOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(t *testing.T, l life, hook iam.Webhook)
		want      []string // recipients
	}{
		"as it is": {func(*testing.T, life, iam.Webhook) {}, []string{"both@example.com", "founder@example.com"}},
		"one lost a role": {func(t *testing.T, l life, _ iam.Webhook) {
			t.Helper()
			must(l.EditMember(t.Context(), l.founder, l.account, l.row(t, "both@example.com"), iam.MemberChange{RoleIDs: []iam.ID{l.managing}}))(t)
		}, []string{"founder@example.com"}},
		"one was removed": {func(t *testing.T, l life, _ iam.Webhook) {
			t.Helper()
			l.remove(t, "both@example.com")
		}, []string{"founder@example.com"}},
		"it was turned on": {func(t *testing.T, l life, hook iam.Webhook) {
			t.Helper()
			l.turn(t, l.founder, hook, true)
		}, nil},
		"it was deleted": {func(t *testing.T, l life, hook iam.Webhook) {
			t.Helper()
			if err := l.DeleteWebhook(t.Context(), l.founder, l.account, hook.ID); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"it was turned on and off": {func(t *testing.T, l life, hook iam.Webhook) {
			t.Helper()
			l.turn(t, l.founder, hook, true)
			l.pass(time.Second)
			l.ping(t, hook)
			l.answer(t, 410)
		}, []string{"both@example.com", "founder@example.com"}}, // of the last time
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, hook := hooked(t)
			l.pass(3 * time.Hour)
			l.ping(t, hook)
			l.answer(t, 410)
			test.meanwhile(t, l, hook)
			var told []string
			for {
				due, err := l.ClaimDelivery(t.Context(), time.Minute)
				if err != nil {
					break
				}
				told = append(told, due.Recipient)
				if w := due.Webhook; w.Name != "Payroll" || w.Host() != "hooks.example.com" || w.Disabled != iam.WebhookGone || w.Secret != nil {
					t.Errorf("it tells of %+v", w)
				}
				if strings.Contains(due.Words+due.Detail, "secret") || !due.Webhook.DisabledOn.Equal(due.CreatedOn) {
					t.Errorf("the message is %+v", due.Delivery)
				}
			}
			if slices.Sort(told); !slices.Equal(told, test.want) {
				t.Errorf("told %q, want %q", told, test.want)
			}
		})
	}
}
