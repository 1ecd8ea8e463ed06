package api

import (
	"time"

	"hither/internal/iam"
)

// defaultFunnelSpan is what a funnel is about unless it is said.
const defaultFunnelSpan = 30 * 24 * time.Hour

// funnelCounts are how many invitations came how far.
type funnelCounts struct {
	Created      int    `json:"created"`
	Delivered    int    `json:"delivered"`
	Opened       int    `json:"opened"`
	Pending      int    `json:"pending"`
	Accepted     int    `json:"accepted"`
	Declined     int    `json:"declined"`
	Expired      int    `json:"expired"`
	Withdrawn    int    `json:"withdrawn"`
	MedianAnswer *int64 `json:"median_answer_seconds"`
}

type funnelGroup struct {
	funnelCounts

	Name     string          `json:"name"`
	Refusals []funnelRefusal `json:"refused"`
}

type funnelRefusal struct {
	Action iam.Action `json:"action"`
	Reason string     `json:"reason"`
	Count  int        `json:"count"`
}

// funnel is what became of invitations.
type funnel struct {
	funnelCounts

	Since    moment          `json:"since"`
	Until    moment          `json:"until"`
	By       *iam.FunnelBy   `json:"by"`
	Groups   []funnelGroup   `json:"groups"`
	Others   int             `json:"other_groups"`
	Refusals []funnelRefusal `json:"refused"`
}

func funnelCountsOf(c iam.FunnelCounts) funnelCounts {
	out := funnelCounts{
		Created: c.Created, Delivered: c.Delivered, Opened: c.Opened, Pending: c.Pending, Accepted: c.Accepted,
		Declined: c.Declined, Expired: c.Expired, Withdrawn: c.Withdrawn,
	}
	if c.MedianAnswer >= 0 {
		seconds := int64(c.MedianAnswer / time.Second)
		out.MedianAnswer = &seconds
	}
	return out
}

func funnelRefusals(of []iam.Refusal) []funnelRefusal {
	return each(of, func(r iam.Refusal) funnelRefusal { return funnelRefusal{r.Action, r.Reason, r.Count} })
}

func readFunnel(x *exchange) (answer, error) {
	params := x.query()
	query := iam.FunnelQuery{
		AccountID: x.id("organization_id"), Since: params.instant("since"), Until: params.instant("until"),
		By: iam.FunnelBy(params.choice("by", string(iam.ByInviter), string(iam.ByDomain))),
	}
	if params.err != nil {
		return answer{}, params.err
	}
	if query.Until.IsZero() {
		query.Until = x.Now().UTC().Truncate(time.Microsecond)
	}
	if query.Since.IsZero() {
		query.Since = query.Until.Add(-defaultFunnelSpan)
	}
	found, err := x.Service.Funnel(x.r.Context(), x.actor, query)
	if err != nil {
		return answer{}, err
	}
	result := funnel{
		Since: moment(query.Since), Until: moment(query.Until), funnelCounts: funnelCountsOf(found.FunnelCounts), Others: found.Others,
		Groups: each(found.Groups, func(g iam.FunnelGroup) funnelGroup {
			return funnelGroup{funnelCountsOf(g.FunnelCounts), g.Name, funnelRefusals(g.Refusals)}
		}),
		Refusals: funnelRefusals(found.Refusals),
	}
	if query.By != "" {
		result.By = &query.By
	}
	return one(result), nil
}
