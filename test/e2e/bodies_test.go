package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// protectedSettings lets everybody who may change an account send all of
// it, and everybody who may not: what belongs to the operator stays as it is,
// and what belongs to others is refused whole (KF-24).
func (s *site) protectedSettings(t *testing.T) {
	account := harness.ID("a")
	s.operator().OK(t, http.MethodPut, "/accounts/"+account, object{"name": "a", "settings": object{"member_limit": 20}})
	before := s.content(t, "audit")
	whole := object{
		"id": account, "name": "a", "type": "enterprise", "suspended": true, "created_on": "2001-01-01T00:00:00Z", "member_limit": 1,
		"settings": object{
			"enforce_twofactor": false, "abuse_contact_email": nil, "default_invite_lifetime": 604800, "member_limit": 1, "suspended": true,
		},
	}
	want := map[string]string{
		"owner@a.test": "200", "administrator@a.test": "200", "manager@a.test": "403/9109", "reader@a.test": "403/9109",
		"minimal@a.test": "403/9109", "guest@a.test": "404/7003",
	}
	for _, email := range slices.Sorted(maps.Keys(want)) {
		for _, limit := range []any{1, 0, nil, 1000} {
			whole["settings"].(object)["member_limit"] = limit
			expectOutcome(t, s.as(email), http.MethodPut, "/accounts/"+account, whole, want[email])
		}
	}
	changes := slices.DeleteFunc(before.changes(s.content(t, "audit")), func(change string) bool {
		return strings.Contains(change, "invite_lifetime") // its default, written down
	})
	if len(changes) > 0 {
		t.Errorf("KF-24: whole accounts sent back by members: changed\n%s\nwant nothing", strings.Join(changes, "\n"))
	}
	whole["settings"].(object)["member_limit"] = 30
	s.operator().OK(t, http.MethodPut, "/accounts/"+account, whole)
	if got := s.content(t).of("accounts")[account]; got["member_limit"] != "30" || got["type"] != "enterprise" || got["suspended"] != "0" {
		t.Errorf("KF-24: the operator's own change: got %v", got)
	}
	s.operator().OK(t, http.MethodPut, "/accounts/"+account, object{"name": "a", "type": "standard", "settings": object{"member_limit": nil}})
}

// TestBodies is about bodies that are wrong, or say more than they may. What
// answers the invitation of the seed comes last.
func TestBodies(t *testing.T) { //nolint:tparallel // the parts share a server, in turn
	t.Parallel()
	seed := newSeed()
	tenant(seed, "a")
	employ(seed, "a", "administrator@a.test", harness.Administrator)
	employ(seed, "a", "reader@a.test", harness.ReadOnly)
	s := newSite(t, seed)
	t.Run("wrong types", s.wrongTypes)
	t.Run("keys that stand twice", s.twiceNamedKeys)
	t.Run("media types", s.mediaTypes)
	t.Run("too large", s.largeBodies)
	t.Run("deep and wide", s.deepAndWideJSON)
	t.Run("keys of another case", s.keysMatchByExactCase)
	t.Run("protected settings", s.protectedSettings)
	t.Run("long fields", s.longFields)
	t.Run("many roles", s.manyRoles)
	t.Run("as large as may be", s.fullBodies)
}

// bodies are the operations with a body, each on a path and with a body that
// would work, for requests that are wrong in one thing.
func bodies() []struct {
	as, method, path string
	body             object
} {
	account := harness.ID("a")
	return []struct {
		as, method, path string
		body             object
	}{
		{"guest@a.test", "PATCH", "/user", object{
			"first_name": "a", "last_name": "b", "telephone": "c", "country": "d", "zipcode": "e",
		}},
		{"guest@a.test", "PATCH", "/user/invites/" + rowID("a", "guest@a.test"), object{"status": "accepted"}},
		{"guest@a.test", "PUT", "/memberships/" + rowID("a", "guest@a.test"), object{"status": "accepted"}},
		{"operator", "POST", "/accounts", object{"name": "made", "type": "standard"}},
		{"operator", "PUT", "/accounts/" + account, object{"name": "renamed", "type": "enterprise", "settings": object{
			"enforce_twofactor": false, "abuse_contact_email": "x", "default_invite_lifetime": 7200, "member_limit": 50,
		}}},
		{"owner@a.test", "POST", "/accounts/" + account + "/members", object{
			"email": "new@fresh.test", "roles": []any{viewer, object{"id": harness.MinimalAccess}}, "status": "pending", "expires_on": soon(),
		}},
		{"owner@a.test", "PUT", "/accounts/" + account + "/members/" + rowID("a", "colleague@a.test"), object{
			"roles": []any{harness.MinimalAccess, object{"id": viewer}},
		}},
		{"owner@a.test", "POST", "/organizations/" + account + "/invites", object{
			"invited_member_email": "new@fresh.test", "roles": []any{viewer}, "auto_accept": false, "expires_on": soon(),
		}},
		{"owner@a.test", "PATCH", "/organizations/" + account + "/invites/" + rowID("a", "guest@a.test"), object{
			"roles": []any{harness.MinimalAccess},
		}},
	}
}

