package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// machine is where a run took place, without what would name it.
type machine struct {
	cpu, kernel, filesystem string
	cores                   int
	loadBefore              string
}

func describeMachine(dir string) machine {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	return machine{
		cpu: cpuModel(), cores: runtime.NumCPU(), loadBefore: loadAverage(),
		kernel: runtime.GOOS + " " + strings.TrimSpace(string(kernel)), filesystem: filesystemOf(dir),
	}
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// filesystemOf names the kind of file system that a folder is on.
func filesystemOf(dir string) string {
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "unknown"
	}
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	defer func() { _ = file.Close() }()
	kind, longest := "unknown", ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			continue
		}
		mount := fields[1]
		below := path == mount || mount == "/" || strings.HasPrefix(path, mount+"/")
		if below && len(mount) >= len(longest) {
			kind, longest = fields[2], mount
		}
	}
	return kind
}

// programs are the servers that are measured.
type programs struct{ hither, floor string }

func build(ctx context.Context, dir string) (programs, error) {
	p := programs{hither: filepath.Join(dir, "hither"), floor: filepath.Join(dir, "floor")}
	for path, source := range map[string]string{p.hither: "hither/cmd/hither", p.floor: "hither/test/bench/floor"} {
		command := exec.CommandContext(ctx, "go", "build", "-o", path, source)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
	}
	return p, nil
}

// repository is the folder of the module.
func repository() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "hither").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
