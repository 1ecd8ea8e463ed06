package main

import (
	"fmt"
	"net/url"
	"strings"

	"hither/internal/iam"
	"hither/internal/seal"
)

// baseSetting is where people reach this instance. It is a setting, and never
// taken from a request: whoever can choose the host of a link gets its secret.
type baseSetting struct {
	BaseURL string `env:"HITHER_BASE_URL" help:"Where people reach this instance, for the links in messages: https://hither.example.com, on this machine also http." name:"base-url" placeholder:"URL"`
}

// base is the setting without a slash at its end, "" where it is not given.
func (b baseSetting) base() (string, error) { return cleanBase(b.BaseURL, "HITHER_BASE_URL") }

// cleanBase is what --base-url, or its variable, says, without a slash at its end.
func cleanBase(text, variable string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	complaint := ""
	switch {
	case err != nil:
		complaint = "it is no URL"
	case !iam.Sheltered(u):
		complaint = "it must begin with https://; http:// is for this machine alone"
	case u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#"):
		complaint = "it must be a host and at most a path, for example https://hither.example.com"
	}
	if complaint != "" {
		return "", usageError{fmt.Sprintf("--base-url %s: %s (%s)", text, complaint, variable)}
	}
	return strings.TrimRight(text, "/"), nil
}

// links are made from the base URL and the instance keys.
type links struct {
	base string
	keys func() seal.Keyring
}

// Invitation implements mail.Links.
func (l links) Invitation(membership iam.ID, generation int) string {
	return l.to("/i/", seal.Link{Purpose: seal.MailedInvitation, ID: membership, Generation: generation})
}

// Unsubscribe implements mail.Links.
func (l links) Unsubscribe(membership iam.ID, generation int) string {
	return l.to("/u/", seal.Link{Purpose: seal.Unsubscribe, ID: membership, Generation: generation})
}

// Managing implements mail.Links.
func (l links) Managing(account, membership iam.ID) string {
	return l.base + "/accounts/" + string(account) + "/invites/" + string(membership)
}

// SignIn implements mail.Links.
func (l links) SignIn(challenge iam.ID) (link, code string) {
	return l.proof(seal.Link{Purpose: seal.SignIn, ID: challenge})
}

// Address implements mail.Links.
func (l links) Address(challenge iam.ID) (link, code string) {
	return l.proof(seal.Link{Purpose: seal.Address, ID: challenge})
}

func (l links) proof(of seal.Link) (link, code string) {
	keys := l.keys()
	return l.base + "/s/" + keys.Token(of), seal.ShowCode(keys.Code(of))
}

func (l links) to(path string, link seal.Link) string {
	return l.base + path + l.keys().Token(link)
}
