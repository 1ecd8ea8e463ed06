package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed words/*.json
var wordFiles embed.FS

// fallback is the language of who asks for none that we have.
const fallback = "en"

// languages are those that pages are written in, in the order of their links.
func languages() []string { return []string{"en", "de"} }

// words are the texts of one language by their keys, as formats of fmt.
type words struct {
	tag    string
	texts  map[string]string
	months []string
}

func loadWords(tag string) (*words, error) {
	data, err := wordFiles.ReadFile("words/" + tag + ".json")
	if err != nil {
		return nil, fmt.Errorf("words of %q: %w", tag, err)
	}
	w := &words{tag: tag}
	if err := json.Unmarshal(data, &w.texts); err != nil {
		return nil, fmt.Errorf("words of %q: %w", tag, err)
	}
	w.months = strings.Fields(w.texts["months"])
	if len(w.months) != int(time.December) {
		return nil, fmt.Errorf("words of %q: months must be twelve", tag)
	}
	return w, nil
}

// say is a text with what belongs in it. A key that is missing is a mistake of
// the program, which the tests find: they write every page.
func (w *words) say(key string, args ...any) (string, error) {
	format, ok := w.texts[key]
	if !ok {
		return "", fmt.Errorf("no words for %q in %q", key, w.tag)
	}
	if len(args) == 0 {
		return format, nil
	}
	return fmt.Sprintf(format, args...), nil
}

// must is say for texts that the program itself puts together.
func (w *words) must(key string, args ...any) string {
	text, err := w.say(key, args...)
	if err != nil {
		panic("console: " + err.Error())
	}
	return text
}

// date writes a moment out, in UTC, which the text says: a page that works
// without script doesn't know where its reader is.
func (w *words) date(t time.Time) string {
	t = t.UTC()
	return w.must("date", t.Day(), w.months[t.Month()-1], t.Year(), t.Format("15:04"))
}

// left says how far away a moment is, "" once it is over.
func (w *words) left(until, now time.Time) string {
	const day = 24 * time.Hour
	switch left := until.Sub(now); {
	case left <= 0:
		return ""
	case left < time.Hour:
		return w.must("in.minutes")
	case left < 2*day:
		return w.must("in.hours", int(left.Round(time.Hour)/time.Hour))
	default:
		return w.must("in.days", int(left/day))
	}
}

// speak chooses a language: the first of the tags that we have, of a page that
// is about somebody's invitation, else what the browser asks for.
func speak(acceptLanguage string, tags ...string) string {
	for _, tag := range tags {
		if have := known(tag); have != "" {
			return have
		}
	}
	best, weight := fallback, 0.0
	for part := range strings.SplitSeq(acceptLanguage, ",") {
		tag, parameters, _ := strings.Cut(part, ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // what is none weighs nothing
		}
		if have := known(tag); have != "" && q > weight {
			best, weight = have, q
		}
	}
	return best
}

// known is the language of ours that a tag such as de-AT falls back to, "" where
// there is none.
func known(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	if slices.Contains(languages(), primary) {
		return primary
	}
	return ""
}
