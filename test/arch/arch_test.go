// Package arch_test holds the directions that docs/architecture.md draws: who may import whom. The linter says the same
// file by file; this sees whole dependency closures, and needs nothing but Go.
package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module  = "hither"
	binary  = module + "/cmd/hither"
	heart   = module + "/internal/iam"
	oneWay  = "cmd → server → api, auth → iam ← store"
	ownSQL  = "all SQL is in internal/store"
	oneDoor = "only cmd and tests open a store; everything else takes iam.Store"
)

// rooms says what of ours each room may import itself, whatever lies below it. A room that is not here has no business
// being there: add it together with its line in docs/architecture.md.
var rooms = map[string][]string{
	"":    {}, // what lies at the root may be imported by nobody and imports nothing of ours
	"api": {}, // the embedded description of the API
	"cmd/hither": {
		"api", "internal/auth", "internal/bulk", "internal/clock", "internal/console", "internal/dataset", "internal/iam", "internal/id", "internal/mail",
		"internal/oidc", "internal/outbox", "internal/rate", "internal/seal", "internal/server", "internal/store", "internal/sweep", "internal/totp",
		"internal/webhook",
	},
	"internal/api":     {"api", "internal/auth", "internal/iam", "internal/id", "internal/rate"},
	"internal/auth":    {"internal/iam"},
	"internal/bulk":    {"internal/iam"},
	"internal/clock":   {},
	"internal/console": {"internal/auth", "internal/iam", "internal/oidc", "internal/seal", "internal/totp"},
	"internal/dataset": {"internal/iam"},
	"internal/iam":     {},
	"internal/id":      {},
	"internal/mail":    {"internal/iam"},
	"internal/oidc":    {"internal/iam"},
	"internal/outbox":  {"internal/iam"},
	"internal/rate":    {},
	"internal/seal":    {"internal/iam"},
	"internal/server": {
		"api", "internal/api", "internal/auth", "internal/clock", "internal/console", "internal/iam", "internal/id", "internal/oidc",
		"internal/outbox", "internal/rate", "internal/webhook",
	},
	"internal/store":           {"internal/clock", "internal/iam", "internal/id"},
	"internal/sweep":           {"internal/iam"},
	"internal/totp":            {},
	"internal/webhook":         {"internal/iam"},
	"internal/store/storetest": {"internal/clock", "internal/dataset", "internal/iam", "internal/id", "internal/store"},
}

// TestRoomsImportOnlyWhatLiesBelow holds each direct import of one room by another, tests apart.
func TestRoomsImportOnlyWhatLiesBelow(t *testing.T) {
	t.Parallel()
	for _, p := range load(t) {
		room, ours := ownRoom(p.ImportPath)
		if !ours || strings.HasPrefix(room, "test/") {
			continue
		}
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: a room without a rule; say in this table what it may import", p.ImportPath)
		}
		for _, path := range p.Imports {
			if other, ours := ownRoom(path); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s; the direction is %s, and it may import %v of ours", p.ImportPath, path, oneWay, allowed)
			}
		}
	}
}

