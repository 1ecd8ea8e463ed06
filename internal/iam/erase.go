package iam

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// erasedDomain belongs to nobody and receives no mail.
const erasedDomain = "@erased.invalid"

// Erased reports whether the user was erased: what is left of it is its id.
func (u User) Erased() bool { return strings.HasSuffix(u.Email, erasedDomain) }

// Erasure is whom an erasure is about. Instead is the address that stands in place
// of all that it had.
type Erasure struct {
	UserID    ID
	Addresses []HadAddress // the present one, and those that it had before
	Mailboxes []string     // of these, in which no other user's mails arrive
	Instead   string
}

// HadAddress is an address that a person has, or had. One that was Passed on is
// another user's by now: what names nobody, and is from after Told, is about that one.
type HadAddress struct {
	Address string
	Told    time.Time // when the person's own log last says that it had it
	Passed  bool
}

// EraseFacts are the facts of an erasure: those of a user that ends, and the
// addresses of other users whose mails arrive in a mailbox of the person's.
type EraseFacts struct {
	UserFacts

	Others []string
}

func newErasure(u User) Erasure {
	erasure := Erasure{UserID: u.ID, Instead: "erased-" + string(u.ID) + erasedDomain}
	erasure.add(u.Email, time.Time{})
	return erasure
}

// add notes that the person had an address at a moment.
func (e *Erasure) add(address string, at time.Time) {
	for i := range e.Addresses {
		if had := &e.Addresses[i]; had.Address == address {
			if at.After(had.Told) {
				had.Told = at
			}
			return
		}
	}
	e.Addresses = append(e.Addresses, HadAddress{Address: address, Told: at})
}

// learn adds the addresses that a row of the user's own log tells.
func (e *Erasure) learn(entry AuditEntry) {
	for _, address := range e.tells(entry) {
		e.add(address, entry.At)
	}
}

// tells are the addresses of the person that an audit row is the source of.
func (e *Erasure) tells(entry AuditEntry) []string {
	if entry.TargetID != e.UserID {
		return nil
	}
	var told []string
	for _, state := range []string{entry.Before, entry.After} {
		var fields struct {
			Email string `json:"email"`
		}
		if json.Unmarshal([]byte(state), &fields) == nil && fields.Email != "" && fields.Email != e.Instead {
			told = append(told, fields.Email)
		}
	}
	return told
}

// among is the erasure with what the facts say of others. It leaves e as it was.
func (e *Erasure) among(facts EraseFacts) Erasure {
	known := Erasure{UserID: e.UserID, Instead: e.Instead, Addresses: slices.Clone(e.Addresses)}
	known.add(facts.User.Email, time.Time{}) // it may have changed since
	theirs := map[string]bool{}
	for _, address := range facts.Others {
		theirs[Mailbox(address)] = true
	}
	mailboxes := map[string]bool{}
	for i := range known.Addresses {
		had := &known.Addresses[i]
		had.Passed = slices.Contains(facts.Others, had.Address)
		if mailbox := Mailbox(had.Address); !theirs[mailbox] {
			mailboxes[mailbox] = true
		}
	}
	known.Mailboxes = slices.Sorted(maps.Keys(mailboxes))
	return known
}

// addresses are all of them.
func (e *Erasure) addresses() []string {
	list := make([]string, len(e.Addresses))
	for i, had := range e.Addresses {
		list[i] = had.Address
	}
	return list
}

// clean takes the person out of an audit row, and leaves what happened, when, to
// what, and which id it was. It reports whether there was anything to take out.
func (e *Erasure) clean(entry *AuditEntry) bool {
	before := *entry
	its := entry.ActorID == e.UserID || entry.UserID == e.UserID || entry.TargetID == e.UserID
	if entry.Actor == ByUser && entry.ActorID == e.UserID {
		entry.ActorEmail, entry.RemoteAddr = e.Instead, ""
	}
	for _, state := range []*string{&entry.Before, &entry.After} {
		cleaned, about := e.cleanState(*state, before)
		*state = cleaned
		its = its || about
	}
	if its && entry.Actor == ByVisitor {
		entry.RemoteAddr = ""
	}
	return *entry != before
}

// cleanState takes the person out of a state of a row; about says that it is the
// person's. A state of another user's stays as it is, whatever address is in it.
func (e *Erasure) cleanState(state string, entry AuditEntry) (cleaned string, about bool) {
	var fields map[string]any
	if state == "" || json.Unmarshal([]byte(state), &fields) != nil {
		return state, false
	}
	whose := subject(entry, fields)
	if whose != "" && whose != e.UserID {
		return state, false
	}
	about = whose == e.UserID
	changed := false
	for name, value := range fields {
		if text, isText := value.(string); isText && e.owns(name, text, about, entry.At) {
			fields[name], changed = e.Instead, true
		}
	}
	about = about || changed
	for name, value := range fields {
		if text, isText := value.(string); about && isText && text != "" && personal(name) {
			fields[name], changed = "", true
		}
	}
	if !changed {
		return state, about
	}
	return encode(fields), about
}

// subject is the user whose state a row holds, "" where that names nobody.
func subject(entry AuditEntry, fields map[string]any) ID {
	id, _ := fields["user_id"].(string)
	switch noun := entry.Action.Noun(); {
	case id != "":
		return ID(id)
	case noun == "user", noun == "address":
		return entry.TargetID
	case entry.UserID != "":
		return entry.UserID
	case entry.AccountID == "":
		return entry.ActorID // its own keys, sessions and the like
	}
	return ""
}

// owns tells whether a field holds an address of the person's: in its own state
// any that it had, else one that was its own at the time.
func (e *Erasure) owns(field, text string, own bool, at time.Time) bool {
	text = strings.ToLower(text)
	if field == "mailbox" {
		return slices.Contains(e.Mailboxes, text)
	}
	return slices.ContainsFunc(e.Addresses, func(had HadAddress) bool {
		return had.Address == text && (own || !had.Passed || !at.After(had.Told))
	})
}

// personal are the fields of states that a person wrote, or that describe it.
func personal(field string) bool {
	switch field {
	case "first_name", "last_name", "telephone", "country", "zipcode", "agent", "reason", "note":
		return true
	}
	return false
}
