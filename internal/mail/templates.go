package mail

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

//go:embed templates
var builtIn embed.FS

// The layouts, which put a letter's words on a page: one for each form.
const (
	htmlLayout = "layout.html"
	textLayout = "layout.txt"
)

// templates are what letters are composed with.
type templates struct {
	html    *template.Template
	text    *plain
	letters map[string]map[string]*words // by language and letter
}

// readTemplates reads what is built in and, over it, what folder holds, if it
// is given. Nothing in the folder is passed over: a name that means nothing is
// an error, since a text that was changed in vain would be noticed by nobody.
func readTemplates(folder string) (*templates, error) {
	inside, err := fs.Sub(builtIn, "templates")
	if err != nil {
		return nil, fmt.Errorf("read what is built in: %w", err)
	}
	layers := []fs.FS{inside}
	if folder != "" {
		if _, err := os.ReadDir(folder); err != nil {
			return nil, fmt.Errorf("read the folder of templates: %w", err)
		}
		layers = append(layers, os.DirFS(folder))
	}
	locales, err := findLocales(layers)
	if err != nil {
		return nil, err
	}
	t := &templates{letters: map[string]map[string]*words{}}
	if t.html, err = readHTML(layers); err != nil {
		return nil, err
	}
	if t.text, err = readPlain(layers); err != nil {
		return nil, err
	}
	for _, locale := range locales {
		t.letters[locale] = map[string]*words{}
		for _, letter := range letterNames() {
			if t.letters[locale][letter], err = readWords(layers, locale, letter); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// find are the words of a letter in the nearest language that there is.
func (t *templates) find(locale, letter string) (*words, error) {
	for _, tag := range parents(locale) {
		if letters, ok := t.letters[tag]; ok {
			if w, ok := letters[letter]; ok {
				return w, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no letter %q", letter)
}

// locales are the languages that there are, in order.
func (t *templates) locales() []string {
	var all []string
	for locale := range t.letters {
		all = append(all, locale)
	}
	slices.Sort(all)
	return all
}

// findLocales lists the folders of all layers, and refuses a file that is none
// of ours.
func findLocales(layers []fs.FS) ([]string, error) {
	var locales []string
	files := letterNames()
	for i := range files {
		files[i] += suffix
	}
	files = append(files, commonFile+suffix)
	for _, layer := range layers {
		err := fs.WalkDir(layer, ".", func(name string, entry fs.DirEntry, err error) error {
			folder, file := path.Split(name)
			folder = strings.TrimSuffix(folder, "/")
			switch {
			case err != nil:
				return fmt.Errorf("read the folder of templates: %w", err)
			case name == ".":
			case entry.IsDir() && folder == "" && isTag(name):
				locales = append(locales, name)
			case entry.IsDir():
				return fmt.Errorf("the folder %s is no language; name it by a tag in lower case, for example fr or pt-br", name)
			case folder == "" && (file == htmlLayout || file == textLayout):
			case folder == "" || !slices.Contains(files, file):
				return fmt.Errorf("the file %s is no template; there are %s, %s and, in a folder for each language, %s",
					name, htmlLayout, textLayout, strings.Join(files, ", "))
			}
			return nil
		})
		if err != nil {
			return nil, err //nolint:wrapcheck // it is from just above
		}
	}
	slices.Sort(locales)
	return slices.Compact(locales), nil
}

// readHTML reads the HTML layout of the uppermost layer that has it.
func readHTML(layers []fs.FS) (*template.Template, error) {
	text, err := uppermost(layers, htmlLayout)
	if err != nil {
		return nil, err
	}
	layout, err := template.New(htmlLayout).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return layout, nil
}

func uppermost(layers []fs.FS, name string) (text string, err error) {
	for _, layer := range slices.Backward(layers) {
		bytes, err := fs.ReadFile(layer, name)
		if err == nil {
			return string(bytes), nil
		}
		if !os.IsNotExist(err) {
			return "", fmt.Errorf("read the template: %w", err)
		}
	}
	return "", fmt.Errorf("there is no template %s", name)
}
