package main

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"hither/internal/iam"
	"hither/internal/store"
)

// addressBook asks for the addresses of a name; net.Resolver is one.
type addressBook interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// longOverdue is how late events may be: nodes that serve look once a second, and
	// what somebody has in hand is due again within a minute.
	longOverdue = 10 * time.Minute
	// maxNames is how many names are looked up, and maxBarred how many webhooks are
	// named that nothing is sent to.
	maxNames  = 100
	maxBarred = 10
)

// webhooks looks at where accounts have their events sent. What a receiver does is its
// account's matter; that nothing leaves, or that it may not, is the operator's.
func (d *doctor) webhooks(ctx context.Context, facts store.Inspection, names addressBook) {
	const check = "webhooks"
	policy, err := d.settings.policy(d.settings.BaseURL)
	if err != nil {
		d.failf(check, "correct the setting", "%v", err)
		return
	}
	hooks := facts.Webhooks
	if hooks.On+hooks.Off == 0 {
		return
	}
	off := ""
	if hooks.Off > 0 {
		off = fmt.Sprintf("; turned off by themselves: %d", hooks.Off)
	}
	switch {
	case hooks.Failing > 0:
		d.warnf(check, "their accounts see the attempts, the server's log has the causes; where it is all of them, look at the way out",
			"%d on, of which %d took nothing when they were tried last, the first of them since %s%s",
			hooks.On, hooks.Failing, show(hooks.FailingSince), off)
	default:
		d.okf(check, "%d on%s", hooks.On, off)
	}
	if !hooks.DueSince.IsZero() && d.now.Sub(hooks.DueSince) > longOverdue {
		d.warnf(check, "start a server, or look at its log: somebody has to send them",
			"events have been due since %s, and nobody tried to send them", show(hooks.DueSince))
	}
	barred := d.barred(ctx, policy, hooks.List, names)
	for i, one := range barred {
		if i == maxBarred {
			d.warnf(check, "as above", "nothing is sent to %d more", len(barred)-maxBarred)
			break
		}
		d.warnf(check, "open the network with --webhook-allow, if it is yours to open; else its account has to give it another URL",
			"nothing is sent to %s of account %s: %s", one.ID, one.AccountID, one.why)
	}
}

// barredWebhook is one that is on though nothing may be sent to it.
type barredWebhook struct {
	iam.Webhook
	why string
}

// barred are those that the settings keep from being sent to: by their URL, or by
// where its name leads to just now. A name that cannot be looked up here is none.
func (d *doctor) barred(ctx context.Context, policy iam.WebhookPolicy, hooks []iam.Webhook, names addressBook) []barredWebhook {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var (
		asking sync.WaitGroup
		found  = make([][]netip.Addr, len(hooks)) // by the webhook that first has the name
		first  = map[string]int{}
		why    = make([]string, len(hooks))
		urls   = make([]*url.URL, len(hooks))
	)
	for i, hook := range hooks {
		u, err := url.Parse(hook.URL)
		if err == nil {
			_, err = policy.CheckURL("", hook.URL)
		}
		if err != nil {
			why[i] = fmt.Sprintf("its URL %v", err)
			continue
		}
		urls[i] = u
		if _, asked := first[u.Hostname()]; asked || len(first) == maxNames {
			continue
		}
		first[u.Hostname()] = i
		asking.Go(func() { found[i], _ = names.LookupNetIP(ctx, "ip", u.Hostname()) })
	}
	asking.Wait()
	var barred []barredWebhook
	for i, hook := range hooks {
		if u := urls[i]; u != nil {
			if at, asked := first[u.Hostname()]; asked {
				why[i] = refused(policy, u, found[at])
			}
		}
		if why[i] != "" {
			barred = append(barred, barredWebhook{hook, why[i]})
		}
	}
	return barred
}

// refused says which of the addresses of a URL's name nothing is sent to.
func refused(policy iam.WebhookPolicy, u *url.URL, addrs []netip.Addr) string {
	for _, addr := range addrs {
		if addr = addr.Unmap(); policy.Permits(u.Scheme, addr) {
			continue
		}
		if u.Scheme == "http" {
			return fmt.Sprintf("%s leads to %s, which is sent to by https alone, if at all", u.Hostname(), addr)
		}
		return fmt.Sprintf("%s leads to %s, which is no public address", u.Hostname(), addr)
	}
	return ""
}
