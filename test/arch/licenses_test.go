package arch_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write THIRD_PARTY anew instead of holding it to what is linked")

// TestThirdPartyIsComplete holds THIRD_PARTY to the modules that are linked into
// the binary, on the systems that it is built for, and to what their licenses say.
// It reads what the build itself needs, so it asks nobody.
func TestThirdPartyIsComplete(t *testing.T) {
	t.Parallel()
	const file = "../../THIRD_PARTY"
	var b bytes.Buffer
	b.WriteString("What is linked into hither beside its own code, each part under its own license.\n" +
		"Written by `go test ./test/arch -run TestThirdPartyIsComplete -update`.\n")
	notice(t, &b, "The Go standard library", goRoot(t), "license")
	linked := linkedModules(t)
	for _, name := range slices.Sorted(maps.Keys(linked)) {
		notice(t, &b, name, linked[name], "license", "licence", "copying", "notice", "patents")
	}
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(text, b.Bytes()) {
		t.Errorf("THIRD_PARTY is not what is linked now (%v); run this test with -update, and read what is new", err)
	}
}

// linkedModules are the folders of modules that are linked, by path and version.
func linkedModules(t *testing.T) map[string]string {
	t.Helper()
	linked := map[string]string{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", binary)
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v", system, err)
		}
		for line := range strings.Lines(string(out)) {
			name, folder, found := strings.Cut(strings.TrimSpace(line), "\t")
			if found {
				linked[name] = folder
			}
		}
	}
	if len(linked) < 5 {
		t.Fatalf("modules that are linked: got %v, want more", linked)
	}
	return linked
}

func goRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// notice adds what a folder says about its license, in files of these kinds.
func notice(t *testing.T, b *bytes.Buffer, name, folder string, kinds ...string) {
	t.Helper()
	fmt.Fprintf(b, "\n%s\n%s\n", strings.Repeat("=", 80), name)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	licensed := false
	for _, entry := range entries {
		kind := kindOf(entry.Name(), kinds)
		if kind == "" || entry.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		licensed = licensed || kind != "notice"
		fmt.Fprintf(b, "%s\n%s\n\n", strings.Repeat("-", 80), strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	if !licensed {
		t.Errorf("%s has no license that could be found", name)
	}
}

// kindOf is the kind of a file, "" where it has none of these.
func kindOf(name string, kinds []string) string {
	lower := strings.ToLower(name)
	for _, kind := range kinds {
		if strings.HasPrefix(lower, kind) && !strings.HasSuffix(lower, ".go") {
			return kind
		}
	}
	return ""
}
