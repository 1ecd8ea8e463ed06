package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
	"hither/internal/mail"
	"hither/internal/outbox"
	"hither/internal/seal"
	"hither/internal/server"
)

// deliverySettings say what is delivered, and how.
type deliverySettings struct {
	baseSetting
	mailSettings
	budgetSettings
	MailReportTokenFile string        `env:"HITHER_MAIL_REPORT_TOKEN_FILE" help:"A file whose first line is the token of who reports mails that came back or were complained of (POST /mail/reports): 32 to 128 of 0-9 A-Z a-z _ -, and good for nothing else. Without it nobody can." placeholder:"FILE"`
	DeliveryRetention   time.Duration `default:"2160h" env:"HITHER_DELIVERY_RETENTION" help:"How long messages are kept on record after they were sent or given up, 24h at least; 0s is for ever." placeholder:"TIME"`
}

// minDeliveryRetention is long enough to look why something did not arrive.
const minDeliveryRetention = 24 * time.Hour

// sends says whether this instance delivers anything by itself.
func (d *deliverySettings) sends() bool { return d.way() != mailNone }

func (d *deliverySettings) check() error {
	base, err := d.base()
	if err == nil && base == "" && d.sends() {
		err = usageError{"mail needs --base-url URL (HITHER_BASE_URL): where people reach this instance, for the links in messages"}
	}
	if keep := d.DeliveryRetention; keep < 0 || keep > 0 && keep < minDeliveryRetention {
		err = errors.Join(err, usageError{
			"--delivery-retention must be 24h at least, for example 2160h, or 0s for ever (HITHER_DELIVERY_RETENTION)",
		})
	}
	_, unread := d.reportToken()
	return errors.Join(err, unread, d.mailSettings.check(), d.budgetSettings.check())
}

// reportToken is the secret of who reports what became of mail, "" where nobody does.
func (d *deliverySettings) reportToken() (string, error) {
	if d.MailReportTokenFile == "" {
		return "", nil
	}
	token, err := firstLine(d.MailReportTokenFile)
	if err == nil && !iam.WellFormedSecret(token) {
		err = errors.New("the first line must be 32 to 128 of 0-9 A-Z a-z _ -, for example of `openssl rand -hex 32`")
	}
	if err != nil {
		return "", fmt.Errorf("--mail-report-token-file: %w (HITHER_MAIL_REPORT_TOKEN_FILE)", err)
	}
	return token, nil
}

// mailing is what the use cases have to know of it.
func (d *deliverySettings) mailing() iam.Mailing {
	return iam.Mailing{
		Enabled: d.sends(), ReminderLead: iam.DefaultReminderLead, Budgets: d.budgets(),
		DeliveryRetention: d.DeliveryRetention,
	}
}

// delivering is what delivers beside a server. Closing it finishes what is in
// hand.
type delivering struct {
	stop    context.CancelFunc
	stopped chan struct{}
	sender  mail.Sender
	worker  *outbox.Worker // nil where nothing is sent
}

// deliver starts to deliver, where this instance sends anything, until the
// context ends or it is closed.
func (d *deliverySettings) deliver(ctx context.Context, db opened, keys func() seal.Keyring, o server.Options) (*delivering, error) {
	none := &delivering{stop: func() {}, stopped: make(chan struct{}), sender: mail.None{}}
	close(none.stopped)
	if !d.sends() {
		return none, nil
	}
	courier, err := d.courier(keys, o)
	if err != nil {
		return none, err
	}
	return startDelivering(ctx, db, courier, o), nil
}

// startDelivering has a courier deliver what is queued, until the context ends
// or it is closed.
func startDelivering(ctx context.Context, db opened, courier *mail.Courier, o server.Options) *delivering {
	kinds := map[iam.DeliveryKind]outbox.Deliver{}
	for _, kind := range courier.Kinds() {
		kinds[kind] = courier.Deliver
	}
	worker := outbox.New(outbox.Options{
		Source: db.service, Kinds: kinds, Queued: db.store.Queued(), Logger: o.Logger, Now: db.now, Grace: o.ShutdownTimeout,
	})
	o.Metrics.WatchOutbox(db.service.Outbox, worker.Stats, db.now)
	ctx, stop := context.WithCancel(ctx)
	started := &delivering{stop: stop, stopped: make(chan struct{}), sender: courier.Sender, worker: worker}
	go func() {
		defer close(started.stopped)
		worker.Run(ctx)
	}()
	return started
}

// courier writes messages and hands them to the sender.
func (d *deliverySettings) courier(keys func() seal.Keyring, o server.Options) (*mail.Courier, error) {
	base, err := d.base()
	if err != nil {
		return nil, err
	}
	composer, err := d.composer(base)
	if err != nil {
		return nil, err
	}
	from, err := d.from()
	if err != nil {
		return nil, err
	}
	bounce, err := d.bounce()
	if err != nil {
		return nil, err
	}
	sender, err := d.sender(o.Logger)
	if err != nil {
		return nil, err
	}
	return &mail.Courier{
		Composer: composer, Sender: sender, Links: links{base: base, keys: keys}, From: from, Bounce: bounce, Logger: o.Logger,
		Now: o.Now,
	}, nil
}

// Close implements io.Closer.
func (d *delivering) Close() error {
	d.stop()
	<-d.stopped
	return d.sender.Close()
}
