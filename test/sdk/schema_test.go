// Package sdk_test holds hither to what the published Go SDK expects: it is a module of its own, so that the SDK is no
// dependency of the product. This file compares documents; nothing runs.
package sdk_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	// Keeps the requirement in go.mod, and is small; the description is read from the module's directory.
	_ "github.com/cloudflare/cloudflare-go/v7/packages/pagination"
	"github.com/getkin/kin-openapi/openapi3"
)

const (
	sdkModule = "github.com/cloudflare/cloudflare-go/v7"
	ours      = "../../api/openapi.yaml"
	extension = "x-extension"
)

// TestCompatibleWithUpstream compares what we describe with the description that the SDK was generated from, and for
// the operations that it has dropped, with what the last description said of them. For each operation: whoever keeps to
// upstream's requests keeps to ours, and whoever can read upstream's answers can read ours. What upstream has and we
// leave out, or do otherwise, stands in the table of deviations with its reason; what we add is marked x-extension.
func TestCompatibleWithUpstream(t *testing.T) {
	t.Parallel()
	mine, newest, older := ourDocument(t), upstreamDocument(t), yamlDocument(t, "testdata/older.yaml")
	own, upstream, dropped := mine.operations(), newest.operations(), older.operations()
	table := deviations()
	used, compared := make([]bool, len(table)), 0
	for _, name := range slices.Sorted(maps.Keys(own)) {
		theirs, other := newest, upstream[name]
		if fact, ok := dropped[name]; ok {
			if other.body != nil {
				t.Errorf("%s: the newest description has it again; compare with that", name)
			}
			theirs, other = older, fact
		}
		added := own[name].body[extension] == true
		switch {
		case other.body == nil && !added:
			t.Errorf("%s: upstream has no such operation, and it is not marked %s", name, extension)
		case other.body != nil && added:
			t.Errorf("%s: upstream has this operation; compare with that, and don't mark it %s", name, extension)
		}
		if other.body == nil {
			continue
		}
		compared++
		if _, double := upstream[name+"!"]; double {
			t.Errorf("%s: upstream has it twice; say which one is meant", name)
		}
		for _, found := range (comparison{theirs: theirs, mine: mine}).operation(other, own[name]) {
			i := slices.IndexFunc(table, func(d deviation) bool { return d.covers(name, found) })
			if i < 0 {
				t.Errorf("%s: %s", name, found)
				continue
			}
			used[i] = true
		}
	}
	for i, entry := range table {
		if !used[i] {
			t.Errorf("the deviation %+v is none any more; take it from the table", entry)
		}
	}
	for name := range dropped {
		if own[name].body == nil {
			t.Errorf("%s: we no longer describe it; take it from testdata/older.yaml", name)
		}
	}
	if compared < 35 {
		t.Errorf("compared %d operations only", compared)
	}
}

// TestOwnWords holds that our texts are ours: none shares eight words in a row with upstream's.
func TestOwnWords(t *testing.T) {
	t.Parallel()
	const run = 8
	theirs := map[string]bool{}
	for _, text := range texts(upstreamDocument(t).root, nil) {
		for _, phrase := range phrases(text, run) {
			theirs[phrase] = true
		}
	}
	if len(theirs) < 1000 {
		t.Fatalf("upstream has %d phrases; something hides the others", len(theirs))
	}
	for _, text := range texts(ourDocument(t).root, nil) {
		for _, phrase := range phrases(text, run) {
			if theirs[phrase] {
				t.Errorf("upstream says %q too, in %q", phrase, text)
			}
		}
	}
}

func ourDocument(t *testing.T) document {
	t.Helper()
	return yamlDocument(t, ours)
}

func yamlDocument(t *testing.T, path string) document {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := doc.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, data)
}

// upstreamDocument unpacks the description that the SDK's module carries in a script, for a mock server.
func upstreamDocument(t *testing.T) document {
	t.Helper()
	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", sdkModule).Output()
	if err != nil {
		t.Fatalf("find the SDK's module: %v", err)
	}
	script, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(where)), "scripts", "mock"))
	if err != nil {
		t.Fatal(err)
	}
	packed := regexp.MustCompile(`EMBEDDED_SPEC="([A-Za-z0-9+/=]+)"`).FindSubmatch(script)
	if packed == nil {
		t.Fatal("the SDK's scripts/mock no longer holds the description")
	}
	unpacked, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(packed[1])))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, data)
}
