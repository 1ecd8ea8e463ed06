package api

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

// sameAsReflected holds that what is appended is what encoding/json writes.
func sameAsReflected(t *testing.T, v any) {
	t.Helper()
	var appended, reflected bytes.Buffer
	appended.WriteString("before ")
	if !writeAppended(&appended, v) {
		t.Fatalf("a %T is not appended", v)
	}
	reflected.WriteString("before ")
	if err := writeReflected(&reflected, v); err != nil {
		t.Fatal(err)
	}
	if appended.String() != reflected.String() {
		t.Errorf("a %T:\n got %s\nwant %s", v, &appended, &reflected)
	}
}

// FuzzAppended makes rows of what it is given, in each state and with each
// optional field there and not.
func FuzzAppended(f *testing.F) {
	for _, text := range []string{"", "plain", `"\`, "<b>&amp;", "\u2028 ü 🦎", "\x00\x1f\x7f\n\t\b\f", "\xff broken \xc3", strings.Repeat("long", 100)} {
		f.Add(text, "user@example.com", int64(1767244800000000), uint8(0xff))
		f.Add("name", text, int64(-1), uint8(1))
	}
	a := &wire{}
	f.Fuzz(func(t *testing.T, text, email string, at int64, bits uint8) {
		set := func(bit int) bool { return bits>>bit&1 == 1 }
		// A year that four digits show; others have no form on the wire.
		moment := time.UnixMicro(at % 8e15).UTC()
		role := iam.Role{ID: iam.ID(email), Name: text, Description: text + email, Permissions: iam.Permissions{text: iam.Read, email: iam.Write}}
		if set(0) {
			role.Permissions = nil
		}
		row := iam.Membership{
			ID: iam.ID(text), AccountID: iam.ID(email), Email: email, UserID: iam.ID(text), InvitedBy: text, Invited: set(1),
			InvitedOn: moment, ExpiresOn: moment.Add(time.Hour), Roles: []iam.Role{role, role, {ID: "other", Name: email}}[:bits%4%3],
		}
		var members []memberInfo
		var invites []invite[string]
		for _, status := range []iam.Status{iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Status(text)} {
			row.Status = status
			user := iam.User{ID: iam.ID(text), Email: email, TwoFactor: set(2)}
			if set(3) {
				user.FirstName, user.LastName = text, email
			}
			members = append(members, a.memberAt(iam.Member{Membership: row, User: user}, moment))
			var id *iam.ID
			if set(4) {
				id = &user.ID
			}
			account := iam.Account{ID: iam.ID(email), Name: text, EnforceTwoFactor: set(5)}
			invites = append(invites, inviteOf(row, account, id, roleName, moment))
		}
		for i := range members {
			sameAsReflected(t, members[i])
			sameAsReflected(t, invites[i])
			sameAsReflected(t, members[:i])
			sameAsReflected(t, invites[:i])
		}
	})
}

// TestChangedRolesAreWrittenAnew changes each part of a role under the same id.
func TestChangedRolesAreWrittenAnew(t *testing.T) {
	t.Parallel()
	a := &wire{}
	role := iam.Role{ID: "a", Name: "n", Description: "d", Permissions: iam.Permissions{"dns": iam.Read}}
	more := role
	more.Permissions = iam.Permissions{"dns": iam.Read | iam.Write}
	other := role
	other.Permissions = iam.Permissions{"zone": iam.Read}
	named, described := role, role
	named.Name, described.Description = "N", "D"
	for _, r := range []iam.Role{role, more, other, role, named, role, described, role, role} {
		sameAsReflected(t, memberInfo{Roles: []heldRole{a.held(r)}})
	}
	for n := range 2 * maxRoleForms {
		r := role
		r.ID = iam.ID(fmt.Sprint(n))
		_ = appendHeld(nil, a.held(r))
	}
	if n := len(a.roleForms.forms); n > maxRoleForms {
		t.Errorf("%d roles are kept, want %d at most", n, maxRoleForms)
	}
}

// BenchmarkPage writes twenty members.
func BenchmarkPage(b *testing.B) {
	a := &wire{}
	of, row := rows()
	row.Status, row.UserID = iam.Accepted, "7c5dae5552338874e5053f2534d2767a"
	page := iam.Page[iam.Member]{Total: 200_000}
	for range 20 {
		page.Items = append(page.Items, iam.Member{Membership: row, User: iam.User{ID: row.UserID, Email: "new@example.com", FirstName: of.Name}})
	}
	b.ReportAllocs()
	var buffer bytes.Buffer
	for b.Loop() {
		buffer.Reset()
		result := list(page, iam.PageRequest{Number: 1, Size: 20}, func(m iam.Member) memberInfo { return a.memberAt(m, newYear) })
		if err := writeEnvelope(&buffer, result, nil); err != nil {
			b.Fatal(err)
		}
	}
}
