package mail

import (
	_ "embed" // preview.html
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed preview.html
var previewPage string

// previewed is a message on the index of a preview.
type previewed struct{ File, Subject string }

// language is the messages of one language on the index.
type language struct {
	Locale  string
	Letters []previewed
}

// Preview writes every sample in every language, or the one of a tag, into a
// folder as .html, .txt and .eml, and an index of them, whose name it returns.
func (c *Composer) Preview(folder, locale, base string, from Address) (index string, err error) {
	locales := c.Locales()
	if locale != "" {
		locale = strings.ToLower(locale)
		if !slices.Contains(locales, locale) {
			return "", fmt.Errorf("there is no language %q; there are %s", locale, strings.Join(locales, ", "))
		}
		locales = []string{locale}
	}
	var languages []language
	for _, locale := range locales {
		if err := os.MkdirAll(filepath.Join(folder, locale), 0o750); err != nil {
			return "", fmt.Errorf("make the folder: %w", err)
		}
		all := language{Locale: locale}
		for _, letter := range Samples(base) {
			shown, err := c.previewOne(folder, locale, letter, from)
			if err != nil {
				return "", err
			}
			all.Letters = append(all.Letters, shown)
		}
		languages = append(languages, all)
	}
	page, err := template.New("preview.html").Parse(previewPage)
	if err != nil {
		return "", fmt.Errorf("read the index: %w", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, map[string]any{"From": from, "Languages": languages}); err != nil {
		return "", fmt.Errorf("write the index: %w", err)
	}
	index = filepath.Join(folder, "index.html")
	return index, writeFile(index, b.String())
}

func (c *Composer) previewOne(folder, locale string, letter Letter, from Address) (previewed, error) {
	content, err := c.Compose(locale, letter)
	if err != nil {
		return previewed{}, err
	}
	message, err := Build(Envelope{
		ID: locale + "-" + letter.name(), From: from, To: "charles@example.com",
		Date:        time.Date(2026, time.March, 3, 14, 5, 0, 0, time.UTC),
		Unsubscribe: letter.view().Unsubscribe,
	}, content)
	if err != nil {
		return previewed{}, err
	}
	name := locale + "/" + letter.name()
	for suffix, text := range map[string]string{".html": content.HTML, ".txt": content.Text, ".eml": string(message.MIME)} {
		if err := writeFile(filepath.Join(folder, filepath.FromSlash(name+suffix)), text); err != nil {
			return previewed{}, err
		}
	}
	return previewed{name, content.Subject}, nil
}

func writeFile(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the preview: %w", err)
	}
	return nil
}
