package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// at counts what came by a path.
func (r *receiver) at(path string) int {
	n := 0
	for _, m := range r.messages() {
		if m.path == path {
			n++
		}
	}
	return n
}

// awaitAt waits until n messages came by a path.
func (r *receiver) awaitAt(t *testing.T, path string, n int) {
	t.Helper()
	for range 6000 {
		if r.at(path) >= n {
			return
		}
		pause(t)
	}
	t.Fatalf("after a minute %d messages came by %s, want %d", r.at(path), path, n)
}

// TestNothingIsSentAfterAnEnd deletes a webhook for which something waits, and an
// account (KF-86, KF-87): nothing of either is sent any more, while another webhook
// and another account are told of what happens after that.
func TestNothingIsSentAfterAnEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test").Account("b", "owner@b.test"), allowLoopback()...)
	a, b, to := s.as("owner@a.test"), s.as("owner@b.test"), newReceiver(t)
	to.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	gone, _ := hook(t, a, "a", to.URL+"/gone")
	hook(t, s.operator(), "a", to.URL+"/stays") // who vouches for it stays too
	hook(t, b, "b", to.URL+"/b", "invite.*")
	invite(t, a, "a", "one@x.test")
	awaitFailure(t, a, hooksOf("a")+"/"+gone.ID)
	a.OK(t, http.MethodDelete, hooksOf("a")+"/"+gone.ID, nil)
	tried := to.at("/gone")
	// What waited for it is due at once, and more happens.
	execute(t, s.Server, `UPDATE webhook_deliveries SET due_on = 1 WHERE ended_on = 0`, `UPDATE webhooks SET due_on = 1 WHERE due_on > 0`)
	told := to.at("/stays")
	invite(t, a, "a", "two@x.test")
	to.awaitAt(t, "/stays", told+1)

	s.operator().OK(t, http.MethodDelete, "/accounts/"+harness.ID("a"), nil)
	told = to.at("/stays")
	execute(t, s.Server, `UPDATE webhook_deliveries SET due_on = 1 WHERE ended_on = 0`, `UPDATE webhooks SET due_on = 1 WHERE due_on > 0`)
	for i := range 2 {
		invite(t, b, "b", fmt.Sprintf("%d@x.test", i)) // comes after all of the other account in the log
		to.awaitAt(t, "/b", i+1)
	}
	if n := to.at("/gone"); n != tried {
		t.Errorf("a webhook that was deleted was sent %d more", n-tried)
	}
	for _, m := range to.messages() {
		if m.path == "/stays" && (m.Type == "member.remove" || m.Type == "invite.cancel") {
			t.Errorf("a webhook of an account that was deleted was sent %s", m.Type)
		}
	}
	if n := to.at("/stays"); n > told+1 { // one was on its way, perhaps
		t.Errorf("a webhook of an account that was deleted was sent %d more", n-told)
	}
}

// TestNobodyReadsAWebhooksSecret asks for all that tells of a webhook as a member of
// each role, in a rotation's overlap: nobody is shown a secret, that of before, that of
// now or one of another URL's (KF-92). Giving the same URL again is no other URL.
func TestNobodyReadsAWebhooksSecret(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("a", "owner@a.test")
	const most = 100
	for i := range most {
		seed.User(fmt.Sprintf("u%d@x.test", i))
	}
	s := newSite(t, seed, allowLoopback()...)
	owner, to := s.as("owner@a.test"), newReceiver(t)
	made, first := hook(t, owner, "a", to.URL, "webhook.ping")
	path := hooksOf("a") + "/" + made.ID
	owner.OK(t, http.MethodPost, path+"/ping", nil)
	delivery := to.await(t, "webhook.ping", 1)[0].id
	moved := resultOf[webhookRow](t, owner.OK(t, http.MethodPatch, path, object{"url": to.URL + "/x"}))
	next := resultOf[webhookRow](t, owner.OK(t, http.MethodPost, path+"/rotate", nil))
	if same := resultOf[webhookRow](t, owner.OK(t, http.MethodPatch, path, object{"url": to.URL + "/x", "name": "n"})); same.Secret != nil {
		t.Error("the same URL has another secret")
	}
	secrets := []string{"whsec", first[len("whsec_"):], (*moved.Secret)[len("whsec_"):], (*next.Secret)[len("whsec_"):]}
	roles := resultOf[[]struct{ ID string }](t, owner.OK(t, http.MethodGet, "/accounts/"+harness.ID("a")+"/roles?per_page="+fmt.Sprint(most), nil))
	readers := 0
	for i, role := range roles {
		email := fmt.Sprintf("u%d@x.test", i)
		s.operator().OK(t, http.MethodPost, members("a"), object{"email": email, "roles": []string{role.ID}, "status": "accepted"})
		c := s.as(email)
		for _, at := range []string{
			hooksOf("a"), path, path + "/deliveries", path + "/deliveries/" + delivery,
			"/accounts/" + harness.ID("a") + "/audit_logs?per_page=1000", "/accounts/" + harness.ID("a") + "/events",
		} {
			answer := c.Must(t, http.MethodGet, at, nil)
			if answer.HTTPStatus == http.StatusOK && at == path {
				readers++
			}
			for _, secret := range secrets {
				if strings.Contains(string(answer.Body), secret) {
					t.Errorf("GET %s shows a secret to the role %s: %s", at, role.ID, answer.Body)
				}
			}
		}
	}
	if readers < 2 || readers == len(roles) {
		t.Errorf("of %d roles %d read the webhook", len(roles), readers)
	}
}
