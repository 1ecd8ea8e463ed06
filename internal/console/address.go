package console

import (
	"net/http"

	"hither/internal/iam"
	"hither/internal/seal"
)

// addressView asks for a new address, or for the code that was mailed to it.
type addressView struct {
	Email string
	Wrong string // what was wrong with the last try
}

// showAddress asks for a fresh sign-in first, so that nobody types in vain.
func (x *exchange) showAddress() error {
	if !x.freshly() {
		x.leadToSignIn("/address")
		return nil
	}
	x.addressForm(http.StatusOK, addressView{})
	return nil
}

// freshly reports whether the session may do what asks for a recent sign-in.
func (x *exchange) freshly() bool { return x.Now().Before(x.actor.SessionProved.Add(iam.FreshFor)) }

func (x *exchange) addressForm(status int, v addressView) {
	x.show(status, addressPage, view{Title: x.say("address.heading"), Menu: "address", Data: v})
}

// askAddress mails a link and a code to the new address, and says the same where
// somebody else has it.
func (x *exchange) askAddress() error {
	email := x.r.PostFormValue("email")
	asked, err := x.Service.AskAddress(x.r.Context(), x.actor, x.visitor(), email)
	switch iam.KindOf(err) {
	case iam.Invalid:
		x.seen.Cause = err
		x.addressForm(http.StatusUnprocessableEntity, addressView{Email: email, Wrong: x.say("signin.wrong")})
		return nil
	case iam.TooManyAttempts:
		x.seen.Cause = err
		x.retryAfter(err)
		x.addressForm(http.StatusTooManyRequests, addressView{Email: email, Wrong: x.say("code.limit")})
		return nil
	case iam.SignInAgain:
		x.leadToSignIn("/address")
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.keepAsking(asked, email, "/address")
	x.to("/address/code")
	return nil
}

func (x *exchange) showAddressCode() error {
	held := x.asking()
	if held.id == "" {
		x.to("/address")
		return nil
	}
	x.addressCodeForm(http.StatusOK, held, "")
	return nil
}

func (x *exchange) addressCodeForm(status int, held asking, wrong string) {
	x.show(status, addressCodePage, view{
		Title: x.say("code.heading"), Menu: "address", Data: addressView{Email: held.email, Wrong: wrong},
	})
}

func (x *exchange) proveAddressByCode() error {
	held := x.asking()
	done, err := x.Service.ProveAddress(x.r.Context(), x.actor, x.visitor(), iam.Proof{
		ID: held.id, Browser: held.browser, Code: x.r.PostFormValue("code"),
	})
	switch iam.KindOf(err) {
	case iam.ProofRefused:
		x.seen.Cause = err
		x.addressCodeForm(http.StatusForbidden, held, x.say("code.wrong"))
		return nil
	case iam.TooManyAttempts:
		x.seen.Cause = err
		x.retryAfter(err)
		x.addressCodeForm(http.StatusTooManyRequests, held, x.say("code.limit"))
		return nil
	default:
		return x.addressProven(done, err)
	}
}

// showAddressLink has who opened the mailed link say once more that the address is
// to change: it is the signed-in user's that does, whoever had the mail sent.
func (x *exchange) showAddressLink() error {
	link, ok := x.proof(addressCookie, seal.Address)
	if !ok {
		x.invalidLink()
		return nil
	}
	address, err := x.Service.ProofAddress(x.r.Context(), link.ID)
	if err != nil {
		return x.addressProven(iam.SignedIn{}, err)
	}
	x.notice(http.StatusOK, notice{
		Title: x.say("confirm-address.heading"), Kicker: x.say("address.kicker"),
		Text: x.say("confirm-address.text", x.actor.User.Email, masked(address)),
		Actions: []action{
			{Label: x.say("confirm-address.button"), To: "/address/link", Post: true},
			{Label: x.say("confirm-address.not"), To: "/home", Quiet: true},
		},
	})
	return nil
}

func (x *exchange) proveAddressByLink() error {
	link, ok := x.proof(addressCookie, seal.Address)
	if !ok {
		x.invalidLink()
		return nil
	}
	return x.addressProven(x.Service.ProveAddress(x.r.Context(), x.actor, x.visitor(), iam.Proof{ID: link.ID, ByLink: true}))
}

// addressProven tells what became of a proof. Every session ended with the old
// address; this browser goes on with a new one.
func (x *exchange) addressProven(done iam.SignedIn, err error) error {
	refusals := map[iam.Kind]struct {
		text   string
		status int
	}{
		iam.ProofRefused:   {"confirm-signin.other", http.StatusForbidden},
		iam.SignInFirst:    {"address.other", http.StatusForbidden},
		iam.Invalid:        {"address.taken", http.StatusConflict},
		iam.AlreadyInvited: {"address.invited", http.StatusConflict},
	}
	if refusal, ok := refusals[iam.KindOf(err)]; ok {
		x.seen.Cause = err
		x.notice(refusal.status, notice{
			Title: x.say("address-kept.heading"), Kicker: x.say("address.kicker"), Text: x.say(refusal.text),
			Actions: []action{{Label: x.say("address.again"), To: "/address"}},
		})
		return nil
	}
	if err != nil {
		return err
	}
	x.beginSession(done)
	x.dropCookie(browserCookie)
	x.dropCookie(addressCookie)
	x.actor.User = done.User
	x.notice(http.StatusOK, notice{
		Title: x.say("address-changed.heading"), Kicker: x.say("address.kicker"), Text: x.say("address-changed.text", done.User.Email),
		Stamp: x.say("stamp.changed"), Tone: "good",
		Actions: []action{{Label: x.say("joined.home"), To: "/home"}},
	})
	return nil
}
