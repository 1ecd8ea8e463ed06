package iam

import (
	"context"
	"slices"
	"time"
)

// ReportMail notes what was told of messages that left, in one transaction, and
// says what came of each report. It is for who carries the operator's mail.
func (s *Service) ReportMail(ctx context.Context, actor Actor, reports []MailReport) ([]ReportOutcome, error) {
	if actor.Kind != ByReporter {
		return nil, refuse(Forbidden, "this credential is not the one for reports about mail")
	}
	if len(reports) > MaxReports {
		return nil, invalid("/reports", "reports must be %d at most", MaxReports)
	}
	ids := make([]string, 2*len(reports))
	for i := range ids {
		ids[i] = s.newID()
	}
	named, recipients := reportNames(reports)
	return Update(ctx, s.store, func(tx Tx) ([]ReportOutcome, error) {
		facts, err := tx.ReportFacts(named, recipients)
		if err != nil {
			return nil, err
		}
		outcomes := make([]ReportOutcome, len(reports))
		for i, report := range reports {
			at := facts.of(report)
			decision := ReportDecision{Outcome: ReportUnknown}
			if at >= 0 {
				decision = DecideReport(facts[at], report, tx.Now())
			}
			outcomes[i] = decision.Outcome
			if decision.Outcome != ReportApplied {
				continue
			}
			if err := applyReport(tx, actor, facts[at].Delivery, decision, ids[2*i], ids[2*i+1]); err != nil {
				return nil, err
			}
			facts[at].Delivery = decision.After
			facts[at].Known = append(facts[at].Known, decision.Step.Report)
		}
		return outcomes, nil
	})
}

// ReportedMessages are the messages that reports are about.
type ReportedMessages []ReportFacts

// of finds the message of a report: by its own id, or else the last one to its
// mailbox; -1 where there is none.
func (r ReportedMessages) of(report MailReport) int {
	if report.MessageID != "" {
		return slices.IndexFunc(r, func(f ReportFacts) bool { return f.ID == report.deliveryID() })
	}
	last := -1
	for i, f := range r {
		if f.Recipient == report.Recipient && f.Kind.invites() && f.Attempts > 0 && (last < 0 || f.CreatedOn.After(r[last].CreatedOn)) {
			last = i
		}
	}
	return last
}

func applyReport(tx Tx, actor Actor, before Delivery, decision ReportDecision, id, other string) error {
	if err := tx.UpdateDelivery(before, decision.After, decision.Step); err != nil || decision.Action == "" {
		return err
	}
	if decision.Action == DeliveryBounce && before.Kind.invites() {
		if err := tx.MarkDelivered(before.MembershipID, time.Time{}); err != nil {
			return err
		}
	}
	told := actor.Entry(id, decision.Action, "", "")
	if err := tx.Record(told.ofDelivery(before, decision.After)); err != nil || !decision.Suppress {
		return err
	}
	suppression := Suppression{Mailbox: Mailbox(before.Recipient), AccountID: before.AccountID, CreatedOn: tx.Now()}
	entry := actor.Entry(other, Suppress, "", before.MembershipID)
	entry.After = suppression.snapshot()
	return tx.Suppress(suppression, entry)
}

// reportNames are what the messages of reports are looked for by: their ids, and the
// recipients of reports that name none.
func reportNames(reports []MailReport) (ids, recipients []string) {
	for _, report := range reports {
		if report.MessageID != "" {
			ids = append(ids, report.deliveryID())
		} else {
			recipients = append(recipients, report.Recipient)
		}
	}
	slices.Sort(ids)
	slices.Sort(recipients)
	return slices.Compact(ids), slices.Compact(recipients)
}
