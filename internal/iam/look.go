package iam

import (
	"context"
	"net/url"
	"strings"
)

// Look is how an account looks to those that it invites, on pages and in
// messages, and in which language it speaks to them.
type Look struct {
	Brand

	Locale string // a BCP 47 tag, "": the instance's
}

// LookEdit is a change of a look; nil leaves a field as it is, "" takes it away.
type LookEdit struct {
	Name, Color, Logo, Locale *string
}

const (
	maxLogo   = 500
	maxLocale = 35 // of a tag, as RFC 5646 advises
)

// Apply returns the look with the edit's fields set.
func (e LookEdit) Apply(l Look) (Look, error) {
	for _, field := range []struct {
		pointer       string
		value, target *string
		check         func(pointer, s string) (string, error)
	}{
		{"/brand/name", e.Name, &l.Name, func(pointer, s string) (string, error) { return line(pointer, s, MaxAccountName) }},
		{"/brand/color", e.Color, &l.Color, brandColor},
		{"/brand/logo", e.Logo, &l.Logo, brandLogo},
		{"/locale", e.Locale, &l.Locale, localeTag},
	} {
		if field.value == nil {
			continue
		}
		text, err := field.check(field.pointer, strings.TrimSpace(*field.value))
		if err != nil {
			return Look{}, err
		}
		*field.target = text
	}
	return l, nil
}

func brandColor(pointer, s string) (string, error) {
	s = strings.ToLower(s)
	if digits, ok := strings.CutPrefix(s, "#"); s != "" && (!ok || len(digits) != 6 || strings.Trim(digits, "0123456789abcdef") != "") {
		return "", invalid(pointer, "must be a color of the form #rrggbb")
	}
	return s, nil
}

func brandLogo(pointer, s string) (string, error) {
	u, err := url.Parse(s)
	if s != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s) > maxLogo) {
		return "", invalid(pointer, "must be a https URL of at most %d characters", maxLogo)
	}
	return s, nil
}

func localeTag(pointer, s string) (string, error) {
	first, _, _ := strings.Cut(s, "-")
	letters := strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	if s != "" && (!letters || len(first) < 2 || len(s) > maxLocale) {
		return "", invalid(pointer, "must be a language tag such as en or de-AT")
	}
	return s, nil
}

// Look reads an account's look, for who may see the account.
func (s *Service) Look(ctx context.Context, actor Actor, accountID ID) (Look, error) {
	if _, _, err := s.access(ctx, actor, accountID); err != nil {
		return Look{}, err
	}
	look, err := s.store.Look(ctx, accountID)
	return look, missing(err, accountNotFound())
}

// EditLook changes it, which needs what editing the account does.
func (s *Service) EditLook(ctx context.Context, actor Actor, accountID ID, edit LookEdit) (Look, error) {
	entry := actor.Entry(s.newID(), AccountChange, "", accountID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Look, error) {
		facts, err := tx.AccountFacts(accountID, actor)
		if err != nil {
			return Look{}, missing(err, accountNotFound())
		}
		entry.AccountID = accountID
		if _, err := DecideEditAccount(facts, actor, AccountEdit{}); err != nil {
			return Look{}, err
		}
		before, err := tx.Look(accountID)
		if err != nil {
			return Look{}, err
		}
		after, err := edit.Apply(before)
		if err != nil || after == before {
			return after, err
		}
		entry.Before, entry.After = before.snapshot(), after.snapshot()
		return after, tx.UpdateLook(accountID, after, *entry)
	})
}

// snapshot is a look as audit rows hold it.
func (l Look) snapshot() string {
	return encode(struct {
		Name   string `json:"brand_name"`
		Color  string `json:"brand_color"`
		Logo   string `json:"brand_logo"`
		Locale string `json:"locale"`
	}{l.Name, l.Color, l.Logo, l.Locale})
}
