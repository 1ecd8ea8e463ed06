package iam

import (
	"encoding/json"
	"slices"
	"strings"
)

// erasedDomain belongs to nobody and receives no mail.
const erasedDomain = "@erased.invalid"

// Erased reports whether the user was erased: what is left of it is its id.
func (u User) Erased() bool { return strings.HasSuffix(u.Email, erasedDomain) }

// Erasure is whom an erasure is about. Instead is the address that stands in place
// of all that it had.
type Erasure struct {
	UserID    ID
	Addresses []string // the present one, and those that it had before
	Instead   string
}

func newErasure(u User) Erasure {
	return Erasure{UserID: u.ID, Addresses: []string{u.Email}, Instead: "erased-" + string(u.ID) + erasedDomain}
}

// learn adds the addresses that a row of the user's own log tells.
func (e *Erasure) learn(entry AuditEntry) {
	if entry.TargetID != e.UserID {
		return
	}
	for _, state := range []string{entry.Before, entry.After} {
		var fields struct {
			Email string `json:"email"`
		}
		if json.Unmarshal([]byte(state), &fields) == nil && fields.Email != "" && !e.had(fields.Email) {
			e.Addresses = append(e.Addresses, fields.Email)
		}
	}
}

func (e *Erasure) had(address string) bool {
	return slices.Contains(e.Addresses, address)
}

// clean takes the person out of an audit row, and leaves what happened, when, to
// what, and which id it was. It reports whether there was anything to take out.
func (e *Erasure) clean(entry *AuditEntry) bool {
	before := *entry
	its := entry.ActorID == e.UserID || entry.UserID == e.UserID || entry.TargetID == e.UserID
	if e.had(entry.ActorEmail) || (entry.Actor == ByUser && entry.ActorID == e.UserID) {
		entry.ActorEmail, entry.RemoteAddr = e.Instead, ""
	}
	for _, state := range []*string{&entry.Before, &entry.After} {
		cleaned, told := e.cleanState(*state, its)
		*state = cleaned
		its = its || told
	}
	if its && entry.Actor == ByVisitor {
		entry.RemoteAddr = ""
	}
	return *entry != before
}

// cleanState takes the person out of a state; told says that the address was in it.
func (e *Erasure) cleanState(state string, its bool) (cleaned string, told bool) {
	var fields map[string]any
	if state == "" || json.Unmarshal([]byte(state), &fields) != nil {
		return state, false
	}
	changed := false
	for name, value := range fields {
		text, isText := value.(string)
		switch {
		case isText && e.had(text):
			fields[name], changed, told = e.Instead, true, true
		case its && isText && text != "" && personal(name):
			fields[name], changed = "", true
		}
	}
	if !changed {
		return state, told
	}
	return encode(fields), told
}

// personal are the fields of states that a person wrote, or that describe it.
func personal(field string) bool {
	switch field {
	case "first_name", "last_name", "telephone", "country", "zipcode", "agent", "reason":
		return true
	}
	return false
}
