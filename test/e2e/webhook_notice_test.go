package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// TestWhoManagesHearsThatAWebhookIsOff has webhooks of two nodes fail for five days:
// each member who may manage them gets one mail of each, in its language, that tells
// no secret of the URL.
func TestWhoManagesHearsThatAWebhookIsOff(t *testing.T) {
	t.Parallel()
	const administrator, hooks = "05784afa30c1afe1440e79d9351c7430", 4
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper)
	person(seed, harness.SeedUser{Email: "second@example.com", Locale: "de"})
	seed.Member("Account", "second@example.com", administrator)
	employ(seed, "Account", "viewer@example.com", viewer)
	employ(seed, "Account", "manager@example.com", manager)
	s := harness.Serve(t, seed, append(mailing(m), allowLoopback()...)...)
	harness.Open(t, s.Data, append(mailing(m), allowLoopback()...)...)
	owner, to := s.Client().As(theSuper), newReceiver(t)
	to.answers(status(http.StatusServiceUnavailable))
	paths := make([]string, hooks)
	for i := range hooks {
		made, _ := hook(t, owner, "Account", fmt.Sprintf("%s/T0/hidden%d?token=hidden", to.URL, i), "webhook.ping")
		paths[i] = hooksOf("Account") + "/" + made.ID
		owner.OK(t, http.MethodPost, paths[i]+"/ping", nil)
	}
	for _, path := range paths {
		awaitFailure(t, owner, path)
	}
	// Five days pass, for both.
	execute(t, s, `UPDATE webhooks SET failing_since = failing_since - 432000000000, due_on = 1 WHERE failures > 0`,
		`UPDATE webhook_deliveries SET due_on = 1 WHERE ended_on = 0`)
	mails := m.Await(t, 2*hooks)
	told := map[string]int{}
	for _, mail := range mails {
		words, path := []string{"was turned off", "for 5 days", "send {\"enabled\": true} by PATCH"}, ""
		if mail.To[0] == "second@example.com" {
			words[0], words[1], words[2] = "wurde abgeschaltet", "seit 5 Tagen", "senden Sie {\"enabled\": true} mit PATCH"
		}
		for _, one := range paths {
			if strings.Contains(mail.Text, "/client/v4"+one) {
				path = one
			}
		}
		told[mail.To[0]+path]++
		for _, want := range append(words, "failing", path) {
			if !strings.Contains(mail.Text, want) {
				t.Errorf("a mail lacks %q: %s", want, mail.Text)
			}
		}
		if strings.Contains(string(mail.Raw), "hidden") {
			t.Errorf("a mail tells the URL: %s", mail.Text)
		}
	}
	for _, path := range paths {
		if told[theSuper+path] != 1 || told["second@example.com"+path] != 1 {
			t.Errorf("mails: %v, want one of each webhook to each", told)
		}
		if got := resultOf[webhookRow](t, owner.OK(t, http.MethodGet, path, nil)); got.Enabled || *got.DisabledReason != "failing" {
			t.Errorf("the webhook is %+v", got)
		}
	}
	rows := 0
	for _, state := range []string{"", "sent", "deferred"} {
		for _, row := range outbox(t, s, state) {
			if strings.Contains(row.ID, "-webhook_off-") {
				rows++
			}
		}
	}
	if rows != 2*hooks {
		t.Errorf("%d messages, want %d", rows, 2*hooks)
	}
}

// TestDoctorFindsWebhooks has the doctor look at webhooks of every kind in a database,
// once with what the server was started with, once without.
func TestDoctorFindsWebhooks(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("a", "owner@a.test"), allowLoopback()...)
	owner := s.Client().As("owner@a.test")
	ids := make([]string, 4)
	for i := range ids {
		made, _ := hook(t, owner, "a", fmt.Sprintf("http://127.0.0.1:1/%d", i), "webhook.ping")
		ids[i] = made.ID
	}
	owner.OK(t, http.MethodPatch, hooksOf("a")+"/"+ids[3], object{"enabled": false})
	s.Stop(t)
	look := func(flags ...string) string {
		t.Helper()
		stdout, stderr, _ := harness.Try(t, s.Data, append([]string{"doctor", "--listen=127.0.0.1:0"}, flags...)...)
		if stderr != "" && !harness.OnPostgres(t) {
			t.Errorf("the doctor says %s", stderr)
		}
		return stdout
	}
	wantLine := func(text string, there bool, words string) {
		t.Helper()
		if strings.Contains(text, words) != there {
			t.Errorf("%q is there: want %v in\n%s", words, there, text)
		}
	}
	well := look(allowLoopback()...)
	wantLine(well, true, "ok    webhooks        3 on\n")
	wantLine(well, false, "nothing is sent to")
	const micros = 1_000_000
	hourAgo := time.Now().Add(-time.Hour).UnixMicro()
	execute(t, s,
		fmt.Sprintf(`UPDATE webhooks SET failures = 3, failing_since = %d WHERE id = '%s'`, hourAgo-3600*micros, ids[0]),
		fmt.Sprintf(`UPDATE webhooks SET due_on = %d WHERE id = '%s'`, hourAgo, ids[1]),
		fmt.Sprintf(`UPDATE webhooks SET disabled = 'failing', due_on = 1 WHERE id = '%s'`, ids[2]))
	ill := look()
	wantLine(ill, true, "warn  webhooks        2 on, of which 1 took nothing when they were tried last, the first of them since "+
		time.UnixMicro(hourAgo - 3600*micros).UTC().Format("2006-01-02T15:04")[:13])
	wantLine(ill, true, "; turned off by themselves: 1")
	wantLine(ill, true, "events have been due since "+time.UnixMicro(hourAgo).UTC().Format("2006-01-02T15:04")[:13])
	wantLine(ill, true, "nothing is sent to "+ids[0])
	wantLine(ill, true, "nothing is sent to "+ids[1])
	wantLine(ill, false, "nothing is sent to "+ids[2])
	wantLine(ill, false, "nothing is sent to "+ids[3])
}
