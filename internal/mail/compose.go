package mail

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Options are what a Composer is made of.
type Options struct {
	// Base is the URL below which every link has to be. Without it no letter
	// with a link is composed.
	Base string
	// Name is the instance's: who says that it wrote.
	Name string
	// Accent is the colour of buttons, #rrggbb; empty is the built-in one.
	Accent string
	// Templates is a folder that lies over the built-in templates; empty is none.
	Templates string
}

// Composer writes letters.
type Composer struct {
	base      *url.URL
	name      string
	accent    string
	templates *templates
}

// Content is a letter in the reader's language, in two forms of equal content.
type Content struct {
	Locale, Subject, Text, HTML string
}

const (
	defaultName   = "hither"
	defaultAccent = "#0f6b57"
)

// New makes a Composer and composes every letter once in every language, so
// that a template which fails does so now and not when somebody is invited.
func New(o Options) (*Composer, error) {
	c := &Composer{name: o.Name, accent: o.Accent}
	if c.name == "" {
		c.name = defaultName
	}
	if c.accent == "" {
		c.accent = defaultAccent
	}
	if _, err := inkOn(c.accent); err != nil {
		return nil, err
	}
	var err error
	if o.Base != "" {
		if c.base, err = parseBase(o.Base); err != nil {
			return nil, err
		}
	}
	if c.templates, err = readTemplates(o.Templates); err != nil {
		return nil, err
	}
	return c, c.try()
}

// Locales are the languages that there are, by tag, in order.
func (c *Composer) Locales() []string { return c.templates.locales() }

// Compose writes a letter in the language of a BCP 47 tag, or in what that
// falls back to.
func (c *Composer) Compose(locale string, letter Letter) (Content, error) {
	v := letter.view()
	v.Sender = c.name
	v.clean()
	if err := v.check(); err != nil {
		return Content{}, err
	}
	for _, link := range []string{v.Link, v.Unsubscribe} {
		if link == "" {
			continue
		}
		if err := checkLink(c.base, link); err != nil {
			return Content{}, err
		}
	}
	w, err := c.templates.find(locale, letter.name())
	if err != nil {
		return Content{}, err
	}
	if err := v.write(w); err != nil {
		return Content{}, err
	}
	p, err := c.page(w, &v)
	if err != nil {
		return Content{}, err
	}
	content := Content{Locale: w.locale, Subject: p.Subject}
	if content.Text, err = c.templates.text.write(p); err != nil {
		return Content{}, err
	}
	var html strings.Builder
	if err := c.templates.html.Execute(&html, p); err != nil {
		return Content{}, fmt.Errorf("write the page: %w", err)
	}
	content.HTML = html.String()
	if content.Subject == "" {
		return Content{}, errors.New(`the text "subject" is empty`)
	}
	return content, nil
}

// try composes every sample in every language.
func (c *Composer) try() error {
	const base = "https://hither.example.com"
	parsed, err := parseBase(base)
	if err != nil {
		return err
	}
	trial := *c
	trial.base = parsed
	for _, locale := range c.Locales() {
		for _, letter := range append(Samples(base), bare(base)...) {
			if _, err := trial.Compose(locale, letter); err != nil {
				return fmt.Errorf("%s/%s%s: %w", locale, letter.name(), suffix, err)
			}
		}
	}
	return nil
}
