package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"hither/internal/server"
)

// postbox is a mail server on this machine that keeps what it gets.
type postbox struct {
	mu       sync.Mutex
	messages []string
}

// NewSession belongs to smtp.Backend.
func (p *postbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &post{postbox: p}, nil }

type post struct {
	postbox *postbox
	to      string
}

func (p *post) AuthMechanisms() []string { return []string{sasl.Plain} }

func (p *post) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "hither" || password != "correct horse" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (p *post) Mail(string, *smtp.MailOptions) error { return nil }

func (p *post) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == "nobody@example.com" {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	p.to = to
	return nil
}

func (p *post) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	p.postbox.mu.Lock()
	defer p.postbox.mu.Unlock()
	p.postbox.messages = append(p.postbox.messages, p.to+"\n"+string(text))
	return err
}

func (p *post) Reset() {}

func (p *post) Logout() error { return nil }

// newPostbox starts a mail server, with TLS where there is a certificate.
func newPostbox(t *testing.T, cert, key string) (p *postbox, address string) {
	t.Helper()
	p = &postbox{}
	s := smtp.NewServer(p)
	s.Domain = "mail.example.com"
	s.ErrorLog = silent{}
	if cert != "" {
		var err error
		if s.TLSConfig, err = server.TLS(cert, key); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return p, listener.Addr().String()
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func (p *postbox) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.messages) == 0 {
		return ""
	}
	return p.messages[len(p.messages)-1]
}

func TestMailTestSendsOneMessage(t *testing.T) {
	t.Parallel()
	p, address := newPostbox(t, "", "")
	environ := map[string]string{"HITHER_SMTP": address, "HITHER_SMTP_TLS": "none", "HITHER_MAIL_FROM": "Example <mail@example.com>"}
	code, out, messages := call(t.Context(), environ, "mail", "test", "Ada@Example.com", "--locale=de")
	if code != exitOK || !strings.HasPrefix(out, "sent to ada@example.com as <") || messages != "" {
		t.Fatalf("got exit code %d, %q, %q", code, out, messages)
	}
	got := p.last()
	for _, want := range []string{"ada@example.com\n", "\r\nTo: ada@example.com\r\n", `From: "Example" <mail@example.com>`, "Subject: Ein Test von Example\r\n", "Es funktioniert"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
	_, id, _ := strings.Cut(strings.TrimSpace(out), " as ")
	if !strings.Contains(got, "\r\nMessage-ID: "+id+"\r\n") {
		t.Errorf("got %s, want the id %s that was printed", got, id)
	}
	code, _, messages = call(t.Context(), environ, "mail", "test", "nobody@example.com")
	if code != exitFailure || !strings.Contains(messages, "it was not sent: 550 5.1.1 no such mailbox") {
		t.Errorf("a refusal: got exit code %d, %q", code, messages)
	}
}

func TestMailTestSignsIn(t *testing.T) {
	t.Parallel()
	cert, key := certified(t, -1e9, 3600e9)
	p, address := newPostbox(t, cert, key)
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"mail", "test", "ada@example.com", "--smtp", address, "--smtp-user=hither", "--smtp-ca", cert, "--mail-from=mail@example.com"}
	for name, test := range map[string]struct {
		environ map[string]string
		more    []string
		code    int
		message string
	}{
		"variable":       {map[string]string{"HITHER_SMTP_PASSWORD": "correct horse"}, nil, exitOK, ""},
		"file":           {nil, []string{"--smtp-password-file", file("good", "correct horse\r\n")}, exitOK, ""},
		"wrong":          {map[string]string{"HITHER_SMTP_PASSWORD": "wrong battery"}, nil, exitFailure, "535 signing in"},
		"empty file":     {nil, []string{"--smtp-password-file", file("empty", "\nx")}, exitFailure, "--smtp-password-file: the first line of"},
		"no file":        {nil, []string{"--smtp-password-file", filepath.Join(folder, "none")}, exitFailure, "--smtp-password-file: read the secret"},
		"none":           {nil, nil, exitUsage, "--smtp-user needs a password: HITHER_SMTP_PASSWORD"},
		"both":           {map[string]string{"HITHER_SMTP_PASSWORD": "x"}, []string{"--smtp-password-file=x"}, exitUsage, "can't be used together"},
		"on the line":    {nil, []string{"--smtp-password=correct horse"}, exitUsage, "other users of this machine can see command lines"},
		"unverified":     {map[string]string{"HITHER_SMTP_PASSWORD": "correct horse", "HITHER_SMTP_CA": ""}, []string{"--smtp-ca", otherCertificate(t)}, exitFailure, "its certificate is not to be trusted"},
		"no certificate": {map[string]string{"HITHER_SMTP_PASSWORD": "correct horse"}, []string{"--smtp-ca", file("none.pem", "x")}, exitFailure, "there is no certificate in it"},
		"in the clear":   {map[string]string{"HITHER_SMTP_PASSWORD": "correct horse"}, []string{"--smtp-tls=none"}, exitUsage, "a password is sent to no mail server without TLS"},
	} {
		code, out, messages := call(t.Context(), test.environ, append(args, test.more...)...)
		if code != test.code || !strings.Contains(messages, test.message) || (code == exitOK) != strings.HasPrefix(out, "sent to") {
			t.Errorf("%s: got exit code %d, %q, %q, want %d and %q", name, code, out, messages, test.code, test.message)
		}
		if strings.Contains(out+messages, "horse") || strings.Contains(out+messages, "battery") {
			t.Errorf("%s: the password is told: %q, %q", name, out, messages)
		}
	}
	if p.last() == "" {
		t.Error("nothing arrived")
	}
}

