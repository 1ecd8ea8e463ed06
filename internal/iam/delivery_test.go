package iam

import (
	"strings"
	"testing"
	"time"
)

var sentOn = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// dueInvitation is a message that is to be sent, of a pending invitation.
func dueInvitation(edits ...func(*DueDelivery)) DueDelivery {
	d := DueDelivery{
		Delivery: Delivery{
			ID: "m", Kind: InvitationMessage, AccountID: "a", MembershipID: "m", Recipient: "u@example.com", Generation: 2,
			State: Queued, CreatedOn: sentOn, DueOn: sentOn,
		},
		DeliveryFacts: DeliveryFacts{
			Invitation: Invitation{
				Membership: Membership{ID: "m", AccountID: "a", Status: Pending, ExpiresOn: sentOn.Add(time.Hour)}, Account: Account{ID: "a"},
			},
			Link: Link{Generation: 2},
		},
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

func withdrawal(d *DueDelivery) { d.Kind, d.Invitation.Status = WithdrawnMessage, Canceled }

// dueProof is a message that proves a mailbox, so long after it was asked for.
func dueProof(kind DeliveryKind, age time.Duration, edits ...func(*DueDelivery)) DueDelivery {
	d := DueDelivery{
		Delivery:      Delivery{Kind: kind, UserID: "u", State: Queued, CreatedOn: sentOn.Add(-age)},
		DeliveryFacts: DeliveryFacts{User: User{ID: "u"}, Open: true},
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// TestWhatCanBeSentAnew: what waits is hurried, what was given up begins anew, and
// what nobody could use is neither: it ends, or stays ended.
func TestWhatCanBeSentAnew(t *testing.T) {
	t.Parallel()
	ended := func(state DeliveryState) func(*DueDelivery) {
		return func(d *DueDelivery) { d.State, d.EndedOn = state, sentOn.Add(-time.Minute) }
	}
	nobody := func(d *DueDelivery) { d.UserID = "" }
	gone := func(d *DueDelivery) { d.Invitation.Status = Canceled }
	for name, test := range map[string]struct {
		due  DueDelivery
		want DeliveryState // "" is refused
		why  string
	}{
		"an invitation that waits":               {dueInvitation(func(d *DueDelivery) { d.State = Deferred }), Deferred, ""},
		"an invitation that bounced":             {dueInvitation(ended(Bounced)), Queued, ""},
		"an invitation that was sent":            {dueInvitation(ended(Sent)), "", "resend it"},
		"a withdrawn invitation that waits":      {dueInvitation(gone), Dropped, "the invitation is canceled"},
		"a withdrawn invitation that bounced":    {dueInvitation(gone, ended(Bounced)), "", "the invitation is canceled"},
		"a sign-in that bounced":                 {dueProof(SignInMessage, time.Minute, ended(Bounced)), Queued, ""},
		"a sign-in that bounced, too late":       {dueProof(SignInMessage, ChallengeLife, ended(Bounced)), "", "too old"},
		"a sign-in that waits, too late":         {dueProof(SignInMessage, ChallengeLife), Dropped, "too old"},
		"a sign-in of nobody":                    {dueProof(SignInMessage, 0, nobody, ended(Dropped)), "", "nobody can use it"},
		"a new address of nobody":                {dueProof(AddressMessage, 0, nobody, ended(Dropped)), "", "nobody can use it"},
		"a sign-in that was dropped by mistake":  {dueProof(SignInMessage, time.Minute, ended(Dropped)), Queued, ""},
		"a sign-in that another mail settled":    {dueProof(SignInMessage, 0, func(d *DueDelivery) { d.Open = false }), Dropped, "was used"},
		"a sign-in of who was suspended":         {dueProof(SignInMessage, 0, func(d *DueDelivery) { d.User.Suspended = true }), Dropped, "suspended"},
		"a new address that was proven, dropped": {dueProof(AddressMessage, 0, func(d *DueDelivery) { d.Open = false }, ended(Dropped)), "", "was used"},
	} {
		test.due.TriedOn = sentOn.Add(-time.Hour)
		after, err := DecideRetry(test.due, sentOn)
		if (err != nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: got %v, %v, want %q, %q", name, after.State, err, test.want, test.why)
			continue
		}
		if err == nil && (after.State != test.want || !strings.Contains(after.Words, test.why) || after.EndedOn.IsZero() == (test.want == Dropped)) {
			t.Errorf("%s: got %+v, want it %s since %q", name, after, test.want, test.why)
		}
		if err == nil && test.want != Dropped && (!after.DueOn.Equal(sentOn) || !after.TriedOn.IsZero()) {
			t.Errorf("%s: got %+v, want it due now, with all its patience", name, after)
		}
	}
}

func TestWhatIsSentAndWhatIsNot(t *testing.T) {
	t.Parallel()
	news := func(kind DeliveryKind, status Status) func(*DueDelivery) {
		return func(d *DueDelivery) {
			d.Kind, d.Invitation.Status, d.UserID, d.User, d.Hears = kind, status, "u", User{ID: "u"}, true
		}
	}
	for name, test := range map[string]struct {
		due  DueDelivery
		want DeliveryState // "" is sent
	}{
		"a pending invitation":        {dueInvitation(), ""},
		"one that was answered":       {dueInvitation(func(d *DueDelivery) { d.Invitation.Status = Accepted }), Dropped},
		"one that was withdrawn":      {dueInvitation(func(d *DueDelivery) { d.Invitation.Status = Canceled }), Dropped},
		"one that expires now":        {dueInvitation(func(d *DueDelivery) { d.Invitation.ExpiresOn = sentOn }), Dropped},
		"an older link":               {dueInvitation(func(d *DueDelivery) { d.Link.Generation = 3 }), Dropped},
		"of a suspended account":      {dueInvitation(func(d *DueDelivery) { d.Invitation.Account.Suspended = true }), Dropped},
		"of an account that is gone":  {dueInvitation(func(d *DueDelivery) { d.Invitation.Account = Account{} }), Dropped},
		"to who wants none":           {dueInvitation(func(d *DueDelivery) { d.Suppressed = true }), Suppressed},
		"of a withdrawal":             {dueInvitation(withdrawal), ""},
		"of one to who wants none":    {dueInvitation(withdrawal, func(d *DueDelivery) { d.Suppressed = true }), Suppressed},
		"of one that is none":         {dueInvitation(withdrawal, func(d *DueDelivery) { d.Invitation.Status = Pending }), Dropped},
		"of what was withdrawn":       {dueInvitation(func(d *DueDelivery) { d.Invitation.Status = Canceled }), Dropped},
		"a reminder to who wants one": {dueInvitation(func(d *DueDelivery) { d.Kind = ReminderMessage }), ""},
		"news of an acceptance":       {dueInvitation(news(AcceptedMessage, Accepted)), ""},
		"of one that was undone":      {dueInvitation(news(AcceptedMessage, Removed)), Dropped},
		"news to a former member": {
			dueInvitation(news(AcceptedMessage, Accepted), func(d *DueDelivery) { d.Hears = false }), Dropped,
		},
		"news, where none is wanted of invitations": {
			dueInvitation(news(ExpiredMessage, Expired), func(d *DueDelivery) { d.Suppressed = true }), "",
		},
		"a wish for a link":                       {dueInvitation(news(LinkAskedMessage, Expired), func(d *DueDelivery) { d.Link.AskedOn = sentOn }), ""},
		"a wish that was met":                     {dueInvitation(news(LinkAskedMessage, Expired)), Dropped},
		"to a suspended user":                     {dueInvitation(news(AcceptedMessage, Accepted), func(d *DueDelivery) { d.User.Suspended = true }), Dropped},
		"a sign-in":                               {dueProof(SignInMessage, ChallengeLife-time.Second), ""},
		"a sign-in of the past":                   {dueProof(SignInMessage, ChallengeLife), Dropped},
		"a sign-in of nobody":                     {dueProof(SignInMessage, 0, func(d *DueDelivery) { d.UserID = "" }), Dropped},
		"a sign-in that was done by another mail": {dueProof(SignInMessage, 0, func(d *DueDelivery) { d.Open = false }), Dropped},
		"a new address":                           {dueProof(AddressMessage, 0), ""},
		"a new address that was proven":           {dueProof(AddressMessage, 0, func(d *DueDelivery) { d.Open = false }), Dropped},
		"a notice":                                {DueDelivery{Delivery: Delivery{Kind: NoticeMessage, CreatedOn: sentOn.Add(-day)}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, send := DecideDelivery(test.due, time.Minute, sentOn)
			if send != (test.want == "") {
				t.Fatalf("sent: got %v, %+v, want %q", send, after, test.want)
			}
			if send && (after.Attempts != 1 || !after.DueOn.Equal(sentOn.Add(time.Minute)) || !after.TriedOn.Equal(sentOn) || !after.EndedOn.IsZero()) {
				t.Errorf("claimed: got %+v, want one attempt, for a minute", after)
			}
			if !send && (after.State != test.want || !after.EndedOn.Equal(sentOn)) {
				t.Errorf("ended: got %+v, want it %s now", after, test.want)
			}
		})
	}
}

// A message is tried with growing pauses, for five days and no longer.
func TestPausesBetweenAttempts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code          int
		first, second time.Duration
	}{"no server there": {0, time.Minute, 2 * time.Minute}, "a server that says later": {451, 5 * time.Minute, 30 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, now, pauses := dueInvitation().Delivery, sentOn, []time.Duration(nil)
			for d.TriedOn = now; d.State != Bounced; {
				d.Attempts++
				d = DecideFinish(d, Verdict{State: Deferred, Code: test.code, Words: "later"}, now)
				if d.State == Deferred {
					pauses = append(pauses, d.DueOn.Sub(now))
					now = d.DueOn
				}
			}
			if pauses[0] != test.first || pauses[1] != test.second {
				t.Errorf("first pauses: got %v, want %s and %s", pauses[:2], test.first, test.second)
			}
			for i, pause := range pauses[1:] {
				if pause < pauses[i] || test.code != 0 && pause < 30*time.Minute {
					t.Errorf("pauses: got %v, want them to grow, and half an hour at least after a reply", pauses)
				}
			}
			if over := now.Sub(sentOn); over > 5*day || over < 4*day || d.Words != "later" {
				t.Errorf("given up: got %s after the first attempt with words %q, want five days", over, d.Words)
			}
		})
	}
}

// KF-64: what a server says is kept within bounds, and as one line of text.
func TestWordsAreBoundedAndCleaned(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"":                              "",
		"5.1.1  no such\r\n\tuser\x00.": "5.1.1 no such user .",
		"a\u202eb\ufeff\xff":            "a b",
		strings.Repeat("é", 1_000_000):  strings.Repeat("é", MaxWords),
		strings.Repeat("a ", 1_000_000): strings.Repeat("a ", MaxWords/2-1) + "a ",
	} {
		if got := cleanWords(said); strings.TrimSpace(got) != strings.TrimSpace(want) || len([]rune(got)) > MaxWords {
			t.Errorf("words of %.40q: got %q, want %q", said, got, want)
		}
	}
}

