package mail

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// view is a letter as the words of a language see it: the exported fields, all
// of them fit to be shown.
type view struct {
	Sender      string // the instance's name
	Account     string
	Inviter     string
	Person      string
	Address     string
	Roles       string // one after the other
	Many        bool   // more than one role
	What        string
	Place       string
	Code        string
	Minutes     int // of a link and a code
	Expires     string
	Expired     string
	Time        string
	Link        string
	Unsubscribe string

	roles   []string
	expires time.Time
	expired time.Time
	time    time.Time
	lasts   time.Duration
	brand   *Brand
}

// maxRoles is how many roles are named.
const maxRoles = 8

// clean makes harmless what people typed.
func (v *view) clean() {
	for _, name := range []*string{&v.Sender, &v.Account, &v.Inviter, &v.Person, &v.Address, &v.What, &v.Place} {
		*name = Name(*name)
	}
	v.Many = len(v.roles) > 1
	shown := make([]string, 0, maxRoles+1)
	for i, role := range v.roles {
		if i == maxRoles {
			shown = append(shown, "…")
			break
		}
		shown = append(shown, Name(role))
	}
	v.Roles = strings.Join(shown, ", ")
	v.Minutes = int(v.lasts / time.Minute)
}

// write puts the times into the words of a language.
func (v *view) write(w *words) (err error) {
	for _, moment := range []struct {
		text *string
		time time.Time
	}{{&v.Expires, v.expires}, {&v.Expired, v.expired}, {&v.Time, v.time}} {
		if *moment.text, err = w.when(moment.time); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a letter that its sender filled wrongly.
func (v *view) check() error {
	if v.Code != "" && !regexp.MustCompile(`^[0-9A-Z]{4}-[0-9A-Z]{4}$`).MatchString(v.Code) {
		return errors.New("a code must be of the form XXXX-XXXX")
	}
	if v.Code != "" && v.Minutes < 1 {
		return errors.New("a code must last a minute at least")
	}
	return nil
}
