package mail

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"hither/internal/iam"
)

// maxLink is the longest link, in bytes.
const maxLink = 600

// parseBase reads the URL below which every link has to be.
func parseBase(s string) (*url.URL, error) {
	base, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the base URL %q is none: %w", s, err)
	}
	switch {
	case !iam.Sheltered(base):
		return nil, fmt.Errorf("the base URL %q must begin with https:// (http:// only on this machine)", s)
	case base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("the base URL %q must be a host and at most a path, for example https://hither.example.com", s)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return base, nil
}

var errLink = errors.New("a link must be absolute and below the base URL")

// checkLink refuses what is not below base. Text and HTML show a link as it
// is, so it may hold only what needs no quoting anywhere.
func checkLink(base *url.URL, link string) error {
	if base == nil || len(link) > maxLink || strings.Trim(link, linkCharacters) != "" {
		return errLink
	}
	parsed, err := url.Parse(link)
	if err != nil || parsed.Scheme != base.Scheme || parsed.Host != base.Host || parsed.User != nil || parsed.Opaque != "" {
		return errLink
	}
	if !strings.HasPrefix(parsed.EscapedPath(), base.EscapedPath()+"/") || strings.Contains(parsed.Path, "/..") {
		return errLink
	}
	return nil
}

const linkCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$*+,;=%"
