package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDoctorAsksTheMailServer(t *testing.T) {
	t.Parallel()
	d, _ := newFilledDesk(t)
	cert, key := certified(t, -1e9, 3600e9)
	p, address := newPostbox(t, cert, key)
	with := func(more ...string) []string {
		return append([]string{"--mail-from=mail@example.com", "--smtp", address, "--smtp-ca", cert, "--smtp-user=hither", "--dns=127.0.0.1:1"}, more...)
	}
	good, bad := []string{"HITHER_SMTP_PASSWORD=correct horse"}, []string{"HITHER_SMTP_PASSWORD=wrong"}
	d.finds(checkOK, "mail", "none is sent", "", nil)
	d.finds(checkOK, "mail", address+" answers: TLS (starttls), its certificate is good, it lets us in", "", good, with()...)
	d.finds(checkFail, "mail", "535 signing in", "--smtp-user", bad, with()...)
	d.finds(checkFail, "mail", "not to be trusted", "--smtp-ca", good, with("--smtp-ca", otherCertificate(t))...)
	d.finds(checkFail, "mail", "first record does not look like a TLS handshake", "--smtp-tls", good, with("--smtp-tls=implicit")...)
	d.finds(checkFail, "mail", "--smtp-user needs a password", "correct the setting", nil, with()...)
	d.finds(checkFail, "mail", "refused", "--smtp", good, with("--smtp", "127.0.0.1:1")...)
	d.finds(checkFail, "mail", "--mail-from", "correct the setting", nil, "--smtp", address)
	d.finds(checkWarn, "mail", "links and codes included", "--smtp", nil, "--mail=log", "--mail-from=mail@example.com")
	d.finds(checkOK, "mail", "go to the folder", "", nil, "--mail=file", "--mail-from=mail@example.com", "--mail-dir", t.TempDir())
	if p.last() != "" {
		t.Error("a message was sent")
	}
	templates := t.TempDir()
	d.finds(checkOK, "templates", "work", "", nil, "--mail-templates", templates)
	if err := os.WriteFile(filepath.Join(templates, "header.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.finds(checkFail, "templates", "header.html", "hither mail preview", nil, "--mail-templates", templates)
}
