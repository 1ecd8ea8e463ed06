package mail

import (
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// received is a message as its reader's program parses it.
type received struct {
	header     mail.Header
	subject    string
	text, html string
}

func receive(t *testing.T, message []byte) received {
	t.Helper()
	for line := range strings.SplitSeq(string(message), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("a line has %d bytes, or a line break or NUL of its own", len(line))
		}
	}
	m, err := mail.ReadMessage(strings.NewReader(string(message)))
	if err != nil {
		t.Fatal(err)
	}
	r := received{header: m.Header}
	if r.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("got %q, %v, want multipart/alternative", kind, err)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, part := range []struct {
		kind string
		into *string
	}{{"text/plain; charset=utf-8", &r.text}, {"text/html; charset=utf-8", &r.html}} {
		p, err := parts.NextPart()
		if err != nil || p.Header.Get("Content-Type") != part.kind {
			t.Fatalf("got %v, want %s", err, part.kind)
		}
		body, err := io.ReadAll(p) // decodes quoted-printable
		if err != nil {
			t.Fatal(err)
		}
		*part.into = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Fatalf("got %v, want two parts", err)
	}
	return r
}

// fill puts one text into every field of a letter that people type.
func fill(letter Letter, text string) Letter {
	value := reflect.New(reflect.TypeOf(letter)).Elem()
	value.Set(reflect.ValueOf(letter))
	fillFields(value, text)
	return value.Interface().(Letter)
}

func fillFields(value reflect.Value, text string) {
	for i := range value.NumField() {
		field, name := value.Field(i), value.Type().Field(i).Name
		switch {
		case name == "Link" || name == "Unsubscribe" || name == "Code" || name == "Event" || name == "Path" || name == "Reason": // ours
		case field.Kind() == reflect.String:
			field.SetString(text)
		case name == "Roles":
			field.Set(reflect.ValueOf([]string{text, text}))
		case name == "Brand":
			field.Set(reflect.ValueOf(&Brand{Name: text}))
		case field.Kind() == reflect.Struct && name == "Invitation":
			fillFields(field, text)
		}
	}
}

func testEnvelope(letter Letter) Envelope {
	return Envelope{
		ID: "0123abcd", From: Address{"Example", "mail@example.com"}, To: "charles@example.com",
		Date: time.Date(2026, time.March, 3, 14, 5, 0, 0, time.UTC), Unsubscribe: letter.view().Unsubscribe,
	}
}

// KF-57, KF-58, KF-59, KF-62: whatever is in a name, the message has its own
// headers once each, its own elements and its own links.
func TestHostileNamesChangeNothing(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	for _, letter := range Samples(testBase) {
		t.Run(letter.name(), func(t *testing.T) {
			t.Parallel()
			content, err := c.Compose("en", fill(letter, "Plain"))
			if err != nil {
				t.Fatal(err)
			}
			plain := show(t, content.HTML)
			for i, name := range hostile() {
				locale := c.Locales()[i%len(c.Locales())]
				if Name(name) == "" {
					continue // the row goes, which TestFormsSayTheSame sees
				}
				bad := fill(letter, name)
				content, err := c.Compose(locale, bad)
				if err != nil {
					t.Errorf("%s %s with %q: %v", locale, letter.name(), name, err)
					continue
				}
				m, err := Build(testEnvelope(bad), content)
				if err != nil {
					t.Errorf("%s %s with %q: %v", locale, letter.name(), name, err)
					continue
				}
				r := receive(t, m.MIME)
				holdHeaders(t, r.header, letter)
				if strings.ContainsFunc(r.subject, invisible) || strings.Contains(r.subject, "\n") {
					t.Errorf("%s with %q: got the subject %q", letter.name(), name, r.subject)
				}
				page := show(t, r.html)
				// A note has lines of its own.
				broken := slices.DeleteFunc(slices.Clone(page.elements), func(element string) bool { return element == "br" })
				if !slices.Equal(broken, plain.elements) {
					t.Errorf("%s with %q: the page has other elements:\n%q", letter.name(), name, page.elements)
				}
				want := linksOf(letter)
				if got := sorted(page.links); !slices.Equal(got, want) {
					t.Errorf("%s with %q: links of the page: got %q, want %q", letter.name(), name, got, want)
				}
				for _, text := range []string{r.text, page.text, r.subject} {
					for _, link := range want {
						text = strings.ReplaceAll(text, link, " ")
					}
					if match := linkable.FindString(text); match != "" {
						t.Errorf("%s with %q: %q becomes a link in %s", letter.name(), name, match, text)
					}
				}
				if text, html := wordsOf(r.text), wordsOf(page.text); !slices.Equal(text, html) {
					t.Errorf("%s with %q: the text says\n%q, the page\n%q", letter.name(), name, text, html)
				}
			}
		})
	}
}

// holdHeaders asks for exactly the headers that a letter has, once each.
func holdHeaders(t *testing.T, h mail.Header, letter Letter) {
	t.Helper()
	want := []string{
		"Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To",
	}
	if letter.view().Unsubscribe != "" {
		want = append(want, "List-Unsubscribe", "List-Unsubscribe-Post")
		slices.Sort(want)
	}
	var got []string
	for name, values := range h {
		got = append(got, name)
		if len(values) != 1 {
			t.Errorf("%s: got %q, want it once", name, values)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("headers: got %q, want %q", got, want)
	}
	if got := h.Get("To"); got != "charles@example.com" {
		t.Errorf("To: got %q", got)
	}
}
