package iam

import (
	"strings"
	"testing"
	"time"
)

// reportable is an invitation that the mail server took.
func reportable(edits ...func(*ReportFacts)) ReportFacts {
	f := ReportFacts{Delivery: Delivery{
		ID: "m-invitation-1", Kind: InvitationMessage, AccountID: "a", MembershipID: "m", Recipient: "u@example.com", State: Sent,
		Attempts: 1, CreatedOn: sentOn.Add(-time.Hour), EndedOn: sentOn.Add(-time.Minute),
	}}
	for _, edit := range edits {
		edit(&f)
	}
	return f
}

func TestWhatAReportChanges(t *testing.T) {
	t.Parallel()
	in := func(state DeliveryState) func(*ReportFacts) { return func(f *ReportFacts) { f.State = state } }
	waiting := func(f *ReportFacts) { f.State, f.EndedOn = Queued, time.Time{} }
	untried := func(f *ReportFacts) { f.Attempts = 0 }
	old := func(f *ReportFacts) { f.CreatedOn = sentOn.Add(-reportMemory - time.Second) }
	notice := func(f *ReportFacts) { f.Kind = NoticeMessage }
	bounce := MailReport{Kind: BounceReport, MessageID: "<m-invitation-1@example.com>", Code: 550, Words: "no such user"}
	as := func(kind ReportKind) MailReport { r := bounce; r.Kind = kind; return r }
	to := func(r MailReport, recipient string) MailReport { r.Recipient = recipient; return r }
	byMailbox := to(MailReport{Kind: BounceReport}, "u@example.com")
	known := func(r MailReport) func(*ReportFacts) {
		return func(f *ReportFacts) { f.Known = []string{"x", r.key()} }
	}
	for name, test := range map[string]struct {
		facts    ReportFacts
		report   MailReport
		outcome  ReportOutcome
		state    DeliveryState // afterwards
		step     DeliveryState
		action   Action
		suppress bool
	}{
		"it came back":                          {reportable(), bounce, ReportApplied, Bounced, Bounced, DeliveryBounce, false},
		"it came back from its recipient":       {reportable(), to(bounce, "u@example.com"), ReportApplied, Bounced, Bounced, DeliveryBounce, false},
		"it came back before its outcome":       {reportable(waiting), bounce, ReportApplied, Bounced, Bounced, DeliveryBounce, false},
		"the last to a mailbox came back":       {reportable(), byMailbox, ReportApplied, Bounced, Bounced, DeliveryBounce, false},
		"it was put off":                        {reportable(), as(SoftBounceReport), ReportApplied, Sent, Deferred, "", false},
		"it was put off before its outcome":     {reportable(waiting), as(SoftBounceReport), ReportApplied, Queued, Deferred, "", false},
		"its reader complained":                 {reportable(), as(ComplaintReport), ReportApplied, Complained, Complained, DeliveryAbuse, true},
		"a reader of what came back complained": {reportable(in(Bounced)), as(ComplaintReport), ReportApplied, Complained, Complained, DeliveryAbuse, true},
		"a reader of a notice complained":       {reportable(notice), as(ComplaintReport), ReportApplied, Complained, Complained, DeliveryAbuse, false},

		"of no message":                       {ReportFacts{}, bounce, ReportUnknown, "", "", "", false},
		"of one that never left":              {reportable(untried), bounce, ReportUnknown, "", "", "", false},
		"of one that was dropped":             {reportable(in(Dropped)), bounce, ReportUnknown, "", "", "", false},
		"of one that was suppressed":          {reportable(in(Suppressed)), as(ComplaintReport), ReportUnknown, "", "", "", false},
		"of an old one, by its mailbox":       {reportable(old), byMailbox, ReportUnknown, "", "", "", false},
		"of an old one, by its id":            {reportable(old), bounce, ReportApplied, Bounced, Bounced, DeliveryBounce, false},
		"of another's":                        {reportable(), to(bounce, "v@example.com"), ReportMismatch, "", "", "", false},
		"once more":                           {reportable(known(bounce)), bounce, ReportKnown, "", "", "", false},
		"of what came back already":           {reportable(in(Bounced)), bounce, ReportKnown, "", "", "", false},
		"of what came back, put off":          {reportable(in(Bounced)), as(SoftBounceReport), ReportKnown, "", "", "", false},
		"of what was complained of":           {reportable(in(Complained)), as(ComplaintReport), ReportKnown, "", "", "", false},
		"of what was complained of, a bounce": {reportable(in(Complained)), bounce, ReportKnown, "", "", "", false},
	} {
		got := DecideReport(test.facts, test.report, sentOn)
		if got.Outcome != test.outcome || got.After.State != test.state || got.Step.State != test.step || got.Action != test.action || got.Suppress != test.suppress {
			t.Errorf("%s: got %+v, want %s, %q with step %q, action %q, suppress %v",
				name, got, test.outcome, test.state, test.step, test.action, test.suppress)
		}
		if ended := test.state == Bounced || test.state == Complained; ended && !got.After.EndedOn.Equal(sentOn) {
			t.Errorf("%s: ended on %s, want it now", name, got.After.EndedOn)
		}
	}
}

// A report is the same one by its own id, or else by what it says.
func TestReportsAreKnownAgain(t *testing.T) {
	t.Parallel()
	a := MailReport{Kind: SoftBounceReport, Code: 451, Words: "later"}
	named, other := a, a
	named.ID, other.ID = "1", "2"
	again := MailReport{ID: "1", Kind: BounceReport}
	if a.key() == named.key() || named.key() == other.key() || named.key() != again.key() || len(a.key()) != 32 {
		t.Errorf("keys: got %s, %s, %s, %s", a.key(), named.key(), other.key(), again.key())
	}
	for _, id := range []string{"m-invitation-1@example.com", "<m-invitation-1@other.example>", " <m-invitation-1> "} {
		if got := (MailReport{MessageID: id}).deliveryID(); got != "m-invitation-1" {
			t.Errorf("message of %q: got %q", id, got)
		}
	}
}

// What a mail server quotes of a mail is not for the account (KF-64).
func TestReportedWordsTellNoLink(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("aB3_-x", 10)
	for words, want := range map[string]string{
		"550 no such user here\r\n":                                       "550 no such user here",
		"bad: https://example.com/i/" + secret + " in it":                 "bad: https://example.com/i/… in it",
		"bad: https://example.com/i/" + secret[:30] + "=\n" + secret[30:]: "bad: https://example.com/i/… …",
	} {
		if got := reportedWords(InvitationMessage, words); got != want {
			t.Errorf("words of %q: got %q, want %q", words, got, want)
		}
	}
	if got := reportedWords(SignInMessage, "your code is ABCD-EFGH"); got != "" {
		t.Errorf("words about a sign-in: got %q, want none", got)
	}
}
