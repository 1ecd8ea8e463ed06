package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// Newer builds the hither of a version to come: its schema has one more
// migration, made of the given SQL, which each engine must understand. Nothing
// of the working copy is changed: the compiler is told of the files beside it.
func Newer(t testing.TB, migration string) string {
	t.Helper()
	folder := t.TempDir()
	source := filepath.Join(Root(), "internal", "store")
	overlay := map[string]string{}
	replace := func(path, content string) {
		t.Helper()
		file := filepath.Join(folder, strconv.Itoa(len(overlay))+filepath.Ext(path))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[path] = file
	}
	code, err := os.ReadFile(filepath.Join(source, "migrate.go"))
	if err != nil {
		t.Fatal(err)
	}
	schema := regexp.MustCompile(`(?m)^const Schema = (\d+)$`)
	found := schema.FindSubmatch(code)
	if found == nil {
		t.Fatal("internal/store/migrate.go: there is no constant Schema")
	}
	next, _ := strconv.Atoi(string(found[1])) // digits
	next++
	replace(filepath.Join(source, "migrate.go"), string(schema.ReplaceAll(code, fmt.Appendf(nil, "const Schema = %d", next))))
	for _, engine := range []string{"sqlite", "postgres"} {
		replace(filepath.Join(source, "migrations", engine, fmt.Sprintf("%05d_next.sql", next)), "-- +goose Up\n"+migration+"\n")
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(folder, "hither")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-overlay", file, "-o", binary, "./cmd/hither")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the newer hither: %v\n%s", err, out)
	}
	return binary
}
