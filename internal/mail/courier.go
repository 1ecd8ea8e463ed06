package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hither/internal/iam"
)

// Links makes the links and codes of letters. They are derived when a letter is
// written, and stand nowhere else.
type Links interface {
	Invitation(membership iam.ID, generation int) string
	Unsubscribe(membership iam.ID, generation int) string
	// Managing is the page of an invitation for who manages members; it opens
	// nothing by itself.
	Managing(account, membership iam.ID) string
	// SignIn and Address are a link and a code as people read it.
	SignIn(challenge iam.ID) (link, code string)
	Address(challenge iam.ID) (link, code string)
}

// Courier delivers what waits in the outbox by mail: it writes the letter, and
// hands it to the sender.
type Courier struct {
	Composer *Composer
	Sender   Sender
	Links    Links
	From     Address
	Bounce   string // who hears that a message came back; "" is From
	Logger   *slog.Logger
	Now      func() time.Time // for what a letter says is left
}

// Kinds are those that it delivers.
func (*Courier) Kinds() []iam.DeliveryKind {
	return []iam.DeliveryKind{
		iam.InvitationMessage, iam.ReminderMessage, iam.WithdrawnMessage, iam.ExpiredMessage, iam.AcceptedMessage,
		iam.LinkAskedMessage, iam.MembershipEndsMessage, iam.MemberEndsMessage, iam.WebhookOffMessage,
		iam.SignInMessage, iam.AddressMessage, iam.NoticeMessage,
	}
}

// Deliver makes one attempt. A message that comes again is the same one, down
// to its Message-ID.
func (c *Courier) Deliver(ctx context.Context, m iam.DueDelivery) iam.Verdict {
	letter, err := c.letter(m)
	if err != nil {
		return c.unwritten(m, letter, err)
	}
	content, err := c.Composer.Compose(m.Language, letter)
	if err != nil {
		return c.unwritten(m, letter, err)
	}
	message, err := Build(Envelope{
		ID: m.ID, From: c.From, Bounce: c.Bounce, To: m.Recipient, Date: m.CreatedOn, Unsubscribe: letter.view().Unsubscribe,
	}, content)
	if err != nil {
		return c.unwritten(m, letter, err)
	}
	return verdict(letter, c.Sender.Send(ctx, message))
}

// unwritten is the verdict on a letter that cannot be written, which is no fault
// of its recipient: it waits for who corrects it.
func (c *Courier) unwritten(m iam.DueDelivery, letter Letter, err error) iam.Verdict {
	c.Logger.Error("a message cannot be written", "delivery", m.ID, "kind", string(m.Kind), "error", unlessTold(letter, err.Error()))
	return iam.Verdict{State: iam.Deferred, Words: "hither could not write the message; its log says why"}
}

// letter is what a message tells.
func (c *Courier) letter(m iam.DueDelivery) (Letter, error) {
	row, account := m.Invitation.Membership, m.Invitation.Account
	brand := &Brand{Name: m.Brand.Name, Accent: m.Brand.Color}
	switch m.Kind {
	case iam.InvitationMessage:
		return c.invitation(m, brand), nil
	case iam.ReminderMessage:
		return Reminder{Invitation: c.invitation(m, brand), Left: row.ExpiresOn.Sub(c.Now())}, nil
	case iam.WithdrawnMessage:
		return Withdrawn{Account: account.Name, Inviter: row.InvitedBy, Unsubscribe: c.Links.Unsubscribe(row.ID, m.Generation), Brand: brand}, nil
	case iam.ExpiredMessage:
		if m.Told > 1 {
			return ExpiredMany{Account: account.Name, Addresses: m.Addresses, Count: m.Told, Brand: brand}, nil
		}
		return Expired{
			Account: account.Name, Address: row.Email, Expired: row.ExpiresOn, Brand: brand,
			Link: c.Links.Managing(account.ID, row.ID),
		}, nil
	case iam.AcceptedMessage:
		return Accepted{Account: account.Name, Address: row.Email, Roles: roleNames(row), Brand: brand}, nil
	case iam.MembershipEndsMessage:
		return MembershipEnds{
			Account: account.Name, Roles: roleNames(row), Ends: row.EndsOn, Left: row.EndsOn.Sub(c.Now()), Brand: brand,
		}, nil
	case iam.MemberEndsMessage:
		return MemberEnds{
			Account: account.Name, Address: row.Email, Roles: roleNames(row), Ends: row.EndsOn, Left: row.EndsOn.Sub(c.Now()), Brand: brand,
		}, nil
	case iam.WebhookOffMessage:
		return webhookOff(m, brand), nil
	case iam.LinkAskedMessage:
		return LinkAsked{
			Account: account.Name, Address: row.Email, Roles: roleNames(row), Asked: m.Link.AskedOn, Brand: brand,
			Link: c.Links.Managing(account.ID, row.ID),
		}, nil
	case iam.SignInMessage:
		link, code := c.Links.SignIn(iam.ID(m.Detail))
		return SignIn{Link: link, Code: code, Lasts: iam.ChallengeLife, Asked: m.CreatedOn}, nil
	case iam.AddressMessage:
		link, code := c.Links.Address(iam.ID(m.Detail))
		return AddressChange{Link: link, Code: code, Lasts: iam.ChallengeLife, Asked: m.CreatedOn}, nil
	case iam.NoticeMessage:
		return Notice{Event: Event(m.Detail), Time: m.CreatedOn}, nil
	}
	return nil, fmt.Errorf("there is no letter of the kind %q", m.Kind)
}

