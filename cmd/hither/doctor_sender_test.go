package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a resolver of some names; what is not there is not found, and nil cannot
// be asked about.
type zone map[string][]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	texts, there := z[strings.TrimSuffix(name, ".")]
	switch {
	case !there:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case texts == nil:
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return texts, nil
}

func TestDoctorLooksAtTheSendersDomain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		dns      zone
		selector string
		want     map[string]string // state and words, by check
	}{
		"nothing": {zone{}, "", map[string]string{"SPF": "warn says nowhere", "DKIM": "ok not checked", "DMARC": "warn has none"}},
		"all is well": {zone{
			"bounce.example.net": {"something else", "v=spf1 include:relay.example -all"}, "s1._domainkey.mail.example.com": {"v=DKIM1; k=rsa; p=MIIB"},
			"_dmarc.mail.example.com": {"v=DMARC1; p=quarantine"},
		}, "s1", map[string]string{"SPF": "ok has one", "DKIM": "ok there is a key", "DMARC": "ok policy quarantine"}},
		"offline": {
			zone{"bounce.example.net": nil, "s1._domainkey.mail.example.com": nil, "_dmarc.mail.example.com": nil},
			"s1",
			map[string]string{"SPF": "ok not checked", "DKIM": "ok not checked", "DMARC": "ok not checked"},
		},
		"two of SPF":           {zone{"bounce.example.net": {"v=spf1 -all", "v=spf1 mx ~all"}}, "", map[string]string{"SPF": "warn 2 SPF records"}},
		"SPF for everybody":    {zone{"bounce.example.net": {"v=spf1 +all"}}, "", map[string]string{"SPF": "warn everybody"}},
		"SPF by another name":  {zone{"bounce.example.net": {"v=spf10 -all"}}, "", map[string]string{"SPF": "warn says nowhere"}},
		"a withdrawn key":      {zone{"s1._domainkey.mail.example.com": {"v=DKIM1; p="}}, "s1", map[string]string{"DKIM": "warn is withdrawn"}},
		"no key":               {zone{}, "s1", map[string]string{"DKIM": "warn no key at s1._domainkey.mail.example.com"}},
		"DMARC from above":     {zone{"_dmarc.example.com": {"v=DMARC1;p=reject"}}, "", map[string]string{"DMARC": "ok _dmarc.example.com has the policy reject"}},
		"DMARC with no policy": {zone{"_dmarc.example.com": {"v=DMARC1; rua=mailto:a@example.com"}}, "", map[string]string{"DMARC": "warn no policy"}},
		"two of DMARC":         {zone{"_dmarc.example.com": {"v=DMARC1; p=none", "v=DMARC1; p=reject"}}, "", map[string]string{"DMARC": "warn 2 records"}},
	} {
		settings := &doctorCommand{DKIMSelector: test.selector}
		settings.MailFrom, settings.MailBounce, settings.SMTP = "Example <people@mail.example.com>", "back@bounce.example.net", "smtp.example.com:587"
		d := &doctor{settings: settings, now: time.Now()}
		d.sender(t.Context(), test.dns)
		seen := map[string]string{}
		for _, f := range d.findings {
			seen[f.check] += f.state + " " + f.found
			if (f.state == checkOK) != (f.todo == "") {
				t.Errorf("%s: %+v: what is not well says what to do", name, f)
			}
		}
		for check, want := range test.want {
			state, words, _ := strings.Cut(want, " ")
			if !strings.HasPrefix(seen[check], state+" ") || !strings.Contains(seen[check], words) {
				t.Errorf("%s: %s: got %q, want %q", name, check, seen[check], want)
			}
		}
	}
}

// TestDoctorAsksADNSServer asks a real one, and one that is not there.
func TestDoctorAsksADNSServer(t *testing.T) {
	t.Parallel()
	address := nameserver(t, map[string]string{"example.com.": "v=spf1 -all", "_dmarc.example.com.": "v=DMARC1; p=none"})
	d, _ := newFilledDesk(t)
	cert, key := certified(t, -1e9, 3600e9)
	_, postbox := newPostbox(t, cert, key)
	flags := []string{"--smtp", postbox, "--smtp-ca", cert, "--mail-from=people@example.com"}
	d.finds(checkOK, "SPF", "v=spf1 -all", "", nil, append(flags, "--dns", address)...)
	d.finds(checkOK, "DMARC", "policy none", "", nil, append(flags, "--dns", address)...)
	d.finds(checkOK, "DKIM", "not checked", "", nil, append(flags, "--dns", address)...)
	d.finds(checkWarn, "DKIM", "no key at x._domainkey.example.com", "publish", nil, append(flags, "--dns", address, "--dkim-selector=x")...)
	d.finds(checkOK, "SPF", "not checked", "", nil, append(flags, "--dns", "127.0.0.1:1")...)
}

// nameserver answers for some names, and knows no others.
func nameserver(t *testing.T, texts map[string]string) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, peer, err := conn.ReadFrom(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var asked dnsmessage.Message
			if err != nil || asked.Unpack(buffer[:n]) != nil || len(asked.Questions) != 1 {
				continue
			}
			question := asked.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: asked.ID, Response: true, RecursionAvailable: true}, Questions: asked.Questions}
			if text, there := texts[question.Name.String()]; there && question.Type == dnsmessage.TypeTXT {
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET, TTL: 60},
					Body:   &dnsmessage.TXTResource{TXT: []string{text}},
				}}
			} else {
				answer.RCode = dnsmessage.RCodeNameError
			}
			if packed, err := answer.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, peer)
			}
		}
	}()
	return conn.LocalAddr().String()
}
