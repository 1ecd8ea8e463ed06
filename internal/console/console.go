// Package console serves the pages that people see: where the link of an
// invitation leads, what they can answer, how they sign in, and what is theirs
// once they have.
//
// Pages are made on the server and work without script. What they may do is
// decided by iam; a page decides only what to show. A request that is safe by
// its method changes nothing but a short cookie, since mail scanners follow
// every link, and what changes something comes by POST from a page of ours.
// routes.go has every page, headers.go what each answer carries, words/ every
// text in every language.
//
// The package imports iam, auth, oidc, seal and the standard library. It must not
// import internal/api, internal/store or database/sql.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"hither/internal/iam"
	"hither/internal/seal"
)

// Options are what the pages stand on. Those before LogoHosts are needed.
type Options struct {
	Service  Service
	Sessions Sessions
	Keys     func() seal.Keyring // opens links
	Base     *url.URL            // where browsers reach the pages; links and cookies follow it, never a header
	Logger   *slog.Logger        // gets panics with their stack
	Now      func() time.Time
	// RequestID is the id of a request, and Observe hears what one turned out to
	// be: for the log and the metrics.
	RequestID func(ctx context.Context) string
	Observe   func(ctx context.Context, seen Seen)

	LogoHosts []string // whose pictures accounts may show as logos, as host or host:port
	Mailbox   Mailbox  // the demo's; nil: there is none

	Providers  Providers // that people can sign in with; nil: there are none
	ReturnURLs []string  // where people may go on to, the first one by default
}

// InvitationLink is where a link to an invitation leads.
func (o Options) InvitationLink(link iam.InvitationLink) string {
	purpose := seal.MailedInvitation
	if link.Shown {
		purpose = seal.ShownInvitation
	}
	token := o.Keys().Token(seal.Link{Purpose: purpose, ID: link.ID, Generation: link.Generation})
	return strings.TrimRight(o.Base.String(), "/") + "/i/" + token
}

// Seen is what a request turned out to be.
type Seen struct {
	Route  string    // the pattern of its path: never the secret of a link
	Actor  iam.Actor // who was signed in; Kind "" for nobody
	Status int
	Cause  error // what the page doesn't tell: the error behind a 500
}

// Console is the handler of all pages.
type Console struct {
	Options

	mux                   *http.ServeMux
	tongues               map[string]*tongue // by language
	stylePath, scriptPath string
	guard                 *http.CrossOriginProtection
}

// New returns the handler of all pages.
func New(o Options) (*Console, error) {
	c := &Console{Options: o, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection()}
	if err := c.guard.AddTrustedOrigin(c.origin()); err != nil {
		return nil, fmt.Errorf("the base URL %s: %w", o.Base, err)
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	for _, p := range c.pages() {
		c.mux.Handle(p.pattern, p)
	}
	return c, nil
}

// Serves reports whether a path is one of the pages'.
func (c *Console) Serves(r *http.Request) bool { return c.pageAt(r.URL.EscapedPath()) != nil }

// ServeHTTP answers a request for which Serves is true.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// origin is what a browser calls where the pages come from.
func (c *Console) origin() string { return c.Base.Scheme + "://" + c.Base.Host }

// pageAt is the page of a path, nil where there is none. What the mux would
// redirect to a cleaner path is none.
func (c *Console) pageAt(p string) *page {
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p {
		return nil
	}
	u, err := url.Parse(p)
	if err != nil {
		return nil
	}
	handler, _ := c.mux.Handler(&http.Request{Method: http.MethodGet, URL: u})
	found, _ := handler.(*page)
	return found
}
