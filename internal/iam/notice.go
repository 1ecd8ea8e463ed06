package iam

import "time"

// Notice is what a user is told of its own security, as the Detail of a
// NoticeMessage.
type Notice string

// The notices.
const (
	KeyRotated     Notice = "key-rotated"
	AddressChanged Notice = "address-changed" // goes to the old address

	FactorAdded      Notice = "factor-added"
	FactorRemoved    Notice = "factor-removed"
	RecoveryCodeUsed Notice = "recovery-code-used"
	RecoveryRenewed  Notice = "recovery-renewed"
	SignInLinked     Notice = "sign-in-linked" // with an identity of a provider
)

// noticeOf is a message to a user about what an operation did. The operation's
// id names it.
func noticeOf(notice Notice, user User, entry AuditEntry, now time.Time) Delivery {
	return Delivery{
		ID: entry.OperationID + "-" + string(NoticeMessage), Kind: NoticeMessage, UserID: user.ID, Recipient: user.Email,
		Detail: string(notice), State: Queued, DueOn: now, CreatedOn: now,
	}
}
