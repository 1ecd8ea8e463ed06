package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// page is a path with what it answers.
type page struct {
	*Console

	pattern string
	get     handler // of GET and HEAD; nil: it is posted to only
	post    handler
	private bool // for who is signed in; others are led to the sign-in and back
	landing bool // a sign-in may lead here
	// oneClick says that mail programs post here, from nowhere and without a
	// cookie, and that the path's secret is all they need (RFC 8058).
	oneClick bool
}

// handler answers a request, or returns why not.
type handler func(x *exchange) error

// pages are all pages. Paths with the secret of a link lead to a page without
// it, or are what the link is for.
func (c *Console) pages() []*page {
	pages := []*page{
		{pattern: "/i/{token}", get: (*exchange).openLink},
		{pattern: "/invite", get: (*exchange).showInvite, landing: true},
		{pattern: "/invite/accept", post: (*exchange).acceptInvite},
		{pattern: "/invite/decline", post: (*exchange).declineInvite},
		{pattern: "/invite/later", post: (*exchange).deferInvite},
		{pattern: "/invite/ask", post: (*exchange).askForLink},
		{pattern: "/invite/mail", post: (*exchange).mailLink},
		{pattern: "/invite/opened", post: (*exchange).noteOpened},
		{pattern: "/invite/report", get: (*exchange).showReport, post: (*exchange).reportInvite},
		{pattern: "/invite/sign-in", post: (*exchange).signInToAnswer},
		{pattern: "/invite/switch", post: (*exchange).switchUser},

		{pattern: "/invites/{invite_id}", get: (*exchange).showInvite, private: true, landing: true},
		{pattern: "/invites/{invite_id}/accept", post: (*exchange).acceptInvite, private: true},
		{pattern: "/invites/{invite_id}/decline", post: (*exchange).declineInvite, private: true},

		{pattern: "/invites/{invite_id}/opened", post: (*exchange).noteOpened, private: true},

		{pattern: "/accounts/{account_id}/invites/{invite_id}", get: (*exchange).showManaged, private: true, landing: true},
		{pattern: "/accounts/{account_id}/invites/{invite_id}/renew", post: (*exchange).renewManaged, private: true},
		{pattern: "/accounts/{account_id}/invites/{invite_id}/confirm", post: (*exchange).confirmManaged, private: true},

		{pattern: "/u/{token}", get: (*exchange).showStop, post: (*exchange).stopMails, oneClick: true},

		{pattern: "/s/{token}", get: (*exchange).openProof},
		{pattern: "/sign-in", get: (*exchange).showSignIn, post: (*exchange).askSignIn},
		{pattern: "/sign-in/code", get: (*exchange).showCode, post: (*exchange).signInByCode},
		{pattern: "/sign-in/link", get: (*exchange).showProof, post: (*exchange).signInByLink},
		{pattern: "/sign-in/factor", get: (*exchange).showStep, post: (*exchange).takeStep},
		{pattern: "/sign-in/recovery", get: (*exchange).showRecovery, post: (*exchange).takeRecovery},
		{pattern: "/sign-out", post: (*exchange).signOut},

		{pattern: "/home", get: (*exchange).showHome, private: true, landing: true},
		{pattern: "/sessions", get: (*exchange).showSessions, private: true, landing: true},
		{pattern: "/sessions/end-others", post: (*exchange).endOtherSessions, private: true},
		{pattern: "/sessions/{session_id}/end", post: (*exchange).endSession, private: true},
		{pattern: "/keys", get: (*exchange).showKeys, private: true, landing: true},
		{pattern: "/keys/{key_id}/rotate", post: (*exchange).rotateKey, private: true},
		{pattern: "/factor", get: (*exchange).showFactor, private: true, landing: true},
		{pattern: "/factor/set-up", get: (*exchange).showSetUp, post: (*exchange).beginFactor, private: true},
		{pattern: "/factor/confirm", post: (*exchange).confirmFactor, private: true},
		{pattern: "/factor/codes", post: (*exchange).renewCodes, private: true},
		{pattern: "/factor/remove", post: (*exchange).removeFactor, private: true},

		{pattern: "/address", get: (*exchange).showAddress, post: (*exchange).askAddress, private: true, landing: true},
		{pattern: "/address/code", get: (*exchange).showAddressCode, post: (*exchange).proveAddressByCode, private: true},
		{pattern: "/address/link", get: (*exchange).showAddressLink, post: (*exchange).proveAddressByLink, private: true, landing: true},

		{pattern: c.stylePath, get: (*exchange).showStyle},
		{pattern: c.scriptPath, get: (*exchange).showScript},
	}
	if c.Mailbox != nil {
		pages = append(pages,
			&page{pattern: "/demo/mail", get: (*exchange).showMailbox},
			&page{pattern: "/demo/mail/{letter_id}", get: (*exchange).showLetter},
			&page{pattern: "/demo/mail/unlock", post: (*exchange).unlockMailbox},
		)
	}
	if c.Providers != nil {
		pages = append(pages,
			&page{pattern: "/sign-in/with/{provider}", get: (*exchange).leaveForProvider},
			&page{pattern: "/s/{provider}/callback", get: (*exchange).arriveFromProvider},
			&page{pattern: "/sign-in/prove", get: (*exchange).showProveMailbox, post: (*exchange).proveMailbox},
		)
	}
	for _, p := range pages {
		p.Console = c
	}
	return pages
}

// ServeHTTP answers a request for the page's path.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := p.exchange(w, r)
	defer x.finish(r.Context())
	x.headers()
	handle, ok := p.methods()[r.Method]
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(p.methods())), ", "))
		x.refused(http.StatusMethodNotAllowed)
		return
	}
	if err := x.answer(r.Context(), p, handle); err != nil {
		x.fail(err)
	}
}

func (p *page) methods() map[string]handler {
	methods := map[string]handler{}
	if p.get != nil {
		methods[http.MethodGet], methods[http.MethodHead] = p.get, p.get
	}
	if p.post != nil {
		methods[http.MethodPost] = p.post
	}
	return methods
}
