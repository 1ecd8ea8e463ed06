// Package postgres gives tests a real PostgreSQL: a throw-away cluster in a
// temporary folder, from the server that Debian's package postgresql installs.
// HITHER_TEST_POSTGRES_BIN names the folder of another one's initdb and
// postgres. Where there is none, tests are skipped, and say what to install.
//
// A cluster listens on the loopback interface only, and ends with the test
// process, however that ends.
package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the administrator's connection
)

// need skips a test where there is no server.
func need(t testing.TB) {
	t.Helper()
	if err := Missing(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: %v", err)
	}
}

// shared is the cluster that the tests of a process have together.
var shared = sync.OnceValues(func() (*pooled, error) {
	// Nobody pulls the plug of this one: databases are made and emptied faster without waiting for the disk.
	cluster, err := New(Options{Settings: map[string]string{"fsync": "off", "full_page_writes": "off"}})
	if err != nil {
		return nil, err
	}
	admin, err := sql.Open("pgx", cluster.URL("postgres"))
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return &pooled{cluster: cluster, admin: admin}, nil
})

// Database is the URL of an empty database that is the test's own until it
// ends. Its default collation is that of a language, so that an order which is
// to be by bytes has to say so.
func Database(t testing.TB) string {
	t.Helper()
	need(t)
	p, err := shared()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name, err := p.take(t.Context())
	if err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if err := p.give(context.Background(), name); err != nil {
			t.Errorf("clear database %s: %v", name, err)
		}
	})
	return p.cluster.URL(name)
}

// pooled are the databases of a cluster. To empty one is far cheaper than to
// make one.
type pooled struct {
	cluster *Cluster
	admin   *sql.DB

	mu   sync.Mutex
	free []string
	made int
}

func (p *pooled) take(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		name := p.free[n-1]
		p.free = p.free[:n-1]
		return name, nil
	}
	p.made++
	name := fmt.Sprintf("test%d", p.made)
	return name, create(ctx, p.admin, name)
}

func create(ctx context.Context, admin *sql.DB, name string) error {
	_, err := admin.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C.UTF-8'`)
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// give empties a database: of the tables, and of whoever is still connected.
func (p *pooled) give(ctx context.Context, name string) error {
	_, err := p.admin.ExecContext(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1`, name)
	if err != nil {
		return fmt.Errorf("end connections: %w", err)
	}
	db, err := sql.Open("pgx", p.cluster.URL(name))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{`DROP SCHEMA IF EXISTS public CASCADE`, `CREATE SCHEMA public`} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, name)
	return nil
}

// Start starts a cluster that is the test's own, to be killed and started
// again.
func Start(t testing.TB, options Options) *Cluster {
	t.Helper()
	need(t)
	c, err := New(options)
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(c.End)
	return c
}

// Create makes one more database in the cluster and returns its URL.
func (c *Cluster) Create(t testing.TB, name string) string {
	t.Helper()
	// Whatever the cluster's settings say to others.
	admin, err := sql.Open("pgx", c.URL("postgres")+"&default_transaction_read_only=off")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := create(ctx, admin, name); err != nil {
		t.Fatal(err)
	}
	return c.URL(name)
}

// Tool is the path of a program that comes with the server, pg_dump for one.
func (c *Cluster) Tool(name string) string { return filepath.Join(c.bin, name) }

// URL is that of one of the cluster's databases, for its owner.
func (c *Cluster) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, c.Password), Host: c.Address, Path: "/" + database}
	u.RawQuery = "sslmode=disable"
	return u.String()
}
