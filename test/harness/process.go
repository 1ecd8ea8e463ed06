package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// process is one run of the binary.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{} // closed when it is gone and all its output read
}

func start(binary string, env, args []string) (*process, error) {
	p := &process{done: make(chan struct{})}
	p.stdout.grown, p.stderr.grown = make(chan struct{}, 1), make(chan struct{}, 1)
	p.cmd = exec.CommandContext(context.Background(), binary, args...)
	p.cmd.Env = environment(env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start hither: %w", err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code says it
	}()
	return p, nil
}

func (p *process) String() string {
	return fmt.Sprintf("stdout: %s\nstderr: %s", tail(p.stdout.String()), tail(p.stderr.String()))
}

// kill ends this process and no other: Process knows when its id is free.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

var demoURL = regexp.MustCompile(`(https?://[^\s/]+)/client/v4\b`)

// url waits until the process says where it serves: serve in its log, the demo
// on stdout, in what it prints to paste.
func (p *process) url() (string, error) {
	timeout := time.After(startTimeout)
	for {
		if found := demoURL.FindStringSubmatch(p.stdout.String()); found != nil {
			return found[1], nil
		}
		if url := servingURL(p.stderr.String()); url != "" {
			return url, nil
		}
		select {
		case <-p.stdout.grown:
		case <-p.stderr.grown:
		case <-p.done:
			return "", errors.New("it ended before it served")
		case <-timeout:
			return "", fmt.Errorf("it did not serve within %s", startTimeout)
		}
	}
}

func servingURL(log string) string {
	for line := range strings.Lines(log) {
		var entry struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			return entry.URL
		}
	}
	return ""
}

// output keeps what a process writes, and says when there is more.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tail is the last few thousand characters.
func tail(s string) string {
	const most = 4000
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}