// TestImportsHaveTheirRooms holds direct imports that belong to some rooms only. A path that ends in /... is a tree.
func TestImportsHaveTheirRooms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path  string
		only  []string // the rooms that may import it
		never []string // or, where only is nil, the rooms that may not
		why   string
	}{
		{path: module + "/internal/store/...", only: []string{"cmd/hither", "internal/store", "internal/store/storetest"}, why: oneDoor},
		{path: "database/sql/...", only: []string{"internal/store", "internal/store/storetest"}, why: ownSQL},
		{path: "modernc.org/sqlite/...", only: []string{"internal/store"}, why: ownSQL},
		{path: "github.com/jackc/pgx/...", only: []string{"internal/store"}, why: ownSQL},
		{path: "github.com/pressly/goose/...", only: []string{"internal/store"}, why: "migrations are the store's"},
		{path: "github.com/alecthomas/kong/...", only: []string{"cmd/hither"}, why: "commands and flags are the binary's"},
		{
			path:  "net/http/...",
			never: []string{"internal/iam", "internal/store", "internal/clock", "internal/id", "internal/dataset", "internal/mail", "internal/outbox", "internal/rate", "internal/seal", "internal/totp"},
			why:   "the wire is api's, auth's and server's",
		},
		{path: "github.com/wneessen/go-mail/...", only: []string{"internal/mail"}, why: "mail servers are spoken to in one place"},
		{path: "github.com/pquerna/otp/...", only: []string{"internal/totp"}, why: "codes of authenticators are made and checked in one place"},
		{path: "github.com/boombuler/barcode/...", only: []string{"internal/totp"}, why: "a QR code is a seed to be scanned"},
		{path: "github.com/coreos/go-oidc/...", only: []string{"internal/oidc"}, why: "identity providers are spoken to in one place"},
		{path: "golang.org/x/oauth2/...", only: []string{"internal/oidc"}, why: "identity providers are spoken to in one place"},
		{path: "github.com/go-jose/go-jose/...", only: []string{"internal/oidc"}, why: "whose signature counts is decided in one place"},
		{path: "text/template/...", only: []string{"internal/mail"}, why: "html/template escapes; the words of a mail alone are plain text"},
		{path: "math/rand/...", only: []string{}, why: "what is random here guards something: crypto/rand"},
		{path: "C", only: []string{}, why: "no cgo"},
	}
	packages := load(t)
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			for _, p := range packages {
				room, ours := ownRoom(p.ImportPath)
				if !ours || strings.HasPrefix(room, "test/") {
					continue
				}
				if test.only != nil && slices.Contains(test.only, room) || test.only == nil && !slices.Contains(test.never, room) {
					continue
				}
				for _, path := range p.Imports {
					if match(test.path, path) {
						t.Errorf("%s imports %s: %s", p.ImportPath, path, test.why)
					}
				}
			}
		})
	}
}

// TestHeartStandsOnTheStandardLibrary holds the whole closure of the heart, not only what it names itself.
func TestHeartStandsOnTheStandardLibrary(t *testing.T) {
	t.Parallel()
	allowed := []string{heart, "golang.org/x/net/idna", "golang.org/x/text/..."} // idna's own tables are in x/text
	for path, p := range closure(t, heart) {
		if !p.Standard && !slices.ContainsFunc(allowed, func(pattern string) bool { return match(pattern, path) }) {
			t.Errorf("%s depends on %s; it may depend on the standard library and %v", heart, path, allowed[1:])
		}
		if path == "database/sql" || path == "net/http" {
			t.Errorf("%s depends on %s: it knows neither SQL nor HTTP", heart, path)
		}
	}
}

// TestBinaryIsPureGo holds that nothing outside the standard library that is in the binary has C in it even where cgo is
// allowed, and that the binary carries no test code.
func TestBinaryIsPureGo(t *testing.T) {
	t.Parallel()
	for path, p := range closure(t, binary) {
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("%s depends on %s, which has C in it: %v", binary, path, p.CgoFiles)
		}
		if path == "testing" || path == module+"/internal/store/storetest" || strings.HasPrefix(path, module+"/test/") {
			t.Errorf("%s depends on %s, which is for tests", binary, path)
		}
	}
}

// listed is what we read of `go list -json`.
type listed struct {
	ImportPath string     `json:"ImportPath"`
	Standard   bool       `json:"Standard"`
	Imports    []string   `json:"Imports"`
	Deps       []string   `json:"Deps"`
	CgoFiles   []string   `json:"CgoFiles"`
	Error      *listError `json:"Error"`
}

type listError struct {
	Err string `json:"Err"`
}

// load lists every package of the module and all that they depend on, tests apart. Cgo is on, so that C shows.
func load(t *testing.T) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,CgoFiles,Error", "./...")
	command.Dir = "../.."
	command.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &stderr)
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("read what %v printed: %v", command, err)
		}
		if p.Error != nil {
			t.Fatalf("%s: %s", p.ImportPath, p.Error.Err)
		}
		packages = append(packages, p)
	}
}

// closure is a package of ours and all that it depends on, by path.
func closure(t *testing.T, path string) map[string]listed {
	t.Helper()
	byPath := map[string]listed{}
	for _, p := range load(t) {
		byPath[p.ImportPath] = p
	}
	root, found := byPath[path]
	if !found {
		t.Fatalf("there is no package %s", path)
	}
	maps.DeleteFunc(byPath, func(other string, _ listed) bool { return other != path && !slices.Contains(root.Deps, other) })
	return byPath
}

// ownRoom is a package's folder in this module, and whether it is in this module at all.
func ownRoom(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// match reports whether path is the pattern's package or, for a pattern that ends in /..., below it. A major version or
// a sub-package of a module counts as below.
func match(pattern, path string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return path == tree || isTree && strings.HasPrefix(path, tree+"/")
}
