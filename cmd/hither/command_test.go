package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// call runs the program as main does, but for the process.
func call(ctx context.Context, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	code = run(ctx, args, environ, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// occupied is an address that somebody listens on.
func occupied(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// TestMistakesAreExplained holds that a message names the flag, its variable
// where that is to blame, and the way out.
func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data := filepath.Join(folder, "hither.db")
	notPEM := filepath.Join(folder, "not.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	badRoles := filepath.Join(folder, "roles.yaml")
	if err := os.WriteFile(badRoles, []byte("roles:\n  - name: Editor\n    permissions: {documents: everything}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := occupied(t)
	_, port, _ := net.SplitHostPort(taken)
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		code int
		want []string // in stderr
	}{
		{"no command", nil, nil, exitUsage, []string{"Usage: hither <command>", "serve", "demo", "version"}},
		{"unknown command", []string{"sevre"}, nil, exitUsage, []string{"sevre", "serve", "Try: hither COMMAND --help"}},
		{"unknown flag", []string{"serve", "--port=1"}, nil, exitUsage, []string{"--port", "Try: hither COMMAND --help"}},
		{"duration", []string{"serve", "--drain-delay=soon"}, nil, exitUsage, []string{"--drain-delay", "soon"}},
		{"duration in the environment", []string{"serve"}, map[string]string{"HITHER_SHUTDOWN_TIMEOUT": "soon"}, exitUsage, []string{"--shutdown-timeout", "soon", "HITHER_SHUTDOWN_TIMEOUT"}},
		{"no time to stop", []string{"serve", "--shutdown-timeout=0s"}, nil, exitUsage, []string{"--shutdown-timeout", "20s"}},
		{"negative delay", []string{"serve", "--drain-delay=-1s"}, nil, exitUsage, []string{"--drain-delay"}},
		{"no connections", []string{"serve", "--max-connections=0"}, nil, exitUsage, []string{"--max-connections"}},
		{"level", []string{"serve", "--log-level=loud"}, nil, exitUsage, []string{"--log-level", "loud", "debug, info, warn and error"}},
		{"level in the environment", []string{"demo"}, map[string]string{"HITHER_DEMO_LOG_LEVEL": "loud"}, exitUsage, []string{"HITHER_DEMO_LOG_LEVEL"}},
		{"certificate without key", []string{"serve", "--tls-cert=c.pem"}, nil, exitUsage, []string{"--tls-cert needs --tls-key", "HITHER_TLS_KEY"}},
		{"key without certificate", []string{"serve"}, map[string]string{"HITHER_TLS_KEY": "k.pem"}, exitUsage, []string{"--tls-key needs --tls-cert", "HITHER_TLS_CERT"}},
		{"certificate that is none", []string{"serve", "--tls-cert", notPEM, "--tls-key", notPEM}, nil, exitFailure, []string{notPEM, "PEM"}},
		{"not an address", []string{"serve", "--listen=8787"}, nil, exitUsage, []string{"--listen 8787", "HOST:PORT", "--listen 127.0.0.1:8787"}},
		{"not a port", []string{"serve", "--listen=127.0.0.1:80000"}, nil, exitUsage, []string{"--listen 127.0.0.1:80000", "65535"}},
		{"address of another machine", []string{"serve", "--listen=192.0.2.1:8787"}, nil, exitFailure, []string{"--listen 192.0.2.1:8787", "127.0.0.1:8787"}},
		{"name that is unknown", []string{"serve", "--listen=no-such-host.invalid:8787"}, nil, exitFailure, []string{"--listen no-such-host.invalid:8787", "127.0.0.1:8787"}},
		{"port taken", []string{"serve", "--listen", taken}, nil, exitFailure, []string{"--listen " + taken, "listens there already", "--listen 127.0.0.1:" + nextPort(port)}},
		{"port taken for the demo", []string{"demo"}, map[string]string{"HITHER_DEMO_LISTEN": taken}, exitFailure, []string{"--listen " + taken, "--listen 127.0.0.1:" + nextPort(port)}},
		{"metrics port taken", []string{"serve", "--listen=127.0.0.1:0", "--metrics-listen", taken}, nil, exitFailure, []string{"--metrics-listen " + taken, "--metrics-listen 127.0.0.1:" + nextPort(port)}},
		{"no such role file", []string{"serve", "--listen=127.0.0.1:0", "--data", data, "--roles=no-such.yaml"}, nil, exitFailure, []string{"--roles", "no-such.yaml"}},
		{"role file that is wrong", []string{"serve", "--listen=127.0.0.1:0", "--data", data + "2", "--roles", badRoles}, nil, exitFailure, []string{"--roles " + badRoles + ":\n  line ", "\n  line 3: "}},
		{"no place for the database", []string{"serve", "--listen=127.0.0.1:0", "--data", filepath.Join(folder, "none", "hither.db")}, nil, exitFailure, []string{"--data", filepath.Join(folder, "none", "hither.db")}},
		{"two databases", []string{"serve", "--data=a.db", "--database=postgres://127.0.0.1/a"}, nil, exitUsage, []string{"--data", "--database", "can't be used together"}},
		{"two databases, one in the environment", []string{"user", "list", "--data=a.db"}, map[string]string{"HITHER_DATABASE": "postgres://127.0.0.1/a"}, exitUsage, []string{"--data", "--database"}},
		{"not a URL", []string{"user", "list", "--database=mysql://127.0.0.1/a"}, nil, exitFailure, []string{"--database", "postgres://"}},
		{"no such seed", []string{"demo", "--listen=127.0.0.1:0", "--seed=no-such.yaml"}, nil, exitFailure, []string{"--seed", "no-such.yaml"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := call(t.Context(), test.env, test.args...)
			if code != test.code || stdout != "" {
				t.Errorf("hither %q: got exit code %d and output %q, want %d and none", test.args, code, stdout, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("hither %q: the message lacks %q: %s", test.args, want, stderr)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"demo", "-h"}, {"version", "--help"}} {
		code, stdout, stderr := call(t.Context(), nil, args...)
		if code != exitOK || !strings.Contains(stdout, "Usage: hither ") || stderr != "" {
			t.Errorf("hither %q: got exit code %d, output %q and messages %q, want 0, the usage and none", args, code, stdout, stderr)
		}
	}
	_, stdout, _ := call(t.Context(), nil, "serve", "--help")
	for _, want := range []string{"$HITHER_LISTEN", "127.0.0.1:8787", "--tls-cert=FILE", "$HITHER_TLS_CERT"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("hither serve --help lacks %q: %s", want, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := call(t.Context(), nil, "version")
	if code != exitOK || stderr != "" {
		t.Errorf("got exit code %d and messages %q, want 0 and none", code, stderr)
	}
	for _, want := range []string{"hither ", "commit ", "wire ", "v4", "go1."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("hither version lacks %q: %s", want, stdout)
		}
	}
	if wireVersion() == "unknown" {
		t.Error("the version of api/openapi.yaml was not found")
	}
}

// TestSettingsHaveAnOrder holds that a flag beats its variable, and the
// variable the default; and that an empty variable is none.
func TestSettingsHaveAnOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		env  string
		want string
	}{
		{"default", []string{"serve"}, "", "127.0.0.1:8787"},
		{"variable", []string{"serve"}, "127.0.0.1:1", "127.0.0.1:1"},
		{"flag", []string{"serve", "--listen=127.0.0.1:2"}, "127.0.0.1:1", "127.0.0.1:2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var grammar cli
			parser, err := newParser(&grammar, &environment{getenv: func(name string) string {
				if name == "HITHER_LISTEN" {
					return test.env
				}
				return ""
			}}, streams{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			if got := grammar.Serve.Listen; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestDemoReadsItsOwnVariables holds that nothing which is set for a real instance
// reaches a demo: no variable is a setting of both.
func TestDemoReadsItsOwnVariables(t *testing.T) {
	t.Parallel()
	var grammar cli
	parser, err := newParser(&grammar, &environment{}, streams{})
	if err != nil {
		t.Fatal(err)
	}
	var demos, others []string
	for _, command := range parser.Model.Children {
		if command.Name == "demo" {
			demos = known(command)
		} else {
			others = append(others, known(command)...)
		}
	}
	if len(demos) == 0 || len(others) == 0 {
		t.Fatalf("got variables %q of the demo and %q of others, want some of each", demos, others)
	}
	for _, name := range demos {
		if slices.Contains(others, name) || !strings.HasPrefix(name, "HITHER_DEMO_") {
			t.Errorf("the demo reads %s, which is not its own", name)
		}
	}
}

// TestProcessEnvironmentIsNotRead holds that the environment is the one that
// run gets; kong would ask the process.
func TestProcessEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("HITHER_SHUTDOWN_TIMEOUT", "soon")
	if code, _, stderr := call(t.Context(), nil, "serve", "--listen=none"); code != exitUsage || strings.Contains(stderr, "soon") {
		t.Errorf("got exit code %d and %q, want the complaint about --listen", code, stderr)
	}
}
