package iam

import "time"

// DueDelivery is a message whose turn has come, with what it tells, as of then.
type DueDelivery struct {
	Delivery
	DeliveryFacts
}

// DeliveryFacts are what a message rests on when it is sent; what it is not
// about is zero.
type DeliveryFacts struct {
	Invitation Invitation // its account is zero where it is gone
	Link       Link       // of the invitation: Generation, AskedOn
	User       User       // Delivery.UserID's
	// Hears says that User may hear of the account: as a member, or as one who
	// may see them all.
	Hears      bool
	Suppressed bool     // the mailbox wants no invitations from the account
	Open       bool     // the challenge that it carries the proof for can still be settled
	Addresses  []string // of the rows in a digest's Detail, in order
	Webhook    Webhook  // that a WebhookOffMessage is about, without its secrets
	Roles      []Role   // of User in the account, for such a message; none where it is no member
	Language   string   // the message's, else the recipient's, else the account's
	Brand      Brand    // the account's
}

// Brand is how an account looks to those that it invites; what is "" is the
// instance's.
type Brand struct {
	Name, Color, Logo string
}

// invites reports whether a message goes to somebody since it was asked to join:
// those can be suppressed, and have budgets.
func (k DeliveryKind) invites() bool {
	return k == InvitationMessage || k == ReminderMessage || k == WithdrawnMessage
}

// lapsed says why a message is sent no more; "" where it is.
func (d DueDelivery) lapsed(now time.Time) string {
	row, account := d.Invitation.Membership, d.Invitation.Account
	status := row.StatusAt(now)
	switch {
	case d.AccountID != "" && account.ID == "":
		return "the account is gone"
	case account.Suspended:
		return "the account is suspended"
	case d.UserID != "" && (d.User.ID == "" || d.User.Suspended):
		return "the user is gone or suspended"
	}
	switch d.Kind {
	case InvitationMessage, ReminderMessage:
		if status != Pending {
			return "the invitation is " + string(status)
		}
		if d.Generation != d.Link.Generation {
			return "there is a newer link"
		}
	case WithdrawnMessage:
		if status != Canceled {
			return "the invitation is " + string(status)
		}
	case MembershipEndsMessage, MemberEndsMessage:
		switch {
		case status != Accepted:
			return "the membership is " + string(status)
		case row.EndsOn.IsZero():
			return "the membership has no end any more"
		case d.Kind == MemberEndsMessage:
			return d.lapsedNews(status)
		}
	case ExpiredMessage, AcceptedMessage, LinkAskedMessage:
		return d.lapsedNews(status)
	case SignInMessage, AddressMessage:
		return d.lapsedProof(now)
	case WebhookOffMessage:
		return d.lapsedWebhook()
	case NoticeMessage:
	}
	return ""
}

// lapsedNews is lapsed for what the inviting side is told.
func (d DueDelivery) lapsedNews(status Status) string {
	switch {
	case !d.Hears:
		return "the recipient may not see the account any more"
	case d.Kind == ExpiredMessage && status != Expired, d.Kind == AcceptedMessage && status != Accepted:
		return "the invitation is " + string(status)
	case d.Kind == LinkAskedMessage && d.Link.AskedOn.IsZero():
		return "nobody waits for a link any more"
	}
	return ""
}

// lapsedProof is lapsed for what proves a mailbox.
func (d DueDelivery) lapsedProof(now time.Time) string {
	switch {
	case d.UserID == "":
		return "nobody can use it"
	case !now.Before(d.CreatedOn.Add(ChallengeLife)):
		return "its link and code are too old"
	case !d.Open:
		return "its link or code was used, or a newer one was"
	}
	return ""
}

// DecideRetry makes a message due now, also one that was given up; its patience
// begins anew. What nobody could use any more is not sent: where it waits still it
// ends here and says why, and where it has ended it stays so.
func DecideRetry(d DueDelivery, now time.Time) (Delivery, error) {
	after, why := d.Delivery, d.lapsed(now)
	ended := !after.EndedOn.IsZero()
	switch {
	case after.State == Complained:
		return after, invalid("", "its reader called this message spam; do not send it again")
	case after.State == Sent:
		return after, invalid("", "this message was sent; to mail an invitation again, resend it")
	case why != "" && ended:
		return after, invalid("", "this message is of no use any more: %s", why)
	case why != "":
		return after.end(Dropped, why, now), nil
	case ended:
		after.State, after.EndedOn = Queued, time.Time{}
	}
	after.DueOn, after.TriedOn = now, time.Time{}
	return after, nil
}

// DecideDelivery says what becomes of a message whose turn has come. Unless it
// ends here it is claimed for as long as lease: from then on it may be claimed
// again, and only who claimed it last may say what became of it.
func DecideDelivery(d DueDelivery, lease time.Duration, now time.Time) (after Delivery, send bool) {
	after = d.Delivery
	if why := d.lapsed(now); why != "" {
		return after.end(Dropped, why, now), false
	}
	if d.Kind.invites() && d.Suppressed {
		return after.end(Suppressed, "", now), false
	}
	after.Attempts++
	after.DueOn = now.Add(lease)
	if after.TriedOn.IsZero() {
		after.TriedOn = now
	}
	return after, true
}

func (d Delivery) end(state DeliveryState, words string, now time.Time) Delivery {
	d.State, d.Words, d.EndedOn = state, words, now
	return d
}

// delay puts a message off that was not tried yet.
func (d Delivery) delay(until time.Time) Delivery {
	d.State, d.DueOn, d.Words = Deferred, until, ""
	return d
}

// Verdict is what an attempt to deliver a message led to.
type Verdict struct {
	State DeliveryState // Sent, Deferred or Bounced
	Code  int           // the mail server's reply, 0 where there was none
	Words string        // its text, or what went wrong on the way
}

// deliveryPatience is how long a message is tried, as mail servers do (RFC 5321,
// 4.5.4.1).
const deliveryPatience = 5 * 24 * time.Hour

// longestWait is how long the pause between two attempts grows.
const longestWait = 4 * time.Hour

// waits are the pauses after the first attempts that reached no server, which
// may be back any moment, and after those that a server put off. Of these the
// first is short, for who greylists; from the second on there is half an hour
// between them, as RFC 5321 asks.
func wait(verdict Verdict, attempt int) time.Duration {
	waits := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, time.Hour, 2 * time.Hour}
	if verdict.Code != 0 {
		waits = []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
	}
	if attempt > len(waits) {
		return longestWait
	}
	return waits[max(attempt, 1)-1]
}

// step is what an attempt added to the history of a message that it led to d.
func (d Delivery) step(verdict Verdict, now time.Time) DeliveryStep {
	step := DeliveryStep{On: now, Source: ByServer, State: d.State, Code: verdict.Code, Words: d.Words}
	if d.EndedOn.IsZero() {
		step.NextOn = d.DueOn
	}
	return step
}

// DecideFinish says what becomes of a claimed message after an attempt.
func DecideFinish(d Delivery, verdict Verdict, now time.Time) Delivery {
	words := cleanWords(verdict.Words)
	switch verdict.State {
	case Sent, Bounced:
		return d.end(verdict.State, words, now)
	case Queued, Deferred, Complained, Suppressed, Dropped:
	}
	next := now.Add(wait(verdict, d.Attempts))
	if next.After(d.TriedOn.Add(deliveryPatience)) {
		return d.end(Bounced, words, now)
	}
	d.State, d.Words, d.DueOn = Deferred, words, next
	return d
}
