package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"hither/internal/mail"
)

// mail looks whether mail could leave: it does all that goes before a message,
// and sends none.
func (d *doctor) mail(ctx context.Context) {
	const check = "mail"
	settings := &d.settings.mailSettings
	if settings.MailTemplates != "" {
		if _, err := settings.composer(""); err != nil {
			d.failf("templates", "correct the file, or leave it out; `hither mail preview` shows what they make", "%v", err)
		} else {
			d.okf("templates", "those of --mail-templates %s work", settings.MailTemplates)
		}
	}
	if _, err := settings.sender(slog.New(slog.DiscardHandler)); err != nil {
		d.failf(check, "correct the setting that it names; `hither mail test --help` lists them", "%v", err)
		return
	}
	switch settings.way() {
	case mailNone:
		d.okf(check, "none is sent; who invites is shown the link")
	case mailLog:
		d.warnf(check, "give --smtp where others can read the log", "messages go to the log, links and codes included")
	case mailFile:
		d.okf(check, "messages go to the folder %s", settings.MailDir)
	default:
		d.mailServer(ctx)
	}
}

// probeTimeout is how long the mail server may take, which a person waits for.
const probeTimeout = 20 * time.Second

// mailServer connects as for a message.
func (d *doctor) mailServer(ctx context.Context) {
	const check = "mail"
	settings := &d.settings.mailSettings
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	server, err := settings.smtp()
	if err == nil {
		err = server.Probe(ctx)
	}
	if err != nil {
		d.failf(check, "look at --smtp, --smtp-tls, --smtp-ca and --smtp-user, and at what stands between",
			"%s: %v", settings.SMTP, err)
		return
	}
	how := fmt.Sprintf("TLS (%s), its certificate is good", settings.SMTPTLS)
	if settings.SMTPTLS == string(mail.NoTLS) {
		how = "no TLS, on this machine"
	}
	if settings.SMTPUser != "" {
		how += ", it lets us in"
	}
	d.okf(check, "%s answers: %s", settings.SMTP, how)
}
