package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// certified writes a certificate for so long from now on, and its key.
func certified(t *testing.T, from, until time.Duration) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
}

func TestDoctorReadsTheCertificate(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	d, _ := newFilledDesk(t)
	good, goodKey := certified(t, -day, 15*day)
	d.finds(checkOK, "certificate", "goes with its key", "", nil, "--tls-cert", good, "--tls-key", goodKey)
	soon, soonKey := certified(t, -day, 13*day)
	d.finds(checkWarn, "certificate", "expires on", "renew it", nil, "--tls-cert", soon, "--tls-key", soonKey)
	past, pastKey := certified(t, -2*day, -day)
	d.finds(checkFail, "certificate", "expired on", "renew it", nil, "--tls-cert", past, "--tls-key", pastKey)
	early, earlyKey := certified(t, day, 2*day)
	d.finds(checkFail, "certificate", "not valid before", "clock", nil, "--tls-cert", early, "--tls-key", earlyKey)
	d.finds(checkFail, "certificate", "does not match", "its own key", nil, "--tls-cert", good, "--tls-key", soonKey)
	d.finds(checkFail, "certificate", "no such file", "readable", nil, "--tls-cert", good, "--tls-key", goodKey+".none")
}

func TestDoctorReadsTheRoleFile(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := func(name, text string) string {
		path := filepath.Join(filepath.Dir(d.data), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const editor = "roles:\n  - id: 00000000000000000000000000000001\n    name: Editor\n    permissions: {documents: write}\n"
	const reader = "roles:\n  - id: 00000000000000000000000000000002\n    name: Reader\n    permissions: {documents: read}\n"
	roles, others := file("roles.yaml", editor), file("others.yaml", reader)
	d.ok("init", "--email", "ada@example.com", "--account", "Engines")
	p := start(t, "serve", "--listen=127.0.0.1:0", "--data", d.data, "--roles", roles)
	p.logged(t, "serving")
	p.end()
	d.finds(checkOK, "role file", "defines 1 role(s)", "", nil, "--roles", others)
	d.ok("user", "add", "guest@example.com")
	d.ok("account", "add-member", "Engines", "guest@example.com", "--role", "Editor")
	d.finds(checkOK, "role file", "defines 1 role(s)", "", nil, "--roles", roles)
	d.finds(checkOK, "role file", "the 1 role(s) of the last file stay", "", nil)
	d.finds(checkFail, "role file", `lacks "Editor"`, "put it back", nil, "--roles", others)
	// The server says the same.
	if code, _, stderr := call(t.Context(), nil, "serve", "--listen=127.0.0.1:0", "--data", d.data, "--roles", others); code != exitFailure {
		t.Errorf("the server with that file: got exit code %d, %s, want it refused", code, stderr)
	}
	d.finds(checkFail, "role file", "line 2", "correct the file", nil, "--roles", file("bad.yaml", "roles:\n  - nome: x\n"))
	d.finds(checkFail, "role file", "no such file", "--roles", nil, "--roles", roles+".none")
}

func TestDoctorAsksWhoListens(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	d.finds(checkFail, "address", "another program listens there", "free", nil, "--listen", occupied(t))
	d.finds(checkFail, "address", "not of the form HOST:PORT", "HOST:PORT", nil, "--listen", "8787")
	d.finds(checkFail, "address", "--metrics-listen", "free", nil, "--metrics-listen", occupied(t))
	at := regexp.MustCompile(`[0-9.]+:[0-9]+`)
	for _, pair := range [][]string{nil, tlsFlags(t)} {
		p := start(t, append([]string{"serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "other.db")}, pair...)...)
		line := p.logged(t, "serving")
		url, _ := line["url"].(string)
		metrics, _ := line["metrics"].(string)
		go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
		flags := append([]string{"--listen", at.FindString(url), "--metrics-listen", at.FindString(metrics)}, pair...)
		d.finds(checkOK, "address", "--listen "+at.FindString(url)+": hither answers", "", nil, flags...)
		d.finds(checkOK, "address", "--metrics-listen "+at.FindString(metrics)+": hither answers", "", nil, flags...)
		p.end()
	}
}

func tlsFlags(t *testing.T) []string {
	t.Helper()
	cert, key := certified(t, -time.Hour, 1000*time.Hour)
	return []string{"--tls-cert", cert, "--tls-key", key}
}

func TestDoctorJudgesTheDisk(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for _, test := range []struct {
		name  string
		disk  disk
		used  int64
		log   int64
		check string
		state string
	}{
		{"full", disk{free: leastFree - 1}, 0, 0, "disk", checkFail},
		{"less than the database", disk{free: gib}, 2 * gib, 0, "disk", checkWarn},
		{"enough", disk{free: 3 * gib}, 2 * gib, 0, "disk", checkOK},
		{"a network", disk{free: gib, remote: "NFS"}, 0, 0, "file system", checkFail},
		{"a huge log", disk{free: gib}, 0, hugeLog + 1, "log", checkWarn},
		{"a log", disk{free: gib}, 0, hugeLog, "log", checkOK},
	} {
		d := &doctor{}
		d.disk("/data", test.disk, test.used)
		d.logSize(test.log)
		for _, f := range d.findings {
			want := checkOK
			if f.check == test.check {
				want = test.state
			}
			if f.state != want || (f.todo == "") != (want == checkOK) {
				t.Errorf("%s: got %+v, want %s", test.name, f, want)
			}
		}
		if len(d.findings) != 3 {
			t.Errorf("%s: got %+v, want three findings", test.name, d.findings)
		}
	}
}

// TestDoctorReadsTheIssuers says whom the file trusts with what, and why a server
// would not start with it.
func TestDoctorReadsTheIssuers(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	path := filepath.Join(filepath.Dir(d.data), "issuers.yaml")
	put := func(mode os.FileMode, lines ...string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	login := []string{"issuers:", "  - name: acme", "    issuer: https://login.acme.example", "    client_id: hither"}
	tokens := []string{"  - name: other", "    issuer: https://other.example", "    audiences: [https://hither.acme.example, b]"}
	const base = "--base-url=https://hither.acme.example"

	put(0o644, login...)
	d.finds(checkOK, "issuers", "acme, https://login.acme.example: sign-in on the pages; it speaks for the addresses of no domain", "", nil, "--issuers", path, base)
	d.finds(checkFail, "issuers", "where these are reached is not said", "--base-url", nil, "--issuers", path)
	put(0o644, append(append(login, "    authoritative_domains: [acme.example]", "    trusted_amr: [mfa]"), tokens...)...)
	d.finds(checkOK, "issuers", "its word on a second factor; it speaks for the addresses of acme.example", "", nil, "--issuers", path, base)
	d.finds(checkOK, "issuers", "other, https://other.example: Bearer tokens for https://hither.acme.example, b; ", "", nil, "--issuers", path, base)
	put(0o644, append(append(login, `    authoritative_domains: ["*"]`), append(tokens, `    authoritative_domains: ["*"]`)...)...)
	d.finds(checkWarn, "issuers", "acme and other both speak for the addresses of every domain", "one of them", nil, "--issuers", path, base)
	put(0o644, append(login, "    client_secret: hush")...)
	d.finds(checkWarn, "issuers", "others may read it or change it (0644)", "chmod 600", nil, "--issuers", path, base)
	put(0o600, append(login, "    client_secret: hush")...)
	d.finds(checkOK, "issuers", "acme, ", "", nil, "--issuers", path, base)
	put(0o644, append(login, "    client_secret_env: ACME_SECRET")...)
	d.finds(checkFail, "issuers", "the environment has no ACME_SECRET", "docs/login.md", nil, "--issuers", path, base)
	d.finds(checkOK, "issuers", "acme, ", "", []string{"ACME_SECRET=hush"}, "--issuers", path, base)
	put(0o644, "issuers:", "  - name: acme", "    issuer: http://127.0.0.1:1", "    client_id: hither")
	d.finds(checkWarn, "issuers", "plain http", "https", nil, "--issuers", path, base)
	put(0o644, "issuers:", "  - name: acme", "    issuer: http://login.acme.example", "    client_id: hither")
	d.finds(checkFail, "issuers", "line 3: issuer: must be an https URL", "docs/login.md", nil, "--issuers", path, base)
	d.finds(checkFail, "issuers", "no such file", "docs/login.md", nil, "--issuers", path+".none", base)
}
