package console

import (
	"hither/internal/iam"
	"hither/internal/seal"
)

// visit is an invitation as somebody comes to it: by its link, or signed in, by
// its id.
type visit struct {
	iam.LinkedInvitation

	at   string     // the path of its page; what can be done with it lies below
	link *seal.Link // nil for who came without one
}

// openLink takes the secret out of the address: from there it would get into
// histories, logs and what other sites are told. Ten minutes in a cookie are all
// that it changes.
func (x *exchange) openLink() error {
	token := x.r.PathValue("token")
	if _, ok := x.invitationLink(token); !ok {
		x.invalidLink()
		return nil
	}
	x.setCookie(linkCookie, token, shortLife)
	x.to("/invite")
	return nil
}

func (x *exchange) invitationLink(token string) (seal.Link, bool) {
	link, ok := x.Keys().Parse(token)
	return link, ok && (link.Purpose == seal.MailedInvitation || link.Purpose == seal.ShownInvitation)
}

// visiting hands a request over to do with the invitation that it is about.
func (x *exchange) visiting(do func(v visit) error) error {
	if id := x.r.PathValue("invite_id"); id != "" {
		return x.visitOwn(id, do)
	}
	link, ok := x.invitationLink(x.cookie(linkCookie))
	switch {
	case !ok && x.signedIn(): // the ten minutes are over, and not needed any more
		x.to("/home")
		return nil
	case !ok:
		x.invalidLink()
		return nil
	}
	return x.linked(link.ID, func(linked iam.LinkedInvitation) error {
		return do(visit{LinkedInvitation: linked, at: "/invite", link: &link})
	})
}

// linked hands the invitation of a link over to do, in its language.
func (x *exchange) linked(id iam.ID, do func(linked iam.LinkedInvitation) error) error {
	linked, err := x.Service.LinkInvitation(x.r.Context(), id)
	if iam.KindOf(err) == iam.NotFound {
		x.invalidLink()
		return nil
	}
	if err != nil {
		return err
	}
	x.speakFor(linked)
	return do(linked)
}

// visitOwn does the same with an invitation of who is signed in.
func (x *exchange) visitOwn(text string, do func(v visit) error) error {
	id, ok := iam.ParseID(text)
	if !ok {
		x.gone()
		return nil
	}
	if _, err := x.Service.Invitation(x.r.Context(), x.actor, id); err != nil {
		return err
	}
	linked, err := x.Service.LinkInvitation(x.r.Context(), id)
	if err != nil {
		return err
	}
	x.speakFor(linked)
	return do(visit{LinkedInvitation: linked, at: "/invites/" + text})
}

// speakFor chooses the language of a page about an invitation: its own, that of who
// is signed in, the account's, what the browser asks for.
func (x *exchange) speakFor(linked iam.LinkedInvitation) {
	x.lang = speak(x.r.Header.Get("Accept-Language"), linked.Link.Locale, x.actor.User.Locale, linked.Look.Locale)
}

func (x *exchange) showInvite() error {
	return x.visiting(func(v visit) error {
		x.showStanding(v, standingOf(v, x.actor, x.Now()))
		return nil
	})
}

// acceptInvite accepts for who is signed in as the invited, or lets a mailed
// link whose address has no user make one, which is signed in from then on.
func (x *exchange) acceptInvite() error {
	return x.visiting(func(v visit) error {
		if v.owned(x.actor) {
			_, err := x.Service.AnswerInvitation(x.r.Context(), x.actor, v.ID, iam.Accepted)
			return x.answered(v, err)
		}
		done, err := x.Service.AnswerByLink(x.r.Context(), x.whoever(), x.visitor(), v.invitationLink(), iam.Accepted)
		if err == nil && done.SignedIn.Secret != "" {
			x.beginSession(done.SignedIn)
		}
		return x.answered(v, err)
	})
}

