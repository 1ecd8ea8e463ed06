package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store"
)

// book has the addresses of some names; the others are not there.
type book map[string][]string

func (b book) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, there := b[host]
	if !there {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	addrs := make([]netip.Addr, len(texts))
	for i, text := range texts {
		addrs[i] = netip.MustParseAddr(text)
	}
	return addrs, nil
}

func TestDoctorLooksAtWebhooks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	on := func(urls ...string) store.InspectedWebhooks {
		w := store.InspectedWebhooks{On: len(urls)}
		for i, url := range urls {
			w.List = append(w.List, iam.Webhook{ID: iam.ID(fmt.Sprint("w", i)), AccountID: "a", URL: url})
		}
		return w
	}
	with := func(w store.InspectedWebhooks, edit func(*store.InspectedWebhooks)) store.InspectedWebhooks {
		edit(&w)
		return w
	}
	names := book{
		"outside.example": {"93.184.216.34", "2606:2800:220:1::1"}, "inside.example": {"93.184.216.34", "10.0.0.7"}, "mapped.example": {"::ffff:93.184.216.34"},
		"nat64.example": {"64:ff9b::7f00:1"}, "ours.example": {"10.1.2.3"},
	}
	many := make([]string, maxBarred+3)
	for i := range many {
		many[i] = "https://inside.example/"
	}
	for name, test := range map[string]struct {
		hooks store.InspectedWebhooks
		allow string
		want  []string // state and words of each finding
	}{
		"none":              {},
		"all is well":       {hooks: on("https://outside.example/x", "https://mapped.example/", "https://unknown.example/"), want: []string{"ok 3 on"}},
		"one that is off":   {hooks: store.InspectedWebhooks{Off: 1}, want: []string{"ok 0 on; turned off by themselves: 1"}},
		"one that fails":    {hooks: with(on("https://outside.example/"), func(w *store.InspectedWebhooks) { w.Failing, w.FailingSince = 1, now.Add(-24*time.Hour) }), want: []string{"warn 1 on, of which 1 took nothing when they were tried last, the first of them since 2026-04-30"}},
		"due a moment ago":  {hooks: with(on("https://outside.example/"), func(w *store.InspectedWebhooks) { w.DueSince = now.Add(-longOverdue) }), want: []string{"ok 1 on"}},
		"due for too long":  {hooks: with(on("https://outside.example/"), func(w *store.InspectedWebhooks) { w.DueSince = now.Add(-longOverdue - time.Second) }), want: []string{"ok 1 on", "warn events have been due since 2026-05-01"}},
		"a name inside":     {hooks: on("https://inside.example/x"), want: []string{"ok 1 on", "warn nothing is sent to w0 of account a: inside.example leads to 10.0.0.7, which is no public address"}},
		"another way in":    {hooks: on("https://nat64.example/x"), want: []string{"ok 1 on", "warn nothing is sent to w0 of account a: nat64.example leads to 64:ff9b::7f00:1"}},
		"an address inside": {hooks: on("https://127.0.0.1/"), want: []string{"ok 1 on", "warn nothing is sent to w0 of account a: its URL leads to an address"}},
		"without TLS":       {hooks: on("http://outside.example/"), want: []string{"ok 1 on", "warn nothing is sent to w0 of account a: its URL must begin with https://"}},
		"ourselves":         {hooks: on("https://hither.example.com/"), want: []string{"ok 1 on", "warn nothing is sent to w0 of account a: its URL is one of this instance itself"}},
		"opened":            {hooks: on("http://ours.example/", "https://10.1.9.9/"), allow: "10.1.0.0/16", want: []string{"ok 2 on"}},
		"outside, no TLS": {
			hooks: on("http://ours.example/", "http://outside.example/"), allow: "10.1.0.0/16",
			want: []string{"ok 2 on", "warn nothing is sent to w1 of account a: outside.example leads to 93.184.216.34, which is sent to by https alone"},
		},
		"no network":  {hooks: on("https://outside.example/"), allow: "10.1.0.0/33", want: []string{"fail --webhook-allow"}},
		"many inside": {hooks: on(many...), want: append(append([]string{"ok 13 on"}, strings.Split(strings.Repeat("warn nothing is sent to w,", maxBarred), ",")[:maxBarred]...), "warn nothing is sent to 3 more")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := &doctorCommand{}
			settings.BaseURL = "https://hither.example.com"
			if test.allow != "" {
				settings.WebhookAllow = []string{test.allow}
			}
			d := &doctor{settings: settings, now: now}
			d.webhooks(t.Context(), store.Inspection{Webhooks: test.hooks}, names)
			for i, f := range d.findings {
				if i >= len(test.want) || f.check != "webhooks" || !strings.HasPrefix(f.state+" "+f.found, test.want[i]) || (f.state == checkOK) != (f.todo == "") {
					t.Errorf("got %+v, want %q", f, test.want)
				}
			}
			if len(d.findings) != len(test.want) {
				t.Errorf("got %d findings, want %q", len(d.findings), test.want)
			}
		})
	}
}
