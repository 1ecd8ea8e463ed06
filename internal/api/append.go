package api

import (
	"bytes"
	"maps"
	"reflect"
	"strconv"
	"sync"
	"time"

	"hither/internal/iam"
)

// What is asked for most, an invite and lists of members, is written without
// encoding/json, whose reflection takes several times as long. It gives the same
// bytes: the structs keep their tags, encoding/json still writes every other
// answer, and a test and a fuzz target hold the two together.

// appendAll writes a list.
func appendAll[T any](buf []byte, items []T, one func([]byte, T) []byte) []byte {
	buf = append(buf, '[')
	for i, item := range items {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = one(buf, item)
	}
	return append(buf, ']')
}

// writeAppended writes v if it is one of the values above.
func writeAppended(buffer *bytes.Buffer, v any) bool {
	buf := buffer.AvailableBuffer()
	switch v := v.(type) {
	case memberInfo:
		buf = appendMember(buf, v)
	case []memberInfo:
		buf = appendAll(buf, v, appendMember)
	case invite[string]:
		buf = appendInvite(buf, v)
	case []invite[string]:
		buf = appendAll(buf, v, appendInvite)
	default:
		return false
	}
	buffer.Write(buf)
	return true
}

// appendText writes a text. Those that need more than quotes are left to
// encoding/json.
func appendText[S ~string](buf []byte, s S) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var buffer bytes.Buffer
			_ = writeReflected(&buffer, string(s)) // no text fails
			return append(buf, buffer.Bytes()...)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, s...)
	return append(buf, '"')
}

func appendOptional(buf []byte, s *string) []byte {
	if s == nil {
		return append(buf, "null"...)
	}
	return appendText(buf, *s)
}

func appendMoment(buf []byte, m moment) []byte {
	return time.Time(m).UTC().AppendFormat(buf, `"2006-01-02T15:04:05.999999Z"`)
}

func appendMember(buf []byte, m memberInfo) []byte {
	buf = appendText(append(buf, `{"id":`...), m.ID)
	buf = appendText(append(buf, `,"email":`...), m.Email)
	buf = appendText(append(buf, `,"status":`...), m.Status)
	buf = appendAll(append(buf, `,"roles":`...), m.Roles, appendHeld)
	buf = append(buf, `,"user":`...)
	switch user := m.User.(type) {
	case memberUser:
		buf = appendMemberUser(buf, user)
	case onlyEmail:
		buf = append(appendText(append(buf, `{"email":`...), user.Email), '}')
	default:
		buf = append(buf, "null"...)
	}
	if m.InvitedBy != nil {
		buf = appendText(append(buf, `,"invited_by":`...), *m.InvitedBy)
	}
	if m.InvitedOn != nil {
		buf = appendMoment(append(buf, `,"invited_on":`...), *m.InvitedOn)
	}
	if m.ExpiresOn != nil {
		buf = appendMoment(append(buf, `,"expires_on":`...), *m.ExpiresOn)
	}
	if m.MembershipEndsOn != nil {
		buf = appendMoment(append(buf, `,"membership_expires_on":`...), *m.MembershipEndsOn)
	}
	if m.NeedsConfirmation != nil {
		buf = strconv.AppendBool(append(buf, `,"needs_confirmation":`...), *m.NeedsConfirmation)
	}
	if m.Locale != nil {
		buf = appendText(append(buf, `,"locale":`...), *m.Locale)
	}
	if m.Note != nil {
		buf = appendText(append(buf, `,"note":`...), *m.Note)
	}
	return append(buf, '}')
}

func appendMemberUser(buf []byte, u memberUser) []byte {
	buf = appendText(append(buf, `{"id":`...), u.ID)
	buf = appendText(append(buf, `,"email":`...), u.Email)
	buf = appendOptional(append(buf, `,"first_name":`...), u.FirstName)
	buf = appendOptional(append(buf, `,"last_name":`...), u.LastName)
	buf = strconv.AppendBool(append(buf, `,"two_factor_authentication_enabled":`...), u.TwoFactor)
	return append(buf, '}')
}

func appendInvite(buf []byte, i invite[string]) []byte {
	buf = appendText(append(buf, `{"id":`...), i.ID)
	buf = appendOptional(append(buf, `,"invited_member_id":`...), (*string)(i.InvitedMemberID))
	buf = appendText(append(buf, `,"invited_member_email":`...), i.InvitedMemberEmail)
	buf = appendText(append(buf, `,"organization_id":`...), i.OrganizationID)
	buf = appendText(append(buf, `,"organization_name":`...), i.OrganizationName)
	buf = strconv.AppendBool(append(buf, `,"organization_is_enforcing_twofactor":`...), i.EnforcingTwoFactor)
	buf = appendText(append(buf, `,"invited_by":`...), i.InvitedBy)
	buf = appendMoment(append(buf, `,"invited_on":`...), i.InvitedOn)
	buf = appendMoment(append(buf, `,"expires_on":`...), i.ExpiresOn)
	buf = appendAll(append(buf, `,"roles":`...), i.Roles, appendText)
	buf = appendText(append(buf, `,"status":`...), i.Status)
	if i.Note != nil {
		buf = appendText(append(buf, `,"note":`...), *i.Note)
	}
	if i.MembershipEndsOn != nil {
		buf = appendMoment(append(buf, `,"membership_expires_on":`...), *i.MembershipEndsOn)
	}
	return append(buf, '}')
}

// heldRole is a role of a member. Its permissions are sorted and written once
// for all who hold it.
type heldRole struct {
	iam.Role

	forms *roleForms
}

// MarshalJSON writes the role as encoding/json has it.
func (h heldRole) MarshalJSON() ([]byte, error) {
	var buffer bytes.Buffer
	err := writeReflected(&buffer, roleOf(h.Role))
	return buffer.Bytes(), err
}

func appendHeld(buf []byte, h heldRole) []byte {
	if form, ok := h.forms.find(h.Role); ok {
		return append(buf, form...)
	}
	form, _ := h.MarshalJSON() // no role fails
	h.forms.keep(h.Role, form)
	return append(buf, form...)
}

// roleForms are roles as they are on the wire. They are found by the whole of
// the role and not by its id, so that a role that was changed is never written
// as it was.
type roleForms struct {
	mu    sync.RWMutex
	forms map[iam.ID]roleForm
}

type roleForm struct {
	role iam.Role
	text []byte
}

// maxRoleForms bounds the memory: accounts may have roles of their own.
const maxRoleForms = 1000

func (f *roleForms) find(role iam.Role) ([]byte, bool) {
	f.mu.RLock()
	known, ok := f.forms[role.ID]
	f.mu.RUnlock()
	return known.text, ok && known.role.Name == role.Name && known.role.Description == role.Description &&
		samePermissions(known.role.Permissions, role.Permissions)
}

// samePermissions compares contents only where the two are not one map: roles
// of every account are, as long as none was changed.
func samePermissions(a, b iam.Permissions) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer() || maps.Equal(a, b)
}

func (f *roleForms) keep(role iam.Role, text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forms == nil || len(f.forms) >= maxRoleForms {
		f.forms = make(map[iam.ID]roleForm)
	}
	f.forms[role.ID] = roleForm{role, text}
}
