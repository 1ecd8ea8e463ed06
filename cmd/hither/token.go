package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
)

// tokenCommands are `hither token …`.
type tokenCommands struct {
	List   tokenListCommand   `cmd:"" help:"List the bearer tokens of a user or of the operator, oldest first."`
	Add    tokenAddCommand    `cmd:"" help:"Make a bearer token; its secret is shown this once."`
	Rotate tokenRotateCommand `cmd:"" help:"Make a new token and revoke an old one."`
	Revoke tokenRevokeCommand `cmd:"" help:"Refuse a token from its next request on, for good."`
}

// owner is whose tokens a command is about.
type owner struct {
	User     string `help:"A user's, by id or address: with all rights of that user." placeholder:"USER" required:"" xor:"owner"`
	Operator bool   `help:"The operator's." required:"" xor:"owner"`
}

// id is the owner's, "" for the operator.
func (o owner) id(ctx context.Context, s session) (iam.ID, error) {
	if o.Operator {
		return "", nil
	}
	user, err := s.user(ctx, o.User)
	return user.ID, err
}

func tokenRecord(t iam.Token) record {
	of := "user"
	if t.UserID == "" {
		of = "operator"
	}
	return record{
		{"id", t.ID},
		{"of", of},
		{"user_id", t.UserID},
		{"name", t.Name},
		{"revoked", t.Disabled},
		{"expires_on", t.ExpiresOn},
		{"created_on", t.CreatedOn},
	}
}

type tokenListCommand struct {
	admin
	owner
}

// Run prints tokens.
func (c *tokenListCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		owner, err := c.id(ctx, s)
		if err != nil {
			return err
		}
		tokens, err := s.service.Tokens(ctx, s.actor, owner)
		if err != nil {
			return err
		}
		records := make([]record, len(tokens))
		for i, token := range tokens {
			records[i] = tokenRecord(token)
		}
		return s.list(records, "id", "of", "name", "revoked", "expires_on", "created_on")
	})
}

type tokenAddCommand struct {
	admin
	owner
	Name    string  `help:"What the token is for." placeholder:"NAME"`
	Expires expires `help:"When it ends: a time such as 2026-12-31T00:00:00Z, or a span such as 720h or 30d. Unless given, never." placeholder:"TIME"`
}

// Run makes a token.
func (c *tokenAddCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		owner, err := c.id(ctx, s)
		if err != nil {
			return err
		}
		token, secret, err := s.service.CreateToken(ctx, s.actor, owner, c.Name, c.Expires.at(clock.Now()))
		if err != nil {
			return err
		}
		return s.secret(tokenRecord(token), secret)
	})
}

type tokenRotateCommand struct {
	admin
	owner
	Token   string  `arg:"" help:"Id of the old token."`
	Expires expires `help:"When the new one ends. Unless given, when the old one does." placeholder:"TIME"`
}

// Run makes a token of the same name and end, then revokes the old one.
func (c *tokenRotateCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		owner, err := c.id(ctx, s)
		if err != nil {
			return err
		}
		tokens, err := s.service.Tokens(ctx, s.actor, owner)
		if err != nil {
			return err
		}
		old, err := only(tokens, "token", c.Token, fmt.Errorf("there is no token %q among these; `hither token list` shows all", c.Token),
			func(t iam.Token) (iam.ID, bool) { return t.ID, string(t.ID) == c.Token })
		if err != nil {
			return err
		}
		if old.Disabled {
			return fmt.Errorf("token %s is revoked already; `hither token add` makes a new one", old.ID)
		}
		end := old.ExpiresOn
		if c.Expires != (expires{}) {
			end = c.Expires.at(clock.Now())
		}
		token, secret, err := s.service.RotateToken(ctx, s.actor, old, end)
		if err != nil {
			return err
		}
		return s.secret(tokenRecord(token), secret)
	})
}

type tokenRevokeCommand struct {
	admin
	Token string `arg:"" help:"Id of the token."`
}

// Run revokes a token.
func (c *tokenRevokeCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		if err := s.service.RevokeToken(ctx, s.actor, iam.ID(c.Token)); err != nil {
			return hint(err, "there is no token %q; `hither token list` shows all", c.Token)
		}
		if s.json {
			return writeJSON(s.out, record{{"id", iam.ID(c.Token)}, {"revoked", true}})
		}
		return s.say("revoked token %s", c.Token)
	})
}

// expires is a moment, or a span from now. Zero is never.
type expires struct {
	moment time.Time
	span   time.Duration
}

// UnmarshalText reads a time of RFC 3339, a span of time, or days.
func (e *expires) UnmarshalText(text []byte) error {
	if at, err := time.Parse(time.RFC3339, string(text)); err == nil {
		e.moment = at.UTC()
		return nil
	}
	var err error
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		e.span = time.Duration(min(max(n, 0), maxDays)) * 24 * time.Hour
	} else {
		e.span, err = time.ParseDuration(string(text))
	}
	if err != nil || e.span <= 0 {
		return fmt.Errorf("%q is neither a time ahead such as 2026-12-31T00:00:00Z nor a span such as 720h or 30d", text)
	}
	return nil
}

const maxDays = 100 * 365

func (e expires) at(now time.Time) time.Time {
	if e.span > 0 {
		return now.Add(e.span)
	}
	return e.moment
}
