package dataset

import (
	"slices"
	"testing"

	"hither/internal/iam"
)

// TestDocumentation holds the dataset against what the public reference and the
// published clients use.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	got, err := Documentation()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Users) != 2 || len(got.Accounts) != 3 || len(got.Roles) != 1 || len(got.Memberships) != 5 || len(got.Tokens) != 1 {
		t.Fatalf("got %+v", got)
	}

	user, admin := got.Users[0], got.Users[1]
	if user.Email != "user@example.com" || !user.Verified || user.TwoFactor || !user.Operator || user.Suspended {
		t.Errorf("user: got %+v", user.User)
	}
	if want := []string{"144c9defac04969c7bfad8efaa8ea194", "144c9defac04969c7bfad8efaa8ea19494abc"}; !slices.Equal(user.Keys, want) {
		t.Errorf("keys: got %v, want %v", user.Keys, want)
	}
	if admin.Email != "admin@example.com" || admin.Operator || len(admin.Keys) != 1 || len(admin.Keys[0]) != 37 || admin.Keys[0] != DocumentationAdminKey {
		t.Errorf("admin: got %+v", admin)
	}
	if token := got.Tokens[0]; token.ID != "ed17574386854bf78a67040be0a770b0" || token.Secret != "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY" || token.Email != user.Email {
		t.Errorf("token: got %+v", token)
	}
	for i, want := range []iam.Account{
		{ID: "023e105f4ecef8ad9ca31a8372d0c353", Name: "Demo Account", Type: iam.Standard},
		{ID: "a67e14daa5f8dceeb91fe5449ba496ef", Name: "Demo Account 2", Type: iam.Standard},
		{ID: "5a7805061c76ada191ed06f989cc3dac", Name: "Example, Inc.", Type: iam.Standard},
	} {
		if got.Accounts[i].Account != want {
			t.Errorf("account: got %+v, want %+v", got.Accounts[i].Account, want)
		}
	}

	const super = iam.SuperAdministrator
	for i, want := range []iam.ImportMembership{
		{ID: "4536bcfad5faccb111b47003c79917fa", AccountID: "023e105f4ecef8ad9ca31a8372d0c353", Email: "user@example.com", RoleIDs: []iam.ID{super}},
		{AccountID: "023e105f4ecef8ad9ca31a8372d0c353", Email: "admin@example.com", RoleIDs: []iam.ID{super}},
		{AccountID: "a67e14daa5f8dceeb91fe5449ba496ef", Email: "user@example.com", RoleIDs: []iam.ID{super}},
		{AccountID: "5a7805061c76ada191ed06f989cc3dac", Email: "admin@example.com", RoleIDs: []iam.ID{super}},
		{
			ID: "4f5f0c14a2a41d5063dd301b2f829f04", AccountID: "5a7805061c76ada191ed06f989cc3dac", Email: "user@example.com", Status: iam.Pending,
			RoleIDs: []iam.ID{"05784afa30c1afe1440e79d9351c7430"}, InvitedBy: "admin@example.com", Grantor: "admin@example.com",
		},
	} {
		row := got.Memberships[i]
		if want.ID != "" && row.ID != want.ID || row.AccountID != want.AccountID || row.Email != want.Email || row.Status != want.Status ||
			!slices.Equal(row.RoleIDs, want.RoleIDs) || row.InvitedBy != want.InvitedBy || row.Grantor != want.Grantor || !row.ExpiresOn.IsZero() {
			t.Errorf("membership: got %+v, want %+v", row, want)
		}
	}
}

// TestDocumentationRole holds that the role sees every area there is, and
// writes members alone.
func TestDocumentationRole(t *testing.T) {
	t.Parallel()
	dataset, err := Documentation()
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Permissions{}
	for _, role := range iam.BuiltinRoles() {
		for area := range role.Permissions {
			want[area] = iam.Read
		}
	}
	want[iam.AreaMembers] = iam.Read | iam.Write
	role := dataset.Roles[0].Role
	if role.ID != "3536bcfad5faccb999b47003c79917fb" || role.Name != "Member Manager" || role.AccountID != "" {
		t.Errorf("got %+v", role)
	}
	if !role.Permissions.Within(want) || !want.Within(role.Permissions) {
		t.Errorf("permissions: got %v, want %v", role.Permissions, want)
	}
}

func TestDocumentationConstants(t *testing.T) {
	t.Parallel()
	dataset, err := Documentation()
	if err != nil {
		t.Fatal(err)
	}
	user, token, invite := dataset.Users[0], dataset.Tokens[0], dataset.Memberships[4]
	if user.Email != DocumentationUser || user.Keys[0] != DocumentationKey || user.Keys[1] != DocumentationLongKey ||
		dataset.Users[1].Email != DocumentationAdmin || token.ID != DocumentationTokenID || token.Secret != DocumentationToken {
		t.Error("a constant of users or credentials is not in the dataset")
	}
	if dataset.Accounts[0].ID != DocumentationAccount || dataset.Accounts[1].ID != DocumentationAccount2 || dataset.Accounts[2].ID != DocumentationInviter ||
		dataset.Accounts[2].Name != DocumentationInviterTitle || dataset.Roles[0].ID != DocumentationRole ||
		dataset.Memberships[0].ID != DocumentationMembership || invite.ID != DocumentationInvite {
		t.Error("a constant of rows is not in the dataset")
	}
}
