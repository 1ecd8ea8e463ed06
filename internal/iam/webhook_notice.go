package iam

import (
	"fmt"
	"strings"
)

// MaxWebhookTold is how many members hear that a webhook was turned off: those who
// have been there for longest.
const MaxWebhookTold = 100

// webhookNeeds is what managing webhooks takes: who reads them tells others of the
// events, and who sets them up changes the account.
func webhookNeeds() Permissions { return Permissions{AreaAccount: Write, AreaAudit: Read} }

// watches reports whether rights are enough to manage webhooks.
func watches(rights Rights) bool { return rights.Have(webhookNeeds()) }

// turnOff records that a webhook was turned off by itself, and tells those who may
// turn it on again: each of them once for each time, since the moment names the
// message. What they may not see any more when it leaves they are not told.
func (m Mailing) turnOff(tx Tx, hook Webhook, operation string) error {
	before := hook
	before.Disabled = ""
	err := tx.Record(AuditEntry{
		OperationID: operation, Action: WebhookDisable, AccountID: hook.AccountID, TargetID: hook.ID,
		Before: before.snapshot(), After: hook.snapshot(),
	})
	if err != nil || !m.Enabled {
		return err
	}
	members, err := tx.MembersWith(hook.AccountID, webhookNeeds(), MaxWebhookTold)
	if err != nil {
		return err
	}
	for _, member := range members {
		if err := m.queue(tx, webhookMessage(hook, member)); err != nil {
			return err
		}
	}
	return nil
}

// webhookMessage tells a member that a webhook was turned off just now.
func webhookMessage(hook Webhook, recipient Membership) Delivery {
	// Both ids in full would not fit into a Message-ID.
	both := hashed(string(hook.ID) + " " + string(recipient.UserID))[:len(hook.ID)]
	return Delivery{
		ID:        fmt.Sprintf("%s-%s-%d", both, WebhookOffMessage, hook.DisabledOn.UnixMicro()),
		Kind:      WebhookOffMessage,
		AccountID: hook.AccountID,
		UserID:    recipient.UserID,
		Recipient: recipient.Email,
		Detail:    string(hook.ID),
		State:     Queued,
		DueOn:     hook.DisabledOn,
		CreatedOn: hook.DisabledOn,
	}
}

// lapsedWebhook is lapsed for what tells that a webhook was turned off.
func (d DueDelivery) lapsedWebhook() string {
	switch hook := d.Webhook; {
	case hook.ID == "":
		return "the webhook is gone"
	case hook.Disabled == "" || !hook.DisabledOn.Equal(d.CreatedOn):
		return "the webhook was turned on since"
	case !watches(RightsOf(d.Roles)):
		return "the recipient may not manage the account's webhooks any more"
	}
	return ""
}

// Host is what people are told of where a webhook leads: what follows the host
// may be meant for nobody else.
func (w Webhook) Host() string {
	_, host, _ := strings.Cut(webhookHost(w.URL), "://")
	return host
}