// soon is a moment at which an invitation may end.
func soon() string { return time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339) }

func (s *site) whoever(name string) harness.Client {
	if name == "operator" {
		return s.operator()
	}
	return s.as(name)
}

// fieldsOf lists every member of a body, below objects and lists too, as the
// keys that lead to it.
func fieldsOf(value any, path []any, visit func(path []any, value any)) {
	if len(path) > 0 {
		visit(path, value)
	}
	switch value := value.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			fieldsOf(value[name], append(slices.Clone(path), name), visit)
		}
	case []any:
		for i, item := range value {
			fieldsOf(item, append(slices.Clone(path), i), visit)
		}
	}
}

// with is a copy of a value in which what the path leads to is another.
func with(value any, path []any, other any) any {
	if len(path) == 0 {
		return other
	}
	switch value := value.(type) {
	case object:
		copied := maps.Clone(value)
		name := path[0].(string)
		copied[name] = with(value[name], path[1:], other)
		return copied
	case []any:
		copied := slices.Clone(value)
		i := path[0].(int)
		copied[i] = with(value[i], path[1:], other)
		return copied
	}
	panic("no way to go")
}

// wrongTypes puts every other type of JSON in the place of every field that
// an operation reads: 1002, or 1001 where it names what is missing, and never
// an effect (KF-80, KF-26).
func (s *site) wrongTypes(t *testing.T) {
	before, tried := s.content(t), 0
	wrong := map[string]any{
		"a list of texts": []any{"victim@a.test", "evil@evil.test"}, "a list of itself": nil, "an object": object{"a": "victim@a.test"},
		"a number": 7, "a fraction": 1.5, "true": true, "a text": "text", "an empty list": []any{}, "an empty object": object{},
	}
	for _, request := range bodies() {
		client := odd(s.whoever(request.as))
		fieldsOf(request.body, nil, func(path []any, value any) {
			for name, other := range wrong {
				if name == "a list of itself" {
					other = []any{value}
				}
				if sameType(value, other) || path[len(path)-1] == "type" && request.method == "PUT" {
					continue
				}
				if _, role := value.(string); role && len(path) > 1 && path[0] == "roles" {
					if fields, ok := other.(object); ok && len(path) == 2 && fields["id"] != nil {
						continue
					}
				}
				tried++
				answer := client.Must(t, request.method, request.path, with(request.body, path, other))
				if answer.HTTPStatus != http.StatusBadRequest || answer.Code() != 1002 && answer.Code() != 1001 {
					t.Errorf("KF-80: %s %s with %s at %v: got %s, want 400 with 1002: %s",
						request.method, request.path, name, path, outcome(answer), answer.Body)
				}
				pointer := answer.Errors
				if len(pointer) == 1 && !strings.HasPrefix(pointer[0].Source.Pointer, "/"+fmt.Sprint(path[0])) {
					t.Errorf("KF-80: %s %s with %s at %v: points to %q", request.method, request.path, name, path, pointer[0].Source.Pointer)
				}
			}
		})
		for name, body := range map[string]string{
			"a list": `[{"status":"accepted"}]`, "a text": `"accepted"`, "null": `null`, "a number": `1`, "nothing": ``, "white space": " \n",
			"two values": jsonOf(request.body) + jsonOf(request.body), "a rest": jsonOf(request.body) + "x", "half": jsonOf(request.body)[:9],
			"a comment": "/**/" + jsonOf(request.body), "a mark": "\ufeff" + jsonOf(request.body), "no UTF-8": strings.Replace(jsonOf(request.body), `":`, "\xff\":", 1),
			"single quotes": strings.ReplaceAll(jsonOf(request.body), `"`, `'`), "a comma": strings.Replace(jsonOf(request.body), "}", ",}", 1),
			"a form": "status=accepted&name=x",
		} {
			answer := client.Must(t, request.method, request.path, json.RawMessage(body))
			if outcome(answer) != "400/1002" {
				t.Errorf("KF-80: %s %s with %s as body: got %s, want 400/1002: %s", request.method, request.path, name, outcome(answer), answer.Body)
			}
			tried++
		}
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("KF-80: %d requests of wrong types: changed\n%s\nwant nothing", tried, strings.Join(changes, "\n"))
	}
	if tried < 250 {
		t.Errorf("requests of wrong types: got %d, want all", tried)
	}
}

