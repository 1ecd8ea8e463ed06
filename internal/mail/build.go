package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"hither/internal/iam"
)

// Envelope says from whom, to whom and as what a message goes.
type Envelope struct {
	// ID is the delivery's: the message is <ID@domain of From>, at every try,
	// so that a receiver which got it twice shows it once.
	ID string
	// From is who the reader sees.
	From Address
	// Bounce is who hears that a message came back; empty is From.
	Bounce string
	// To is the one recipient, in canonical form.
	To string
	// Date is when the message was first due, so that each try is the same.
	Date time.Time
	// Unsubscribe is what one POST without anybody's sign-in takes (RFC 8058).
	// It is left out unless it is https.
	Unsubscribe string
}

// Build makes the bytes of a message: the same for the same arguments.
func Build(e Envelope, c Content) (Message, error) {
	if err := e.check(); err != nil {
		return Message{}, err
	}
	id := e.ID + "@" + e.From.domain()
	digest := sha256.Sum256([]byte(id))
	boundary := "hither-" + hex.EncodeToString(digest[:16])
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", e.From.String())
	header("To", e.To)
	header("Subject", unstructured(c.Subject))
	header("Date", e.Date.UTC().Format(time.RFC1123Z))
	header("Message-ID", "<"+id+">")
	header("Auto-Submitted", "auto-generated")
	if strings.HasPrefix(e.Unsubscribe, "https://") {
		header("List-Unsubscribe", "<"+e.Unsubscribe+">")
		header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	header("Content-Language", c.Locale)
	header("MIME-Version", "1.0")
	header("Content-Type", "multipart/alternative;\r\n boundary=\""+boundary+"\"")
	for _, part := range []struct{ kind, text string }{{"plain", c.Text}, {"html", c.HTML}} {
		fmt.Fprintf(&b, "\r\n--%s\r\n", boundary)
		header("Content-Type", "text/"+part.kind+"; charset=utf-8")
		header("Content-Transfer-Encoding", "quoted-printable")
		b.WriteString("\r\n")
		w := quotedprintable.NewWriter(&b)
		if _, err := io.WriteString(w, part.text); err != nil {
			return Message{}, fmt.Errorf("encode the message: %w", err)
		}
		if err := w.Close(); err != nil {
			return Message{}, fmt.Errorf("encode the message: %w", err)
		}
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	m := Message{ID: id, From: e.Bounce, To: e.To, MIME: b.Bytes()}
	if m.From == "" {
		m.From = e.From.Email
	}
	return m, nil
}

func (e *Envelope) check() error {
	const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
	if e.ID == "" || len(e.ID) > 64 || strings.Trim(e.ID, idCharacters) != "" {
		return errors.New("a delivery's id must be 1 to 64 letters, digits or -._")
	}
	for _, address := range []string{e.From.Email, e.Bounce, e.To} {
		if address == "" && e.Bounce == "" && e.From.Email != "" && e.To != "" {
			continue
		}
		if canonical, err := iam.CanonicalEmail(address); err != nil || canonical != address {
			return fmt.Errorf("%q is no address in canonical form", address)
		}
	}
	if e.Date.IsZero() {
		return errors.New("a message needs its date")
	}
	if strings.Trim(e.Unsubscribe, linkCharacters) != "" || len(e.Unsubscribe) > maxLink {
		return errLink
	}
	return nil
}
