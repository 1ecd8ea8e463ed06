package mail

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
)

const testBase = "https://hither.example.com"

func newComposer(t *testing.T) *Composer {
	t.Helper()
	c, err := New(Options{Base: testBase, Name: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shown is what a browser shows of a page: its words, its links, and its
// elements with the names of their attributes.
type shown struct {
	text     string
	links    []string
	elements []string
}

func show(t *testing.T, page string) shown {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var s shown
	var text strings.Builder
	for n := range root.Descendants() {
		hidden := n.Parent != nil && slices.Contains([]string{"style", "title", "script"}, n.Parent.Data)
		switch {
		case n.Type == html.TextNode && !hidden:
			text.WriteString(n.Data + " ")
		case n.Type == html.ElementNode:
			names := n.Data
			for _, attribute := range n.Attr {
				names += " " + attribute.Key
				if attribute.Key == "href" || attribute.Key == "src" || attribute.Key == "action" {
					s.links = append(s.links, attribute.Val)
				}
			}
			s.elements = append(s.elements, names)
		}
	}
	s.text = text.String()
	return s
}

var anyLink = regexp.MustCompile(`https?://\S+`)

// words are what is said, without links and punctuation.
func wordsOf(s string) []string {
	return strings.FieldsFunc(anyLink.ReplaceAllString(s, " "), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func sorted(links []string) []string { return slices.Compact(slices.Sorted(slices.Values(links))) }

// linksOf are the links that a letter may have.
func linksOf(l Letter) []string {
	v := l.view()
	links := []string{v.Link, v.Unsubscribe}
	return sorted(slices.DeleteFunc(links, func(s string) bool { return s == "" }))
}

// Both forms say the same words in the same order and have the same links.
func TestFormsSayTheSame(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	for _, locale := range c.Locales() {
		for _, letter := range append(Samples(testBase), bare(testBase)...) {
			content, err := c.Compose(locale, letter)
			if err != nil {
				t.Fatal(err)
			}
			page := show(t, content.HTML)
			if text, html := wordsOf(content.Text), wordsOf(page.text); !slices.Equal(text, html) || len(text) < 10 {
				t.Errorf("%s %s: the text says\n%q, the page\n%q", locale, letter.name(), text, html)
			}
			want := linksOf(letter)
			if got := sorted(anyLink.FindAllString(content.Text, -1)); !slices.Equal(got, want) {
				t.Errorf("%s %s: links of the text: got %q, want %q", locale, letter.name(), got, want)
			}
			if got := sorted(page.links); !slices.Equal(got, want) {
				t.Errorf("%s %s: links of the page: got %q, want %q", locale, letter.name(), got, want)
			}
			if strings.Contains(content.HTML, "ZgotmplZ") || strings.Contains(content.Text, "<no value>") {
				t.Errorf("%s %s: a value was refused by its template", locale, letter.name())
			}
		}
	}
}

// KF-54, KF-55, KF-91: where a link leads is the operator's to say, whatever
// asks for one.
func TestLinksAreBelowTheBase(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Base: testBase + "/people/"})
	if err != nil {
		t.Fatal(err)
	}
	for link, ok := range map[string]bool{
		testBase + "/people/i/abc":                           true,
		testBase + "/people/i/abc?x=y#z":                     true,
		testBase + "/people":                                 false,
		testBase + "/i/abc":                                  false,
		testBase + "/people/../i/abc":                        false,
		testBase + "/people/%2e%2e/i":                        false,
		"http://hither.example.com/people/i":                 false,
		"https://evil.com/people/i":                          false,
		"https://hither.example.com.evil.com/":               false,
		"https://hither.example.com@evil.com/":               false,
		"https://hither.example.com:8443/people/":            false,
		"//hither.example.com/people/i":                      false,
		"/people/i":                                          false,
		"javascript:alert(1)":                                false,
		testBase + "/people/i\r\nBcc: x":                     false,
		testBase + "/people/i\"onclick":                      false,
		testBase + "/people/i d":                             false,
		testBase + "/people/é":                               false,
		testBase + "/people/" + strings.Repeat("a", maxLink): false,
	} {
		for _, letter := range []Letter{
			Invitation{Account: "A", Link: link}, Invitation{Account: "A", Link: testBase + "/people/x", Unsubscribe: link}, SignIn{Link: link},
		} {
			if _, err := c.Compose("en", letter); (err == nil) != ok {
				t.Errorf("%T with %q: got %v, want it taken: %v", letter, link, err, ok)
			}
		}
	}
	without, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := without.Compose("en", Samples(testBase)[0]); err == nil {
		t.Error("a link without a base URL was taken")
	}
	for _, base := range []string{"hither.example.com", "http://hither.example.com", "https://", "https://a@b.example", "https://b.example/?x", "ftp://b.example"} {
		if _, err := New(Options{Base: base}); err == nil {
			t.Errorf("the base %q was taken", base)
		}
	}
	if _, err := New(Options{Base: "http://127.0.0.1:8787"}); err != nil {
		t.Errorf("a base on this machine: got %v, want it taken", err)
	}
}

func TestLanguageIsTheNearest(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	for tag, want := range map[string]string{
		"de": "de", "DE": "de", "de-AT": "de", "de_CH": "de", "de-Latn-AT-x-private": "de", "en-GB": "en", "fr": "en", "": "en", "-": "en", "d": "en",
		"zh-Hant": "en", "../de": "en",
	} {
		content, err := c.Compose(tag, Test{Sent: time.Now()})
		if err != nil || content.Locale != want {
			t.Errorf("%q: got %q, %v, want %q", tag, content.Locale, err, want)
		}
	}
}

func TestDatesAreWrittenOut(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	at := time.Date(2026, time.March, 1, 1, 5, 0, 0, time.FixedZone("", 2*60*60))
	for locale, want := range map[string]string{
		"en": "Open until: Saturday, 28 February 2026, 23:05 UTC\n",
		"de": "Offen bis: Samstag, 28. Februar 2026, 23:05 Uhr (UTC)\n",
	} {
		content, err := c.Compose(locale, Invitation{Account: "A", Expires: at, Link: testBase + "/x"})
		if err != nil || !strings.Contains(content.Text, want) {
			t.Errorf("%s: got %s, %v, want %q in it", locale, content.Text, err, want)
		}
	}
}

func TestCodesHaveTheirForm(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	for code, ok := range map[string]bool{"7KQF-M3ZX": true, "7KQFM3ZX": false, "7kqf-m3zx": false, "7KQF-M3ZX\n": false, "<b>-M3ZX": false} {
		if _, err := c.Compose("en", SignIn{Link: testBase + "/x", Code: code, Lasts: 10 * time.Minute}); (err == nil) != ok {
			t.Errorf("%q: got %v, want it taken: %v", code, err, ok)
		}
	}
}

// A button can be read on every colour (WCAG 1.4.3).
func TestAccentsAreReadable(t *testing.T) {
	t.Parallel()
	for accent, want := range map[string]string{
		"#000000": "#ffffff", "#ffffff": "#000000", "#0f6b57": "#ffffff", "#ffdd00": "#000000", "#777777": "#000000",
		"": "", "#fff": "", "red": "", "#12345g": "", "#0f6b57;": "", "#+f6b57": "", "url(x)": "",
	} {
		got, err := inkOn(accent)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", accent, got, err, want)
		}
	}
	c := newComposer(t)
	letter := Invitation{Account: "A", Link: testBase + "/x", Brand: &Brand{Name: "Engines", Accent: "#ffdd00"}}
	content, err := c.Compose("en", letter)
	if err != nil || !strings.Contains(content.HTML, "background:#ffdd00;color:#000000") || !strings.HasPrefix(content.Text, "Engines\n") {
		t.Errorf("a brand: got %v, %s", err, content.Text)
	}
	letter.Brand.Accent = "red;} body{display:none"
	if _, err := c.Compose("en", letter); err == nil {
		t.Error("an accent that is no colour was taken")
	}
}
