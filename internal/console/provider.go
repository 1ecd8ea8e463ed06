package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"hither/internal/iam"
	"hither/internal/oidc"
)

// Providers sign people in who have an account elsewhere; oidc.Issuers does. An
// error of the kind iam.Unavailable says that one cannot be asked, any other but
// oidc.ErrDeclined that what came back is refused.
type Providers interface {
	Buttons() []oidc.Button
	Begin(ctx context.Context, name, redirect string) (flow oidc.Flow, at string, err error)
	Finish(ctx context.Context, name, redirect string, flow oidc.Flow, back oidc.Return) (iam.Assertion, error)
}

// leaving is what a browser holds while it is with a provider.
type leaving struct {
	Provider string    `json:"p"`
	Flow     oidc.Flow `json:"f"`
	Next     string    `json:"x"`
}

// arrived is what a browser holds whose identity stands for nobody yet, until it
// proved the mailbox.
type arrived struct {
	Assertion iam.Assertion `json:"a"`
	Next      string        `json:"x"`
}

// providerButton leads to a provider, and back to a page of ours.
type providerButton struct{ Label, To string }

func (x *exchange) providerButtons(next string) []providerButton {
	if x.Providers == nil {
		return nil
	}
	var buttons []providerButton
	for _, b := range x.Providers.Buttons() {
		buttons = append(buttons, providerButton{
			Label: x.say("provider.button", b.Title), To: "/sign-in/with/" + b.Name + "?" + url.Values{"next": {x.next(next)}}.Encode(),
		})
	}
	return buttons
}

// callback is where a provider sends browsers back to. Each has an address of its
// own, so that one cannot answer for another.
func (c *Console) callback(provider string) string {
	return c.origin() + c.path("/s/"+provider+"/callback")
}

// leaveForProvider sends the browser to a provider. All that it changes is a
// cookie of ten minutes.
func (x *exchange) leaveForProvider() error {
	name := x.r.PathValue("provider")
	flow, at, err := x.Providers.Begin(x.r.Context(), name, x.callback(name))
	if err != nil {
		return x.providerFailed(name, err)
	}
	x.sealCookie(flowCookie, leaving{Provider: name, Flow: flow, Next: x.next(x.r.URL.Query().Get("next"))})
	x.away(at)
	return nil
}

// arriveFromProvider signs in whom the provider vouches for. It is the one page
// that does so by GET, as the protocol has it: a browser gets there with the
// state of a sign-in that it began itself, which is good once, and so neither a
// mail scanner nor another site can.
func (x *exchange) arriveFromProvider() error {
	name := x.r.PathValue("provider")
	var held leaving
	if x.r.Method != http.MethodGet || x.prefetched() || !x.openCookie(flowCookie, &held) || held.Provider != name {
		x.providerNotice(http.StatusForbidden, "provider-lost")
		return nil
	}
	x.dropCookie(flowCookie)
	query := x.r.URL.Query()
	assertion, err := x.Providers.Finish(x.r.Context(), name, x.callback(name), held.Flow, oidc.Return{
		State: query.Get("state"), Code: query.Get("code"), Issuer: query.Get("iss"), Error: query.Get("error"),
	})
	if err != nil {
		return x.providerFailed(name, err)
	}
	begun, err := x.Service.SignInByIdentity(x.r.Context(), x.visitor(), assertion)
	switch iam.KindOf(err) {
	case iam.IdentityUnlinked:
		x.seen.Cause = err
		x.sealCookie(identityCookie, arrived{Assertion: assertion, Next: held.Next})
		x.to("/sign-in/prove")
		return nil
	case iam.Forbidden:
		x.seen.Cause = err
		x.providerNotice(http.StatusForbidden, "provider-suspended")
		return nil
	default:
		if err != nil {
			return err
		}
	}
	x.signIn(begun, held.Next)
	return nil
}

func (x *exchange) prefetched() bool { return x.r.Header.Get("Sec-Purpose") != "" }

