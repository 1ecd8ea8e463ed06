package iam

import (
	"strings"
	"time"
)

// InvitationLink is a genuine link to an invitation: whoever says so has checked
// its MAC. A mailed one proves the mailbox that it was sent to. A shown one was
// seen by the inviting side, and proves nothing.
type InvitationLink struct {
	ID         ID
	Generation int
	Shown      bool
}

// LinkAnswerFacts are what following a link rests on, as of the transaction. In
// AnswerFacts the User is who is signed in, zero for nobody.
type LinkAnswerFacts struct {
	AnswerFacts
	Generation int   // of the newest link
	Holder     *User // who has the invited address; nil: nobody
}

// LinkDecision is what becomes of an answer by link.
type LinkDecision struct {
	Row Membership
	// NewUser says that a user has to be made for the address, and signed in.
	NewUser bool
	// Waits says why an invitation is not accepted yet, though its new user may
	// already come in: a second factor is set up by somebody who is signed in.
	Waits error
}

// DecideLinkAnswer says what becomes of an invitation that somebody answers by
// its link at now. A link never signs anybody in to a user that exists: who has
// one signs in, and answers as that user.
func DecideLinkAnswer(f LinkAnswerFacts, link InvitationLink, answer Status, userID ID, now time.Time) (LinkDecision, error) {
	row := f.Invitation.Membership
	if err := f.opens(link, now); err != nil {
		return LinkDecision{}, err
	}
	if f.User.ID != "" {
		if !f.User.Verified || f.User.Email != row.Email {
			return LinkDecision{}, refuse(WrongAddress, "this invitation is for %s; sign in as that user to answer it", maskEmail(row.Email))
		}
		after, err := DecideAnswer(f.AnswerFacts, answer, now)
		return LinkDecision{Row: after}, err
	}
	if link.Shown || answer == Accepted && f.Holder != nil && row.StatusAt(now) == Pending {
		return LinkDecision{}, refuse(SignInFirst, "sign in as %s, then answer the invitation", maskEmail(row.Email))
	}
	if answer == Rejected {
		return f.decideReject(now)
	}
	return f.decideJoin(userID, now)
}

// opens checks that the link is the invitation's newest, and that the invitation
// still is one.
func (f LinkAnswerFacts) opens(link InvitationLink, now time.Time) error {
	row := f.Invitation.Membership
	switch status := row.StatusAt(now); {
	case !row.Invited || status == Left || status == Removed:
		return notFound("invitation")
	case row.Status == Canceled:
		return refuse(InviteWithdrawn, "this invitation was withdrawn; ask an administrator of %q for a new one", f.Invitation.Account.Name)
	case link.Generation != f.Generation:
		return refuse(LinkReplaced, "a newer link was sent for this invitation; open the newest message")
	}
	return nil
}

// decideReject is what the mailbox alone may do. The row is its user's if there
// is one whose address is proven: any other has no claim on it.
func (f LinkAnswerFacts) decideReject(now time.Time) (LinkDecision, error) {
	facts := f.AnswerFacts
	facts.User = User{Email: f.Invitation.Email, Verified: true}
	if f.Holder != nil && f.Holder.Verified {
		facts.User.ID = f.Holder.ID
	}
	after, err := facts.decide(Rejected, now)
	return LinkDecision{Row: after}, err
}

// decideJoin is accepting as a user that is made for it.
func (f LinkAnswerFacts) decideJoin(userID ID, now time.Time) (LinkDecision, error) {
	facts := f.AnswerFacts
	if facts.Invitation.Status == Accepted {
		return LinkDecision{}, refuse(AlreadyAnswered, "this invitation was accepted already; sign in as its user")
	}
	facts.User = User{ID: userID, Email: f.Invitation.Email, Verified: true, CreatedOn: now}
	after, err := facts.decide(Accepted, now)
	if KindOf(err) == TwoFactorRequired {
		return LinkDecision{Row: f.Invitation.Membership, NewUser: true, Waits: err}, nil
	}
	return LinkDecision{Row: after, NewUser: true}, err
}

// maskEmail shows of an address what its owner knows it by, and nobody else.
func maskEmail(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return "***"
	}
	return email[:1] + "***" + email[at:]
}
