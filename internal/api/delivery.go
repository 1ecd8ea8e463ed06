package api

import (
	"time"

	"hither/internal/iam"
)

// delivery is a mail to the invited as the account of the invitation sees it.
type delivery struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"` // invitation, resend or reminder
	State     iam.DeliveryState `json:"state"`
	CreatedOn moment            `json:"created_on"`
	NextTryOn *moment           `json:"next_try_on"`
	EndedOn   *moment           `json:"ended_on"`
	Attempts  int               `json:"attempts"`
	Words     string            `json:"words"`
	History   []deliveryStep    `json:"history"`
}

// deliveryStep is one thing that became of it.
type deliveryStep struct {
	On        moment             `json:"on"`
	Source    iam.DeliverySource `json:"source"`
	State     iam.DeliveryState  `json:"state"`
	Code      int                `json:"code"`
	Words     string             `json:"words"`
	NextTryOn *moment            `json:"next_try_on"`
}

func deliveryOf(d iam.DeliveryRecord) delivery {
	kind := string(d.Kind)
	if d.Kind == iam.InvitationMessage && d.Generation > 1 {
		kind = "resend"
	}
	return delivery{
		ID: d.ID, Kind: kind, State: d.State, CreatedOn: moment(d.CreatedOn), NextTryOn: ifAny(d.DueOn), EndedOn: ifAny(d.EndedOn),
		Attempts: d.Attempts, Words: d.Words,
		History: each(d.Steps, func(s iam.DeliveryStep) deliveryStep {
			return deliveryStep{moment(s.On), s.Source, s.State, s.Code, s.Words, ifAny(s.NextOn)}
		}),
	}
}

// ifAny is a moment, null where there is none.
func ifAny(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	m := moment(t)
	return &m
}

func listDeliveries(x *exchange) (answer, error) {
	params := x.query()
	page := params.page(maxPerPage)
	if params.err != nil {
		return answer{}, params.err
	}
	found, err := x.Service.InvitationDeliveries(x.r.Context(), x.actor, x.id("organization_id"), x.id("invite_id"), page)
	if err != nil {
		return answer{}, err
	}
	return list(found, page, deliveryOf), nil
}
