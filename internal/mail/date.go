package mail

import (
	"fmt"
	"strings"
	"time"
)

// date is a moment as the template "date" of a language writes it out.
type date struct {
	Weekday, Month string
	Day, Year      int
	Time           string // 14:05, UTC
}

const (
	weekdays = 7
	months   = 12
)

// when writes a moment out in a language, in UTC, which the text says.
func (w *words) when(t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	t = t.UTC()
	days, err := w.names("weekdays", weekdays)
	if err != nil {
		return "", err
	}
	names, err := w.names("months", months)
	if err != nil {
		return "", err
	}
	return w.say("date", date{
		Weekday: days[t.Weekday()], Month: names[t.Month()-1], Day: t.Day(), Year: t.Year(), Time: t.Format("15:04"),
	})
}

// names are the words of a text that must be so many.
func (w *words) names(key string, want int) ([]string, error) {
	text, err := w.say(key, nil)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(text)
	if len(names) != want {
		return nil, fmt.Errorf("%q must be %d words, the first of %s first", key, want, key)
	}
	return names, nil
}
