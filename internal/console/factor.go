package console

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hither/internal/iam"
	"hither/internal/totp"
)

// factorView is the page of a user's second factor.
type factorView struct {
	Next  string // where it is asked for, "" nowhere
	Since time.Time
	Left  int
	Wrong string // what was wrong with the last code
}

// setUpView shows a seed, and asks for the first code of it.
type setUpView struct {
	Next    string
	Picture string // PNG in base64
	Secret  string
	Address string // of the seed, for an authenticator on this device
	Wrong   string
}

// codesView are recovery codes, in this answer alone.
type codesView struct {
	Next  string
	Codes []string
}

// stepView asks for what completes a sign-in.
type stepView struct {
	Next     string
	Recovery bool
	Wrong    string
}

// beginFactorAt leads to where a second factor is set up, and from there on to a page.
func (x *exchange) beginFactorAt(next string) action {
	return action{Label: x.say("factor.begin"), To: "/factor?" + url.Values{"next": {next}}.Encode()}
}

func (x *exchange) showFactor() error {
	return x.factorPage(http.StatusOK, x.wanted(x.r.URL.Query().Get("next")), "")
}

// wanted is a page of ours that somebody came from, "" where that is none.
func (x *exchange) wanted(asked string) string {
	if asked == "" {
		return ""
	}
	return x.next(asked)
}

func (x *exchange) factorPage(status int, next, wrong string) error {
	state, err := x.Service.Factor(x.r.Context(), x.actor)
	if err != nil {
		return err
	}
	x.show(status, factorPage, view{
		Title: x.say("factor.page"), Menu: "factor", Wide: true,
		Data: factorView{Next: next, Since: state.Since, Left: state.CodesLeft, Wrong: wrong},
	})
	return nil
}

// beginFactor draws a seed, which the next page shows: reloading that draws none
// anew.
func (x *exchange) beginFactor() error {
	next := x.wanted(x.r.PostFormValue("next"))
	err := x.Service.BeginFactor(x.r.Context(), x.actor)
	if iam.KindOf(err) == iam.Invalid { // there is one already
		x.toWith("/factor", next)
		return nil
	}
	if err != nil {
		return x.again(err, next)
	}
	x.toWith("/factor/set-up", next)
	return nil
}

// again leads who has to sign in once more to where they came from: there it says
// anew what is missing.
func (x *exchange) again(err error, next string) error {
	if iam.KindOf(err) != iam.SignInAgain {
		return err
	}
	if next == "" {
		next = "/factor"
	}
	x.leadToSignIn(next)
	return nil
}

// toWith leads to a page of ours that leads on.
func (x *exchange) toWith(p, next string) {
	if next != "" {
		p += "?" + url.Values{"next": {next}}.Encode()
	}
	x.to(p)
}

func (x *exchange) showSetUp() error {
	return x.setUpPage(http.StatusOK, x.wanted(x.r.URL.Query().Get("next")), "")
}

func (x *exchange) setUpPage(status int, next, wrong string) error {
	seed, err := x.Service.FactorSeed(x.r.Context(), x.actor)
	if iam.KindOf(err) == iam.NotFound { // it took too long, or it is confirmed already
		x.toWith("/factor", next)
		return nil
	}
	if err != nil {
		return err
	}
	address := totp.URL(x.Base.Hostname(), x.actor.User.Email, seed)
	picture, err := totp.Picture(address)
	if err != nil {
		return err
	}
	x.show(status, setUpPage, view{Title: x.say("set-up.heading"), Menu: "factor", Data: setUpView{
		Next: next, Picture: base64.StdEncoding.EncodeToString(picture), Secret: totp.Secret(seed), Wrong: wrong,
		Address: strings.TrimPrefix(address, "otpauth://totp/"), // the page has that as text
	}})
	return nil
}

