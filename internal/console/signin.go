package console

import (
	"net/http"
	"net/url"

	"hither/internal/iam"
	"hither/internal/seal"
)

// signInView asks for an address, or for the code that was mailed to it.
type signInView struct {
	Email string
	Next  string
	Wrong string // what was wrong with the last try
	With  []providerButton
}

// asking is what the browser holds between asking for a mail and signing in.
// Nothing of it is believed: the challenge knows what was asked.
type asking struct {
	id      iam.ID
	browser string // the secret that the code works with
	email   string // to be shown
	next    string
}

func (x *exchange) asking() asking {
	held, err := url.ParseQuery(x.cookie(browserCookie))
	if err != nil {
		return asking{}
	}
	id, _ := iam.ParseID(held.Get("id"))
	return asking{id: id, browser: held.Get("browser"), email: held.Get("email"), next: x.next(held.Get("next"))}
}

func (x *exchange) keepAsking(asked iam.Asked, email, next string) {
	x.setCookie(browserCookie, url.Values{
		"id": {string(asked.ID)}, "browser": {asked.Browser}, "email": {email}, "next": {next},
	}.Encode(), shortLife)
}

func (x *exchange) showSignIn() error {
	x.signInForm(http.StatusOK, signInView{Next: x.next(x.r.URL.Query().Get("next"))})
	return nil
}

func (x *exchange) signInForm(status int, v signInView) {
	v.With = x.providerButtons(v.Next)
	x.show(status, signInPage, view{Title: x.say("signin.heading"), Data: v})
}

// askSignIn mails a link and a code, and says the same whether or not anybody
// has the address.
func (x *exchange) askSignIn() error {
	return x.mailProof(x.visitor(), x.r.PostFormValue("email"), x.next(x.r.PostFormValue("next")))
}

// signInToAnswer mails them to the invited address, for who holds its link.
func (x *exchange) signInToAnswer() error {
	return x.visiting(func(v visit) error {
		if !v.mailed() || x.half.Kind == iam.ByUser {
			x.leadToSignIn(v.at)
			return nil
		}
		visitor := x.visitor()
		visitor.HasRead = v.Email
		return x.mailProof(visitor, v.Email, v.at)
	})
}

