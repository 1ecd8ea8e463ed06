package api

import (
	"hither/internal/iam"
)

// reported is what came of reports about mail: how many of each outcome, and the
// outcome of each, in the order in which they were sent.
type reported struct {
	Applied  int              `json:"applied"`
	Known    int              `json:"known"`
	Unknown  int              `json:"unknown"`
	Mismatch int              `json:"mismatch"`
	Reports  []reportedReport `json:"reports"`
}

type reportedReport struct {
	Outcome iam.ReportOutcome `json:"outcome"`
}

func reportMail(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	reports := each(body.objects("reports", iam.MaxReports), mailReport)
	if err := body.err(); err != nil {
		return answer{}, err
	}
	outcomes, err := x.Service.ReportMail(x.r.Context(), x.actor, reports)
	if err != nil {
		return answer{}, err
	}
	result := reported{Reports: make([]reportedReport, len(outcomes))}
	for i, outcome := range outcomes {
		result.Reports[i].Outcome = outcome
		switch outcome {
		case iam.ReportApplied:
			result.Applied++
		case iam.ReportKnown:
			result.Known++
		case iam.ReportUnknown:
			result.Unknown++
		case iam.ReportMismatch:
			result.Mismatch++
		}
	}
	return one(result), nil
}

// mailReport reads one report.
func mailReport(f *fields) iam.MailReport {
	const highestReply = 599
	f.required("kind")
	report := iam.MailReport{
		ID:        f.bounded("id", iam.MaxReportID),
		Kind:      iam.ReportKind(f.choice("kind", string(iam.BounceReport), string(iam.SoftBounceReport), string(iam.ComplaintReport))),
		MessageID: f.bounded("message_id", iam.MaxReportID),
		Words:     f.bounded("words", iam.MaxReportedWords),
	}
	if code := f.number("code", highestReply); code != nil {
		report.Code = *code
	}
	if text := f.text("recipient"); text != nil && *text != "" {
		report.Recipient = f.email("recipient")
	}
	if report.MessageID == "" && report.Recipient == "" {
		f.refuse(invalid(f.at("message_id"), "message_id is required, or at least a recipient"))
	}
	return report
}
