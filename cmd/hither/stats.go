package main

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// statsCommand is `hither stats`.
type statsCommand struct {
	admin
	Account string   `help:"Id of the account whose invitations are counted. Unless given, those of all accounts." placeholder:"ID"`
	Since   day      `help:"Count what was invited from that day on, in UTC. Unless given, 30 days before --until." placeholder:"DATE"`
	Until   day      `help:"Count what was invited up to that day, and without it. Unless given, up to now." placeholder:"DATE"`
	By      funnelBy `help:"Tell them apart by inviter or domain." placeholder:"WHAT"`
}

// statsSpan is what is counted unless it is said.
const statsSpan = 30 * 24 * time.Hour

// Run prints how far invitations came.
func (c *statsCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		query := iam.FunnelQuery{AccountID: iam.ID(c.Account), Since: time.Time(c.Since), Until: time.Time(c.Until), By: iam.FunnelBy(c.By)}
		if query.Until.IsZero() {
			query.Until = s.now()
		}
		if query.Since.IsZero() {
			query.Since = query.Until.Add(-statsSpan)
		}
		funnel, err := s.service.Funnel(ctx, s.actor, query)
		if err != nil {
			return err
		}
		all := append(record{{"since", query.Since}, {"until", query.Until}}, funnelRecord(funnel.FunnelCounts)...)
		if s.json {
			groups := make([]record, len(funnel.Groups))
			for i, group := range funnel.Groups {
				groups[i] = append(record{{"name", group.Name}}, funnelRecord(group.FunnelCounts)...)
				groups[i] = append(groups[i], record{{"refused", refusalRecords(group.Refusals)}}...)
			}
			return writeJSON(s.out, append(all,
				record{{"groups", groups}, {"other_groups", funnel.Others}, {"refused", refusalRecords(funnel.Refusals)}}...))
		}
		return s.funnel(all, funnel)
	})
}

// funnel prints a funnel for people: of the groups how often somebody was refused
// there, why only for all of them.
func (s session) funnel(all record, funnel iam.Funnel) error {
	if err := s.one(all); err != nil {
		return err
	}
	if len(funnel.Groups) > 0 {
		groups := make([]record, len(funnel.Groups))
		for i, group := range funnel.Groups {
			refused := 0
			for _, refusal := range group.Refusals {
				refused += refusal.Count
			}
			groups[i] = append(record{{"name", group.Name}, {"refused", refused}}, funnelRecord(group.FunnelCounts)...)
		}
		if err := s.say(""); err != nil {
			return err
		}
		err := s.list(groups, "name", "created", "delivered", "opened", "accepted", "declined", "expired", "withdrawn",
			"median_answer", "refused")
		if err != nil {
			return err
		}
	}
	if funnel.Others > 0 {
		if err := s.say("and %d more", funnel.Others); err != nil {
			return err
		}
	}
	if len(funnel.Refusals) == 0 {
		return nil
	}
	if err := s.say(""); err != nil {
		return err
	}
	return s.list(refusalRecords(funnel.Refusals), "action", "reason", "count")
}

func refusalRecords(of []iam.Refusal) []record {
	records := make([]record, len(of))
	for i, refusal := range of {
		records[i] = record{{"action", string(refusal.Action)}, {"reason", refusal.Reason}, {"count", refusal.Count}}
	}
	return records
}

func funnelRecord(c iam.FunnelCounts) record {
	var median any = ""
	if c.MedianAnswer >= 0 {
		median = c.MedianAnswer.Truncate(time.Second)
	}
	return record{
		{"created", c.Created},
		{"delivered", c.Delivered},
		{"opened", c.Opened},
		{"pending", c.Pending},
		{"accepted", c.Accepted},
		{"declined", c.Declined},
		{"expired", c.Expired},
		{"withdrawn", c.Withdrawn},
		{"median_answer", median},
	}
}

// day is a date in UTC.
type day time.Time

// UnmarshalText reads a date.
func (d *day) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("%q is no date such as 2026-01-31", text)
	}
	*d = day(at)
	return nil
}

// funnelBy is what invitations are told apart by.
type funnelBy iam.FunnelBy

// UnmarshalText reads one of the words.
func (f *funnelBy) UnmarshalText(text []byte) error {
	switch by := iam.FunnelBy(text); by {
	case iam.ByInviter, iam.ByDomain:
		*f = funnelBy(by)
		return nil
	}
	return fmt.Errorf("%q is none of inviter and domain", text)
}
