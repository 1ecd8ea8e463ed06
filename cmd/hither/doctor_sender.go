package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// resolver asks for the texts of a name; net.Resolver is one.
type resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// lookTimeout bounds all that is asked of the DNS, which a person waits for.
const lookTimeout = 4 * time.Second

// resolverAt is the DNS server of an address, or that of the machine.
func resolverAt(address string) resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
}

// senderChecks looks whether the sender's domain says what makes mail of it
// arrive. These are hints: that a record is there doesn't say that it names the mail
// server. Where the DNS can't be asked nothing is found.
type senderChecks struct {
	*doctor
	dns resolver
}

func (d *doctor) sender(ctx context.Context, dns resolver) {
	settings := &d.settings.mailSettings
	from, err := settings.from()
	envelope, err2 := settings.bounce()
	if settings.way() != mailSMTP || errors.Join(settings.check(), err, err2) != nil {
		return // what is wrong with the settings is told by the check of mail
	}
	if envelope == "" {
		envelope = from.Email
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s := senderChecks{d, dns}
	s.spf(ctx, domainOf(envelope))
	s.dkim(ctx, domainOf(from.Email), d.settings.DKIMSelector)
	s.dmarc(ctx, domainOf(from.Email))
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// records are a name's texts that begin with a version; asked is false where the
// DNS could not be asked, which is told.
func (s senderChecks) records(ctx context.Context, check, name, version string) (found []string, asked bool) {
	texts, err := s.dns.LookupTXT(ctx, name+".")
	if failure, ok := errors.AsType[*net.DNSError](err); ok && failure.IsNotFound {
		return nil, true
	}
	if err != nil {
		s.okf(check, "not checked: the DNS could not be asked about %s", name)
		return nil, false
	}
	for _, text := range texts {
		first, _, _ := strings.Cut(text, ";")
		if version == spfVersion {
			first, _, _ = strings.Cut(text, " ")
		}
		if version == "" || strings.EqualFold(strings.ReplaceAll(first, " ", ""), version) {
			found = append(found, text)
		}
	}
	return found, true
}

// How the records begin.
const (
	spfVersion   = "v=spf1"
	dmarcVersion = "v=DMARC1"
)

// spf is about who may send in the name of the envelope's domain (RFC 7208).
func (s senderChecks) spf(ctx context.Context, domain string) {
	const check = "SPF"
	found, asked := s.records(ctx, check, domain, spfVersion)
	switch {
	case !asked:
	case len(found) == 0:
		s.warnf(check, `publish a TXT record of that name that names the mail server, such as "v=spf1 include:… -all"`,
			"%s says nowhere who may send in its name", domain)
	case len(found) > 1:
		s.warnf(check, "leave one of them: receivers take several for none", "%s has %d SPF records", domain, len(found))
	case strings.Contains(" "+strings.ToLower(found[0])+" ", " +all ") || strings.Contains(" "+strings.ToLower(found[0])+" ", " all "):
		s.warnf(check, "end it with -all or ~all", "%s lets everybody send in its name: %s", domain, found[0])
	default:
		s.okf(check, "%s has one; see that it names the mail server: %s", domain, found[0])
	}
}

// dkim is about the key by which the mail server signs (RFC 6376). hither does not
// sign, and no one can list the selectors of a domain.
func (s senderChecks) dkim(ctx context.Context, domain, selector string) {
	const check = "DKIM"
	if selector == "" {
		s.okf(check, "not checked: the mail server signs, if it does, by a selector of its own; --dkim-selector looks for that one")
		return
	}
	name := selector + "._domainkey." + domain
	found, asked := s.records(ctx, check, name, "")
	switch {
	case !asked:
	case len(found) == 0:
		s.warnf(check, "publish the key that the mail server signs with", "there is no key at %s", name)
	case dkimKey(found) == "":
		s.warnf(check, "publish the key that the mail server signs with", "the key at %s is withdrawn", name)
	default:
		s.okf(check, "there is a key at %s", name)
	}
}

// dkimKey is the key of a record, "" where it was withdrawn.
func dkimKey(records []string) string {
	for _, record := range records {
		if key := tag(record, "p"); key != "" {
			return key
		}
	}
	return ""
}

// dmarc is about what receivers do with mail that is neither (RFC 7489): looked
// for at the domain, then at those above it.
func (s senderChecks) dmarc(ctx context.Context, domain string) {
	const check = "DMARC"
	for name := domain; strings.Contains(name, "."); _, name, _ = strings.Cut(name, ".") {
		found, asked := s.records(ctx, check, "_dmarc."+name, dmarcVersion)
		if !asked {
			return
		}
		if len(found) == 0 {
			continue
		}
		switch policy := strings.ToLower(tag(found[0], "p")); {
		case len(found) > 1:
			s.warnf(check, "leave one of them: receivers take several for none", "_dmarc.%s has %d records", name, len(found))
		case policy != "none" && policy != "quarantine" && policy != "reject":
			s.warnf(check, "give it p=none, p=quarantine or p=reject", "the record at _dmarc.%s has no policy: %s", name, found[0])
		default:
			s.okf(check, "_dmarc.%s has the policy %s", name, policy)
		}
		return
	}
	s.warnf(check, `publish a TXT record at _dmarc.`+domain+`, such as "v=DMARC1; p=none; rua=mailto:…"; large mailbox providers ask for one`,
		"%s has none", domain)
}

// tag is the value of a tag in a record of the form "a=b; c=d".
func tag(record, name string) string {
	for part := range strings.SplitSeq(record, ";") {
		key, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