func (x *exchange) confirmFactor() error {
	next := x.wanted(x.r.PostFormValue("next"))
	confirmed, err := x.Service.ConfirmFactor(x.r.Context(), x.actor, x.r.PostFormValue("code"))
	if status, wrong := x.wrongCode(err); wrong != "" {
		return x.setUpPage(status, next, wrong)
	}
	switch iam.KindOf(err) {
	case iam.NotFound, iam.Invalid: // too late, or in another window before
		x.toWith("/factor", next)
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.beginSession(confirmed.SignedIn)
	x.codesPage(next, confirmed.Codes)
	return nil
}

// wrongCode says what a refused code is told, "" where the error is none of that.
func (x *exchange) wrongCode(err error) (status int, wrong string) {
	switch iam.KindOf(err) {
	case iam.ProofRefused:
		x.seen.Cause = err
		return http.StatusForbidden, x.say("factor.wrong")
	case iam.TooManyAttempts:
		x.seen.Cause = err
		x.retryAfter(err)
		return http.StatusTooManyRequests, x.say("factor.limit")
	default:
		return 0, ""
	}
}

func (x *exchange) codesPage(next string, codes []string) {
	if next == "" {
		next = "/home"
	}
	x.show(http.StatusOK, codesPage, view{Title: x.say("codes.heading"), Menu: "factor", Data: codesView{Next: next, Codes: codes}})
}

func (x *exchange) renewCodes() error {
	codes, err := x.Service.RenewRecoveryCodes(x.r.Context(), x.actor)
	if err != nil {
		return x.again(err, "")
	}
	x.codesPage("/factor", codes)
	return nil
}

func (x *exchange) removeFactor() error {
	err := x.Service.RemoveFactor(x.r.Context(), x.actor, shownBy(x.r.PostFormValue("code")))
	if status, wrong := x.wrongCode(err); wrong != "" {
		return x.factorPage(status, "", wrong)
	}
	if err != nil {
		return x.again(err, "")
	}
	x.to("/factor")
	return nil
}

// shownBy tells a recovery code from a code by its length: who removes a factor
// that is lost has no other.
func shownBy(typed string) iam.ShownFactor {
	const longest = 8 // of a code, with what may group it
	return iam.ShownFactor{Code: typed, Recovery: len(typed) > longest}
}

// showStep asks for the second factor of who has signed in but for that.
func (x *exchange) showStep() error { return x.stepBy(false) }

// showRecovery asks for one of the codes that stand in for it.
func (x *exchange) showRecovery() error { return x.stepBy(true) }

func (x *exchange) stepBy(recovery bool) error {
	next := x.next(x.r.URL.Query().Get("next"))
	switch {
	case x.signedIn():
		x.to(next)
	case x.half.Kind != iam.ByUser:
		x.leadToSignIn(next)
	default:
		x.stepPage(http.StatusOK, stepView{Next: next, Recovery: recovery})
	}
	return nil
}

func (x *exchange) stepPage(status int, v stepView) {
	x.show(status, stepPage, view{Title: x.say("step.heading"), Data: v})
}

func (x *exchange) takeStep() error { return x.complete(false) }

func (x *exchange) takeRecovery() error { return x.complete(true) }

// complete completes a sign-in by a code, and goes where that was to lead.
func (x *exchange) complete(recovery bool) error {
	v := stepView{Next: x.next(x.r.PostFormValue("next")), Recovery: recovery}
	switch {
	case x.signedIn(): // in another window, a moment ago
		x.to(v.Next)
		return nil
	case x.half.Kind != iam.ByUser:
		x.leadToSignIn(v.Next)
		return nil
	}
	whole, err := x.showsFactor(iam.ShownFactor{Code: x.r.PostFormValue("code"), Recovery: recovery})
	var status int
	if status, v.Wrong = x.wrongCode(err); v.Wrong != "" {
		x.stepPage(status, v)
		return nil
	}
	switch iam.KindOf(err) {
	case iam.SignInAgain, iam.SignInFirst: // that was too long ago, or is over
		x.half = iam.Actor{}
		x.leadToSignIn(v.Next)
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.beginSession(whole)
	x.dropCookie(identityCookie)
	x.to(v.Next)
	return nil
}

// showsFactor shows a second factor, and has an identity linked that waits for it.
func (x *exchange) showsFactor(shown iam.ShownFactor) (iam.SignedIn, error) {
	var held arrived
	if x.openCookie(identityCookie, &held) {
		return x.Service.ShowFactorAndLink(x.r.Context(), x.half, shown, held.Assertion)
	}
	return x.Service.ShowFactor(x.r.Context(), x.half, shown)
}
