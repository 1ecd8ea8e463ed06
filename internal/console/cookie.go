package console

import (
	"net/http"
	"time"
)

// The cookies. All are out of reach of scripts and are not sent along with what
// another site posts. Over https their names bind them to this one host, so
// that no neighbour below the same domain can set them; a browser takes such
// names over https alone, so on loopback they are plain.
const (
	linkCookie     = "hither-link"     // the link that was opened, for ten minutes
	stopCookie     = "hither-stop"     // the same, to unsubscribe
	proofCookie    = "hither-proof"    // a link that signs in, for ten minutes
	addressCookie  = "hither-address"  // a link that proves a new address, for ten minutes
	browserCookie  = "hither-browser"  // what a mail was asked for with, for ten minutes
	sessionCookie  = "hither-session"  // who is signed in
	flowCookie     = "hither-flow"     // a sign-in with a provider that was begun, sealed, for ten minutes
	identityCookie = "hither-identity" // an identity that waits for the proof of its mailbox, likewise
	returnCookie   = "hither-return"   // where somebody wants to go on to, for ten minutes
	knownCookie    = "hither-known"    // who was: nobody else's asking keeps this browser from asking for mails

	shortLife = 10 * time.Minute
	knownLife = 180 * 24 * time.Hour
)

func (c *Console) cookieName(name string) string {
	if c.secure() {
		return "__Host-" + name
	}
	return name
}

func (c *Console) secure() bool { return c.Base.Scheme == "https" }

func (x *exchange) setCookie(name, value string, life time.Duration) {
	cookie := &http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: x.cookieName(name), Value: value, Path: "/", MaxAge: int(life.Seconds()),
		Secure: x.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(x.w, cookie)
}

func (x *exchange) dropCookie(name string) { x.setCookie(name, "", 0) }

// cookie is the value of one, "" where there is none, or several: two of one
// name are somebody's trick.
func (x *exchange) cookie(name string) string {
	found := x.r.CookiesNamed(x.cookieName(name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}
