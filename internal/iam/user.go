package iam

import "time"

// User is a person with an address. Verified says that the address was proven,
// or vouched for by the operator; an unverified one sees no invitation before it
// signs in by mail, which proves it.
type User struct {
	ID        ID
	Email     string // canonical
	Verified  bool
	FirstName string // "" shows as null
	LastName  string
	Telephone string
	Country   string
	Zipcode   string
	TwoFactor bool // has a second factor where it signs in otherwise, by the operator's word
	OwnFactor bool // has one here; the store keeps it with the factors
	Suspended bool // disabled: every credential of the user is refused
	Operator  bool // carries the operator's rights beside its own
	CreatedOn time.Time
	Locale    string `json:",omitempty"` // of its messages and pages, a BCP 47 tag; "": unknown
}

// Profile is what a user may change of itself; nil leaves a field as it is.
type Profile struct {
	FirstName, LastName, Telephone, Country, Zipcode *string
}

// Limits of the profile's fields, in characters, as the wire gives them.
const (
	MaxPersonName = 60
	MaxTelephone  = 20
	MaxCountry    = 30
	MaxZipcode    = 20
)

// Apply returns the user with the profile's fields set.
func (p Profile) Apply(u User) (User, error) {
	for _, field := range []struct {
		pointer string
		value   *string
		target  *string
		limit   int
	}{
		{"/first_name", p.FirstName, &u.FirstName, MaxPersonName},
		{"/last_name", p.LastName, &u.LastName, MaxPersonName},
		{"/telephone", p.Telephone, &u.Telephone, MaxTelephone},
		{"/country", p.Country, &u.Country, MaxCountry},
		{"/zipcode", p.Zipcode, &u.Zipcode, MaxZipcode},
	} {
		if field.value == nil {
			continue
		}
		text, err := line(field.pointer, *field.value, field.limit)
		if err != nil {
			return User{}, err
		}
		*field.target = text
	}
	return u, nil
}

// Invitee is a user as invitations know it: rows that it answered carry its
// id, rows that it has yet to answer its address. Email is "" while the
// address is unverified, and then matches nothing.
type Invitee struct {
	UserID ID
	Email  string
}

// Invitee is how u is matched with memberships.
func (u User) Invitee() Invitee {
	who := Invitee{UserID: u.ID}
	if u.Verified {
		who.Email = u.Email
	}
	return who
}
