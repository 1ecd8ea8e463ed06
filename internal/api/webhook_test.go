package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hither/internal/api"
	"hither/internal/iam"
)

type shownHook struct {
	ID, Name, URL string
	Events        []string
	Enabled       bool
	Secret        *string
	Status        string
	EventID       string `json:"event_id"`
}

func (r reply) hook(t *testing.T) shownHook {
	t.Helper()
	var hook shownHook
	if err := json.Unmarshal(r.Result, &hook); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return hook
}

// TestWebhooks is what the wire says of webhooks: each POST once for a key, secrets
// told once, wrong fields by their names.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	const hooks = "/accounts/" + string(tenantA) + "/webhooks"
	const body = `{"name":"Sync","url":"https://example.com/hooks","events":["member.*","invite.accept"]}`
	made := w.once(t, "k", ownerA, http.MethodPost, hooks, body).fresh(t).hook(t)
	if made.Secret == nil || made.Name != "Sync" || made.URL != "https://example.com/hooks" || strings.Join(made.Events, " ") != "invite.accept member.*" || !made.Enabled {
		t.Fatalf("got %+v", made)
	}
	again := w.once(t, "k", ownerA, http.MethodPost, hooks, body).want(t, 200, 0)
	if hook := again.hook(t); hook.ID != made.ID || hook.Secret != nil || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("once more: got %s %v", again.body, again.header)
	}
	path := hooks + "/" + made.ID
	for name, test := range map[string]struct{ method, path, body, pointer string }{
		"no URL":            {http.MethodPost, hooks, `{}`, "/url"},
		"http":              {http.MethodPost, hooks, `{"url":"http://example.com/"}`, "/url"},
		"inside":            {http.MethodPatch, path, `{"url":"https://10.0.0.1/"}`, "/url"},
		"an unknown event":  {http.MethodPatch, path, `{"events":["invite.*","member.added"]}`, "/events/1"},
		"a long name":       {http.MethodPatch, path, `{"name":"` + strings.Repeat("x", iam.MaxWebhookName+1) + `"}`, "/name"},
		"a long overlap":    {http.MethodPost, path + "/rotate", `{"overlap":604801}`, "/overlap"},
		"a negative one":    {http.MethodPost, path + "/rotate", `{"overlap":-1}`, "/overlap"},
		"an unknown status": {http.MethodGet, path + "/deliveries?status=sent", "", "/status"},
		"an odd cursor":     {http.MethodGet, path + "/deliveries?cursor=x", "", "/cursor"},
		"too many":          {http.MethodGet, path + "/deliveries?limit=51", "", "/limit"},
	} {
		if got := w.badly(t, nil, ownerA, test.method, test.path, test.body).want(t, 400, 1001); got.pointer() != test.pointer {
			t.Errorf("%s: got %s, want it to blame %s", name, got.body, test.pointer)
		}
	}
	ping := w.once(t, "p", ownerA, http.MethodPost, path+"/ping", "").fresh(t)
	w.once(t, "p", ownerA, http.MethodPost, path+"/ping", "").replays(t, ping)
	delivery := ping.hook(t)
	if delivery.Status != "pending" {
		t.Errorf("a ping is %s", ping.body)
	}
	replay := path + "/deliveries/" + delivery.ID + "/replay"
	first := w.once(t, "r", ownerA, http.MethodPost, replay, "").fresh(t)
	w.once(t, "r", ownerA, http.MethodPost, replay, "").replays(t, first)
	if list := w.do(t, ownerA, http.MethodGet, path+"/deliveries", "").want(t, 200, 0).rows(t); len(list) != 1 || list[0].ID != delivery.ID {
		t.Errorf("the deliveries are %+v", list)
	}
	if list := w.do(t, ownerA, http.MethodGet, path+"/deliveries?status=failed", "").want(t, 200, 0).rows(t); len(list) != 0 {
		t.Errorf("those that failed are %+v", list)
	}
	for range iam.MaxWebhooks - 1 {
		w.do(t, ownerA, http.MethodPost, hooks, `{"url":"https://example.com/"}`).want(t, 200, 0)
	}
	w.do(t, ownerA, http.MethodPost, hooks, `{"url":"https://example.com/"}`).want(t, 400, 1001)
	if list := w.do(t, ownerA, http.MethodGet, hooks+"?per_page=5&page=2", "").want(t, 200, 0); len(list.rows(t)) != 5 || list.Info.TotalCount != iam.MaxWebhooks {
		t.Errorf("the second page is %s", list.body)
	}
}

// KF-93: another account's webhook, and a delivery of another webhook, are answered
// as nobody's are, by every route.
func TestForeignWebhooksAreLikeMissingOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	made := map[iam.ID]shownHook{}
	pinged := map[iam.ID]string{}
	for tenant, owner := range map[iam.ID]principal{tenantA: ownerA, tenantB: ownerB} {
		hooks := "/accounts/" + string(tenant) + "/webhooks"
		made[tenant] = w.do(t, owner, http.MethodPost, hooks, `{"url":"https://example.com/"}`).want(t, 200, 0).hook(t)
		pinged[tenant] = w.do(t, owner, http.MethodPost, hooks+"/"+made[tenant].ID+"/ping", "").want(t, 200, 0).hook(t).ID
	}
	asked := 0
	for _, route := range api.Routes() {
		if !strings.Contains(route.Pattern, "{webhook_id}") {
			continue
		}
		ask := func(hook, delivery string) reply {
			asked++
			path := strings.NewReplacer(api.Prefix, "", "{account_id}", string(tenantB), "{webhook_id}", hook, "{delivery_id}", delivery).Replace(route.Pattern)
			return w.do(t, ownerB, route.Method, path, cell{route: route}.body())
		}
		missing := ask(string(noRow), string(noRow))
		missing.want(t, 404, 1003)
		holdsSame(t, ask(made[tenantA].ID, pinged[tenantA]), missing)
		if strings.Contains(route.Pattern, "{delivery_id}") {
			holdsSame(t, ask(made[tenantB].ID, pinged[tenantA]), missing)
		}
	}
	if asked < 16 {
		t.Errorf("asked %d times", asked)
	}
	if list := w.do(t, ownerA, http.MethodGet, "/accounts/"+string(tenantA)+"/webhooks", "").rows(t); len(list) != 1 {
		t.Errorf("the webhooks are %+v", list)
	}
}

// KF-86: with an account its webhooks end, secrets and all.
func TestWebhooksEndWithTheirAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	hooks := "/accounts/" + string(tenantA) + "/webhooks"
	made := w.do(t, ownerA, http.MethodPost, hooks, `{"url":"https://example.com/"}`).want(t, 200, 0).hook(t)
	w.do(t, ownerA, http.MethodPost, hooks+"/"+made.ID+"/ping", "").want(t, 200, 0)
	w.do(t, ownerA, http.MethodDelete, "/accounts/"+string(tenantA), "").want(t, 200, 0)
	if duty, err := w.store.WebhookDuty(t.Context()); err != nil || duty != (iam.WebhookDuty{}) {
		t.Errorf("what there is to do: %+v, %v", duty, err)
	}
	sealed, err := w.store.Sealed(t.Context())
	for _, s := range sealed {
		if s.Table == "webhooks" {
			t.Errorf("%d secrets are left", s.Values)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
