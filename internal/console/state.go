package console

import (
	"net/http"
	"time"

	"hither/internal/iam"
)

// facts are what a page tells of an invitation: who asks for what, and nothing
// of anybody's profile.
type facts struct {
	Account string
	Inviter string // "" where nobody is to be shown
	Roles   []string
	Address string
	Until   time.Time
	Ends    time.Time // of the membership, zero: never
}

// invitationView is the page of an invitation that can be answered.
type invitationView struct {
	At        string
	Facts     facts
	Note      string // the inviting side's word
	MayAnswer bool   // at once; else there is a sign-in first
	MayMail   bool   // a link that proves the mailbox, since this one does not
	NewUser   bool   // answering makes a user
	Known     bool
	MayDefer  bool
	MayReport bool
	Reminded  bool
	With      []providerButton // where there is a sign-in first
}

func (x *exchange) factsOf(v visit) facts {
	f := facts{Account: v.Account.Name, Roles: roleNames(v.Roles), Address: v.address(x.actor), Until: v.ExpiresOn, Ends: v.EndsOn}
	// Of somebody's address the page tells who may answer; the mail does too.
	if v.InvitedBy != operatorName {
		f.Inviter = v.InvitedBy
	}
	return f
}

// operatorName is how a row names that no user invited.
const operatorName = "operator"

func roleNames(roles []iam.Role) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.Name
	}
	return names
}

func (x *exchange) brandOf(linked iam.LinkedInvitation) brand {
	name := linked.Look.Name
	if name == "" {
		name = linked.Account.Name
	}
	return newBrand(name, linked.Look.Color, x.logo(linked.Look.Logo))
}

// showStanding answers with the page of a standing.
func (x *exchange) showStanding(v visit, found standing) {
	if found == open {
		x.showInvitation(v, false)
		return
	}
	x.stateNotice(v, found)
}

func (x *exchange) showInvitation(v visit, reminded bool) {
	_, left := v.reminder(x.Now())
	x.show(http.StatusOK, invitationPage, view{
		Title: x.say("invite.heading", v.Account.Name), Brand: x.brandOf(v.LinkedInvitation), Opened: v.at + "/opened",
		Data: invitationView{
			At: v.at, Facts: x.factsOf(v), Note: v.Note, Known: v.Known && v.mailed(), Reminded: reminded,
			MayAnswer: v.mayAnswer(x.actor), NewUser: !x.signedIn(), MayMail: v.link != nil && !v.mailed() && x.Service.MailsProofs(),
			MayDefer: v.mailed() && left && !reminded, MayReport: v.mailed(), With: x.providerButtons(v.at),
		},
	})
}

// stateNotice is the page of what stands in the way of an answer, or came of one.
func (x *exchange) stateNotice(v visit, found standing) {
	status, n := http.StatusOK, notice{Title: x.heading(v, found), Kicker: x.say("invite.kicker"), brand: x.brandOf(v.LinkedInvitation)}
	account, text := v.Account.Name, string(found)+".text"
	n.Text = x.say(text)
	switch found {
	case joined:
		n.Facts = &facts{Account: account, Roles: roleNames(v.Roles), Address: v.address(x.actor)}
	case expired:
		status, n.Text = http.StatusGone, x.say(text, x.tongues[x.lang].date(v.ExpiresOn), account)
	case withdrawn, replaced:
		status, n.Text = http.StatusGone, x.say(text, account)
	case wrong:
		status, n.Text = http.StatusForbidden, x.say(text, x.actor.User.Email, masked(v.Email))
	case paused, factor:
		status = http.StatusForbidden
	case unconfirmed, barred:
		status, n.Text = http.StatusForbidden, x.say(text, account)
	case seat, member:
		status, n.Text = http.StatusConflict, x.say(text, account)
	case declined, asked, reported:
		n.Text = x.say(text, account)
	case mailedLink:
		n.Text = x.say(text, masked(v.Email))
	case open, answered:
	}
	n.Stamp, n.Tone = x.stamp(found)
	n.Actions = x.actions(v, found)
	x.notice(status, n)
}

func (x *exchange) heading(v visit, found standing) string {
	key := string(found) + ".heading"
	if found == joined || found == paused || found == factor {
		return x.say(key, v.Account.Name)
	}
	return x.say(key)
}

// stamp is the word that is stamped on the ticket of a state, and its tone.
func (x *exchange) stamp(found standing) (word, tone string) {
	stamps := map[standing][2]string{
		joined:      {"stamp.joined", "good"},
		answered:    {"stamp.joined", "good"},
		declined:    {"stamp.declined", ""},
		expired:     {"stamp.expired", ""},
		withdrawn:   {"stamp.withdrawn", "bad"},
		replaced:    {"stamp.replaced", ""},
		paused:      {"stamp.paused", "bad"},
		factor:      {"stamp.waiting", "open"},
		unconfirmed: {"stamp.waiting", "open"},
		barred:      {"stamp.waiting", "open"},
		seat:        {"stamp.full", ""},
		asked:       {"stamp.asked", "good"},
		mailedLink:  {"stamp.mailed", "good"},
		reported:    {"stamp.stopped", "good"},
	}
	stamp, ok := stamps[found]
	if !ok {
		return "", ""
	}
	return x.say(stamp[0]), stamp[1]
}

// actions are what can be done in a state.
func (x *exchange) actions(v visit, found standing) []action {
	home := action{Label: x.say("joined.home"), To: "/home"}
	switch found {
	case joined:
		if on, ok := x.goOnAction(); ok {
			home.Quiet = true
			return []action{on, home}
		}
		return []action{home}
	case answered, member:
		return []action{home}
	case expired, replaced:
		if v.link == nil {
			return nil
		}
		return []action{{Label: x.say("ask.button"), To: "/invite/ask", Post: true}}
	case wrong:
		return []action{
			{Label: x.say("wrong.switch"), To: "/invite/switch", Post: true},
			{Label: x.say("wrong.home"), To: "/home", Quiet: true},
		}
	case factor:
		return []action{
			x.beginFactorAt("/invites/" + string(v.ID)),
			{Label: x.say("invite.decline.really"), To: v.at + "/decline", Post: true, Quiet: true},
		}
	case unconfirmed, barred:
		if !v.mayAnswer(x.actor) {
			return nil
		}
		return []action{{Label: x.say("invite.decline.really"), To: v.at + "/decline", Post: true, Quiet: true}}
	case open, declined, withdrawn, paused, seat, asked, mailedLink, reported:
	}
	return nil
}

// invalidLink is the one page of every link that is none: it doesn't tell what
// is wrong with it.
func (x *exchange) invalidLink() {
	x.notice(http.StatusNotFound, notice{Title: x.say("invalid.heading"), Text: x.say("invalid.text")})
}
