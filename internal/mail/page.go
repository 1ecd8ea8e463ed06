package mail

import (
	"fmt"
	"math"
	"strconv"
)

// page is a letter as the layouts show it. All of it is text; html/template
// escapes what becomes HTML.
type page struct {
	Lang        string
	Brand       string
	Accent, Ink string // of the button: its colour, and what is readable on it
	Subject     string
	Heading     string
	Body        []string
	NoteLabel   string
	Note        []string
	CodeLabel   string
	Code        string
	Button      string
	Link        string
	Rows        []row
	After       []string
	Why         string
	Sender      string
	Never       string // what the link Unsubscribe says
	Unsubscribe string
}

// row is one of the facts that a letter lists.
type row struct{ Label, Value string }

// page says a letter in words.
func (c *Composer) page(w *words, v *view) (page, error) {
	p := page{Lang: w.locale, Brand: v.Sender, Accent: c.accent, Note: v.Note, Code: v.Code, Link: v.Link, Unsubscribe: v.Unsubscribe}
	if v.brand != nil && v.brand.Name != "" {
		p.Brand = Name(v.brand.Name)
	}
	if v.brand != nil && v.brand.Accent != "" {
		p.Accent = v.brand.Accent
	}
	var err error
	if p.Ink, err = inkOn(p.Accent); err != nil {
		return page{}, err
	}
	for _, text := range []struct {
		key   string
		into  *string
		shown bool
	}{
		{"subject", &p.Subject, true},
		{"heading", &p.Heading, true},
		{"note", &p.NoteLabel, len(v.Note) > 0},
		{"code", &p.CodeLabel, v.Code != ""},
		{"button", &p.Button, v.Link != ""},
		{"why", &p.Why, true},
		{"sender", &p.Sender, true},
		{"unsubscribe", &p.Never, v.Unsubscribe != ""},
	} {
		if !text.shown {
			continue
		}
		if *text.into, err = w.line(text.key, v); err != nil {
			return page{}, err
		}
		if *text.into == "" {
			return page{}, fmt.Errorf("the text %q is empty", text.key)
		}
	}
	if p.Body, err = w.paragraphs("body", v); err != nil {
		return page{}, err
	}
	if p.After, err = w.paragraphs("after", v); err != nil {
		return page{}, err
	}
	p.Rows, err = rows(w, v)
	return p, err
}

// rows are the facts of a letter that are there, with their labels.
func rows(w *words, v *view) ([]row, error) {
	var all []row
	for _, fact := range []struct{ key, value string }{
		{"account", v.Account},
		{"inviter", v.Inviter},
		{"person", v.Person},
		{"address", v.Address},
		{"addresses", v.Addresses},
		{"roles", v.Roles},
		{"expires", v.Expires},
		{"expired", v.Expired},
		{"ends", v.Ends},
		{"webhook", v.Webhook},
		{"host", v.Host},
		{"reason", v.Reason},
		{"what", v.What},
		{"time", v.Time},
		{"place", v.Place},
	} {
		if fact.value == "" {
			continue
		}
		label, err := w.line(fact.key, v)
		if err != nil {
			return nil, err
		}
		all = append(all, row{label, fact.value})
	}
	return all, nil
}

// inkOn is black or white, whichever reads better on a colour #rrggbb: one of
// the two always has the contrast of 4.5 that WCAG asks for.
func inkOn(colour string) (string, error) {
	value, err := strconv.ParseUint(colour[min(1, len(colour)):], 16, 32)
	if err != nil || len(colour) != len("#rrggbb") || colour[0] != '#' {
		return "", fmt.Errorf("the accent %q must be a colour of the form #rrggbb", colour)
	}
	channel := func(shift uint) float64 {
		c := float64(value>>shift&0xff) / 0xff
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	luminance := 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
	if 1.05/(luminance+0.05) >= 4.5 {
		return "#ffffff", nil
	}
	return "#000000", nil
}
