package mail

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"
)

// KF-60: one recipient, no copies, and the headers of a message by a machine.
func TestMessageIsBuilt(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	letter := Samples(testBase)[0]
	content, err := c.Compose("de", letter)
	if err != nil {
		t.Fatal(err)
	}
	e := testEnvelope(letter)
	e.From.Name = "Äxample"
	m, err := Build(e, content)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "0123abcd@example.com" || m.From != "mail@example.com" || m.To != "charles@example.com" {
		t.Errorf("got %q from %q to %q", m.ID, m.From, m.To)
	}
	r := receive(t, m.MIME)
	holdHeaders(t, r.header, letter)
	for name, want := range map[string]string{
		"Message-Id":            "<0123abcd@example.com>",
		"Date":                  "Tue, 03 Mar 2026 14:05:00 +0000",
		"Auto-Submitted":        "auto-generated",
		"Content-Language":      "de",
		"List-Unsubscribe":      "<" + letter.view().Unsubscribe + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if from, err := mail.ParseAddress(r.header.Get("From")); err != nil || from.Name != "Äxample" || from.Address != "mail@example.com" {
		t.Errorf("From: got %v, %v", from, err)
	}
	if r.subject != content.Subject || r.text != content.Text || r.html != content.HTML {
		t.Error("what was parsed is not what was composed")
	}
	again, err := Build(e, content)
	if err != nil || !bytes.Equal(again.MIME, m.MIME) {
		t.Errorf("the same message again: got %v and other bytes", err)
	}
	e.Bounce = "bounces@example.com"
	if m, err := Build(e, content); err != nil || m.From != "bounces@example.com" {
		t.Errorf("with --mail-bounce: got %q, %v", m.From, err)
	}
}

// RFC 8058 is for https alone: a link in the clear stays one that is seen.
func TestOneClickIsHTTPSOnly(t *testing.T) {
	t.Parallel()
	for unsubscribe, want := range map[string]bool{"": false, "http://127.0.0.1:8787/never/x": false, testBase + "/never/x": true} {
		m, err := Build(Envelope{
			ID: "x", From: Address{Email: "mail@example.com"}, To: "a@example.com", Date: time.Now(), Unsubscribe: unsubscribe,
		}, Content{Subject: "S", Text: "t", HTML: "h"})
		if err != nil {
			t.Fatal(err)
		}
		h := receive(t, m.MIME).header
		if got := h.Get("List-Unsubscribe") != "" && h.Get("List-Unsubscribe-Post") != ""; got != want {
			t.Errorf("%q: got %q, want headers: %v", unsubscribe, h, want)
		}
	}
}

// KF-59: nothing in an envelope begins a line of its own.
func TestEnvelopesAreRefused(t *testing.T) {
	t.Parallel()
	good := testEnvelope(Test{})
	content := Content{Subject: "S"}
	if _, err := Build(good, content); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Envelope){
		"no id":             func(e *Envelope) { e.ID = "" },
		"id":                func(e *Envelope) { e.ID = "a\r\nBcc: x" },
		"id with brackets":  func(e *Envelope) { e.ID = "a>b" },
		"a path":            func(e *Envelope) { e.ID = "../x" },
		"nobody":            func(e *Envelope) { e.To = "" },
		"two":               func(e *Envelope) { e.To = "a@example.com, b@example.com" },
		"recipient":         func(e *Envelope) { e.To = "a@example.com\r\nRCPT TO:<b@example.com>" },
		"a parameter":       func(e *Envelope) { e.To = "a@example.com> ORCPT=x@example.com" },
		"not canonical":     func(e *Envelope) { e.To = "A@example.com" },
		"no sender":         func(e *Envelope) { e.From.Email = "" },
		"sender":            func(e *Envelope) { e.From.Email = "a@example.com\r\nX: y" },
		"bounce":            func(e *Envelope) { e.Bounce = "a@example.com> SIZE=0" },
		"no date":           func(e *Envelope) { e.Date = time.Time{} },
		"unsubscribe":       func(e *Envelope) { e.Unsubscribe = "https://a.example/\r\nBcc: x" },
		"unsubscribe's end": func(e *Envelope) { e.Unsubscribe = "https://a.example/>,<mailto:x" },
	} {
		e := good
		change(&e)
		if m, err := Build(e, content); err == nil {
			t.Errorf("%s: got %s, want it refused", name, m.MIME)
		}
	}
}

func TestHeadersCarryAnyText(t *testing.T) {
	t.Parallel()
	texts := append(hostile(), "Plain", "Grüße aus München", strings.Repeat("ö", 200), strings.Repeat("word ", 40), `Ada "the first" \ x`)
	for _, text := range texts {
		text = tidy(text, 300)
		for line := range strings.SplitSeq("Subject: "+unstructured(text), "\r\n") {
			if len(line) > 78 {
				t.Errorf("%q: got a line of %d characters", text, len(line))
			}
		}
		unfolded := strings.ReplaceAll(unstructured(text), "\r\n", "")
		if got, err := new(mime.WordDecoder).DecodeHeader(unfolded); err != nil || got != text {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
		if text == "" {
			continue
		}
		parsed, err := mail.ParseAddress(strings.ReplaceAll(Address{text, "a@example.com"}.String(), "\r\n", ""))
		if err != nil || parsed.Name != text || parsed.Address != "a@example.com" {
			t.Errorf("%q as a name: got %v, %v", text, parsed, err)
		}
	}
}

func TestAddressesAreParsed(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Address{
		"a@example.com":                      {"", "a@example.com"},
		"Hither <Invites@Example.com>":       {"Hither", "invites@example.com"},
		`"Müller, GmbH" <a@example.com>`:     {"Müller, GmbH", "a@example.com"},
		"Hither <a@münchen.example>":         {"Hither", "a@xn--mnchen-3ya.example"},
		"=?utf-8?b?w4Q=?= <a@example.com>":   {"Ä", "a@example.com"},
		"=?utf-8?q?=0D=0A?= <a@example.com>": {"", "a@example.com"},
	} {
		if got, err := ParseAddress(s); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "a@localhost", "a@example.com, b@example.com", "Ä <ä@example.com>", "a@example.com\r\nBcc: x@example.com"} {
		if got, err := ParseAddress(s); err == nil {
			t.Errorf("%q: got %+v, want it refused", s, got)
		}
	}
}