// showProveMailbox says why a mail is needed this once. Whether anybody has the
// address is not told.
func (x *exchange) showProveMailbox() error {
	var held arrived
	if !x.openCookie(identityCookie, &held) {
		x.to("/sign-in")
		return nil
	}
	x.notice(http.StatusOK, notice{
		Title: x.say("prove.heading"), Kicker: x.say("signin.kicker"), Text: x.say("prove.text", held.Assertion.Email),
		Actions: []action{
			{Label: x.say("prove.button"), To: "/sign-in/prove", Post: true},
			{Label: x.say("provider.back"), To: "/sign-in", Quiet: true},
		},
	})
	return nil
}

func (x *exchange) proveMailbox() error {
	var held arrived
	if !x.openCookie(identityCookie, &held) {
		x.to("/sign-in")
		return nil
	}
	return x.mailProof(x.visitor(), held.Assertion.Email, held.Next)
}

// signInByProof signs in by a mailed proof, and links the identity that this
// browser showed before, where there is one.
func (x *exchange) signInByProof(proof iam.Proof) (iam.SignedIn, error) {
	var held arrived
	if x.openCookie(identityCookie, &held) {
		return x.Service.SignInAndLink(x.r.Context(), x.visitor(), proof, held.Assertion)
	}
	return x.Service.SignIn(x.r.Context(), x.visitor(), proof)
}

// providerFailed says what went wrong with a provider, and offers the mail.
func (x *exchange) providerFailed(name string, err error) error {
	x.seen.Cause = err
	switch {
	case iam.KindOf(err) == iam.NotFound, errors.Is(err, context.Canceled):
		return err
	case iam.KindOf(err) == iam.Unavailable, errors.Is(err, context.DeadlineExceeded):
		x.providerNotice(http.StatusServiceUnavailable, "provider-down", x.titleOf(name))
	case errors.Is(err, oidc.ErrDeclined):
		x.providerNotice(http.StatusOK, "provider-declined", x.titleOf(name))
	default:
		x.providerNotice(http.StatusForbidden, "provider-refused", x.titleOf(name))
	}
	return nil
}

func (x *exchange) providerNotice(status int, words string, args ...any) {
	x.notice(status, notice{
		Title: x.say(words + ".heading"), Kicker: x.say("signin.kicker"), Text: x.say(words+".text", args...),
		Actions: []action{{Label: x.say("provider.back"), To: "/sign-in"}},
	})
}

func (x *exchange) titleOf(name string) string {
	for _, b := range x.Providers.Buttons() {
		if b.Name == name {
			return b.Title
		}
	}
	return name
}

// sealed is the content of a cookie that is believed: nobody reads or makes it
// without the instance's key, and it ends by our clock.
type sealed struct {
	Ends  time.Time       `json:"e"`
	Value json.RawMessage `json:"v"`
}

// sealCookie keeps a value in this browser for ten minutes. Its fields are
// strings, which always encode.
func (x *exchange) sealCookie(name string, value any) {
	text, err := json.Marshal(value)
	if err == nil {
		text, err = json.Marshal(sealed{Ends: x.Now().Add(shortLife), Value: text})
	}
	if err != nil {
		panic("console: seal a cookie: " + err.Error())
	}
	x.setCookie(name, base64.RawURLEncoding.EncodeToString(x.Keys().Seal("cookie", name, text)), shortLife)
}

func (x *exchange) openCookie(name string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(x.cookie(name))
	if err != nil || len(raw) == 0 {
		return false
	}
	text, err := x.Keys().Open("cookie", name, raw)
	var held sealed
	if err != nil || json.Unmarshal(text, &held) != nil || !x.Now().Before(held.Ends) {
		return false
	}
	return json.Unmarshal(held.Value, into) == nil
}

// away sends the browser to another site.
func (x *exchange) away(at string) {
	x.w.Header().Set("Location", at)
	x.seen.Status = http.StatusSeeOther
	x.w.WriteHeader(http.StatusSeeOther)
}
