package mail

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template" // for words alone: nothing of it becomes HTML but through html/template, which escapes it
	"text/template/parse"
)

// words are the texts of one letter in one language.
type words struct {
	locale string
	set    *template.Template
}

// commonFile has what all letters of a language share.
const commonFile = "common"

// letterKeys are the texts of a letter: each is defined in its file.
func letterKeys() []string { return []string{"subject", "heading", "body", "button", "after", "why"} }

// commonKeys are the texts that a language has once: dates, and the names of
// what a letter lists.
func commonKeys() []string {
	return []string{
		"weekdays", "months", "date", "note", "code", "account", "inviter", "person", "address", "addresses", "roles", "expires", "left",
		"expired", "ends", "webhook", "host", "reason", "what", "time", "place", "sender", "unsubscribe",
	}
}

// say is one text, on as many lines as it was written.
func (w *words) say(key string, data any) (string, error) {
	var b strings.Builder
	if err := w.set.ExecuteTemplate(&b, key, data); err != nil {
		return "", fmt.Errorf("the text %q: %w", key, err)
	}
	return strings.TrimSpace(b.String()), nil
}

// line is one text on one line.
func (w *words) line(key string, data any) (string, error) {
	text, err := w.say(key, data)
	return joinLines(text), err
}

// paragraphs are the parts of a text that empty lines part.
func (w *words) paragraphs(key string, data any) ([]string, error) {
	text, err := w.say(key, data)
	if err != nil {
		return nil, err
	}
	var all []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if part = joinLines(part); part != "" {
			all = append(all, part)
		}
	}
	return all, nil
}

// joinLines makes one line of several. It knows ASCII spaces only: the narrow
// ones in names have to stay.
func joinLines(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' }), " ")
}

// readWords reads a letter's texts in a language. A layer lies over those
// before it and need not have every file, nor a file every text; so does a
// regional language over its own (de-at over de).
func readWords(layers []fs.FS, locale, letter string) (*words, error) {
	set := template.New("").Option("missingkey=error")
	tags := parents(locale)
	tags = tags[:len(tags)-1] // without the last resort: no letter is in two languages
	slices.Reverse(tags)
	for _, name := range []string{commonFile, letter} {
		keys := letterKeys()
		if name == commonFile {
			keys = commonKeys()
		}
		for _, tag := range tags {
			for _, layer := range layers {
				if err := readFile(layer, path.Join(tag, name+suffix), set, keys); err != nil {
					return nil, err
				}
			}
		}
		for _, key := range keys {
			if set.Lookup(key) == nil {
				return nil, fmt.Errorf("%s lacks the text {{define %q}}", path.Join(locale, name+suffix), key)
			}
		}
	}
	return &words{locale: locale, set: set}, nil
}

// suffix is how the files of words end.
const suffix = ".tmpl"

// readFile adds the texts of one file, if the layer has it.
func readFile(layer fs.FS, name string, set *template.Template, keys []string) error {
	text, err := fs.ReadFile(layer, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	file, err := template.New(name).Parse(string(text))
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	for _, defined := range file.Templates() {
		key := defined.Name()
		switch {
		case key == name && strings.TrimSpace(defined.Root.String()) != "":
			return fmt.Errorf("%s has text outside of {{define}}, which nothing shows", name)
		case key == name:
		case !slices.Contains(keys, key):
			return fmt.Errorf("%s defines %q, which nothing shows; it may define %s", name, key, strings.Join(keys, ", "))
		default:
			if err := replace(set, key, defined.Tree); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// replace defines a text, also as an empty one, which the package would take
// for a text that is not there.
func replace(set *template.Template, key string, tree *parse.Tree) error {
	if defined := set.Lookup(key); defined != nil {
		defined.Tree = tree
		return nil
	}
	if _, err := set.AddParseTree(key, tree); err != nil {
		return fmt.Errorf("the text %q: %w", key, err)
	}
	return nil
}
