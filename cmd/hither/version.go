package main

import (
	"bufio"
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	openapi "hither/api"
	"hither/internal/server"
)

// versionCommand is `hither version`.
type versionCommand struct{}

// Run prints which program this is and what it speaks.
func (versionCommand) Run(s streams) error {
	build := buildInfo()
	_, err := fmt.Fprintf(s.out, "hither  %s\ncommit  %s\nwire    v4, description %s, served at /openapi.yaml\ngo      %s %s/%s\n",
		build.Version, build.Revision, wireVersion(), build.Go, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("print the version: %w", err)
	}
	return nil
}

// buildInfo is what the toolchain wrote into the binary.
func buildInfo() server.Build {
	build := server.Build{Version: "unknown", Revision: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build
	}
	if info.Main.Version != "" {
		build.Version = info.Main.Version
	}
	settings := make(map[string]string, len(info.Settings))
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		build.Revision = strings.TrimSpace(revision[:min(len(revision), shortRevision)] + " " + settings["vcs.time"])
		if settings["vcs.modified"] == "true" {
			build.Revision += ", modified"
		}
	}
	return build
}

const shortRevision = 12

// wireVersion is the version that the API's description gives itself.
func wireVersion() string {
	lines := bufio.NewScanner(bytes.NewReader(openapi.Document()))
	for lines.Scan() {
		if version, ok := strings.CutPrefix(lines.Text(), "  version: "); ok {
			return strings.Trim(version, `"`)
		}
	}
	return "unknown"
}
