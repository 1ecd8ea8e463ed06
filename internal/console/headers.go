package console

import (
	"crypto/rand"
	"net/url"
	"strings"
)

// headers are those of every page. They are set before anything else happens,
// so that no answer is without them.
func (x *exchange) headers() {
	h := x.w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Request-Id", x.requestID)
	// Browsers then name no origin with what they post either; they say by
	// Sec-Fetch-Site that it comes from here.
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Content-Security-Policy", x.policy("", false))
	if x.secure() {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// policy lets a page load its own style, and the one logo that stands on it;
// everything else, scripts above all, is nothing. The page that says that it was
// opened runs the script that we wrote into it, which posts here and nowhere else.
func (x *exchange) policy(logo string, opened bool) string {
	images := "img-src 'self' data:"
	if u, err := url.Parse(logo); err == nil && u.Host != "" {
		images += " " + u.Scheme + "://" + u.Host
	}
	rules := []string{
		"default-src 'none'", "style-src 'self' 'nonce-" + x.nonce + "'", images,
		"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
	}
	if opened {
		rules = append(rules, "script-src 'nonce-"+x.nonce+"'", "connect-src 'self'")
	}
	return strings.Join(rules, "; ")
}

// newNonce marks the style that we wrote into a page, for one answer.
func newNonce() string { return rand.Text() }
