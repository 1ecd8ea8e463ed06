package main

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// outboxCommands are `hither outbox …`.
type outboxCommands struct {
	List   outboxListCommand   `cmd:"" help:"List messages: those that wait, in the order of their turn, or those of a state."`
	Show   outboxShowCommand   `cmd:"" help:"Show a message and what became of it, attempt by attempt."`
	Retry  outboxRetryCommand  `cmd:"" help:"Send a message now, also one that was put off or given up."`
	Drop   outboxDropCommand   `cmd:"" help:"Give a message up that was not sent yet."`
	Silent outboxSilentCommand `cmd:"" help:"List the mailboxes that want no more invitations, from an account or from anybody."`
	Lift   outboxLiftCommand   `cmd:"" help:"Let a mailbox that wanted no more invitations have them again."`
}

func deliveryRecord(d iam.Delivery) record {
	return record{
		{"id", d.ID},
		{"kind", string(d.Kind)},
		{"state", string(d.State)},
		{"recipient", d.Recipient},
		{"account_id", d.AccountID},
		{"membership_id", d.MembershipID},
		{"attempts", d.Attempts},
		{"due_on", d.DueOn},
		{"words", d.Words},
		{"created_on", d.CreatedOn},
		{"ended_on", d.EndedOn},
	}
}

type outboxListCommand struct {
	admin
	State deliveryState `help:"Those of a state: queued, deferred, sent, bounced, complained, suppressed or dropped. Unless given, those that may still be sent." placeholder:"STATE"`
	Limit int           `default:"1000" help:"How many at most." placeholder:"N"`
}

// Run prints messages.
func (c *outboxListCommand) Run(ctx context.Context, s streams) error {
	if c.Limit < 1 {
		return usageError{"--limit must be 1 at least"}
	}
	return c.run(ctx, s, func(s session) error {
		deliveries, err := s.service.Deliveries(ctx, s.actor, iam.DeliveryState(c.State), iam.PageRequest{Number: 1, Size: c.Limit})
		if err != nil {
			return err
		}
		records := make([]record, len(deliveries))
		for i, delivery := range deliveries {
			records[i] = deliveryRecord(delivery)
		}
		return s.list(records, "id", "state", "recipient", "attempts", "due_on", "words")
	})
}

type outboxShowCommand struct {
	admin
	Message string `arg:"" help:"Id of the message."`
}

// Run prints a message with its history.
func (c *outboxShowCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		message, err := s.service.DeliveryRecord(ctx, s.actor, c.Message)
		if err != nil {
			return s.delivery(iam.Delivery{}, c.Message, err)
		}
		steps := make([]record, len(message.Steps))
		for i, step := range message.Steps {
			steps[i] = record{
				{"on", step.On},
				{"source", string(step.Source)},
				{"state", string(step.State)},
				{"code", step.Code},
				{"words", step.Words},
				{"next_on", step.NextOn},
			}
		}
		if s.json {
			return writeJSON(s.out, append(deliveryRecord(message.Delivery), attribute{"history", steps}))
		}
		if err := s.one(deliveryRecord(message.Delivery)); err != nil || len(steps) == 0 {
			return err
		}
		if err := s.say(""); err != nil {
			return err
		}
		return s.list(steps, "on", "source", "state", "code", "next_on", "words")
	})
}

type outboxRetryCommand struct {
	admin
	Message string `arg:"" help:"Id of the message."`
}

// Run makes a message due.
func (c *outboxRetryCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		delivery, err := s.service.RetryDelivery(ctx, s.actor, c.Message)
		return s.delivery(delivery, c.Message, err)
	})
}

type outboxDropCommand struct {
	admin
	Message string `arg:"" help:"Id of the message."`
}

// Run gives a message up.
func (c *outboxDropCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		delivery, err := s.service.DropDelivery(ctx, s.actor, c.Message)
		return s.delivery(delivery, c.Message, err)
	})
}

// delivery prints what became of a message.
func (s session) delivery(d iam.Delivery, asked string, err error) error {
	if err != nil {
		return hint(err, "there is no message %q; `hither outbox list` shows those that wait", asked)
	}
	return s.one(deliveryRecord(d))
}

type outboxSilentCommand struct{ admin }

// Run prints who wants no more invitations.
func (c *outboxSilentCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		const size = 1000
		records := []record{}
		for number := 1; ; number++ {
			page, err := s.service.Suppressions(ctx, s.actor, iam.PageRequest{Number: number, Size: size})
			if err != nil {
				return err
			}
			for _, one := range page {
				records = append(records, record{{"mailbox", one.Mailbox}, {"account_id", one.AccountID}, {"created_on", one.CreatedOn}})
			}
			if len(page) < size {
				return s.list(records, "mailbox", "account_id", "created_on")
			}
		}
	})
}

type outboxLiftCommand struct {
	admin
	Address string `arg:"" help:"The mailbox's address."`
	Account string `help:"Id of the account whose invitations it gets again. Unless given, what is lifted is the wish for none from anybody." placeholder:"ID"`
}

// Run lets a mailbox have invitations again.
func (c *outboxLiftCommand) Run(ctx context.Context, s streams) error {
	email, err := iam.CanonicalEmail(c.Address)
	if err != nil {
		return usageError{fmt.Sprintf("%s: %v", c.Address, err)}
	}
	return c.run(ctx, s, func(s session) error {
		if err := s.service.LiftSuppression(ctx, s.actor, email, iam.ID(c.Account)); err != nil {
			return hint(err, "%s wants none of what this would lift; `hither outbox silent` shows who wants none, and from whom", email)
		}
		if s.json {
			return writeJSON(s.out, record{{"mailbox", iam.Mailbox(email)}, {"account_id", iam.ID(c.Account)}, {"lifted", true}})
		}
		return s.say("%s gets invitations again", iam.Mailbox(email))
	})
}

// deliveryState is a state of a message by name.
type deliveryState iam.DeliveryState

// UnmarshalText reads one of the states.
func (d *deliveryState) UnmarshalText(text []byte) error {
	switch state := iam.DeliveryState(text); state {
	case iam.Queued, iam.Deferred, iam.Sent, iam.Bounced, iam.Complained, iam.Suppressed, iam.Dropped:
		*d = deliveryState(state)
		return nil
	}
	return fmt.Errorf("%q is none of queued, deferred, sent, bounced, complained, suppressed and dropped", text)
}
