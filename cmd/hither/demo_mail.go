package main

import (
	"encoding/hex"
	"hash/fnv"
	"net/netip"
	"time"

	"hither/internal/console"
	"hither/internal/iam"
	"hither/internal/mail"
	"hither/internal/seal"
	"hither/internal/server"
)

// demoMail is what the demo delivers to: a mailbox with a page instead of
// people. Its links are made with keys that end with it.
type demoMail struct {
	box  *mail.Box
	ring seal.Keyring
	base string
	key  string // opens the mailbox, "" where only this machine can reach it
}

func newDemoMail(base, key string, now func() time.Time) *demoMail {
	return &demoMail{box: mail.NewBox(now), ring: seal.NewKeyring(now()), base: base, key: key}
}

// Letters implements console.Mailbox. Message-IDs hold characters that a path
// has no use for.
func (d *demoMail) Letters() []console.Letter {
	var letters []console.Letter
	for _, m := range d.box.Messages() {
		name := fnv.New64a()
		_, _ = name.Write([]byte(m.ID))
		letters = append(letters, console.Letter{
			ID: hex.EncodeToString(name.Sum(nil)), To: m.To, Subject: m.Subject, Text: m.Text, Sent: m.Sent,
		})
	}
	return letters
}

// Key implements console.Mailbox.
func (d *demoMail) Key() string { return d.key }

func (d *demoMail) keys() seal.Keyring { return d.ring }

// service is what the use cases have to know of it.
func (d *demoMail) service(service *iam.Service) *iam.Service {
	return service.
		WithMailing(iam.Mailing{Enabled: true, ReminderLead: iam.DefaultReminderLead}).
		WithSignIn(signIn(d.keys)).
		WithWebhooks(webhooks(d.webhookPolicy(), d.keys))
}

// webhookPolicy lets a demo that only this machine can reach send events to this
// machine, where whoever tries webhooks has a receiver.
func (d *demoMail) webhookPolicy() iam.WebhookPolicy {
	if d.key != "" {
		return iam.WebhookPolicy{Own: ownNames(d.base)}
	}
	return iam.WebhookPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

// pages are the demo's, its mailbox among them.
func (d *demoMail) pages() (*console.Options, error) {
	options, err := pagesAt(d.base, d.keys, nil)
	if err != nil {
		return nil, err
	}
	options.Mailbox = d
	return options, nil
}

func (d *demoMail) courier(o server.Options) (*mail.Courier, error) {
	from := mail.Address{Name: "hither demo", Email: "demo@hither.example"}
	composer, err := mail.New(mail.Options{Base: d.base, Name: from.Name})
	if err != nil {
		return nil, err
	}
	return &mail.Courier{
		Composer: composer, Sender: d.box, Links: links{base: d.base, keys: d.keys}, From: from, Logger: o.Logger, Now: o.Now,
	}, nil
}
