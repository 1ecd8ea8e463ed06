package iam

import (
	"slices"
	"strings"
	"time"
)

// Webhook is where an account's events are sent to. Its secrets are sealed: the one
// that signs, and until OldUntil the one before, which signs too.
type Webhook struct {
	ID        ID
	AccountID ID
	Name      string
	URL       string
	Events    WebhookEvents
	Secret    []byte
	OldSecret []byte
	OldUntil  time.Time
	// Grantor is who made it, or turned it on last: events go out while that one may
	// read them and change the account's settings.
	Grantor    Grantor
	Disabled   WebhookDisabled // why nothing is sent, "" while it is on
	DisabledOn time.Time
	After      int64 // the position behind which events are its own
	Failures   int   // attempts in a row that failed, since FailingSince
	// FailingSince is when the first of these was, zero while there is none.
	FailingSince time.Time
	DueOn        time.Time // when there is something to send, zero: nothing is known of
	LeasedUntil  time.Time // somebody has it in hand until then
	Turn         int64     // rises with each claim: only the last one may say what became of it
	Revision     int64     // rises with each change of its settings; the store's guard
	CreatedOn    time.Time
}

// WebhookDisabled is why a webhook is off.
type WebhookDisabled string

// The reasons.
const (
	WebhookAsked       WebhookDisabled = "asked"        // somebody turned it off
	WebhookFailing     WebhookDisabled = "failing"      // it took nothing for WebhookPatience
	WebhookGone        WebhookDisabled = "gone"         // it answered 410
	WebhookGrantorLost WebhookDisabled = "grantor_lost" // its grantor lost the rights
)

// Bounds of webhooks.
const (
	MaxWebhooks       = 10 // of an account
	MaxWebhookName    = 100
	MaxWebhookURL     = 1000
	MaxWebhookEvents  = 50
	WebhookSecretSize = 32
	// MaxWebhookOverlap and DefaultWebhookOverlap are for how long a secret signs
	// beside the one that took its place.
	MaxWebhookOverlap     = 7 * 24 * time.Hour
	DefaultWebhookOverlap = 24 * time.Hour
)

// WebhookEvents are the events that a webhook is sent, as patterns, sorted, a space
// between each two; "" is every event. A text, so that webhooks can be compared.
// "invite.accept" is that event, "invite.*" are all that begin so.
type WebhookEvents string

// NewWebhookEvents checks a list of patterns; field is the JSON pointer of the list.
func NewWebhookEvents(field string, list []string) (WebhookEvents, error) {
	if len(list) > MaxWebhookEvents {
		return "", invalid(field, "must name at most %d events", MaxWebhookEvents)
	}
	known := AccountActions()
	patterns := make([]string, len(list))
	for i, text := range list {
		text = strings.TrimSpace(text)
		matches := func(action Action) bool { return WebhookEvents(text).Match(action) }
		if text == "" || strings.Contains(text, " ") || !slices.ContainsFunc(known, matches) {
			return "", invalid(indexed(field, i), `names no event of an account: it must be one such as invite.accept, or all of a kind such as `+
				`invite.*, of invite, member, account, webhook; an empty list is every event`)
		}
		patterns[i] = text
	}
	slices.Sort(patterns)
	return WebhookEvents(strings.Join(slices.Compact(patterns), " ")), nil
}

// List are the patterns, empty where every event is sent.
func (e WebhookEvents) List() []string { return strings.Fields(string(e)) }

// Match reports whether an event is among them.
func (e WebhookEvents) Match(action Action) bool {
	if e == "" {
		return true
	}
	return slices.ContainsFunc(e.List(), func(pattern string) bool {
		noun, all := strings.CutSuffix(pattern, ".*")
		return pattern == string(action) || all && noun == action.Noun() && string(action) != noun
	})
}

// AccountActions are the actions of the events that a webhook may be sent. How an
// account begins and ends is not among them: none is there before, and none after.
func AccountActions() []Action {
	return []Action{
		InviteCreate, InviteEdit, InviteConfirm, InviteAccept, InviteReject, InviteCancel, InviteExpire, InviteResend, InviteRenew,
		InviteSnooze, InviteRemind, InviteAskLink, InviteShowLink, InviteMailLink,
		MemberAdd, MemberEdit, MemberRemove, MemberLeave, MemberWarn, MemberExpire, MemberKeep,
		AccountChange,
		RoleDefine, RoleDrop, DeliveryRetry, DeliveryDrop, DeliveryBounce, DeliveryAbuse, BulkCreate, BulkCancel, BulkFinish,
		Suppress, Unsuppress,
		WebhookCreate, WebhookChange, WebhookDelete, WebhookRotate, WebhookDisable, WebhookPing, WebhookReplay,
	}
}

// WebhookState is where a delivery to a webhook stands.
type WebhookState string

// The states; from WebhookDelivered on they are ends.
const (
	WebhookPending   WebhookState = "pending"
	WebhookDelivered WebhookState = "delivered" // the receiver answered 2xx
	WebhookFailed    WebhookState = "failed"    // it was tried for as long as that is done
	WebhookDropped   WebhookState = "dropped"   // there is nothing to send any more
)

// WebhookDelivery is one event on its way to one webhook. It holds nothing of the
// event but its name: what is sent is made from the audit row, as that is then.
type WebhookDelivery struct {
	ID        ID // the webhook-id of every attempt
	WebhookID ID
	EventID   string // the operation id of the audit row
	Action    Action
	TargetID  ID
	Sequence  int64
	State     WebhookState
	DueOn     time.Time
	Attempts  int
	Earlier   int    // of these before it was last replayed
	Code      int    // of the last answer, 0 where there was none
	Words     string // ours about it; a receiver's are not kept
	CreatedOn time.Time
	Since     time.Time // since when it is tried; a replay begins anew
	EndedOn   time.Time // zero while it may still be sent
}

// WebhookAttempt is one of the attempts to deliver.
type WebhookAttempt struct {
	Number int
	At     time.Time
	Took   time.Duration
	Code   int
	Words  string
}
