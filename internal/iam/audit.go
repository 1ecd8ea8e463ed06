package iam

import (
	"strings"
	"time"
)

// Action names what an audit row records.
type Action string

// The actions, noun first.
const (
	InviteCreate   Action = "invite.create"
	InviteEdit     Action = "invite.edit"
	InviteConfirm  Action = "invite.confirm"
	InviteAccept   Action = "invite.accept"
	InviteReject   Action = "invite.reject"
	InviteCancel   Action = "invite.cancel"
	InviteExpire   Action = "invite.expire"
	InviteResend   Action = "invite.resend"
	InviteRenew    Action = "invite.renew"        // who asked for a new link got a new invitation
	InviteSnooze   Action = "invite.remind_later" // the invited chose when to be reminded
	InviteRemind   Action = "invite.remind"       // the clock reminded
	InviteAskLink  Action = "invite.ask_link"     // the holder of a dead link wants another one
	InviteShowLink Action = "invite.show_link"    // the account was shown the link
	InviteMailLink Action = "invite.mail_link"    // the holder of a shown link had the mailed one sent
	BulkCreate     Action = "bulk.create"         // a list of people to invite was taken on
	BulkCancel     Action = "bulk.cancel"
	BulkFinish     Action = "bulk.finish" // its last row has its outcome
	MemberAdd      Action = "member.add"
	MemberEdit     Action = "member.edit"
	MemberRemove   Action = "member.remove"
	MemberLeave    Action = "member.leave"
	MemberWarn     Action = "member.warn"   // the clock said that a membership ends soon
	MemberExpire   Action = "member.expire" // and ended it
	MemberKeep     Action = "member.keep"   // or took the end away, of the last Super Administrator
	AccountCreate  Action = "account.create"
	AccountChange  Action = "account.edit"
	AccountDelete  Action = "account.delete"
	UserCreate     Action = "user.create"
	UserEdit       Action = "user.edit"
	UserProve      Action = "user.prove"           // its mailbox was proved, by a sign-in
	CredentialsEnd Action = "user.end_credentials" // all keys and tokens from before that
	UserSuspend    Action = "user.suspend"
	UserReactivate Action = "user.reactivate"
	UserErase      Action = "user.erase"
	KeyCreate      Action = "key.create"
	KeyDisable     Action = "key.disable"
	TokenCreate    Action = "token.create"
	TokenRevoke    Action = "token.revoke"
	SignInAsk      Action = "sign_in.ask" // a link and a code were asked for, whether or not there is a user
	SessionStart   Action = "session.start"
	SessionEnd     Action = "session.end"
	IdentityLink   Action = "identity.link" // of a provider, with a user
	IdentityUnlink Action = "identity.unlink"
	AddressAsk     Action = "address.ask"
	AddressChange  Action = "address.change"
	FactorBegin    Action = "factor.begin" // a second factor is being set up, and asks for nothing yet
	FactorAdd      Action = "factor.add"
	FactorShow     Action = "factor.show" // a session showed it
	FactorRemove   Action = "factor.remove"
	FactorReset    Action = "factor.reset" // by the operator, for who lost it
	RecoveryRenew  Action = "recovery_code.renew"
	RecoveryUse    Action = "recovery_code.use"
	RoleDefine     Action = "role.define"
	RoleDrop       Action = "role.drop"
	Import         Action = "import"
	DeliveryRetry  Action = "delivery.retry"
	DeliveryDrop   Action = "delivery.drop"
	DeliveryBounce Action = "delivery.bounce"   // a mail to the invited came back
	DeliveryAbuse  Action = "delivery.complain" // its reader called it spam
	Suppress       Action = "suppression.add"
	Unsuppress     Action = "suppression.lift"
	WebhookCreate  Action = "webhook.create"
	WebhookChange  Action = "webhook.edit"
	WebhookDelete  Action = "webhook.delete"
	WebhookRotate  Action = "webhook.rotate"  // it has another secret
	WebhookDisable Action = "webhook.disable" // it was turned off, by itself
	WebhookPing    Action = "webhook.ping"    // somebody tries it
	WebhookReplay  Action = "webhook.replay"  // an event is sent once more
	KeyringDrop    Action = "keyring.drop"    // an instance key was taken off
	KeyringForget  Action = "keyring.forget"  // those that the database knew are lost
)

// AuditEntry is one row of the audit log. It is written in the transaction of
// what it records, and it is the event that others read: Before and After are
// the changed row as JSON ("" where there was none). OperationID is unique: by
// it a commit whose answer was lost is found again.
type AuditEntry struct {
	Seq         int64 // given by the store, rising
	OperationID string
	At          time.Time // given by the store: the transaction's time
	Actor       ActorKind // "" for the clock
	ActorID     ID        // the user, or the operator's token
	ActorEmail  string
	Credential  ID
	Means       Means
	Action      Action
	Denied      string // why the actor was refused, "" for what happened
	AccountID   ID
	TargetID    ID
	UserID      ID // whom it concerns beside the actor, "" nobody; whoever writes a user's row knows it
	Before      string
	After       string
	RemoteAddr  string
	RequestID   string
	// RefusedDomain is of which domain the address was that a refused actor, who may
	// invite, gave. Of the address no more is kept, in After.
	RefusedDomain string
	// Sequence orders what changed one membership: it rises with each change of the
	// row, by which the store gives it. 0 is for what changed none.
	Sequence int64
}

// Noun and Verb are the two parts of an action: "invite" and "create".
func (a Action) Noun() string {
	noun, _, _ := strings.Cut(string(a), ".")
	return noun
}

// Verb is what was done to the noun; an action of one word is both.
func (a Action) Verb() string { return string(a)[strings.IndexByte(string(a), '.')+1:] }

// Shown is how much of its actor an account sees in an audit row.
type Shown int

// The degrees, from the least.
const (
	ShowsKind    Shown = iota // what kind of actor it was
	ShowsAddress              // and the address, which the account invited
	ShowsAll
)

// Shown says how much of its actor the account of the row sees. Users act in it
// as members, and are shown. Whoever answers an invitation is not one yet: until
// acceptance the account sees the invited address and nothing else of a person.
// Somebody who only tried its ids is a user of others. Of the operator's own
// programs and of the clock there is nothing to see.
func (e *AuditEntry) Shown() Shown {
	if e.Actor != ByUser {
		return ShowsKind
	}
	answers := false
	switch e.Action {
	case InviteReject, InviteSnooze, InviteAskLink:
		answers = true
	case InviteAccept:
		answers = e.Denied != ""
	case MemberLeave: // of a row that is not the actor's
		answers = e.Denied == "not_found"
	default:
	}
	switch {
	case e.Denied == "account_not_found", e.Denied == "mismatch", e.Denied == "not_found" && answers:
		return ShowsKind
	case answers:
		return ShowsAddress
	}
	return ShowsAll
}

// Entry starts an audit row of what actor does.
func (a Actor) Entry(operationID string, action Action, accountID, targetID ID) AuditEntry {
	entry := AuditEntry{
		OperationID: operationID,
		Actor:       a.Kind,
		Credential:  a.CredentialID,
		Means:       a.Means,
		Action:      action,
		AccountID:   accountID,
		TargetID:    targetID,
		RemoteAddr:  a.RemoteAddr,
		RequestID:   a.RequestID,
	}
	switch a.Kind {
	case ByUser:
		entry.ActorID, entry.ActorEmail = a.User.ID, a.User.Email
	case ByOperator:
		entry.ActorID = a.CredentialID
	case ByCommandLine, ByVisitor, ByReporter:
	}
	return entry
}
