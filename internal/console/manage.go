package console

import (
	"net/http"
	"slices"
	"time"

	"hither/internal/iam"
)

// What a manager of members is led to by a message about an invitation: to send it
// anew, or to vouch for it. Everything else is the API's.

// managed is an invitation as its account's manager comes to it.
type managed struct {
	iam.Member

	account iam.Account
	at      string // the path of its page
}

// managing hands an invitation of an account over to do, to who may see it.
func (x *exchange) managing(do func(m managed) error) error {
	accountID, ok := iam.ParseID(x.r.PathValue("account_id"))
	id, alsoOK := iam.ParseID(x.r.PathValue("invite_id"))
	if !ok || !alsoOK {
		x.gone()
		return nil
	}
	m := managed{at: "/accounts/" + string(accountID) + "/invites/" + string(id)}
	var err error
	m.account, m.Member, err = x.Service.AccountInvitation(x.r.Context(), x.actor, accountID, id)
	if err == nil {
		err = do(m)
	}
	return x.managedRefusal(m, err)
}

// managedRefusal shows why a manager could not do it, or passes the error on.
func (x *exchange) managedRefusal(m managed, err error) error {
	texts := map[iam.Kind]string{
		iam.Forbidden: "manage.ceiling", iam.RoleCeiling: "manage.ceiling", iam.NoSeat: "manage.seat", iam.DomainRefused: "manage.domain",
		iam.AlreadyMember: "manage.meanwhile", iam.AlreadyInvited: "manage.meanwhile", iam.AlreadyAnswered: "manage.meanwhile",
		iam.InviteExpired: "manage.meanwhile", iam.InviteCanceled: "manage.meanwhile",
		iam.AccountSuspended: "suspended.text", iam.TwoFactorRequired: "manage.factor",
	}
	kind := iam.KindOf(err)
	if kind == iam.SignInAgain {
		x.leadToSignIn(m.at)
		return nil
	}
	text, ok := texts[kind]
	if !ok {
		return err
	}
	x.seen.Cause = err
	status, actions := http.StatusConflict, []action{{Label: x.say("gone.home"), To: "/home", Quiet: true}}
	switch kind { //nolint:exhaustive // all others of the table
	case iam.TwoFactorRequired:
		status, actions = http.StatusForbidden, slices.Insert(actions, 0, x.beginFactorAt(m.at))
	case iam.Forbidden, iam.RoleCeiling, iam.AccountSuspended:
		status = http.StatusForbidden
	}
	x.notice(status, notice{
		Title: x.say("refused.heading"), Kicker: x.say("manage.kicker"), Text: x.say(text),
		Actions: actions,
	})
	return nil
}

func (x *exchange) showManaged() error {
	return x.managing(func(m managed) error {
		key, do := x.managedState(m)
		x.managedNotice(m, key, do)
		return nil
	})
}

// managedState says what can be done for an invitation: its words, and the action.
func (x *exchange) managedState(m managed) (key string, do []action) {
	renew := func(label string) []action {
		return []action{{Label: x.say(label), To: m.at + "/renew", Post: true}}
	}
	switch status := m.StatusAt(x.Now()); {
	case m.NeedsConfirmation(x.Now()):
		return "manage-confirm", []action{{Label: x.say("manage.confirm"), To: m.at + "/confirm", Post: true}}
	case !m.AskedOn.IsZero() && (status == iam.Pending || status == iam.Expired):
		return "manage-asked", renew("manage.renew")
	case status == iam.Pending:
		return "manage-pending", renew("manage.renew")
	case status == iam.Expired:
		return "manage-expired", renew("manage.anew")
	}
	return "manage-over", nil
}

func (x *exchange) managedNotice(m managed, key string, do []action) {
	n := notice{
		Title: x.say(key + ".heading"), Kicker: x.say("manage.kicker"), Text: x.say(key + ".text"), Actions: do,
		Facts: &facts{Account: m.account.Name, Roles: roleNames(m.Roles), Address: m.Email},
		brand: newBrand(m.account.Name, "", ""),
	}
	switch status := m.StatusAt(x.Now()); status {
	case iam.Pending, iam.Accepted, iam.Rejected, iam.Expired:
		n.Stamp = x.say("status." + string(status))
	case iam.Canceled, iam.Left, iam.Removed:
		n.Stamp = x.say("stamp.withdrawn")
	}
	if m.StatusAt(x.Now()) == iam.Pending {
		n.Tone, n.Facts.Until = "open", m.ExpiresOn
	}
	x.notice(http.StatusOK, n)
}

// renewManaged sends the invitation anew, by a link that alone works from then on.
func (x *exchange) renewManaged() error {
	return x.managing(func(m managed) error {
		made, err := x.Service.RenewInvitation(x.r.Context(), x.actor, m.AccountID, m.ID, time.Time{}, iam.IdempotencyKey{})
		if err != nil {
			return err
		}
		m.Member = made.Result.Member
		x.managedNotice(m, "manage-renewed", nil)
		return nil
	})
}

// confirmManaged vouches for it as it is.
func (x *exchange) confirmManaged() error {
	return x.managing(func(m managed) error {
		made, err := x.Service.ConfirmInvitation(x.r.Context(), x.actor, m.AccountID, m.ID, iam.IdempotencyKey{})
		if err != nil {
			return err
		}
		m.Member = made.Result.Member
		x.managedNotice(m, "manage-confirmed", nil)
		return nil
	})
}
