package mail_test

import (
	"fmt"
	"testing"
	"time"

	"hither/internal/mail"
)

// TestBoxKeepsTheNewest holds what a Box shows: the text, the newest first, and
// no more than it has room for.
func TestBoxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	box := mail.NewBox(func() time.Time { return now })
	const many = 250
	for i := range many {
		text := fmt.Sprintf("From: a@example.com\r\nSubject: n %d\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"+
			"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nletter %d\r\n--x--\r\n", i, i)
		if err := box.Send(t.Context(), mail.Message{ID: fmt.Sprint(i), To: "b@example.com", MIME: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	kept := box.Messages()
	if len(kept) != 200 || kept[0].Subject != "n 249" || kept[199].Subject != "n 50" {
		t.Fatalf("kept %d, the first %+v, the last %+v", len(kept), kept[0], kept[len(kept)-1])
	}
	if got := kept[0]; got.To != "b@example.com" || got.Text != "letter 249" || !got.Sent.Equal(now) || got.ID != "249" {
		t.Errorf("got %+v", got)
	}
	if err := box.Send(t.Context(), mail.Message{MIME: []byte("no message")}); err == nil {
		t.Error("what is no message was taken")
	}
}
