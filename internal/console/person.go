package console

import (
	"context"
	"errors"
	"net"
	"net/url"

	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/seal"
)

// identify finds out who is signed in. A session that stands for nobody any
// more is none: the pages are then those of a visitor.
func (x *exchange) identify(ctx context.Context) error {
	secret := x.cookie(sessionCookie)
	if secret == "" {
		return nil
	}
	actor, _, err := x.Sessions.Session(ctx, secret)
	if _, over := errors.AsType[*auth.Error](err); over {
		return nil
	}
	if err != nil {
		return err
	}
	actor.RemoteAddr, actor.RequestID = remoteHost(x.r.RemoteAddr), x.requestID
	x.lang = speak(x.r.Header.Get("Accept-Language"), actor.User.Locale)
	if actor.LacksFactor() {
		x.half = actor
	} else {
		x.actor = actor
	}
	return nil
}

func (x *exchange) signedIn() bool { return x.actor.Kind == iam.ByUser }

// visitor is what is noted of the browser, whoever uses it.
func (x *exchange) visitor() iam.Visitor {
	session := x.actor.CredentialID
	if session == "" {
		session = x.half.CredentialID
	}
	return iam.Visitor{
		RemoteAddr: remoteHost(x.r.RemoteAddr), RequestID: x.requestID, Agent: x.r.UserAgent(), Locale: x.lang, Session: session,
		Known: x.known(),
	}
}

// known is the user whose browser this is or was, "" where it shows none.
func (x *exchange) known() iam.ID {
	if x.signedIn() {
		return x.actor.User.ID
	}
	link, ok := x.Keys().Parse(x.cookie(knownCookie))
	if !ok || link.Purpose != seal.KnownBrowser {
		return ""
	}
	return link.ID
}

// whoever is who is signed in, or else the visitor.
func (x *exchange) whoever() iam.Actor {
	if x.signedIn() {
		return x.actor
	}
	return x.visitor().Actor()
}

func (x *exchange) beginSession(begun iam.SignedIn) {
	x.setCookie(sessionCookie, begun.Secret, begun.Session.ExpiresOn.Sub(x.Now()))
	x.setCookie(knownCookie, x.Keys().Token(seal.Link{Purpose: seal.KnownBrowser, ID: begun.User.ID}), knownLife)
}

// leadToSignIn leads to the sign-in, or to what is left of it, and from there to a
// page of ours.
func (x *exchange) leadToSignIn(next string) {
	if x.half.Kind == iam.ByUser {
		x.toWith("/sign-in/factor", x.next(next))
		return
	}
	x.to("/sign-in?" + url.Values{"next": {x.next(next)}}.Encode())
}

// remoteHost is the address of the peer without its port.
func remoteHost(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
