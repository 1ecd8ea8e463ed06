package dataset

import (
	"time"

	"hither/internal/iam"
)

// newUser is verified unless the file says otherwise: the operator vouches for
// what it imports.
func newUser(line int) iam.ImportUser {
	return iam.ImportUser{Line: line, User: iam.User{Verified: true}}
}

func userFields() []field[iam.ImportUser] {
	type row = iam.ImportUser
	return []field[row]{
		{name: "id", read: into(func(u *row) *iam.ID { return &u.ID }, rowID)},
		{name: "email", required: true, read: into(func(u *row) *string { return &u.Email }, email)},
		{name: "verified", read: into(func(u *row) *bool { return &u.Verified }, boolean)},
		{name: "first_name", read: into(func(u *row) *string { return &u.FirstName }, text)},
		{name: "last_name", read: into(func(u *row) *string { return &u.LastName }, text)},
		{name: "telephone", read: into(func(u *row) *string { return &u.Telephone }, text)},
		{name: "country", read: into(func(u *row) *string { return &u.Country }, text)},
		{name: "zipcode", read: into(func(u *row) *string { return &u.Zipcode }, text)},
		{name: "locale", read: into(func(u *row) *string { return &u.Locale }, text)},
		{name: "two_factor", read: into(func(u *row) *bool { return &u.TwoFactor }, boolean)},
		{name: "suspended", read: into(func(u *row) *bool { return &u.Suspended }, boolean)},
		{name: "operator", read: into(func(u *row) *bool { return &u.Operator }, boolean)},
		{name: "keys", read: into(func(u *row) *[]string { return &u.Keys }, list(secret))},
		{name: "created_on", read: into(func(u *row) *time.Time { return &u.CreatedOn }, moment)},
	}
}

func newToken(line int) iam.ImportToken { return iam.ImportToken{Line: line} }

func tokenFields() []field[iam.ImportToken] {
	type row = iam.ImportToken
	return []field[row]{
		{name: "id", read: into(func(t *row) *iam.ID { return &t.ID }, rowID)},
		{name: "user", read: into(func(t *row) *string { return &t.Email }, email)},
		{name: "name", read: into(func(t *row) *string { return &t.Name }, text)},
		{name: "secret", required: true, read: into(func(t *row) *string { return &t.Secret }, secret)},
	}
}
