package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"hither/internal/mail"
)

// mailSettings say how mail leaves and from whom. The mail server is the
// operator's to name and nobody else's: nothing on the wire sets it (KF-91).
type mailSettings struct {
	Mail             string       `env:"HITHER_MAIL" help:"How mail leaves: smtp (by the server of --smtp), file (into the folder of --mail-dir), log (for developing: the log then opens doors) or none (who invites is shown the link). Unless given, smtp where --smtp is, else none." placeholder:"HOW"`
	MailFrom         string       `env:"HITHER_MAIL_FROM" help:"Who mail is from, as readers see it; the name is the instance's in all messages." placeholder:"NAME <ADDRESS>"`
	MailBounce       string       `env:"HITHER_MAIL_BOUNCE" help:"Where mail that cannot be delivered is returned to, unless to --mail-from." placeholder:"ADDRESS"`
	MailTemplates    string       `env:"HITHER_MAIL_TEMPLATES" help:"A folder that replaces templates of messages, or adds a language. It is checked as a whole at the start." placeholder:"DIR"`
	MailDir          string       `env:"HITHER_MAIL_DIR" help:"The folder for --mail file: one .eml for each message." placeholder:"DIR"`
	SMTP             string       `env:"HITHER_SMTP" help:"The mail server." name:"smtp" placeholder:"HOST:PORT"`
	SMTPTLS          string       `default:"starttls" env:"HITHER_SMTP_TLS" help:"How that connection is secured: starttls, implicit (as on port 465), or none, which only a server on this machine may be." name:"smtp-tls" placeholder:"HOW"`
	SMTPCA           string       `env:"HITHER_SMTP_CA" help:"Believe the certificates of this file, in PEM, about the mail server, instead of those of the machine." name:"smtp-ca" placeholder:"FILE"`
	SMTPUser         string       `env:"HITHER_SMTP_USER" help:"Sign in to the mail server under this name. The password is in the variable HITHER_SMTP_PASSWORD, or in the file of --smtp-password-file." name:"smtp-user" placeholder:"NAME"`
	SMTPPassword     variableOnly `env:"HITHER_SMTP_PASSWORD" help:"The password for --smtp-user." hidden:"" name:"smtp-password"`
	SMTPPasswordFile string       `env:"HITHER_SMTP_PASSWORD_FILE" help:"A file whose first line is the password for --smtp-user." name:"smtp-password-file" placeholder:"FILE"`
}

// variableOnly is a secret of the environment. Kong knows no setting that is
// not a flag too.
type variableOnly string

// BeforeResolve runs only where the flag was given.
func (variableOnly) BeforeResolve() error {
	return errors.New("--smtp-password: other users of this machine can see command lines; put the password in the variable HITHER_SMTP_PASSWORD, or name its file: --smtp-password-file FILE")
}

// The ways of --mail.
const (
	mailSMTP = "smtp"
	mailFile = "file"
	mailLog  = "log"
	mailNone = "none"
)

// way is how mail leaves.
func (m *mailSettings) way() string {
	switch {
	case m.Mail != "":
		return m.Mail
	case m.SMTP != "":
		return mailSMTP
	default:
		return mailNone
	}
}

// check looks whether the settings fit together.
func (m *mailSettings) check() error {
	switch way := m.way(); {
	case way != mailSMTP && way != mailFile && way != mailLog && way != mailNone:
		return usageError{fmt.Sprintf("--mail %s: it is none of smtp, file, log and none (HITHER_MAIL)", way)}
	case way == mailSMTP && m.SMTP == "":
		return usageError{"--mail smtp needs --smtp HOST:PORT (HITHER_SMTP): the mail server"}
	case way != mailSMTP && way != mailNone && m.SMTP != "":
		return usageError{fmt.Sprintf("--smtp goes with --mail smtp, not with --mail %s (HITHER_SMTP and HITHER_MAIL count too)", way)}
	case way == mailFile && m.MailDir == "":
		return usageError{"--mail file needs --mail-dir DIR (HITHER_MAIL_DIR): the folder for the messages"}
	case way != mailNone && m.MailFrom == "":
		return usageError{fmt.Sprintf(`--mail %s needs --mail-from "NAME <ADDRESS>" (HITHER_MAIL_FROM): who mail is from`, way)}
	case m.SMTPUser == "" && (m.SMTPPassword != "" || m.SMTPPasswordFile != ""):
		return usageError{"a password for the mail server needs --smtp-user NAME (HITHER_SMTP_USER)"}
	case m.SMTPUser != "" && m.SMTPPassword == "" && m.SMTPPasswordFile == "":
		return usageError{"--smtp-user needs a password: HITHER_SMTP_PASSWORD, or its file by --smtp-password-file (HITHER_SMTP_PASSWORD_FILE)"}
	case m.SMTPPassword != "" && m.SMTPPasswordFile != "":
		return usageError{"HITHER_SMTP_PASSWORD and --smtp-password-file (HITHER_SMTP_PASSWORD_FILE) can't be used together: each is it"}
	}
	if _, err := m.from(); err != nil {
		return err
	}
	_, err := m.bounce()
	return err
}

