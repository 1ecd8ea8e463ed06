package mail

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
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
	Webhook     string
	Host        string
	Reason      string // a name of the API's
	Path        string // of the API
	What        string
	Place       string
	Code        string
	Minutes     int // of a link and a code
	Days, Hours int // that are left: whole days, or where there are not two of them, hours; neither within the last hour
	Count       int // of addresses
	More        int // of them, beside the ones in Addresses
	Addresses   string
	Note        []string // lines
	Expires     string
	Expired     string
	Ends        string // of a membership
	Time        string
	Link        string
	Unsubscribe string

	note      string
	roles     []string
	addresses []string
	expires   time.Time
	expired   time.Time
	ends      time.Time
	time      time.Time
	lasts     time.Duration
	left      time.Duration
	brand     *Brand
}

// How many roles, and how many addresses, are named.
const (
	maxRoles     = 8
	maxAddresses = 20
)

// clean makes harmless what people typed.
func (v *view) clean() {
	for _, name := range []*string{&v.Sender, &v.Account, &v.Inviter, &v.Person, &v.Address, &v.Webhook, &v.Host, &v.What, &v.Place} {
		*name = Name(*name)
	}
	v.Note = lines(v.note)
	v.Many = len(v.roles) > 1
	v.Roles = named(v.roles, maxRoles)
	if len(v.roles) > maxRoles {
		v.Roles += ", …"
	}
	v.Addresses = named(v.addresses, maxAddresses)
	v.More = max(v.Count-min(len(v.addresses), maxAddresses), 0)
	v.Minutes = int(v.lasts / time.Minute)
	v.remain()
}

// How much of a note is shown: what is longer was never taken.
const (
	maxNote      = 500
	maxNoteLines = 20
)

// lines are those of a text that somebody typed, each as harmless as a name; empty
// ones are left out.
func lines(s string) []string {
	var all []string
	left := maxNote
	for line := range strings.SplitSeq(s, "\n") {
		if line = tidy(line, left); line == "" || left <= 0 {
			continue
		}
		if len(all) == maxNoteLines {
			return append(all, "…")
		}
		left -= utf8.RuneCountInString(line)
		all = append(all, defang(line))
	}
	return all
}

// named are the first of some names, one after the other.
func named(names []string, most int) string {
	shown := make([]string, min(len(names), most))
	for i := range shown {
		shown[i] = Name(names[i])
	}
	return strings.Join(shown, ", ")
}

// remain says what is left as people do: in whole days, or below a day and a half
// in hours.
func (v *view) remain() {
	const day = 24 * time.Hour
	if v.left >= day+day/2 {
		v.Days = int(v.left.Round(day) / day)
		return
	}
	if v.left > time.Hour {
		v.Hours = max(int(v.left.Round(time.Hour)/time.Hour), 2)
	}
}

// write puts the times into the words of a language.
func (v *view) write(w *words) (err error) {
	for _, moment := range []struct {
		text *string
		time time.Time
	}{{&v.Expires, v.expires}, {&v.Expired, v.expired}, {&v.Ends, v.ends}, {&v.Time, v.time}} {
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
	if v.Path != "" && !regexp.MustCompile(`^(/[0-9a-z]+)+$`).MatchString(v.Path) {
		return errors.New("a path of the API has lower-case letters and digits alone")
	}
	if v.Code != "" && v.Minutes < 1 {
		return errors.New("a code must last a minute at least")
	}
	return nil
}
