package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"hither/internal/iam"
	"hither/internal/seal"
	"hither/internal/server"
	"hither/internal/webhook"
)

// webhookSettings say where events may be sent, and how long is kept what became of
// them.
type webhookSettings struct {
	WebhookAllow     []string      `env:"HITHER_WEBHOOK_ALLOW" help:"Networks that webhooks may lead to although they are not public, as CIDR or single addresses, also by http. Whoever manages an account can have requests sent there. Unless given, webhooks lead to public addresses, by https." placeholder:"CIDR"`
	WebhookRetention time.Duration `default:"720h" env:"HITHER_WEBHOOK_RETENTION" help:"How long it is kept what was sent to webhooks and what became of it, 96h at least; 0s is for ever." placeholder:"TIME"`
}

func (w *webhookSettings) check() error {
	if keep := w.WebhookRetention; keep < 0 || keep > 0 && keep < iam.MinWebhookRetention {
		return errors.New("--webhook-retention must be 96h at least, for example 720h, or 0s for ever (HITHER_WEBHOOK_RETENTION)")
	}
	_, err := w.allowed()
	return err
}

// allowed are the networks of --webhook-allow.
func (w *webhookSettings) allowed() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range w.WebhookAllow {
		network, err := readNetwork(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("--webhook-allow: %w (HITHER_WEBHOOK_ALLOW)", err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func readNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is neither a network, such as 10.0.0.0/8, nor an address", text)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%s names an address within a network; the network is %s", text, prefix.Masked())
	}
	return prefix, nil
}

// policy says where events may be sent; base is where this instance is reached.
func (w *webhookSettings) policy(base string) (iam.WebhookPolicy, error) {
	networks, err := w.allowed()
	return iam.WebhookPolicy{Allow: networks, Own: ownNames(base)}, err
}

// ownNames are the host of a base URL, where there is one.
func ownNames(base string) []string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	return []string{strings.ToLower(u.Hostname())}
}

// webhooks are what the use cases have to know of them.
func webhooks(policy iam.WebhookPolicy, keys func() seal.Keyring) iam.Webhooks {
	return iam.Webhooks{Secrets: secrets{keys}, Policy: policy}
}

// SealWebhook implements iam.WebhookSecrets.
func (s secrets) SealWebhook(accountID, id iam.ID, secret []byte) []byte {
	return s.keys().Seal("webhooks", webhookRow(accountID, id), secret)
}

// OpenWebhook implements iam.WebhookSecrets.
func (s secrets) OpenWebhook(accountID, id iam.ID, sealed []byte) ([]byte, error) {
	return s.keys().Open("webhooks", webhookRow(accountID, id), sealed)
}

// webhookRow is what a secret is bound to: whose it is too, so that nobody who writes
// to the database has another account's events signed by it.
func webhookRow(accountID, id iam.ID) string { return string(accountID) + " " + string(id) }

// sendingEvents is what sends events beside a server. Closing it finishes what is in
// hand.
type sendingEvents struct {
	stop    context.CancelFunc
	stopped chan struct{}
	worker  *webhook.Worker
}

// sendEvents starts to send events to webhooks, until the context ends or it is
// closed.
func sendEvents(ctx context.Context, db opened, policy iam.WebhookPolicy, o server.Options) *sendingEvents {
	sender := webhook.NewSender(webhook.SenderOptions{Policy: policy, Agent: "hither/" + buildInfo().Version, Now: db.now})
	worker := webhook.New(webhook.Options{
		Source: db.service, Send: sender.Send, Body: server.WebhookBody, Logger: o.Logger, Now: db.now, Grace: o.ShutdownTimeout,
	})
	o.Metrics.WatchWebhooks(db.service.WebhookBacklog, worker.Stats, db.now)
	ctx, stop := context.WithCancel(ctx)
	started := &sendingEvents{stop: stop, stopped: make(chan struct{}), worker: worker}
	go func() {
		defer close(started.stopped)
		defer sender.Close()
		worker.Run(ctx)
	}()
	return started
}

// Close implements io.Closer.
func (s *sendingEvents) Close() error {
	s.stop()
	<-s.stopped
	return nil
}
