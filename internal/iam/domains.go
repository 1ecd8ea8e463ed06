package iam

import (
	"slices"
	"strings"
)

// MaxInviteDomains is how many domains an account can name.
const MaxInviteDomains = 50

// InviteDomains are the domains whose addresses an account invites, in their
// canonical form, sorted, a space between each two; "" is every domain. A text,
// so that accounts can be compared. "example.com" is that domain and none below
// it, "*.example.com" is every domain below it and not itself.
type InviteDomains string

// NewInviteDomains checks a list of domains; field is the JSON pointer of the
// list, for the refusal.
func NewInviteDomains(field string, list []string) (InviteDomains, error) {
	if len(list) > MaxInviteDomains {
		return "", invalid(field, "must name at most %d domains", MaxInviteDomains)
	}
	domains := make([]string, len(list))
	for i, text := range list {
		domain, ok := inviteDomain(text)
		if !ok {
			return "", invalid(indexed(field, i),
				`must be a domain, such as example.com, or *.example.com for the domains below it; without a dot before or behind it`)
		}
		domains[i] = domain
	}
	slices.Sort(domains)
	return InviteDomains(strings.Join(slices.Compact(domains), " ")), nil
}

// inviteDomain brings a domain to the form that the domain of a canonical address
// has.
func inviteDomain(text string) (string, bool) {
	text = strings.TrimSpace(text)
	name, below := strings.CutPrefix(text, "*.")
	email, err := CanonicalEmail("a@" + name)
	if err != nil || strings.Contains(name, "@") {
		return "", false
	}
	domain := domainOf(email)
	if below {
		domain = "*." + domain
	}
	return domain, true
}

// List are the domains, empty where any will do.
func (d InviteDomains) List() []string { return strings.Fields(string(d)) }

// Allow reports whether a canonical address is of one of the domains. Whole
// labels are compared: evil-example.com is no part of example.com, and nor is
// example.com.example.org.
func (d InviteDomains) Allow(email string) bool {
	if d == "" {
		return true
	}
	domain := domainOf(email)
	return slices.ContainsFunc(d.List(), func(allowed string) bool {
		if parent, below := strings.CutPrefix(allowed, "*"); below {
			return strings.HasSuffix(domain, parent)
		}
		return domain == allowed
	})
}

func domainOf(email string) string { return email[strings.LastIndexByte(email, '@')+1:] }

// mayAsk refuses an address that the account's domains leave out. It is asked
// when somebody is invited, whenever somebody vouches for the invitation, and
// when it is accepted: what was sent before the account named its domains opens
// it no more.
func (a Account) mayAsk(email string) error {
	if a.InviteDomains.Allow(email) {
		return nil
	}
	return refuse(DomainRefused, "this account invites addresses of certain domains only, and this is of none of them; "+
		"an administrator can add the domain to the account's settings")
}