func (c *Courier) invitation(m iam.DueDelivery, brand *Brand) Invitation {
	row := m.Invitation.Membership
	return Invitation{
		Account: m.Invitation.Account.Name, Inviter: row.InvitedBy, Note: row.Note, Roles: roleNames(row), Expires: row.ExpiresOn, Brand: brand,
		Link: c.Links.Invitation(row.ID, m.Generation), Unsubscribe: c.Links.Unsubscribe(row.ID, m.Generation),
	}
}

func webhookOff(m iam.DueDelivery, brand *Brand) WebhookOff {
	hook := m.Webhook
	return WebhookOff{
		Account: m.Invitation.Account.Name, Webhook: hook.Name, Host: hook.Host(), Reason: string(hook.Disabled), Failing: iam.WebhookPatience,
		Off: hook.DisabledOn, Path: fmt.Sprintf("/client/v4/accounts/%s/webhooks/%s", hook.AccountID, hook.ID), Brand: brand,
	}
}

func roleNames(row iam.Membership) []string {
	names := make([]string, len(row.Roles))
	for i, role := range row.Roles {
		names[i] = role.Name
	}
	return names
}

// verdict is what the outbox makes of what a sender said.
func verdict(letter Letter, err error) iam.Verdict {
	failure, answered := errors.AsType[*Failure](err)
	switch {
	case err == nil:
		return iam.Verdict{State: iam.Sent}
	case answered && failure.Permanent:
		return iam.Verdict{State: iam.Bounced, Code: failure.Code, Words: unlessTold(letter, failure.Words)}
	case answered:
		return iam.Verdict{State: iam.Deferred, Code: failure.Code, Words: unlessTold(letter, failure.Words)}
	case errors.Is(err, context.DeadlineExceeded):
		return iam.Verdict{State: iam.Deferred, Words: "it took too long"}
	case errors.Is(err, context.Canceled):
		return iam.Verdict{State: iam.Deferred, Words: "the server of hither was stopped meanwhile"}
	}
	return iam.Verdict{State: iam.Deferred, Words: unlessTold(letter, Words(err.Error(), ""))}
}

// told is how much of a secret makes words that repeat it a leak. What is left
// of a link by a shorter piece is too much to guess.
const told = 10

// unlessTold keeps what a mail server said, which the account sees and the log
// has, unless it repeats what is for the recipient's eyes: some quote the link
// that they object to.
func unlessTold(letter Letter, words string) string {
	if letter == nil {
		return words
	}
	v := letter.view()
	said := letters(words)
	for _, secret := range []string{tail(v.Link), tail(v.Unsubscribe), v.Code} {
		secret = letters(secret)
		length := min(told, len(secret))
		for i := 0; length > 0 && i+length <= len(secret); i++ {
			if strings.Contains(said, secret[i:i+length]) {
				return "(what was said repeats the message, and is not kept)"
			}
		}
	}
	return words
}

// tail is the part of a link that makes it one: what stands behind its last
// slash.
func tail(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// letters are the letters and digits of a text, in lower case: however a server
// breaks what it quotes into pieces.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, s)
}
