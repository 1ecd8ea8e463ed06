package main

import "github.com/pocketbase/pocketbase/core"

// Who asks is a member, or manages members, of the account that a record is of.
// Back relations reach the members of that one account only.
const (
	asMember  = `account.members_via_account.user ?= @request.auth.id`
	asManager = `(account.members_via_account.user ?= @request.auth.id && account.members_via_account.role ?!= "member")`
)

// Who answers is the one who was asked, and changes the status and no more.
const asInvited = `email = @request.auth.email && @request.auth.verified = true && status = "pending"` +
	` && @request.body.email:isset = false && @request.body.account:isset = false` +
	` && @request.body.role:isset = false && @request.body.invited_by:isset = false`

// Who invited manages members still.
const inviterManages = `(account.members_via_account.user ?= invited_by && account.members_via_account.role ?!= "member")`

// makeCollections makes those that an application with invitations needs,
// beside users, which is there.
func makeCollections(app core.App, strict bool) error {
	users, err := app.FindCollectionByNameOrId("users")
	if err != nil {
		return err
	}
	accounts := core.NewBaseCollection("accounts")
	accounts.Fields.Add(&core.TextField{Name: "name", Required: true}, &core.NumberField{Name: "seats", OnlyInt: true})
	if err := app.Save(accounts); err != nil {
		return err
	}

	members := core.NewBaseCollection("members")
	members.Fields.Add(
		&core.RelationField{Name: "account", CollectionId: accounts.Id, MaxSelect: 1, Required: true, CascadeDelete: true},
		&core.RelationField{Name: "user", CollectionId: users.Id, MaxSelect: 1, Required: true, CascadeDelete: true},
		&core.SelectField{Name: "role", Values: []string{"owner", "admin", "member"}, MaxSelect: 1, Required: true},
		&core.AutodateField{Name: "created", OnCreate: true},
	)
	members.AddIndex("idx_members_account_user", true, "account, user", "")
	members.AddIndex("idx_members_user", false, "user", "")
	if err := app.Save(members); err != nil {
		return err
	}
	// The rules name the collection itself, so it has to be there.
	members.ListRule, members.ViewRule = new(asMember), new(asMember)
	members.DeleteRule = new(asManager + ` && role != "owner"`)
	if err := app.Save(members); err != nil {
		return err
	}

	invites := core.NewBaseCollection("invites")
	invites.Fields.Add(
		&core.RelationField{Name: "account", CollectionId: accounts.Id, MaxSelect: 1, Required: true, CascadeDelete: true},
		&core.EmailField{Name: "email", Required: true},
		&core.SelectField{Name: "role", Values: []string{"admin", "member"}, MaxSelect: 1, Required: true},
		&core.SelectField{Name: "status", Values: []string{"pending", "accepted", "rejected"}, MaxSelect: 1, Required: true},
		&core.RelationField{Name: "invited_by", CollectionId: users.Id, MaxSelect: 1, Required: true},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	invites.AddIndex("idx_invites_account", false, "account, email", "")
	invites.AddIndex("idx_invites_email", false, "email", "")
	invites.ListRule = new(`email = @request.auth.email || ` + asManager)
	invites.ViewRule = invites.ListRule
	invites.CreateRule = new(`status = "pending" && invited_by = @request.auth.id && ` + asManager)
	invites.UpdateRule = new(asInvited)
	if strict {
		invites.AddIndex("idx_invites_pending", true, "account, email", `status = 'pending'`)
		invites.UpdateRule = new(asInvited + ` && ` + inviterManages)
	}
	return app.Save(invites)
}