func (x *exchange) declineInvite() error {
	return x.visiting(func(v visit) error {
		reason := x.r.PostFormValue("reason")
		if v.owned(x.actor) {
			_, err := x.Service.DeclineInvitation(x.r.Context(), x.actor, v.ID, reason)
			return x.answered(v, err)
		}
		_, err := x.Service.DeclineByLink(x.r.Context(), x.whoever(), x.visitor(), v.invitationLink(), reason)
		return x.answered(v, err)
	})
}

// invitationLink is the link of a visit by one.
func (v visit) invitationLink() iam.InvitationLink {
	return iam.InvitationLink{ID: v.link.ID, Generation: v.link.Generation, Shown: !v.mailed()}
}

// answered leads to the page of the state that an answer led to, or shows the
// page of what stood in its way.
func (x *exchange) answered(v visit, err error) error {
	if err == nil || iam.KindOf(err) == iam.AlreadyAnswered { // by somebody who was quicker: the page says how
		x.to(v.at)
		return nil
	}
	if iam.KindOf(err) == iam.SignInFirst || iam.KindOf(err) == iam.SignInAgain {
		x.leadToSignIn(v.at)
		return nil
	}
	if found, ok := standingBy(iam.KindOf(err)); ok {
		x.seen.Cause = err
		x.showStanding(v, found)
		return nil
	}
	return err
}

// deferInvite has a pending invitation come up again: in three days, or in one
// where it has no three days left.
func (x *exchange) deferInvite() error {
	return x.visiting(func(v visit) error {
		reminder, ok := v.reminder(x.Now())
		if !ok || !v.mailed() {
			return x.answered(v, &iam.Error{Kind: iam.Invalid, Message: "too late for a reminder"})
		}
		if _, err := x.Service.RemindHolder(x.r.Context(), x.holder(v), reminder); err != nil {
			return x.answered(v, err)
		}
		x.showInvitation(v, true)
		return nil
	})
}

// askForLink asks the account for a new link in place of a dead one.
func (x *exchange) askForLink() error {
	return x.visiting(func(v visit) error {
		if v.link == nil {
			x.gone()
			return nil
		}
		if err := x.Service.AskForLink(x.r.Context(), x.holder(v)); err != nil {
			return err
		}
		x.stateNotice(v, asked)
		return nil
	})
}

// mailLink sends the mailed link to the invited address, for who holds one that
// proves nothing.
func (x *exchange) mailLink() error {
	return x.visiting(func(v visit) error {
		if found := standingOf(v, x.actor, x.Now()); found != open || v.link == nil {
			x.showStanding(v, found)
			return nil
		}
		if err := x.Service.MailLink(x.r.Context(), x.holder(v)); err != nil {
			return err
		}
		x.stateNotice(v, mailedLink)
		return nil
	})
}

// showReport asks once more: from then on the mailbox hears nothing.
func (x *exchange) showReport() error {
	return x.visiting(func(v visit) error {
		if !v.mailed() {
			x.invalidLink()
			return nil
		}
		x.notice(200, notice{
			Title: x.say("report.heading"), Text: x.say("report.text", v.Account.Name), brand: x.brandOf(v.LinkedInvitation),
			Actions: []action{
				{Label: x.say("report.button"), To: "/invite/report", Post: true},
				{Label: x.say("report.back"), To: "/invite", Quiet: true},
			},
		})
		return nil
	})
}

func (x *exchange) reportInvite() error {
	return x.visiting(func(v visit) error {
		if !v.mailed() {
			x.invalidLink()
			return nil
		}
		if err := x.Service.SuppressRecipient(x.r.Context(), x.visitor().Actor(), v.ID, false); err != nil {
			return err
		}
		x.dropCookie(linkCookie)
		x.stateNotice(v, reported)
		return nil
	})
}

// holder is who holds the link of a visit, for what a link alone may do.
func (x *exchange) holder(v visit) iam.LinkHolder {
	visitor := x.visitor()
	return iam.LinkHolder{
		InvitationID: v.ID, Generation: v.link.Generation, RemoteAddr: visitor.RemoteAddr, RequestID: visitor.RequestID,
	}
}
