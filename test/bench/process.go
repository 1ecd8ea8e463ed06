package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running process that answers HTTP on an address of its own.
type server struct {
	addr    string
	command *exec.Cmd
	ended   chan error
	// postmaster is the process that all processes of its database come from;
	// 0: the database is within the server.
	postmaster int
}

// startServer starts a program; arguments takes the address that it is to
// listen on. It is killed when ctx ends.
func startServer(ctx context.Context, log, program string, arguments func(addr string) []string) (*server, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	messages, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = messages.Close() }() // the process has its own
	s := &server{addr: addr, command: exec.CommandContext(ctx, program, arguments(addr)...), ended: make(chan error, 1)}
	s.command.Stderr = messages
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HITHER_") {
			s.command.Env = append(s.command.Env, entry)
		}
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.command.Wait() }()
	if err := s.wait(ctx); err != nil {
		_ = s.command.Process.Kill() // it may be gone already
		return nil, err
	}
	return s, nil
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// wait returns when the server answers.
func (s *server) wait(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second}
	for range 600 {
		select {
		case err := <-s.ended:
			return fmt.Errorf("%s ended before it served: %w (-log FILE keeps what it says)", s.command.Path, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := client.Do(request); err == nil {
			client.CloseIdleConnections()
			return answer.Body.Close()
		}
	}
	return fmt.Errorf("%s does not serve", s.command.Path)
}

// stop ends the server gracefully.
func (s *server) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.command.Path, err)
	}
	select {
	case err := <-s.ended:
		return ignoreSignal(err)
	case <-time.After(time.Minute):
		_ = s.command.Process.Kill()
		return fmt.Errorf("%s did not stop", s.command.Path)
	}
}

// ignoreSignal is nil for a program that knows no graceful stop.
func ignoreSignal(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 0 {
		return nil
	}
	return err
}

// cpu is the processor time that the server has used, and its database.
func (s *server) cpu() (time.Duration, error) {
	own, err := timesOf(s.command.Process.Pid)
	if err != nil || s.postmaster == 0 {
		return own.own, err
	}
	database, err := familyTime(s.postmaster)
	return own.own + database, err
}

// memory is what the server has in memory that is no file's, in bytes.
func (s *server) memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("/proc/PID/status has no RssAnon")
}
