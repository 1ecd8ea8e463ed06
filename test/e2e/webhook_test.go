package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hither/test/harness"
)

// allowLoopback lets webhooks lead to a receiver of the test.
func allowLoopback() []string { return []string{"--webhook-allow", "127.0.0.0/8"} }

// received is a message as it came.
type received struct {
	id     string
	path   string
	header http.Header
	body   []byte

	Type string `json:"type"`
	Data struct {
		auditRow

		Sequence int64  `json:"sequence"`
		Cursor   string `json:"cursor"`
	} `json:"data"`
}

// receiver takes webhooks, and answers as it is told to.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	got    []received
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		message := received{id: request.Header.Get("Webhook-Id"), path: request.URL.Path, header: request.Header, body: body}
		if err == nil {
			err = json.Unmarshal(body, &message)
		}
		if err != nil {
			t.Errorf("what a webhook was sent: %v: %s", err, body)
		}
		r.mu.Lock()
		r.got = append(r.got, message)
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// answers says how it answers from now on; nil is 200.
func (r *receiver) answers(how func(w http.ResponseWriter, r *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = how
}

func status(code int) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (r *receiver) messages() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// await waits until n messages of a type came, and returns these.
func (r *receiver) await(t *testing.T, kind string, n int) []received {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		var of []received
		for _, m := range r.messages() {
			if m.Type == kind {
				of = append(of, m)
			}
		}
		if len(of) >= n {
			return of
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute %d messages %s came, want %d; all: %v", len(of), kind, n, r.types())
		}
		pause(t)
	}
}

func (r *receiver) types() []string {
	var types []string
	for _, m := range r.messages() {
		types = append(types, m.Type)
	}
	return types
}

func pause(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(10 * time.Millisecond):
	case <-t.Context().Done():
	}
}

// verify holds a message against a secret with the library of Standard Webhooks.
func verify(t *testing.T, secret string, m received) error {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return hook.Verify(m.body, m.header)
}

// webhookRow is what tests look at of a webhook and of a delivery.
type webhookRow struct {
	ID             string  `json:"id"`
	URL            string  `json:"url"`
	Secret         *string `json:"secret"`
	Enabled        bool    `json:"enabled"`
	DisabledReason *string `json:"disabled_reason"`
	Failures       int     `json:"failures"`

	EventID      string `json:"event_id"`
	Type         string `json:"type"`
	Status       string `json:"status"`
	Attempts     int    `json:"attempts"`
	ResponseCode *int   `json:"response_code"`
	Message      string `json:"message"`
	AttemptLog   []struct {
		Number       int  `json:"number"`
		ResponseCode *int `json:"response_code"`
	} `json:"attempt_log"`
}

func resultOf[T any](t testing.TB, a harness.Answer) T {
	t.Helper()
	var envelope struct {
		Result T `json:"result"`
	}
	if err := json.Unmarshal(a.Body, &envelope); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	return envelope.Result
}

// hook makes a webhook, and returns it with its secret.
func hook(t *testing.T, c harness.Client, account, url string, events ...string) (webhookRow, string) {
	t.Helper()
	made := resultOf[webhookRow](t, c.OK(t, http.MethodPost, hooksOf(account), object{"url": url, "events": append([]string{}, events...)}))
	if made.Secret == nil || !strings.HasPrefix(*made.Secret, "whsec_") {
		t.Fatalf("a new webhook is %+v, want it with its secret", made)
	}
	return made, *made.Secret
}

func hooksOf(account string) string { return "/accounts/" + harness.ID(account) + "/webhooks" }

// awaitDelivered waits until it is kept that a delivery was taken.
func awaitDelivered(t *testing.T, c harness.Client, path, id string) webhookRow {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; pause(t) {
		got := resultOf[webhookRow](t, c.OK(t, http.MethodGet, path+"/deliveries/"+id, nil))
		if got.Status == "delivered" {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the delivery is %+v", got)
		}
	}
}

