package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"hither/internal/iam"
)

type shownKey struct {
	ID, Name, Status string
	Key              *string
}

func (r reply) key(t *testing.T) shownKey {
	t.Helper()
	var key shownKey
	if err := json.Unmarshal(r.Result, &key); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return key
}

func (w *world) keys(t *testing.T, who principal) []shownKey {
	t.Helper()
	var keys []shownKey
	got := w.do(t, who, http.MethodGet, "/user/keys", "").want(t, 200, 0)
	if err := json.Unmarshal(got.Result, &keys); err != nil || got.Info.TotalCount != len(keys) {
		t.Fatalf("%v: %s", err, got.body)
	}
	return keys
}

// A user lists its keys and draws one in the place of another: it is shown once,
// and the old one is dead at once. Nobody else's key can be named, and no token
// comes to a key.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := staffed(t)
	token := principal{token: bossToken}
	first := w.keys(t, principal{email: boss})
	if len(first) != 1 || first[0].Status != "active" || first[0].Key != nil {
		t.Fatalf("the keys are %+v", first)
	}
	path := "/user/keys/" + first[0].ID + "/rotate"
	// KF-52: somebody else's is answered as nobody's is.
	theirs := w.do(t, ownerA, http.MethodPost, path, "").want(t, 404, 1003)
	nobodys := w.do(t, ownerA, http.MethodPost, "/user/keys/"+string(noRow)+"/rotate", "").want(t, 404, 1003)
	if theirs.body != nobodys.body {
		t.Errorf("got %s, and for nobody's %s", theirs.body, nobodys.body)
	}
	w.do(t, token, http.MethodPost, path, "").want(t, 403, 9109)
	w.do(t, principal{email: boss, token: bossToken}, http.MethodPost, path, "").want(t, 403, 9109) // the stricter rights
	w.do(t, principal{token: theToken}, http.MethodPost, path, "").want(t, 403, 9109)

	drawn := w.once(t, "k", principal{email: boss}, http.MethodPost, path, "{}").fresh(t).key(t)
	if drawn.Key == nil || drawn.ID == first[0].ID || drawn.Name != first[0].Name || drawn.Status != "active" {
		t.Fatalf("got %+v", drawn)
	}
	w.do(t, principal{email: boss}, http.MethodGet, "/user", "").want(t, 403, 9103)
	fresh := principal{email: boss, key: *drawn.Key}
	w.do(t, fresh, http.MethodGet, "/user", "").want(t, 200, 0)
	again := w.once(t, "k", fresh, http.MethodPost, path, "{}").want(t, 200, 0)
	if again.key(t).Key != nil || again.key(t).ID != drawn.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer is %s", again.body)
	}
	w.do(t, fresh, http.MethodPost, path, "").want(t, 404, 1003) // it is dead
	keys := w.keys(t, token)
	if len(keys) != 2 || keys[0].Status != "disabled" || keys[1].Status != "active" || keys[1].ID != drawn.ID {
		t.Errorf("the keys are %+v", keys)
	}
	if second := w.do(t, token, http.MethodGet, "/user/keys?page=2&per_page=5", "").want(t, 200, 0); second.Info.Count != 0 || second.Info.TotalCount != 2 {
		t.Errorf("the second page is %s", second.body)
	}
	entries, err := w.store.Audit(t.Context(), "", 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if last := entries[len(entries)-1]; last.Action != iam.KeyCreate && last.Action != iam.KeyDisable || last.ActorEmail != boss {
		t.Errorf("the last audit row is %+v", last)
	}
}
