package console

import (
	"context"
	"time"

	"hither/internal/iam"
)

// Service are the use cases that pages call; iam.Service has them.
type Service interface {
	LinkInvitation(ctx context.Context, id iam.ID) (iam.LinkedInvitation, error)
	AnswerByLink(ctx context.Context, actor iam.Actor, visitor iam.Visitor, link iam.InvitationLink, answer iam.Status) (iam.LinkAnswer, error)
	DeclineByLink(ctx context.Context, actor iam.Actor, visitor iam.Visitor, link iam.InvitationLink, reason string) (iam.LinkAnswer, error)
	NoteOpened(ctx context.Context, id iam.ID, generation int) error
	AskForLink(ctx context.Context, holder iam.LinkHolder) error
	MailLink(ctx context.Context, holder iam.LinkHolder) error
	MailsProofs() bool
	RemindHolder(ctx context.Context, holder iam.LinkHolder, reminder iam.Reminder) (iam.Invitation, error)
	SuppressRecipient(ctx context.Context, holder iam.Actor, membershipID iam.ID, anyone bool) error

	AccountInvitation(ctx context.Context, actor iam.Actor, accountID, id iam.ID) (iam.Account, iam.Member, error)
	RenewInvitation(
		ctx context.Context, actor iam.Actor, accountID, id iam.ID, expiresOn time.Time, key iam.IdempotencyKey,
	) (iam.Replayable[iam.Invited], error)
	ConfirmInvitation(ctx context.Context, actor iam.Actor, accountID, id iam.ID, key iam.IdempotencyKey) (iam.Replayable[iam.Invited], error)

	Invitation(ctx context.Context, actor iam.Actor, id iam.ID) (iam.Invitation, error)
	Invitations(ctx context.Context, actor iam.Actor, statuses []iam.Status) ([]iam.Invitation, error)
	AnswerInvitation(ctx context.Context, actor iam.Actor, id iam.ID, answer iam.Status) (iam.Invitation, error)
	DeclineInvitation(ctx context.Context, actor iam.Actor, id iam.ID, reason string) (iam.Invitation, error)
	Memberships(ctx context.Context, actor iam.Actor, query iam.MembershipQuery) (iam.Page[iam.Invitation], error)

	AskSignIn(ctx context.Context, visitor iam.Visitor, email string) (iam.Asked, error)
	ProofAddress(ctx context.Context, id iam.ID) (string, error)
	SignIn(ctx context.Context, visitor iam.Visitor, proof iam.Proof) (iam.SignedIn, error)
	SignInByIdentity(ctx context.Context, visitor iam.Visitor, assertion iam.Assertion) (iam.SignedIn, error)
	SignInAndLink(ctx context.Context, visitor iam.Visitor, proof iam.Proof, assertion iam.Assertion) (iam.SignedIn, error)
	Sessions(ctx context.Context, actor iam.Actor) ([]iam.Session, error)
	EndSession(ctx context.Context, actor iam.Actor, id iam.ID) error
	EndOtherSessions(ctx context.Context, actor iam.Actor) error

	Factor(ctx context.Context, actor iam.Actor) (iam.FactorState, error)
	BeginFactor(ctx context.Context, actor iam.Actor) error
	FactorSeed(ctx context.Context, actor iam.Actor) ([]byte, error)
	ConfirmFactor(ctx context.Context, actor iam.Actor, code string) (iam.ConfirmedFactor, error)
	ShowFactor(ctx context.Context, actor iam.Actor, shown iam.ShownFactor) (iam.SignedIn, error)
	ShowFactorAndLink(ctx context.Context, actor iam.Actor, shown iam.ShownFactor, assertion iam.Assertion) (iam.SignedIn, error)
	RemoveFactor(ctx context.Context, actor iam.Actor, shown iam.ShownFactor) error
	RenewRecoveryCodes(ctx context.Context, actor iam.Actor) ([]string, error)

	AskAddress(ctx context.Context, actor iam.Actor, visitor iam.Visitor, email string) (iam.Asked, error)
	ProveAddress(ctx context.Context, actor iam.Actor, visitor iam.Visitor, proof iam.Proof) (iam.SignedIn, error)

	OwnKeys(ctx context.Context, actor iam.Actor) ([]iam.Key, error)
	RotateOwnKey(ctx context.Context, actor iam.Actor, id iam.ID, key iam.IdempotencyKey) (iam.Replayable[iam.Key], string, error)
}

// Sessions finds out who is signed in by the secret of a session; an *auth.Error
// where that stands for nobody. auth.Authenticator does.
type Sessions interface {
	Session(ctx context.Context, secret string) (iam.Actor, iam.Session, error)
}
