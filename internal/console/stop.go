package console

import (
	"net/http"

	"hither/internal/iam"
	"hither/internal/seal"
)

// stopView asks what is to stop.
type stopView struct {
	Account string
	Address string
	To      string
}

// stopping hands over to do the invitation whose mail a link says "never again"
// to. The link is no way to answer it, and tells no more than whose mails stop.
func (x *exchange) stopping(do func(linked iam.LinkedInvitation) error) error {
	link, ok := x.Keys().Parse(x.r.PathValue("token"))
	if !ok || link.Purpose != seal.Unsubscribe {
		x.invalidLink()
		return nil
	}
	return x.linked(link.ID, do)
}

func (x *exchange) showStop() error {
	return x.stopping(func(linked iam.LinkedInvitation) error {
		x.show(http.StatusOK, stopPage, view{
			Title: x.say("stop.heading"), Brand: x.brandOf(linked),
			Data: stopView{Account: linked.Account.Name, Address: masked(linked.Email), To: x.r.URL.Path},
		})
		return nil
	})
}

// stopMails stops them: by our form, or by a mail program's one click, which is
// about the account alone.
func (x *exchange) stopMails() error {
	return x.stopping(func(linked iam.LinkedInvitation) error {
		anyone := !x.oneClick() && x.r.PostFormValue("from") == "everyone"
		if err := x.Service.SuppressRecipient(x.r.Context(), x.visitor().Actor(), linked.ID, anyone); err != nil {
			return err
		}
		x.notice(http.StatusOK, notice{
			Title: x.say("stopped.heading"), Kicker: x.say("stop.kicker"), Text: x.say("stopped.text"),
			Stamp: x.say("stamp.stopped"), Tone: "good", brand: x.brandOf(linked),
		})
		return nil
	})
}

// oneClick reports whether a mail program posted what RFC 8058 has it post.
func (x *exchange) oneClick() bool { return x.r.PostFormValue("List-Unsubscribe") == "One-Click" }
