package console

import (
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWordsAreTheSame holds that every language has every text, with the same
// things in it, and none that nobody says.
func TestWordsAreTheSame(t *testing.T) {
	t.Parallel()
	verb := regexp.MustCompile(`%(\[\d+\])?[sd]`)
	said := sources(t)
	first, err := loadWords(fallback)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range languages() {
		w, err := loadWords(tag)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range slices.Sorted(maps.Keys(w.texts)) {
			text, known := first.texts[key]
			if !known {
				t.Errorf("%s: %q is not in %q", tag, key, fallback)
			}
			if got, want := len(verb.FindAllString(w.texts[key], -1)), len(verb.FindAllString(text, -1)); got != want {
				t.Errorf("%s: %q has %d places to fill, in %q it has %d", tag, key, got, fallback, want)
			}
			stem, last, _ := strings.Cut(key, ".")
			built := (last == "heading" || last == "text") && strings.Contains(said, `"`+stem+`"`) || stem == "status"
			if !built && !strings.Contains(said, `"`+key+`"`) {
				t.Errorf("%s: nobody says %q", tag, key)
			}
		}
		for key := range first.texts {
			if _, known := w.texts[key]; !known {
				t.Errorf("%s: %q is missing", tag, key)
			}
		}
	}
}

// sources are the program's own texts, where keys are named.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		names, err := fs.Glob(tree(t), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := fs.ReadFile(tree(t), name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

func TestLanguageIsChosen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		accept string
		tags   []string
		want   string
	}{
		{"", nil, "en"},
		{"de", nil, "de"},
		{"de-AT,de;q=0.9,en;q=0.8", nil, "de"},
		{"fr, en;q=0.3, de;q=0.7", nil, "de"},
		{"de;q=0, en;q=0.1", nil, "en"},
		{"fr", nil, "en"},
		{"de;q=x", nil, "en"},
		{"de", []string{"en"}, "en"},          // the invitation's comes first
		{"en", []string{"", "de-CH"}, "de"},   // then the account's
		{"en", []string{"fr", "DE"}, "de"},    // what we lack is passed over
		{"de", []string{"", "", "tlh"}, "de"}, // and the browser's is the last
	} {
		if got := speak(test.accept, test.tags...); got != test.want {
			t.Errorf("speak(%q, %q): got %q, want %q", test.accept, test.tags, got, test.want)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	w, err := loadWords("en")
	if err != nil {
		t.Fatal(err)
	}
	for left, want := range map[time.Duration]string{
		-time.Second: "", 0: "", time.Minute: "in less than an hour", 3 * time.Hour: "in 3 hours",
		47 * time.Hour: "in 47 hours", 6*24*time.Hour + 8*time.Hour: "in 6 days",
	} {
		if got := w.left(noon().Add(left), noon()); got != want {
			t.Errorf("%s: got %q, want %q", left, got, want)
		}
	}
}

// TestLanguageOfAUser: the invitation's own comes before that of who is signed in,
// which comes before the account's and the browser's.
func TestLanguageOfAUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, invite, user, account, accept, want string }{
		{"/home", "", "de", "", "en", "de"},
		{"/home", "", "", "", "de", "de"},
		{"/home", "de", "en", "de", "de", "en"},
		{"/invite", "en", "de", "de", "de", "en"},
		{"/invite", "", "de", "en", "en", "de"},
		{"/invite", "", "", "de", "en", "de"},
		{"/invite", "", "fr", "", "de", "de"},
	} {
		w := newWorld().as(invited)
		w.linked.Link.Locale, w.user.Locale, w.linked.Look.Locale = test.invite, test.user, test.account
		s := newSite(t, w, "https://hither.example.com")
		r := s.request(http.MethodGet, test.path, "")
		r.Header.Set("Accept-Language", test.accept)
		if got := s.do(r).Body.String(); !strings.Contains(got, `<html lang="`+test.want+`">`) {
			t.Errorf("%+v: got %.60s", test, got)
		}
	}
}