func otherCertificate(t *testing.T) string {
	t.Helper()
	cert, _ := certified(t, -1e9, 3600e9)
	return cert
}

func TestMailSettingsAreExplained(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		env  map[string]string
		code int
		want []string
	}{
		{nil, nil, exitUsage, []string{"--smtp HOST:PORT", "HITHER_SMTP"}},
		{[]string{"--mail=none"}, nil, exitUsage, []string{"--smtp HOST:PORT"}},
		{[]string{"--mail=pigeon"}, nil, exitUsage, []string{"--mail pigeon", "smtp, file, log and none", "HITHER_MAIL"}},
		{[]string{"--mail=smtp"}, nil, exitUsage, []string{"--mail smtp needs --smtp", "HITHER_SMTP"}},
		{[]string{"--mail=file", "--mail-from=a@example.com"}, nil, exitUsage, []string{"--mail-dir", "HITHER_MAIL_DIR"}},
		{[]string{"--mail=file", "--mail-dir=no-such", "--mail-from=a@example.com"}, nil, exitFailure, []string{"--mail-dir", "no-such"}},
		{[]string{"--mail=log"}, map[string]string{"HITHER_SMTP": "127.0.0.1:25"}, exitUsage, []string{"--smtp goes with --mail smtp", "HITHER_SMTP"}},
		{[]string{"--smtp=127.0.0.1:25"}, nil, exitUsage, []string{"--mail-from", "HITHER_MAIL_FROM"}},
		{[]string{"--smtp=127.0.0.1:25", "--mail-from=nobody"}, nil, exitUsage, []string{"--mail-from nobody", "Name <name@domain>", "HITHER_MAIL_FROM"}},
		{[]string{"--smtp=127.0.0.1:25", "--mail-from=a@example.com", "--mail-bounce=x"}, nil, exitUsage, []string{"--mail-bounce x", "name@domain"}},
		{[]string{"--smtp=mail.example.com", "--mail-from=a@example.com"}, nil, exitUsage, []string{"--smtp", "HOST:PORT", "mail.example.com:587"}},
		{[]string{"--smtp=mail.example.com:25", "--smtp-tls=none", "--mail-from=a@example.com"}, nil, exitUsage, []string{"--smtp-tls", "on this machine"}},
		{[]string{"--smtp=127.0.0.1:25", "--smtp-tls=tls", "--mail-from=a@example.com"}, nil, exitUsage, []string{"starttls, implicit and none"}},
		{[]string{"--smtp=127.0.0.1:25", "--mail-from=a@example.com", "--smtp-ca=no-such.pem"}, nil, exitFailure, []string{"--smtp-ca", "no-such.pem"}},
		{[]string{"--smtp=127.0.0.1:25", "--mail-from=a@example.com", "--mail-templates=no-such"}, nil, exitFailure, []string{"--mail-templates no-such"}},
		{[]string{"--smtp=127.0.0.1:25", "--mail-from=a@example.com"}, map[string]string{"HITHER_SMTP_PASSWORD": "x"}, exitUsage, []string{"--smtp-user", "HITHER_SMTP_USER"}},
	} {
		code, out, messages := call(t.Context(), test.env, append([]string{"mail", "test", "ada@example.com"}, test.args...)...)
		if code != test.code || out != "" {
			t.Errorf("%q: got exit code %d and %q, want %d", test.args, code, out, test.code)
		}
		for _, want := range test.want {
			if !strings.Contains(messages, want) {
				t.Errorf("%q: got %q, want %q in it", test.args, messages, want)
			}
		}
	}
	if code, _, messages := call(t.Context(), nil, "mail", "test", "nobody"); code != exitUsage || !strings.Contains(messages, "name@domain") {
		t.Errorf("no address: got exit code %d, %q", code, messages)
	}
}

func TestMailGoesIntoAFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	code, _, messages := call(t.Context(), nil, "mail", "test", "ada@example.com", "--mail=file", "--mail-dir", folder, "--mail-from=mail@example.com")
	files, err := filepath.Glob(filepath.Join(folder, "*.eml"))
	if code != exitOK || err != nil || len(files) != 1 {
		t.Errorf("got exit code %d, %q, files %q", code, messages, files)
	}
	code, _, messages = call(t.Context(), nil, "mail", "test", "ada@example.com", "--mail=log", "--mail-from=mail@example.com")
	if code != exitOK || !strings.Contains(messages, "who reads it can accept invitations") || !strings.Contains(messages, "It works") {
		t.Errorf("into the log: got exit code %d, %q", code, messages)
	}
}

func TestMailPreviewWritesEveryMessage(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "preview")
	code, out, messages := call(t.Context(), map[string]string{"HITHER_MAIL_FROM": "Example <mail@example.com>"}, "mail", "preview", folder)
	if code != exitOK || strings.TrimSpace(out) != filepath.Join(folder, "index.html") {
		t.Fatalf("got exit code %d, %q, %q", code, out, messages)
	}
	index, err := os.ReadFile(filepath.Join(folder, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range []string{"en", "de"} {
		for _, letter := range []string{"invitation", "reminder", "expired", "accepted", "link-asked", "sign-in", "address-change", "notice-key-rotated", "test"} {
			for _, suffix := range []string{".html", ".txt", ".eml"} {
				name := locale + "/" + letter + suffix
				text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
				if err != nil || !strings.Contains(string(text), "Example") || !strings.Contains(string(index), name) {
					t.Errorf("%s: got %v, %s, want it, and on the index", name, err, text)
				}
			}
		}
	}
	only := filepath.Join(t.TempDir(), "preview")
	if code, _, messages := call(t.Context(), nil, "mail", "preview", only, "--locale=de"); code != exitOK {
		t.Errorf("one language: got exit code %d, %q", code, messages)
	}
	entries, err := os.ReadDir(only)
	if err != nil || len(entries) != 2 {
		t.Errorf("one language: got %v, %v, want it and the index", entries, err)
	}
	if code, _, messages := call(t.Context(), nil, "mail", "preview", only, "--locale=xx"); code != exitFailure || !strings.Contains(messages, "de, en") {
		t.Errorf("no such language: got exit code %d, %q", code, messages)
	}
}