// TestWebhooks walks an account's webhook from its first event to its end: what is
// sent is signed, as the official library sees it, in an order that can be restored,
// tried again under the same id, listed, replayed; its secret is shown once (KF-92)
// and changes with an overlap; another URL has another secret (KF-93).
func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test").Account("b", "owner@b.test").User("guest@x.test"), allowLoopback()...)
	owner, to := s.as("owner@a.test"), newReceiver(t)
	made, secret := hook(t, owner, "a", to.URL+"/hooks", "invite.*", "webhook.ping")
	path := hooksOf("a") + "/" + made.ID

	id := invite(t, owner, "a", "guest@x.test")
	s.as("guest@x.test").OK(t, http.MethodPatch, "/user/invites/"+id, object{"status": "accepted"})
	invited, accepted := to.await(t, "invite.create", 1)[0], to.await(t, "invite.accept", 1)[0]
	for i, m := range []received{invited, accepted} {
		if err := verify(t, secret, m); err != nil {
			t.Errorf("%s: %v", m.Type, err)
		}
		if m.Data.Resource.ID != id || m.Data.Sequence != int64(i+1) || m.Data.Action.Type != m.Type || m.Data.Cursor != m.Data.ID {
			t.Errorf("got %s, want change %d of %s", m.body, i+1, id)
		}
	}
	forged := invited
	forged.body = []byte(strings.Replace(string(invited.body), "guest", "other", 1))
	if err := verify(t, secret, forged); err == nil {
		t.Error("what was changed on the way is taken for ours")
	}

	// It is sent again until it is taken, by the same id, and each attempt is kept.
	to.answers(status(http.StatusInternalServerError))
	other := invite(t, owner, "a", "second@x.test")
	failed := to.await(t, "invite.create", 2)[1]
	to.answers(nil)
	again := to.await(t, "invite.create", 3)[2]
	if again.id != failed.id || again.Data.Resource.ID != other {
		t.Errorf("the second attempt is %s of %s, want %s of %s", again.id, again.Data.Resource.ID, failed.id, other)
	}
	delivery := awaitDelivered(t, owner, path, again.id)
	if delivery.ID != again.id || delivery.Attempts != 2 || len(delivery.AttemptLog) != 2 || *delivery.AttemptLog[1].ResponseCode != 500 {
		t.Errorf("the delivery is %+v, want two attempts, the first answered 500", delivery)
	}
	owner.OK(t, http.MethodPost, path+"/deliveries/"+delivery.ID+"/replay", nil)
	if replayed := to.await(t, "invite.create", 4)[3]; replayed.id != again.id {
		t.Errorf("a replay is %s, want %s", replayed.id, again.id)
	}

	// Secrets: shown once, to nobody afterwards; for a while both sign.
	for _, c := range []harness.Client{owner, s.operator()} {
		for _, at := range []string{hooksOf("a"), path, path + "/deliveries"} {
			if body := c.OK(t, http.MethodGet, at, nil).Body; strings.Contains(string(body), "whsec") || strings.Contains(string(body), secret[6:]) {
				t.Errorf("GET %s shows a secret: %s", at, body)
			}
		}
	}
	next := resultOf[webhookRow](t, owner.Once("k").OK(t, http.MethodPost, path+"/rotate", object{"overlap": 3600}))
	if twice := resultOf[webhookRow](t, owner.Once("k").OK(t, http.MethodPost, path+"/rotate", object{"overlap": 3600})); twice.Secret != nil {
		t.Errorf("the secret is shown again: %+v", twice)
	}
	owner.OK(t, http.MethodPost, path+"/ping", nil)
	ping := to.await(t, "webhook.ping", 1)[0]
	for name, key := range map[string]string{"before": secret, "now": *next.Secret} {
		if err := verify(t, key, ping); err != nil {
			t.Errorf("the secret %s: %v", name, err)
		}
	}
	third := resultOf[webhookRow](t, owner.OK(t, http.MethodPost, path+"/rotate", object{"overlap": 0}))
	owner.OK(t, http.MethodPost, path+"/ping", nil)
	ping = to.await(t, "webhook.ping", 2)[1]
	if verify(t, *third.Secret, ping) != nil || verify(t, *next.Secret, ping) == nil {
		t.Error("without an overlap the old secret signs, or the new one does not")
	}
	moved := resultOf[webhookRow](t, owner.OK(t, http.MethodPatch, path, object{"url": to.URL + "/elsewhere"}))
	if moved.Secret == nil || *moved.Secret == *third.Secret {
		t.Fatalf("with another URL: got %+v, want another secret", moved)
	}
	owner.OK(t, http.MethodPost, path+"/ping", nil)
	ping = to.await(t, "webhook.ping", 3)[2]
	if verify(t, *moved.Secret, ping) != nil || verify(t, *third.Secret, ping) == nil {
		t.Error("the secret of the URL before signs for the new one")
	}

	// It is the account's alone (KF-93), and what it did stands in the log without
	// what the URL may hold.
	stranger := s.as("owner@b.test")
	elsewhere := hooksOf("b") + "/" + made.ID
	for _, at := range []string{path, elsewhere} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if answer := stranger.Must(t, method, at, nil); answer.HTTPStatus != http.StatusNotFound {
				t.Errorf("%s %s by a stranger: %d", method, at, answer.HTTPStatus)
			}
		}
	}
	if log := owner.OK(t, http.MethodGet, "/accounts/"+harness.ID("a")+"/audit_logs?per_page=1000", nil); strings.Contains(string(log.Body), "/elsewhere") ||
		!strings.Contains(string(log.Body), "webhook.rotate") {
		t.Errorf("the log is %s", log.Body)
	}

	// Off is off, and nothing of that time is sent later.
	owner.OK(t, http.MethodPatch, path, object{"enabled": false})
	missed := invite(t, owner, "a", "missed@x.test")
	owner.Refused(t, http.MethodPost, path+"/ping", nil, http.StatusBadRequest, 1001)
	owner.OK(t, http.MethodPatch, path, object{"enabled": true})
	last := invite(t, owner, "a", "last@x.test")
	for _, m := range to.await(t, "invite.create", 5) {
		if m.Data.Resource.ID == missed {
			t.Error("what happened while it was off was sent")
		}
		if m.Data.Resource.ID == last && verify(t, *moved.Secret, m) != nil {
			t.Error("the secret changed when it was turned on")
		}
	}
	owner.OK(t, http.MethodDelete, path, nil)
	owner.Refused(t, http.MethodGet, path, nil, http.StatusNotFound, 1003)
}

