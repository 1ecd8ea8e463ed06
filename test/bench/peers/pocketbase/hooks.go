package main

import (
	"database/sql"
	"errors"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase/core"
)

// bindHooks is called before the flags are read, and its hooks after that.
func bindHooks(app core.App, strict *bool) {
	app.OnRecordCreateRequest("invites").BindFunc(func(e *core.RecordRequestEvent) error {
		if err := refuseTwins(e); err != nil {
			return err
		}
		return e.Next()
	})
	app.OnRecordUpdateRequest("invites").BindFunc(func(e *core.RecordRequestEvent) error {
		if e.Record.GetString("status") != "accepted" {
			return e.Next()
		}
		if !*strict {
			return accept(e)
		}
		outside := e.App
		defer func() { e.App = outside }()
		return outside.RunInTransaction(func(tx core.App) error {
			e.App = tx
			return accept(e)
		})
	})
}

// refuseTwins lets nobody be invited who is asked already, or is a member.
func refuseTwins(e *core.RecordRequestEvent) error {
	account, email := e.Record.GetString("account"), e.Record.GetString("email")
	pending, err := e.App.CountRecords("invites", dbx.HashExp{"account": account, "email": email, "status": "pending"})
	if err != nil {
		return err
	}
	if pending > 0 {
		return e.BadRequestError("This address is invited already.", nil)
	}
	// FindAuthRecordByEmail reads all users: the index that PocketBase makes is of those with an address only.
	user := &core.Record{}
	err = e.App.RecordQuery("users").AndWhere(dbx.HashExp{"email": email}).AndWhere(dbx.NewExp("email != ''")).Limit(1).One(user)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // nobody has this address yet
	}
	if err != nil {
		return err
	}
	member, err := e.App.CountRecords("members", dbx.HashExp{"account": account, "user": user.Id})
	if err != nil {
		return err
	}
	if member > 0 {
		return e.BadRequestError("This address is a member already.", nil)
	}
	return nil
}

// accept saves the answer and makes its user a member, if there is a seat.
func accept(e *core.RecordRequestEvent) error {
	account, err := e.App.FindRecordById("accounts", e.Record.GetString("account"))
	if err != nil {
		return err
	}
	if seats := account.GetInt("seats"); seats > 0 {
		members, err := e.App.CountRecords("members", dbx.HashExp{"account": account.Id})
		if err != nil {
			return err
		}
		if members >= int64(seats) {
			return e.BadRequestError("The account has no free seat.", nil)
		}
	}
	if err := e.Next(); err != nil {
		return err
	}
	members, err := e.App.FindCachedCollectionByNameOrId("members")
	if err != nil {
		return err
	}
	member := core.NewRecord(members)
	member.Set("account", account.Id)
	member.Set("user", e.Auth.Id)
	member.Set("role", e.Record.GetString("role"))
	return e.App.Save(member)
}
