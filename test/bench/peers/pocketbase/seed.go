package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/pocketbase/pocketbase/core"
	"golang.org/x/crypto/bcrypt"
)

// population is what test/bench wants every peer to hold.
type population struct {
	Limit    int      `json:"limit"`
	Users    []string `json:"users"`
	Accounts []string `json:"accounts"`
	Rows     []struct {
		Account int    `json:"account"`
		User    int    `json:"user"`
		Role    string `json:"role"`
		Status  string `json:"status"`
		By      int    `json:"by"` // who invited; -1: nobody, it is a member
	} `json:"rows"`
}

// seeded says what came of it, in the same order.
type seeded struct {
	Version     string   `json:"version"`
	Durability  string   `json:"durability"`
	Users       []string `json:"users"`
	Credentials []string `json:"credentials"`
	Accounts    []string `json:"accounts"`
	Invites     []string `json:"invites"`
	Members     []string `json:"members"`
}

func seed(app core.App, strict bool, from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var p population
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	if err := makeCollections(app, strict); err != nil {
		return fmt.Errorf("collections: %w", err)
	}
	var s seeded
	if err := app.RunInTransaction(func(tx core.App) error { return s.fill(tx, p) }); err != nil {
		return err
	}
	if err := s.describe(app); err != nil {
		return err
	}
	if text, err = json.Marshal(s); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func (s *seeded) fill(tx core.App, p population) error {
	// One password for all: bcrypt takes its time on purpose, and nobody signs in with it.
	hash, err := bcrypt.GenerateFromPassword([]byte("a password of the bench"), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	for _, email := range p.Users {
		user, err := save(tx, "users", map[string]any{"email": email, "verified": true, "name": "Member of the bench"}, string(hash))
		if err != nil {
			return fmt.Errorf("user %s: %w", email, err)
		}
		credential, err := user.NewAuthToken()
		if err != nil {
			return err
		}
		s.Users, s.Credentials = append(s.Users, user.Id), append(s.Credentials, credential)
	}
	for _, name := range p.Accounts {
		account, err := save(tx, "accounts", map[string]any{"name": name, "seats": p.Limit}, "")
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		s.Accounts = append(s.Accounts, account.Id)
	}
	for n, row := range p.Rows {
		var invite, member string
		account := s.Accounts[row.Account]
		if row.By >= 0 {
			record, err := save(tx, "invites", map[string]any{
				"account": account, "email": p.Users[row.User], "role": row.Role, "status": row.Status, "invited_by": s.Users[row.By],
			}, "")
			if err != nil {
				return fmt.Errorf("invite %d: %w", n, err)
			}
			invite = record.Id
		}
		if row.Status == "accepted" {
			record, err := save(tx, "members", map[string]any{"account": account, "user": s.Users[row.User], "role": row.Role}, "")
			if err != nil {
				return fmt.Errorf("member %d: %w", n, err)
			}
			member = record.Id
		}
		s.Invites, s.Members = append(s.Invites, invite), append(s.Members, member)
	}
	return nil
}

func save(tx core.App, collection string, values map[string]any, hash string) (*core.Record, error) {
	found, err := tx.FindCachedCollectionByNameOrId(collection)
	if err != nil {
		return nil, err
	}
	record := core.NewRecord(found)
	record.Load(values)
	if hash != "" {
		record.SetRaw("password", &core.PasswordFieldValue{Hash: hash})
	}
	return record, tx.SaveNoValidate(record)
}

// describe asks the database how it keeps what it was given.
func (s *seeded) describe(app core.App) error {
	var journal, synchronous string
	if err := app.DB().NewQuery("PRAGMA journal_mode").Row(&journal); err != nil {
		return err
	}
	if err := app.DB().NewQuery("PRAGMA synchronous").Row(&synchronous); err != nil {
		return err
	}
	s.Durability = fmt.Sprintf("journal_mode=%s, synchronous=%s", journal, map[string]string{"0": "OFF", "1": "NORMAL", "2": "FULL"}[synchronous])
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/pocketbase/pocketbase" {
				s.Version = module.Version
			}
		}
	}
	return nil
}
