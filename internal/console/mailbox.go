package console

import (
	"crypto/subtle"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Mailbox is what the demo "sent".
type Mailbox interface {
	// Letters are all of them, newest first.
	Letters() []Letter
	// Key opens the mailbox; "" where only this machine can reach it.
	Key() string
}

// Letter is one message.
type Letter struct {
	ID      string
	To      string
	Subject string
	Text    string
	Sent    time.Time
}

const mailboxCookie = "hither-mailbox" // the key of the demo's mailbox

// inMailbox hands over to do what the mailbox holds, to who may see it.
func (x *exchange) inMailbox(do func(letters []Letter) error) error {
	key := x.Mailbox.Key()
	if key != "" && subtle.ConstantTimeCompare([]byte(x.cookie(mailboxCookie)), []byte(key)) != 1 {
		x.show(http.StatusForbidden, unlockPage, view{Title: x.say("mailbox.heading"), Data: nil})
		return nil
	}
	return do(x.Mailbox.Letters())
}

func (x *exchange) showMailbox() error {
	return x.inMailbox(func(letters []Letter) error {
		x.show(http.StatusOK, mailboxPage, view{Title: x.say("mailbox.heading"), Wide: true, Data: letters})
		return nil
	})
}

// letterView is a letter in pieces, so that its links can be followed.
type letterView struct {
	Letter

	Pieces []piece
}

// piece is text, or where Link is set a link of ours.
type piece struct{ Text, Link string }

func (x *exchange) showLetter() error {
	return x.inMailbox(func(letters []Letter) error {
		for _, letter := range letters {
			if letter.ID == x.r.PathValue("letter_id") {
				x.show(http.StatusOK, letterPage, view{Title: letter.Subject, Wide: true, Data: letterView{letter, x.pieces(letter.Text)}})
				return nil
			}
		}
		x.gone()
		return nil
	})
}

// pieces parts a text where links of ours stand in it.
func (x *exchange) pieces(text string) []piece {
	ours := regexp.MustCompile(regexp.QuoteMeta(x.Base.String()) + `/[A-Za-z0-9/_-]+`)
	var pieces []piece
	from := 0
	for _, at := range ours.FindAllStringIndex(text, -1) {
		link := text[at[0]:at[1]]
		pieces = append(pieces, piece{Text: text[from:at[0]]}, piece{Text: link, Link: link})
		from = at[1]
	}
	return append(pieces, piece{Text: text[from:]})
}

// unlockMailbox takes the key that the demo printed.
func (x *exchange) unlockMailbox() error {
	const life = 12 * time.Hour
	x.setCookie(mailboxCookie, strings.TrimSpace(x.r.PostFormValue("key")), life)
	x.to("/demo/mail")
	return nil
}
