package iam

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReportKind is what somebody who carries mail tells of a message.
type ReportKind string

// The kinds of reports.
const (
	BounceReport     ReportKind = "bounce"      // it came back for good
	SoftBounceReport ReportKind = "soft_bounce" // it was put off; whoever carries it tries again
	ComplaintReport  ReportKind = "complaint"   // its reader called it spam
)

// Bounds of reports.
const (
	MaxReports       = 200 // in one request
	MaxReportID      = 200 // characters of an id, and of a Message-ID
	MaxReportedWords = 4000
)

// reportMemory is for how long a mailbox alone says which mail is meant: the last one
// to it. Of another time, it may be about another sender's.
const reportMemory = 14 * day

// MailReport is what was told of one message. MessageID is that of its header, with
// or without its brackets; Recipient a canonical address. One of them may be "".
type MailReport struct {
	ID        string // the reporter's own for it, "" where it has none
	Kind      ReportKind
	MessageID string
	Recipient string
	Code      int
	Words     string
}

// deliveryID is the id of the message that a Message-ID begins with.
func (r MailReport) deliveryID() string {
	local, _, _ := strings.Cut(strings.Trim(r.MessageID, "<> "), "@")
	return local
}

// key names the report, so that it is noted once however often it is told. One
// without an id of its own is known by what it says.
func (r MailReport) key() string {
	parts := []string{string(r.Kind), strconv.Itoa(r.Code), r.Words}
	if r.ID != "" {
		parts = []string{r.ID}
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(digest[:16])
}

// ReportOutcome is what came of a report.
type ReportOutcome string

// The outcomes.
const (
	ReportApplied  ReportOutcome = "applied"
	ReportKnown    ReportOutcome = "known"    // it was told before, or tells nothing new
	ReportUnknown  ReportOutcome = "unknown"  // no such message left here, or it is not kept any more
	ReportMismatch ReportOutcome = "mismatch" // the message went to somebody else
)

// ReportFacts are the message that a report is about, and which reports of it are
// noted; of no message it is zero.
type ReportFacts struct {
	Delivery

	Known []string
}

// ReportDecision is what becomes of a message by a report. With Action "" only its
// history grows. Suppress says that its mailbox wants no more from the account.
type ReportDecision struct {
	Outcome  ReportOutcome
	After    Delivery
	Step     DeliveryStep
	Action   Action
	Suppress bool
}

// DecideReport says what a report changes. A message that is still under way here
// may be reported too: its outcome is not kept yet. A soft bounce changes no state,
// since it is not ours to try again.
func DecideReport(f ReportFacts, report MailReport, now time.Time) ReportDecision {
	key, byMailbox := report.key(), report.MessageID == ""
	switch {
	case f.ID == "", f.Attempts == 0, f.State == Dropped, f.State == Suppressed,
		byMailbox && f.CreatedOn.Before(now.Add(-reportMemory)):
		return ReportDecision{Outcome: ReportUnknown}
	case report.Recipient != "" && report.Recipient != f.Recipient:
		return ReportDecision{Outcome: ReportMismatch}
	case slices.Contains(f.Known, key):
		return ReportDecision{Outcome: ReportKnown}
	}
	decision := ReportDecision{
		Outcome: ReportApplied, After: f.Delivery,
		Step: DeliveryStep{On: now, Source: ByReport, Code: report.Code, Words: reportedWords(f.Kind, report.Words), Report: key},
	}
	switch report.Kind {
	case ComplaintReport:
		if f.State == Complained {
			return ReportDecision{Outcome: ReportKnown}
		}
		decision.After, decision.Action = f.end(Complained, decision.Step.Words, now), DeliveryAbuse
		decision.Suppress = f.Kind.invites()
	case BounceReport:
		if f.State == Bounced || f.State == Complained {
			return ReportDecision{Outcome: ReportKnown}
		}
		decision.After, decision.Action = f.end(Bounced, decision.Step.Words, now), DeliveryBounce
	case SoftBounceReport:
		if f.State == Bounced || f.State == Complained {
			return ReportDecision{Outcome: ReportKnown}
		}
	}
	decision.Step.State = decision.After.State
	if report.Kind == SoftBounceReport {
		decision.Step.State = Deferred
	}
	return decision
}

// secretive are runs of characters that are long enough to be a link's secret, or a
// good part of one.
var secretive = regexp.MustCompile(`[A-Za-z0-9_=-]{20,}`)

// reportedWords are what a report says, fit for the account: mail servers quote what
// they object to, and a link is for the invited alone. Of other mails nothing is kept,
// since those may quote a code.
func reportedWords(kind DeliveryKind, words string) string {
	if !kind.invites() {
		return ""
	}
	return cleanWords(secretive.ReplaceAllString(words, "…"))
}
