package console

import (
	"net/url"
	"strings"
)

// maxNext is the longest path that a sign-in leads back to.
const maxNext = 200

// next is where a sign-in leads: a page of ours, by its path. Whatever is no
// such path, with a host, another scheme, a way out or a trick in it, becomes
// the home page. The rule is a list of what is good: browsers read more into a
// path than any list of what is bad.
func (c *Console) next(asked string) string {
	const home = "/home"
	if len(asked) > maxNext || !strings.HasPrefix(asked, "/") || strings.Trim(asked, nextCharacters) != "" || strings.Contains(asked, "//") {
		return home
	}
	if u, err := url.Parse(asked); err != nil || u.Path != asked {
		return home
	}
	if page := c.pageAt(asked); page == nil || !page.landing {
		return home
	}
	return asked
}

// What our paths are made of: neither a dot nor a percent sign.
const nextCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-/"