// from is who mail is from. Without the setting, which only `hither mail
// preview` does without, it is nobody in particular.
func (m *mailSettings) from() (mail.Address, error) {
	if m.MailFrom == "" {
		return mail.Address{Name: "hither", Email: "hither@example.com"}, nil
	}
	address, err := mail.ParseAddress(m.MailFrom)
	if err != nil {
		return mail.Address{}, usageError{fmt.Sprintf("--mail-from %s: %v (HITHER_MAIL_FROM)", m.MailFrom, err)}
	}
	return address, nil
}

// bounce is where mail is returned to, empty for from.
func (m *mailSettings) bounce() (string, error) {
	if m.MailBounce == "" {
		return "", nil
	}
	address, err := mail.ParseAddress(m.MailBounce)
	if err != nil || address.Name != "" {
		return "", usageError{fmt.Sprintf("--mail-bounce %s: must be an address of the form name@domain (HITHER_MAIL_BOUNCE)", m.MailBounce)}
	}
	return address.Email, nil
}

// composer writes messages whose links are below base.
func (m *mailSettings) composer(base string) (*mail.Composer, error) {
	from, err := m.from()
	if err != nil {
		return nil, err
	}
	composer, err := mail.New(mail.Options{Base: base, Name: from.Name, Templates: m.MailTemplates})
	if err != nil && m.MailTemplates != "" {
		err = fmt.Errorf("--mail-templates %s: %w", m.MailTemplates, err)
	}
	return composer, err
}

// sender is how mail leaves. The caller closes it.
func (m *mailSettings) sender(logger *slog.Logger) (mail.Sender, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	switch m.way() {
	case mailSMTP:
		return m.smtp()
	case mailFile:
		folder, err := mail.NewFolder(m.MailDir)
		if err != nil {
			return nil, fmt.Errorf("--mail-dir: %w", err)
		}
		return folder, nil
	case mailLog:
		return mail.NewLog(logger), nil
	default:
		return mail.None{}, nil
	}
}

// smtp is the sender by a mail server.
func (m *mailSettings) smtp() (*mail.SMTP, error) {
	from, err := m.from()
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Email, "@")
	options := mail.SMTPOptions{
		Address: m.SMTP, TLS: mail.TLSMode(m.SMTPTLS), User: m.SMTPUser, Password: string(m.SMTPPassword), Hello: domain,
	}
	if m.SMTPPasswordFile != "" {
		if options.Password, err = firstLine(m.SMTPPasswordFile); err != nil {
			return nil, fmt.Errorf("--smtp-password-file: %w", err)
		}
	}
	if m.SMTPCA != "" {
		pem, err := os.ReadFile(m.SMTPCA)
		if err != nil {
			return nil, fmt.Errorf("--smtp-ca: %w", err)
		}
		options.Roots = x509.NewCertPool()
		if !options.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--smtp-ca %s: there is no certificate in it; it must be PEM", m.SMTPCA)
		}
	}
	sender, err := mail.NewSMTP(options)
	if err != nil {
		return nil, usageError{fmt.Sprintf("--smtp, --smtp-tls: %v", err)}
	}
	return sender, nil
}

// firstLine reads a secret's file, which editors end with a line break.
func firstLine(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	defer func() { _ = file.Close() }()
	const most = 4096
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("the first line of %s is empty", path)
	}
	return line, nil
}