// TestWebhookOfWhoWasRemoved has nothing sent after whoever set a webhook up was
// removed (KF-87), until somebody else turns it on.
func TestWebhookOfWhoWasRemoved(t *testing.T) {
	t.Parallel()
	const super = "33666b9c79b9a5273fc7344ff42f953d"
	s := newSite(t, newSeed().Account("a", "owner@a.test").User("second@a.test").Member("a", "second@a.test", super), allowLoopback()...)
	owner, to := s.as("owner@a.test"), newReceiver(t)
	made, _ := hook(t, s.as("second@a.test"), "a", to.URL, "invite.*", "member.*")
	path := hooksOf("a") + "/" + made.ID
	invite(t, owner, "a", "one@x.test")
	to.await(t, "invite.create", 1)

	row := memberID(t, owner, "a", "second@a.test")
	owner.OK(t, http.MethodDelete, "/accounts/"+harness.ID("a")+"/members/"+row, nil)
	invite(t, owner, "a", "two@x.test")
	for deadline := time.Now().Add(time.Minute); ; pause(t) {
		got := resultOf[webhookRow](t, owner.OK(t, http.MethodGet, path, nil))
		if !got.Enabled && *got.DisabledReason == "grantor_lost" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a minute later the webhook is %+v", got)
		}
	}
	if types := to.types(); slices.Contains(types, "member.remove") || len(types) != 1 {
		t.Errorf("after the removal it was sent %v", types)
	}
	// What waited is sent when another turns it on.
	owner.OK(t, http.MethodPatch, path, object{"enabled": true})
	to.await(t, "member.remove", 1)
}

func memberID(t *testing.T, c harness.Client, account, email string) string {
	t.Helper()
	rows := resultOf[[]struct {
		ID   string `json:"id"`
		User struct {
			Email string `json:"email"`
		} `json:"user"`
	}](t, c.OK(t, http.MethodGet, "/accounts/"+harness.ID(account)+"/members", nil))
	for _, row := range rows {
		if row.User.Email == email {
			return row.ID
		}
	}
	t.Fatalf("%s is none of %+v", email, rows)
	return ""
}

// TestWebhooksLeadNowhereElse has receivers that redirect to somebody inside, and
// URLs that lead there (KF-89, KF-90): nobody inside hears anything.
func TestWebhooksLeadNowhereElse(t *testing.T) {
	t.Parallel()
	inside, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	t.Cleanup(func() { _ = inside.Close() })
	go func() {
		for {
			conn, err := inside.Accept()
			if err != nil {
				return
			}
			t.Error("somebody inside was connected to")
			_ = conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(inside.Addr().String())
	s := newSite(t, newSeed().Account("a", "owner@a.test"), "--webhook-allow", "127.0.0.1/32")
	owner, to := s.as("owner@a.test"), newReceiver(t)
	to.answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+inside.Addr().String()+"/", http.StatusFound)
	})
	made, _ := hook(t, owner, "a", to.URL, "invite.*")
	invite(t, owner, "a", "one@x.test")
	delivery := awaitFailure(t, owner, hooksOf("a")+"/"+made.ID)
	if *delivery.ResponseCode != http.StatusFound || !strings.Contains(delivery.Message, "redirects are not followed") {
		t.Errorf("a redirect came to %+v, want a failure", delivery)
	}
	for _, url := range []string{
		"http://127.0.0.2:" + port + "/", "https://127.0.0.2:" + port + "/", "https://[::1]:" + port + "/", "https://[::ffff:127.0.0.2]:" + port + "/",
		"https://[64:ff9b::7f00:2]/", "https://0.0.0.0/", "https://[fd00::1]/", "https://169.254.169.254/latest/meta-data/", "https://2130706434:" + port + "/",
		"https://0x7f000002/", "https://127.2/", "https://user:secret@example.com/", "ftp://example.com/", "https://example.com/#x",
	} {
		odd(owner).Refused(t, http.MethodPost, hooksOf("a"), object{"url": url}, http.StatusBadRequest, 1001)
	}
	// A name is looked up when something is sent; /etc/hosts says where this one leads.
	named, _ := hook(t, owner, "a", "https://localhost.:"+port+"/", "invite.*")
	invite(t, owner, "a", "two@x.test")
	delivery = awaitFailure(t, owner, hooksOf("a")+"/"+named.ID)
	if delivery.ResponseCode != nil {
		t.Errorf("it came to %+v", delivery)
	}
}

