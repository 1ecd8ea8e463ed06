package mail

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every language says the same: the same letters, the same texts, and the same
// facts in each of them.
func TestLanguagesHaveTheSameTexts(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	if got := c.Locales(); !slices.Equal(got, []string{"de", "en"}) {
		t.Fatalf("languages: got %q", got)
	}
	inside, err := fs.Sub(builtIn, "templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range c.Locales() {
		files, err := fs.Glob(inside, locale+"/*")
		if err != nil || len(files) != len(letterNames())+1 {
			t.Errorf("%s: got %q, %v, want a file for each letter and the common one", locale, files, err)
		}
	}
	for _, letter := range Samples(testBase) {
		en, err := c.Compose("en", letter)
		if err != nil {
			t.Fatal(err)
		}
		de, err := c.Compose("de", letter)
		if err != nil {
			t.Fatal(err)
		}
		if en.Subject == de.Subject || en.Text == de.Text {
			t.Errorf("%s: both languages say %q", letter.name(), en.Subject)
		}
		english, german := show(t, en.HTML), show(t, de.HTML)
		if !slices.Equal(english.elements, german.elements) {
			t.Errorf("%s: the pages have other elements:\n%q\n%q", letter.name(), english.elements, german.elements)
		}
		for _, fact := range []string{"Ada Lovelace", "Analytical Engines", "Editor, Billing", "7KQF-M3ZX", "14:05"} {
			if strings.Contains(en.Text, fact) != strings.Contains(de.Text, fact) {
				t.Errorf("%s: only one language says %q", letter.name(), fact)
			}
		}
	}
}

// overlay writes a folder of templates.
func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTemplatesAreReplaced(t *testing.T) {
	t.Parallel()
	folder := overlay(t, map[string]string{
		"en/invitation.tmpl": "{{/* ours */}}\n{{define \"subject\"}}Come to {{.Account}}{{end}}\n{{define \"after\"}}{{end}}",
		"de-at/common.tmpl":  `{{define "months"}}Jänner Februar März April Mai Juni Juli August September Oktober November Dezember{{end}}`,
		"layout.txt":         "OURS {{.Heading}}\n{{range .Rows}}{{.Value}}\n{{end}}",
	})
	c, err := New(Options{Base: testBase, Templates: folder})
	if err != nil {
		t.Fatal(err)
	}
	letter := Invitation{Account: "Engines", Expires: time.Date(2027, time.January, 9, 8, 0, 0, 0, time.UTC), Link: testBase + "/x"}
	en, err := c.Compose("en", letter)
	if err != nil {
		t.Fatal(err)
	}
	if en.Subject != "Come to Engines" || !strings.HasPrefix(en.Text, "OURS Join Engines\n") {
		t.Errorf("got %q, %q, want ours, and the rest as it was", en.Subject, en.Text)
	}
	if strings.Contains(en.HTML, "decline on that page") {
		t.Error("a text that was emptied is there still")
	}
	for tag, month := range map[string]string{"de-AT": "9. Jänner 2027", "de": "9. Januar 2027", "de-CH": "9. Januar 2027"} {
		got, err := c.Compose(tag, letter)
		if err != nil || !strings.Contains(got.Text, month) || got.Subject != "Einladung zu Engines" {
			t.Errorf("%s: got %q, %s, %v, want %s", tag, got.Subject, got.Text, err, month)
		}
	}
}

func TestLanguageIsAdded(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	inside, err := fs.Sub(builtIn, "templates/en")
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(inside, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(inside, name)
		if err != nil {
			t.Fatal(err)
		}
		files["nl/"+name] = strings.ReplaceAll(string(text), "Join", "Kom bij")
	}
	c, err := New(Options{Base: testBase, Templates: overlay(t, files)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Compose("nl-BE", Samples(testBase)[0])
	if err != nil || got.Locale != "nl" || !strings.Contains(got.Text, "Kom bij Analytical Engines") || !strings.Contains(got.HTML, `lang="nl"`) {
		t.Errorf("got %q, %v, %s", got.Locale, err, got.Text)
	}
	delete(files, "nl/expired.tmpl")
	if _, err := New(Options{Templates: overlay(t, files)}); err == nil || !strings.Contains(err.Error(), "nl/expired.tmpl") {
		t.Errorf("a language without a letter: got %v, want its name", err)
	}
}

// What is wrong in a folder is said when the program starts, by its name.
func TestTemplatesAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, text string
		want       []string
	}{
		"unknown file":     {"en/invitaton.tmpl", "", []string{"en/invitaton.tmpl", "invitation.tmpl"}},
		"unknown root":     {"header.html", "", []string{"header.html", "layout.html"}},
		"no language":      {"English/invitation.tmpl", "", []string{"English", "lower case"}},
		"a folder below":   {"en/old/invitation.tmpl", "", []string{"en/old"}},
		"unknown text":     {"en/invitation.tmpl", `{{define "subjet"}}x{{end}}`, []string{"en/invitation.tmpl", "subjet", "subject"}},
		"text outside":     {"en/invitation.tmpl", `Hello {{define "subject"}}x{{end}}`, []string{"en/invitation.tmpl", "outside"}},
		"no template":      {"en/invitation.tmpl", `{{define "subject"}}{{.Account{{end}}`, []string{"en/invitation.tmpl:1"}},
		"unknown field":    {"en/invitation.tmpl", `{{define "subject"}}{{.Acount}}{{end}}`, []string{"en/invitation", "Acount"}},
		"in a branch":      {"de/invitation.tmpl", `{{define "heading"}}{{if .Inviter}}x{{else}}{{.No}}{{end}}{{end}}`, []string{"de/invitation", "No"}},
		"empty subject":    {"en/invitation.tmpl", `{{define "subject"}}{{if .Inviter}}x{{end}}{{end}}`, []string{"en/invitation", `"subject"`, "empty"}},
		"eleven months":    {"en/common.tmpl", `{{define "months"}}January{{end}}`, []string{"months", "12"}},
		"page":             {"layout.html", `<p>{{.Nothing}}</p>`, []string{"layout.html", "Nothing"}},
		"page in a script": {"layout.html", `<script>{{if .Code}}x = "{{.Code}}{{end}}</script>`, []string{"layout.html"}},
		"plain":            {"layout.txt", `{{.Nothing}}`, []string{"layout.txt", "Nothing"}},
		"incomplete":       {"fr/invitation.tmpl", `{{define "subject"}}x{{end}}`, []string{"fr/common.tmpl", "weekdays"}},
	} {
		_, err := New(Options{Templates: overlay(t, map[string]string{test.file: test.text})})
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q in it", name, err, want)
			}
		}
	}
	if _, err := New(Options{Templates: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no folder: got %v", err)
	}
}

// An operator's layout escapes as ours does.
func TestReplacedLayoutEscapes(t *testing.T) {
	t.Parallel()
	folder := overlay(t, map[string]string{"layout.html": `<p title={{.Heading}}>{{.Heading}}</p><a href="{{.Link}}">{{.Button}}</a>`})
	c, err := New(Options{Base: testBase, Templates: folder})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Compose("en", Invitation{Account: `"><script>x</script>`, Link: testBase + "/x"})
	if err != nil || strings.Contains(got.HTML, "<script") || len(show(t, got.HTML).elements) != 5 {
		t.Errorf("got %v, %s", err, got.HTML)
	}
}
