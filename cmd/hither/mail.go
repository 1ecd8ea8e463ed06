package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/mail"
)

// mailCommands are `hither mail …`.
type mailCommands struct {
	Preview mailPreviewCommand `cmd:"" help:"Write every message in every language to files, with sample data."`
	Test    mailTestCommand    `cmd:"" help:"Send one test message."`
}

type mailPreviewCommand struct {
	Dir           string `arg:"" help:"Where the files go. The folder is made if there is none."`
	Locale        string `help:"Only this language, by its tag." placeholder:"TAG"`
	MailFrom      string `env:"HITHER_MAIL_FROM" help:"Who mail is from." placeholder:"NAME <ADDRESS>"`
	MailTemplates string `env:"HITHER_MAIL_TEMPLATES" help:"A folder that replaces templates of messages, or adds a language." placeholder:"DIR"`
}

// Run writes the files and an index of them.
func (c *mailPreviewCommand) Run(s streams) error {
	settings := mailSettings{MailFrom: c.MailFrom, MailTemplates: c.MailTemplates}
	from, err := settings.from()
	if err != nil {
		return err
	}
	const base = "https://hither.example.com"
	composer, err := settings.composer(base)
	if err != nil {
		return err
	}
	index, err := composer.Preview(c.Dir, c.Locale, base, from)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", index)
	return wrote(err)
}

type mailTestCommand struct {
	mailSettings
	Address string `arg:"" help:"Who gets it."`
	Locale  string `default:"en" help:"In which language, by its tag." placeholder:"TAG"`
}

// Run sends the message by the way that all others take.
func (c *mailTestCommand) Run(ctx context.Context, s streams) (err error) {
	to, err := iam.CanonicalEmail(c.Address)
	if err != nil {
		return usageError{fmt.Sprintf("%s: %v", c.Address, err)}
	}
	sender, err := c.sender(slog.New(slog.NewTextHandler(s.err, nil)))
	if err != nil {
		return err
	}
	defer closing(&err, sender)
	message, err := c.message(to)
	if err != nil {
		return err
	}
	switch err := sender.Send(ctx, message); {
	case errors.Is(err, mail.ErrNotSent):
		return usageError{"there is no way for mail to leave; give --smtp HOST:PORT (HITHER_SMTP), or --mail file or log (HITHER_MAIL)"}
	case err != nil:
		return fmt.Errorf("it was not sent: %w", err)
	}
	_, err = fmt.Fprintf(s.out, "sent to %s as <%s>\n", to, message.ID)
	return wrote(err)
}

// message is the test message.
func (c *mailTestCommand) message(to string) (mail.Message, error) {
	from, err := c.from()
	if err != nil {
		return mail.Message{}, err
	}
	bounce, err := c.bounce()
	if err != nil {
		return mail.Message{}, err
	}
	composer, err := c.composer("")
	if err != nil {
		return mail.Message{}, err
	}
	now := clock.Now()
	content, err := composer.Compose(c.Locale, mail.Test{Sent: now})
	if err != nil {
		return mail.Message{}, err
	}
	return mail.Build(mail.Envelope{ID: id.NewSource(clock.Now).New(), From: from, Bounce: bounce, To: to, Date: now}, content)
}
