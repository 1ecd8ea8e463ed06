package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/test/postgres"
)

// TestNodesMigrateOnce has nodes open a fresh database at once.
func TestNodesMigrateOnce(t *testing.T) {
	t.Parallel()
	const nodes = 8
	database := postgres.Database(t)
	var wg sync.WaitGroup
	for range nodes {
		wg.Go(func() {
			s, err := OpenPostgres(t.Context(), database, Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w := newWorldAt(t, database)
	if got := w.number(`SELECT count(*) FROM goose_db_version WHERE version_id > 0`); got != Schema {
		t.Errorf("migrations: got %d, want %d", got, Schema)
	}
}

func TestPostgresThatIsNotForThisProgram(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statements []string
		ours       bool // the schema was made before
		options    Options
		want       string
		is         error
	}{
		"a schema for a newer program": {
			[]string{`UPDATE instance SET min_program = 99`}, true, Options{}, "upgraded for a newer hither (schema 99", errRefused,
		},
		"tables of another application": {
			[]string{`CREATE TABLE orders (id INT)`, `CREATE VIEW customers AS SELECT 1`},
			false,
			Options{},
			"another application (customers, orders); give hither a database of its own", errRefused,
		},
		"another application's instance": {
			[]string{`CREATE TABLE instance (id INT)`}, false, Options{}, "another application (instance)", errRefused,
		},
		"no schema to be in": {
			[]string{`DROP SCHEMA public`}, false, Options{}, "CREATE SCHEMA", errRefused,
		},
		"nothing, where something is asked for": {nil, false, Options{Existing: true}, "empty", ErrEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := postgres.Database(t)
			if test.ours {
				openPostgres(t, database, Options{})
			}
			conn := rawPostgres(t, database)
			for _, statement := range test.statements {
				mustExec(t, conn, statement)
			}
			s, err := OpenPostgres(t.Context(), database, test.options)
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want one with %q", err, test.want)
			}
			var tables int
			err = conn.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_class WHERE relname = 'memberships'`).Scan(&tables)
			if err != nil || (tables == 1) != test.ours {
				t.Errorf("tables of ours afterwards: got %d, %v", tables, err)
			}
		})
	}
}

// TestExtensionsAreNobodys has a database with an extension's view in it.
func TestExtensionsAreNobodys(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	mustExec(t, rawPostgres(t, database), `CREATE EXTENSION pg_stat_statements`)
	openPostgres(t, database, Options{})
}

// TestPostgresConnectionsAreSafe holds the settings that nothing lost and
// nothing stuck rests on, against a database whose own are others.
func TestPostgresConnectionsAreSafe(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	admin := rawPostgres(t, database)
	for _, setting := range []string{"synchronous_commit = off", "default_transaction_isolation = 'serializable'"} {
		mustExec(t, admin, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET `+strings.ReplaceAll(setting, "'", "''")+`', current_database()); END $$`)
	}
	t.Cleanup(func() {
		for _, name := range []string{"synchronous_commit", "default_transaction_isolation"} {
			_, _ = admin.ExecContext(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET `+name+`', current_database()); END $$`)
		}
	})
	w := newWorldAt(t, database)
	want := map[string]string{
		"synchronous_commit": "on", "transaction_isolation": "read committed", "statement_timeout": "30s",
		"lock_timeout": "1s", "idle_in_transaction_session_timeout": "10s", "application_name": "hither",
	}
	w.must(func(tx iam.Tx) error {
		for name, value := range want {
			var got string
			if err := one(inside(tx), `SELECT current_setting('`+name+`')`, nil, (*text)(&got)); err != nil {
				return err
			}
			if got != value {
				t.Errorf("%s: got %q, want %q", name, got, value)
			}
		}
		return nil
	})
}

// TestHostsOfAURL has one that nobody listens on, and one that takes no writes,
// before the one that is meant.
func TestHostsOfAURL(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listen.Addr().String()
	if err := listen.Close(); err != nil {
		t.Fatal(err)
	}
	standby := postgres.Start(t, postgres.Options{
		Password: password(u), Settings: map[string]string{"default_transaction_read_only": "on"},
	})
	standby.Create(t, strings.TrimPrefix(u.Path, "/"))
	u.Host = strings.Join([]string{nobody, standby.Address, u.Host}, ",")
	standbyOnly := *u
	standbyOnly.Host, standbyOnly.Path = standby.Address, "/postgres"
	if _, err := OpenPostgres(t.Context(), standbyOnly.String(), Options{}); err == nil || !strings.Contains(err.Error(), "read only") {
		t.Errorf("a standby alone: got %v, want a refusal", err)
	}
	w := newWorldAt(t, u.String())
	w.account(0)
	if got, want := PostgresPlace(w.url), "postgres://"+u.Host+u.Path; got != want {
		t.Errorf("place: got %s, want %s", got, want)
	}
}

func password(u *url.URL) string {
	p, _ := u.User.Password()
	return p
}

// TestPasswordsAreNotTold holds that no error has a URL's password.
func TestPasswordsAreNotTold(t *testing.T) {
	t.Parallel()
	const secret = "Tr0ub4dor"
	for _, database := range []string{
		"postgres://u:" + secret + "@127.0.0.1:1/x",
		"postgres://u:" + secret + "%zz@127.0.0.1:1/x",
		"postgres://u:" + secret + "@127.0.0.1:port/x",
		"postgres://u:" + secret + "@127.0.0.1:1/x?sslmode=whatever",
		"postgres://127.0.0.1:1/x?password=" + secret + "&target_session_attrs=whatever",
		"postgres://u:a/" + secret + "@127.0.0.1:1/x",
		"postgres://u:12/" + secret + "@127.0.0.1:1/x", // a host u, its port 12, and the rest a database
		"host=127.0.0.1 password=" + secret,
	} {
		_, err := OpenPostgres(t.Context(), database, Options{})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want an error without the password", database, err)
		}
		if place := PostgresPlace(database); strings.Contains(place, secret) {
			t.Errorf("%s: its place is %s", database, place)
		}
	}
}

// TestVerifyFull holds that the server has to prove who it is, by the authority
// and by the name.
func TestVerifyFull(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ours, theirs := newAuthority(t, folder, "ours"), newAuthority(t, folder, "theirs")
	cert, key := ours.issue(t, folder, "127.0.0.1")
	cluster := postgres.Start(t, postgres.Options{CertFile: cert, KeyFile: key})
	cluster.Create(t, "tls")
	for name, test := range map[string]struct {
		host, authority, want string
	}{
		"as it should be":   {"127.0.0.1", ours.file, ""},
		"another authority": {"127.0.0.1", theirs.file, "certificate signed by unknown authority"},
		"another name":      {"localhost", ours.file, "wanted to match localhost"},
	} {
		u, err := url.Parse(cluster.URL("tls"))
		if err != nil {
			t.Fatal(err)
		}
		u.Host = net.JoinHostPort(test.host, u.Port())
		u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {test.authority}}.Encode()
		s, err := OpenPostgres(t.Context(), u.String(), Options{})
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w := &world{T: t, store: s}
		if got := w.number(`SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl`); got != 1 {
			t.Errorf("%s: the connection is not encrypted", name)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// authority is a CA of the test's own.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, folder, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{writePEM(t, filepath.Join(folder, name+".pem"), "CERTIFICATE", der), cert, key}
}

// issue makes the certificate of a server at an address.
func (a authority) issue(t *testing.T, folder, address string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, filepath.Join(folder, "server.crt"), "CERTIFICATE", der),
		writePEM(t, filepath.Join(folder, "server.key"), "PRIVATE KEY", secret)
}

func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