func (x *exchange) mailProof(visitor iam.Visitor, email, next string) error {
	asked, err := x.Service.AskSignIn(x.r.Context(), visitor, email)
	switch iam.KindOf(err) {
	case iam.Invalid:
		x.signInForm(http.StatusUnprocessableEntity, signInView{Email: email, Next: next, Wrong: x.say("signin.wrong")})
		return nil
	case iam.TooManyAttempts:
		x.seen.Cause = err
		x.retryAfter(err)
		x.signInForm(http.StatusTooManyRequests, signInView{Email: email, Next: next, Wrong: x.say("signin.limit")})
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.keepAsking(asked, email, next)
	x.to("/sign-in/code")
	return nil
}

func (x *exchange) showCode() error {
	held := x.asking()
	if held.id == "" {
		x.to("/sign-in")
		return nil
	}
	x.codeForm(http.StatusOK, held, "")
	return nil
}

func (x *exchange) codeForm(status int, held asking, wrong string) {
	x.show(status, codePage, view{Title: x.say("code.heading"), Data: signInView{Email: held.email, Next: held.next, Wrong: wrong}})
}

func (x *exchange) signInByCode() error {
	held := x.asking()
	begun, err := x.signInByProof(iam.Proof{ID: held.id, Browser: held.browser, Code: x.r.PostFormValue("code")})
	switch iam.KindOf(err) {
	case iam.ProofRefused:
		x.seen.Cause = err
		x.codeForm(http.StatusForbidden, held, x.say("code.wrong"))
		return nil
	case iam.TooManyAttempts:
		x.seen.Cause = err
		x.retryAfter(err)
		x.codeForm(http.StatusTooManyRequests, held, x.say("code.limit"))
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.signIn(begun, held.next)
	return nil
}

func (x *exchange) signIn(begun iam.SignedIn, next string) {
	x.beginSession(begun)
	x.dropCookie(browserCookie)
	x.dropCookie(proofCookie)
	if !begun.LinkWaits {
		x.dropCookie(identityCookie)
	}
	if actor := begun.Session.Actor(begun.User); actor.LacksFactor() {
		x.toWith("/sign-in/factor", next)
		return
	}
	x.to(next)
}

// openProof takes the secret of a mailed link that proves a mailbox out of the
// address, as openLink does. What it is for says where it leads.
func (x *exchange) openProof() error {
	token := x.r.PathValue("token")
	switch link, ok := x.Keys().Parse(token); {
	case ok && link.Purpose == seal.SignIn:
		x.setCookie(proofCookie, token, shortLife)
		x.to("/sign-in/link")
	case ok && link.Purpose == seal.Address: // a cookie of its own: it outlives the sign-in that it may need
		x.setCookie(addressCookie, token, shortLife)
		x.to("/address/link")
	default:
		x.invalidLink()
	}
	return nil
}

// showProof has the link's holder sign in by a click of its own, and shows as
// whom: a link that somebody else had mailed would sign in as somebody else.
func (x *exchange) showProof() error {
	link, ok := x.proof(proofCookie, seal.SignIn)
	if !ok {
		x.invalidLink()
		return nil
	}
	address, err := x.Service.ProofAddress(x.r.Context(), link.ID)
	if iam.KindOf(err) == iam.ProofRefused {
		x.oldProof(err)
		return nil
	}
	if err != nil {
		return err
	}
	x.notice(http.StatusOK, notice{
		Title: x.say("confirm-signin.heading"), Kicker: x.say("signin.kicker"), Text: x.say("confirm-signin.text", masked(address)),
		Actions: []action{{Label: x.say("confirm-signin.button"), To: "/sign-in/link", Post: true}},
	})
	return nil
}

// proof is the opened link that a cookie holds, if it is for this.
func (x *exchange) proof(cookie string, purpose seal.Purpose) (seal.Link, bool) {
	link, ok := x.Keys().Parse(x.cookie(cookie))
	return link, ok && link.Purpose == purpose
}

func (x *exchange) signInByLink() error {
	link, ok := x.proof(proofCookie, seal.SignIn)
	if !ok {
		x.invalidLink()
		return nil
	}
	held := x.asking()
	begun, err := x.signInByProof(iam.Proof{ID: link.ID, ByLink: true, Browser: held.browser})
	if iam.KindOf(err) == iam.ProofRefused {
		x.oldProof(err)
		return nil
	}
	if err != nil {
		return err
	}
	next := held.next
	if held.id != link.ID { // asked for in another browser, or by another mail
		next = x.next("")
		if _, holds := x.invitationLink(x.cookie(linkCookie)); holds {
			next = "/invite"
		}
	}
	x.signIn(begun, next)
	return nil
}

// oldProof is the page of a mailed link that signs in no more.
func (x *exchange) oldProof(err error) {
	x.seen.Cause = err
	x.dropCookie(proofCookie)
	x.notice(http.StatusForbidden, notice{
		Title: x.say("invalid.heading"), Kicker: x.say("signin.kicker"), Text: x.say("confirm-signin.other"),
		Actions: []action{{Label: x.say("signin.new"), To: "/sign-in"}},
	})
}

func (x *exchange) signOut() error {
	if err := x.endOwnSession(); err != nil {
		return err
	}
	x.dropCookie(linkCookie)
	x.to("/sign-in")
	return nil
}

// switchUser signs out and goes back to the invitation, whose link the browser
// still holds.
func (x *exchange) switchUser() error {
	if err := x.endOwnSession(); err != nil {
		return err
	}
	x.to("/invite")
	return nil
}

func (x *exchange) endOwnSession() error {
	actor := x.actor
	if !x.signedIn() {
		actor = x.half
	}
	if actor.Kind == iam.ByUser {
		err := x.Service.EndSession(x.r.Context(), actor, actor.CredentialID)
		if err != nil && iam.KindOf(err) != iam.NotFound { // it ended meanwhile
			return err
		}
	}
	x.dropCookie(sessionCookie)
	return nil
}
