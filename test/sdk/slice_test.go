package sdk_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestSliceIsUpstreams holds what test/contract counts as upstream's, of which docs/compatibility.md says what is
// served, to the description that the SDK was generated from.
func TestSliceIsUpstreams(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../contract/testdata/upstream.json")
	if err != nil {
		t.Fatal(err)
	}
	var facts struct{ Newest, Older map[string][]string }
	if err := json.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	upstream, served := upstreamDocument(t).operations(), ourDocument(t).operations()
	listed := func(paths map[string][]string) map[string]bool {
		found := map[string]bool{}
		for path, methods := range paths {
			for _, method := range methods {
				found[method+" "+parameterName.ReplaceAllString(path, "{}")] = true
			}
		}
		return found
	}
	newest, older := listed(facts.Newest), listed(facts.Older)
	for name := range newest {
		if upstream[name].body == nil {
			t.Errorf("%s: upstream has no such operation any more", name)
		}
	}
	for name := range older {
		if upstream[name].body != nil {
			t.Errorf("%s: upstream has it again; list it with the newest", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(served)) {
		if upstream[name].body != nil && !newest[strings.TrimSuffix(name, "!")] {
			t.Errorf("%s: it is served, and upstream has it, but the list does not", name)
		}
	}
	if len(newest) < 100 {
		t.Errorf("the list has %d operations only", len(newest))
	}
}
