package api

import (
	"bytes"
	"strconv"
	"time"

	"hither/internal/iam"
)

// webhookInfo is a webhook. Its secret is shown when it is drawn, and at no other
// time, to nobody (KF-92).
type webhookInfo struct {
	ID                  iam.ID   `json:"id"`
	Name                string   `json:"name"`
	URL                 string   `json:"url"`
	Events              []string `json:"events"` // none: every event
	Enabled             bool     `json:"enabled"`
	DisabledReason      *string  `json:"disabled_reason"`
	DisabledOn          *moment  `json:"disabled_on"`
	Failures            int      `json:"failures"` // in a row
	FailingSince        *moment  `json:"failing_since"`
	PreviousSecretUntil *moment  `json:"previous_secret_until"`
	CreatedOn           moment   `json:"created_on"`
}

func momentOrNull(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	at := moment(t)
	return &at
}

func (x *exchange) webhook(w iam.Webhook) webhookInfo {
	info := webhookInfo{
		ID: w.ID, Name: w.Name, URL: w.URL, Events: w.Events.List(), Enabled: w.Disabled == "", DisabledReason: optional(string(w.Disabled)),
		DisabledOn: momentOrNull(w.DisabledOn), Failures: w.Failures, FailingSince: momentOrNull(w.FailingSince), CreatedOn: moment(w.CreatedOn),
	}
	if info.Events == nil {
		info.Events = []string{}
	}
	if x.Now().Before(w.OldUntil) {
		info.PreviousSecretUntil = momentOrNull(w.OldUntil)
	}
	return info
}

// drawnWebhook is a webhook whose secret may just have been drawn: null where it was
// not, or was shown before.
type drawnWebhook struct {
	webhookInfo

	Secret *string `json:"secret"`
}

func listWebhooks(x *exchange) (answer, error) {
	params := x.query()
	request := params.page(maxPerPage)
	if params.err != nil {
		return answer{}, params.err
	}
	hooks, err := x.Service.Webhooks(x.r.Context(), x.actor, x.id("account_id"))
	if err != nil {
		return answer{}, err
	}
	from := min(request.Offset(), len(hooks))
	page := iam.Page[iam.Webhook]{Items: hooks[from:min(from+request.Size, len(hooks))], Total: len(hooks)}
	return list(page, request, x.webhook), nil
}