// awaitFailure waits until a webhook has a delivery that failed once.
func awaitFailure(t *testing.T, c harness.Client, path string) webhookRow {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; pause(t) {
		list := resultOf[[]webhookRow](t, c.OK(t, http.MethodGet, path+"/deliveries", nil))
		if at := slices.IndexFunc(list, func(d webhookRow) bool { return d.Attempts > 0 && d.Message != "" }); at >= 0 {
			return list[at]
		}
		if time.Now().After(deadline) {
			t.Fatalf("a minute later nothing failed: %+v", list)
		}
	}
}

// TestDeadReceiversHoldUpNobody has many webhooks that never answer: one that does is
// told at once.
func TestDeadReceiversHoldUpNobody(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("a", "owner@a.test")
	const dead = 8
	s := newSite(t, seed, allowLoopback()...)
	owner, to, silent := s.as("owner@a.test"), newReceiver(t), newReceiver(t)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	silent.answers(func(http.ResponseWriter, *http.Request) { <-over })
	for i := range dead {
		hook(t, owner, "a", fmt.Sprintf("%s/%d", silent.URL, i), "invite.*")
	}
	hook(t, owner, "a", to.URL, "invite.*")
	start := time.Now()
	invite(t, owner, "a", "one@x.test")
	silent.await(t, "invite.create", dead)
	to.await(t, "invite.create", 1)
	invite(t, owner, "a", "two@x.test")
	to.await(t, "invite.create", 2)
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("with %d receivers that are dead it took %s", dead, took)
	}
}

// TestWebhooksSurviveAKill kills the process between sending an event and keeping
// that: it is sent again, by the same id; what was kept is not.
func TestWebhooksSurviveAKill(t *testing.T) {
	t.Parallel()
	s := newSite(t, newSeed().Account("a", "owner@a.test"), allowLoopback()...)
	owner, to := s.as("owner@a.test"), newReceiver(t)
	made, secret := hook(t, owner, "a", to.URL, "invite.*")
	first := invite(t, owner, "a", "one@x.test")
	awaitDelivered(t, owner, hooksOf("a")+"/"+made.ID, to.await(t, "invite.create", 1)[0].id)

	arrived, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	to.answers(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(arrived) })
		<-let
	})
	second := invite(t, owner, "a", "two@x.test")
	<-arrived
	s.Kill(t)
	to.answers(nil)
	close(let)
	// What was committed and not yet looked at is sent too.
	rows := s.content(t).where("webhook_deliveries", "webhook_id", made.ID)
	if len(rows) != 2 {
		t.Fatalf("the deliveries after the kill are %v, want two", rows)
	}
	execute(t, s.Server, `UPDATE webhooks SET due_on = 1, leased_until = 0`, `UPDATE webhook_deliveries SET due_on = 1 WHERE ended_on = 0`)
	s.Start(t)
	s.client = s.Client()
	owner = s.as("owner@a.test")
	messages := to.await(t, "invite.create", 3)
	if messages[1].id != messages[2].id || messages[2].Data.Resource.ID != second || messages[0].Data.Resource.ID != first {
		t.Errorf("got %s, %s, %s, want the second twice", messages[0].id, messages[1].id, messages[2].id)
	}
	if err := verify(t, secret, messages[2]); err != nil {
		t.Error(err)
	}
	invite(t, owner, "a", "three@x.test")
	awaitDelivered(t, owner, hooksOf("a")+"/"+made.ID, to.await(t, "invite.create", 4)[3].id)
	ids := map[string]int{}
	for _, m := range to.messages() {
		ids[m.id]++
	}
	if len(ids) != 3 || ids[messages[0].id] != 1 {
		t.Errorf("what was sent is %v, want three events, the first once", ids)
	}
}
