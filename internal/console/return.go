package console

import (
	"net/http"
	"net/url"
	"slices"
)

// A product that sends people here wants them back. Where to is for the operator
// to say, URL by URL: what the address of a page asks for counts only if it is
// one of these to the last byte. There is no rule to get around.

// keepReturn notes where somebody wants to go on to afterwards.
func (x *exchange) keepReturn() {
	asked := x.r.URL.Query()["return"]
	if x.r.Method != http.MethodGet || len(asked) != 1 || !slices.Contains(x.ReturnURLs, asked[0]) {
		return
	}
	x.setCookie(returnCookie, url.QueryEscape(asked[0]), shortLife)
}

// goOn is where they can go on to: where they asked for, or else the first of the
// operator's; "" where there is none.
func (x *exchange) goOn() string {
	if held, err := url.QueryUnescape(x.cookie(returnCookie)); err == nil && slices.Contains(x.ReturnURLs, held) {
		return held
	}
	if len(x.ReturnURLs) > 0 {
		return x.ReturnURLs[0]
	}
	return ""
}

// goOnAction leads there.
func (x *exchange) goOnAction() (action, bool) {
	at := x.goOn()
	u, err := url.Parse(at)
	if at == "" || err != nil {
		return action{}, false
	}
	return action{Label: x.say("joined.on", u.Host), Away: at}, true
}
