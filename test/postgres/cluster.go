package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// User owns every database of a cluster.
const User = "hither"

// Options adjust a cluster.
type Options struct {
	// CertFile and KeyFile turn TLS on.
	CertFile, KeyFile string
	// Password is the owner's; "" draws one.
	Password string
	// Settings are more of the server's.
	Settings map[string]string
}

// Cluster is a running PostgreSQL.
type Cluster struct {
	Address  string // host:port
	Password string

	bin, folder string
	reaper      io.Closer
	server      *os.Process
	exited      <-chan struct{}
}

// Missing says what to install where there is no server.
func Missing() error {
	_, err := bin()
	return err
}

// oldest is the version that knows the collations of these databases.
const oldest = 15

// bin finds the newest server's folder.
func bin() (string, error) {
	folder := os.Getenv("HITHER_TEST_POSTGRES_BIN")
	if folder == "" {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		found = slices.DeleteFunc(found, func(path string) bool { return version(path) < oldest })
		if err != nil || len(found) == 0 {
			return "", fmt.Errorf("there is no /usr/lib/postgresql/N/bin/initdb, N %d or later; install Debian's package postgresql, "+
				"or name the folder of initdb and postgres in HITHER_TEST_POSTGRES_BIN", oldest)
		}
		folder = filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
	}
	if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
		return "", fmt.Errorf("HITHER_TEST_POSTGRES_BIN: %w", err)
	}
	return folder, nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // /usr/lib/postgresql/N/…
	return n
}

// New starts a cluster for a program that is no test; End ends it.
func New(options Options) (_ *Cluster, err error) {
	folder, err := bin()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: folder, Password: options.Password}
	if c.Password == "" {
		c.Password = rand.Text()
	}
	if c.folder, err = os.MkdirTemp("", "hither-postgres-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	if err := own(c.folder); err != nil {
		return nil, err
	}
	if err := c.reap(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.End()
		}
	}()
	if err := c.initialize(options); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// Start starts the server, and returns when it takes connections. After Kill
// it waits for the last of the old server's children to notice.
func (c *Cluster) Start() error {
	ticker := time.NewTicker(startPoll)
	defer ticker.Stop()
	for deadline := time.Now().Add(startTimeout); ; <-ticker.C {
		err := c.launch()
		if err == nil || !errors.Is(err, errExited) || time.Now().After(deadline) {
			return err
		}
	}
}

// Stop ends the server in an orderly way, and its connections with it.
func (c *Cluster) Stop() error { return c.signal(syscall.SIGINT) }

// Kill kills the postmaster as a crash would. Its children end when they notice.
func (c *Cluster) Kill() error { return c.signal(syscall.SIGKILL) }

// Pid is the postmaster's: the parent of everything that the server does.
func (c *Cluster) Pid() int { return c.server.Pid }

// End ends the server, for good, and removes its folder.
func (c *Cluster) End() { _ = c.reaper.Close() }

var errExited = errors.New("the server ended at once")

func (c *Cluster) launch() error {
	logFile, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() { _ = logFile.Close() }() // the server has its own
	command := c.command("postgres", "-D", c.data())
	command.Stdout, command.Stderr = logFile, logFile
	if err := command.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	exited := make(chan struct{})
	c.server, c.exited = command.Process, exited
	go func() {
		_ = command.Wait() // the log tells
		close(exited)
	}()
	return c.untilReady(exited)
}

func (c *Cluster) untilReady(exited <-chan struct{}) error {
	db, err := sql.Open("pgx", c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(startPoll)
	defer ticker.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
			continue
		case <-ctx.Done():
		case <-exited:
			err = errExited
		}
		said, _ := os.ReadFile(c.log())
		return fmt.Errorf("start PostgreSQL: %w\n%s", err, said)
	}
}

const (
	startTimeout = time.Minute
	startPoll    = 20 * time.Millisecond
)

func (c *Cluster) log() string { return filepath.Join(c.folder, "log") }

func (c *Cluster) data() string { return filepath.Join(c.folder, "data") }

// initialize makes the files of the cluster.
func (c *Cluster) initialize(options Options) error {
	password := filepath.Join(c.folder, "password")
	if err := c.write(password, c.Password); err != nil {
		return err
	}
	// md5 proves the password as well as SCRAM does, and takes no time: tests
	// connect a thousand times.
	err := c.run("initdb", "--pgdata="+c.data(), "--username="+User, "--pwfile="+password, "--auth=md5",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync")
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.Address = net.JoinHostPort("127.0.0.1", port)
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "max_connections": "200",
		"shared_buffers": "64MB", "logging_collector": "off",
		// A server that comes up again must not wait for a checkpoint that is spread out.
		"checkpoint_completion_target": "0.1",
	}
	if options.CertFile != "" {
		for from, to := range map[string]string{options.CertFile: "server.crt", options.KeyFile: "server.key"} {
			content, err := os.ReadFile(from)
			if err != nil {
				return fmt.Errorf("TLS: %w", err)
			}
			if err := c.write(filepath.Join(c.folder, to), string(content)); err != nil {
				return err
			}
		}
		settings["ssl"] = "on"
		settings["ssl_cert_file"], settings["ssl_key_file"] = filepath.Join(c.folder, "server.crt"), filepath.Join(c.folder, "server.key")
	}
	maps.Copy(settings, options.Settings)
	var text bytes.Buffer
	for name, value := range settings {
		fmt.Fprintf(&text, "%s = '%s'\n", name, value)
	}
	return c.write(filepath.Join(c.data(), "postgresql.auto.conf"), text.String())
}

// write makes a file that only the server's user can read.
func (c *Cluster) write(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("set up PostgreSQL: %w", err)
	}
	return own(path)
}

func (c *Cluster) signal(signal syscall.Signal) error {
	if err := c.server.Signal(signal); err != nil {
		return fmt.Errorf("%s to the postmaster: %w", signal, err)
	}
	<-c.exited
	return nil
}

// run runs one of the server's programs to its end.
func (c *Cluster) run(program string, args ...string) error {
	if said, err := c.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, said)
	}
	return nil
}

// command is one of the server's programs, for a user that it accepts. It is
// on no context: a server outlives the test that started it.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(c.bin, program), args...)
	command.Dir = c.folder
	command.SysProcAttr = asUser()
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	return command
}

// freePort is one that nobody listens on.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// reap starts a shell that waits for the end of this process, or for end, and
// then ends the server and removes its folder: also where this process is
// killed and can clean up nothing.
func (c *Cluster) reap() error {
	const script = `trap '' INT TERM HUP
		cat >/dev/null
		if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null); then
			kill -QUIT "$pid" 2>/dev/null
			n=0
			while kill -0 "$pid" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
		fi
		rm -rf "$1"`
	command := exec.Command("sh", "-c", script, "sh", c.folder)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the reaper: %w", err)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the reaper: %w", err)
	}
	c.reaper = reaper{in, command}
	return nil
}

type reaper struct {
	in      io.Closer
	command *exec.Cmd
}

func (r reaper) Close() error { return errors.Join(r.in.Close(), r.command.Wait()) }