// KF-79: for how much mail somebody gets, plus-addresses are one mailbox.
func TestMailboxOfAPlusAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"a@x.example": "a@x.example", "a+1@x.example": "a@x.example", "a+1+2@x.example": "a@x.example", "+1@x.example": "+1@x.example",
	} {
		if got := Mailbox(address); got != want {
			t.Errorf("mailbox of %s: got %s, want %s", address, got, want)
		}
	}
}

// KF-61: what is bounded, of whom, and that 0 is no bound.
func TestTalliesOfBudgets(t *testing.T) {
	t.Parallel()
	all := Budgets{InviterDay: 1, AccountDay: 2, RecipientDay: 3, RecipientWeek: 4, DomainDay: 5, InstanceDay: 6}
	user, token := Actor{Kind: ByUser, User: User{ID: "u"}}, Actor{Kind: ByOperator, CredentialID: "t"}
	for name, test := range map[string]struct {
		got  []Tally
		want string
	}{
		"a user":     {all.inviting(user, "a", sentOn), "account 2, inviter 1"},
		"a token":    {all.inviting(token, "a", sentOn), "account 2"},
		"sending":    {all.sending("u@example.com", sentOn), "recipient_day 3, recipient_week 4, domain 5, instance 6"},
		"no budgets": {append(Budgets{}.inviting(user, "a", sentOn), Budgets{}.sending("u@example.com", sentOn)...), ""},
	} {
		got := make([]string, len(test.got))
		for i, tally := range test.got {
			got[i] = tally.Name + " " + string(rune('0'+tally.Limit))
			if strings.Contains(tally.Subject, "@") || strings.Contains(tally.Subject, "example") {
				t.Errorf("%s: the subject %q tells an address", name, tally.Subject)
			}
			if sentOn.Before(tally.StartsOn) || !sentOn.Before(tally.EndsOn) {
				t.Errorf("%s: %s from %s to %s, want now within", name, tally.Name, tally.StartsOn, tally.EndsOn)
			}
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	week := all.sending("u@example.com", sentOn)[1]
	if week.StartsOn.Weekday() != time.Monday || week.EndsOn.Sub(week.StartsOn) != 7*24*time.Hour {
		t.Errorf("a week: got %s to %s, want it from Monday on", week.StartsOn, week.EndsOn)
	}
}