func readWebhook(x *exchange) (answer, error) {
	hook, err := x.Service.Webhook(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"))
	if err != nil {
		return answer{}, err
	}
	return answer{result: x.webhook(hook)}, nil
}

func createWebhook(x *exchange) (answer, error) {
	in, err := x.body()
	if err != nil {
		return answer{}, err
	}
	request := iam.NewWebhook{URL: in.required("url")}
	if name := in.text("name"); name != nil {
		request.Name = *name
	}
	if events := in.texts("events"); events != nil {
		request.Events = *events
	}
	if in.err() != nil {
		return answer{}, in.err()
	}
	key, err := x.once(in)
	if err != nil {
		return answer{}, err
	}
	made, secret, err := x.Service.CreateWebhook(x.r.Context(), x.actor, x.id("account_id"), request, key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: drawnWebhook{x.webhook(made.Result), optional(secret)}, replayed: made.Replayed}, nil
}

func changeWebhook(x *exchange) (answer, error) {
	in, err := x.body()
	if err != nil {
		return answer{}, err
	}
	edit := iam.WebhookEdit{Name: in.text("name"), URL: in.text("url"), Events: in.texts("events"), Enabled: in.flag("enabled")}
	if in.err() != nil {
		return answer{}, in.err()
	}
	hook, secret, err := x.Service.EditWebhook(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"), edit)
	if err != nil {
		return answer{}, err
	}
	return answer{result: drawnWebhook{x.webhook(hook), optional(secret)}}, nil
}

func deleteWebhook(x *exchange) (answer, error) {
	id := x.id("webhook_id")
	return answer{result: onlyID{id}}, x.Service.DeleteWebhook(x.r.Context(), x.actor, x.id("account_id"), id)
}

func rotateWebhook(x *exchange) (answer, error) {
	in, err := x.optionalBody()
	if err != nil {
		return answer{}, err
	}
	overlap := iam.DefaultWebhookOverlap
	if seconds := in.number("overlap", int(iam.MaxWebhookOverlap.Seconds())); seconds != nil {
		overlap = time.Duration(*seconds) * time.Second
	}
	if in.err() != nil {
		return answer{}, in.err()
	}
	key, err := x.once(in)
	if err != nil {
		return answer{}, err
	}
	made, secret, err := x.Service.RotateWebhook(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"), overlap, key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: drawnWebhook{x.webhook(made.Result), optional(secret)}, replayed: made.Replayed}, nil
}

// webhookDelivery is an event on its way to a webhook. What was sent is the event
// itself: it is read where events are.
type webhookDelivery struct {
	ID            iam.ID           `json:"id"`
	EventID       string           `json:"event_id"`
	Type          string           `json:"type"`
	ResourceID    iam.ID           `json:"resource_id"`
	Sequence      int64            `json:"sequence"`
	Status        iam.WebhookState `json:"status"`
	Attempts      int              `json:"attempts"`
	NextAttemptOn *moment          `json:"next_attempt_on"`
	ResponseCode  *int             `json:"response_code"`
	Message       string           `json:"message"`
	CreatedOn     moment           `json:"created_on"`
	EndedOn       *moment          `json:"ended_on"`
}

func webhookDeliveryOf(d iam.WebhookDelivery) webhookDelivery {
	out := webhookDelivery{
		ID: d.ID, EventID: d.EventID, Type: string(d.Action), ResourceID: d.TargetID, Sequence: d.Sequence, Status: d.State,
		Attempts: d.Attempts, ResponseCode: codeOrNull(d.Code), Message: d.Words,
		CreatedOn: moment(d.CreatedOn), EndedOn: momentOrNull(d.EndedOn),
	}
	if d.EndedOn.IsZero() {
		out.NextAttemptOn = momentOrNull(d.DueOn)
	}
	return out
}

func codeOrNull(code int) *int {
	if code == 0 {
		return nil
	}
	return &code
}

// webhookAttempt is one of the attempts.
type webhookAttempt struct {
	Number       int    `json:"number"`
	At           moment `json:"at"`
	TookMS       int64  `json:"took_ms"`
	ResponseCode *int   `json:"response_code"`
	Message      string `json:"message"`
}

// triedDelivery is a delivery with its attempts, the last first.
type triedDelivery struct {
	webhookDelivery

	AttemptLog []webhookAttempt `json:"attempt_log"`
}

func listWebhookDeliveries(x *exchange) (answer, error) {
	params := x.query()
	limit := params.number("limit", defaultPerPage, 1, maxPerPage, false)
	query := iam.WebhookQuery{WebhookID: x.id("webhook_id"), Limit: limit + 1} // the one more says whether there are more
	query.State = iam.WebhookState(params.choice("status",
		string(iam.WebhookPending), string(iam.WebhookDelivered), string(iam.WebhookFailed), string(iam.WebhookDropped)))
	if cursor, given := params.one("cursor"); given && cursor != "" {
		id, ok := iam.ParseID(cursor)
		if !ok {
			params.refuse("cursor", "is none that an answer gave; leave it out to begin with the newest delivery")
		}
		query.After = id
	}
	if params.err != nil {
		return answer{}, params.err
	}
	deliveries, err := x.Service.WebhookDeliveries(x.r.Context(), x.actor, x.id("account_id"), query)
	if err != nil {
		return answer{}, err
	}
	info := &logPageInfo{}
	if len(deliveries) > limit {
		deliveries = deliveries[:limit]
		info.Cursor = string(deliveries[limit-1].ID)
		info.Cursors.After = info.Cursor
	}
	info.Count = strconv.Itoa(len(deliveries))
	rows := make([]webhookDelivery, len(deliveries))
	for i, delivery := range deliveries {
		rows[i] = webhookDeliveryOf(delivery)
	}
	return answer{result: rows, page: info}, nil
}

func readWebhookDelivery(x *exchange) (answer, error) {
	delivery, attempts, err := x.Service.WebhookDelivery(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"), x.id("delivery_id"))
	if err != nil {
		return answer{}, err
	}
	out := triedDelivery{webhookDeliveryOf(delivery), make([]webhookAttempt, len(attempts))}
	for i, a := range attempts {
		out.AttemptLog[i] = webhookAttempt{
			Number: a.Number, At: moment(a.At), TookMS: a.Took.Milliseconds(), ResponseCode: codeOrNull(a.Code), Message: a.Words,
		}
	}
	return answer{result: out}, nil
}

func pingWebhook(x *exchange) (answer, error) {
	key, err := x.onceUnread()
	if err != nil {
		return answer{}, err
	}
	made, err := x.Service.PingWebhook(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"), key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: webhookDeliveryOf(made.Result), replayed: made.Replayed}, nil
}

func replayWebhookDelivery(x *exchange) (answer, error) {
	key, err := x.onceUnread()
	if err != nil {
		return answer{}, err
	}
	made, err := x.Service.ReplayWebhook(x.r.Context(), x.actor, x.id("account_id"), x.id("webhook_id"), x.id("delivery_id"), key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: webhookDeliveryOf(made.Result), replayed: made.Replayed}, nil
}

// webhookMessage is what a webhook is sent of an event: the form that Standard
// Webhooks advises, with the event as the stream of events has it.
type webhookMessage struct {
	Type      string `json:"type"`
	Timestamp moment `json:"timestamp"`
	Data      event  `json:"data"`
}

// WebhookBody is what is sent of an event.
func WebhookBody(e iam.AuditEntry) ([]byte, error) {
	var buffer bytes.Buffer
	err := writeReflected(&buffer, webhookMessage{Type: string(e.Action), Timestamp: moment(e.At), Data: eventOf(e)})
	return buffer.Bytes(), err
}