func sameType(a, b any) bool {
	number := func(v any) bool { _, ok := v.(int); return ok }
	if number(a) && number(b) {
		return true
	}
	return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)
}

// twiceNamedKeys names every field twice, plainly and with an escaped
// letter, first or last: nobody has to know which one counts (KF-26, KF-80).
func (s *site) twiceNamedKeys(t *testing.T) {
	before := s.content(t)
	for _, request := range bodies() {
		text := jsonOf(request.body)
		fieldsOf(request.body, nil, func(path []any, value any) {
			name, named := path[len(path)-1].(string)
			if !named {
				return
			}
			key := jsonOf(name) + ":" + jsonOf(value)
			escaped := fmt.Sprintf(`"\u%04x%s":%s`, name[0], name[1:], jsonOf(value))
			if !strings.Contains(text, key) {
				t.Fatalf("%s is not in %s", key, text)
			}
			for _, twice := range []string{key + "," + key, key + "," + escaped, escaped + "," + key, jsonOf(name) + ":null," + key} {
				body := strings.Replace(text, key, twice, 1)
				answer := odd(s.whoever(request.as)).Must(t, request.method, request.path, json.RawMessage(body))
				if outcome(answer) != "400/1002" {
					t.Errorf("KF-26: %s %s with %s: got %s, want 400/1002: %s", request.method, request.path, body, outcome(answer), answer.Body)
				}
			}
		})
		unknown := strings.Replace(text, "{", `{"x":{"y":[{"z":1,"z":1}]},`, 1)
		answer := odd(s.whoever(request.as)).Must(t, request.method, request.path, json.RawMessage(unknown))
		if outcome(answer) != "400/1002" {
			t.Errorf("KF-26: %s %s with a key twice in a field that nobody reads: got %s", request.method, request.path, outcome(answer))
		}
	}
	if changes := before.changes(s.content(t)); len(changes) > 0 {
		t.Errorf("KF-26: keys that stand twice: changed\n%s\nwant nothing", strings.Join(changes, "\n"))
	}
}

// keysMatchByExactCase sends every field in other cases: encoding/json
// would take them for the field itself (KF-26).
func (s *site) keysMatchByExactCase(t *testing.T) {
	before := s.content(t, "audit")
	for _, request := range bodies() {
		for _, spell := range []func(string) string{
			strings.ToUpper,
			func(name string) string { return strings.ToUpper(name[:1]) + name[1:] },
			func(name string) string { return strings.ReplaceAll(name, "s", "ſ") }, // folds to s
			func(name string) string { return strings.ReplaceAll(name, "k", "K") }, // the Kelvin sign
			func(name string) string { return name + " " },
			func(name string) string { return name + "\x00" },
			func(name string) string { return strings.ReplaceAll(name, "_", "") },
		} {
			body := object{}
			for name, value := range request.body {
				if spelled := spell(name); spelled != name {
					body[spelled] = value
				} else if name != "roles" && name != "status" {
					delete(body, name)
				}
			}
			answer := odd(s.whoever(request.as)).Must(t, request.method, request.path, body)
			if answer.HTTPStatus != http.StatusOK && outcome(answer) != "400/1001" {
				t.Errorf("KF-26: %s %s with %s: got %s: %s", request.method, request.path, jsonOf(body), outcome(answer), answer.Body)
			}
		}
	}
	// Beside the true name, the other one counts for nothing.
	made := odd(s.as("owner@a.test")).OK(t, http.MethodPost, "/accounts/"+harness.ID("a")+"/members", json.RawMessage(
		`{"EMAIL":"evil@evil.test","email":"good@fresh.test","Email":"evil@evil.test","ROLES":["`+harness.SuperAdministrator+
			`"],"roles":["`+viewer+`"],"Roles":["`+harness.SuperAdministrator+`"],"Status":"accepted"}`)).Row(t)
	if made.User.Email != "good@fresh.test" || made.Status != "pending" || len(made.Roles) != 1 || !strings.Contains(string(made.Roles[0]), viewer) {
		t.Errorf("KF-26: invited with keys of other cases: got %+v", made)
	}
	for _, change := range before.changes(s.content(t, "audit")) {
		if !strings.HasPrefix(change, "memberships/"+made.ID) && !strings.HasPrefix(change, "counts/") {
			t.Errorf("KF-26: keys of another case changed %s", change)
		}
	}
}
