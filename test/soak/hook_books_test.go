package soak_test

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
)

// event is an audit row that a webhook has to be told of.
type event struct{ id, action, target string }

// events are those that came since the webhook was made, in their order. Where
// transactions run side by side an event has its position after a while.
func (h *hook) wanted(t *testing.T, tx *sql.Tx) []event {
	t.Helper()
	position := `a.seq`
	if harness.OnPostgres(t) {
		position = `COALESCE(a.position, w.after_position + 1)`
	}
	var wanted []event
	for _, line := range disk.Texts(t, tx, `SELECT a.operation_id || ' ' || a.action || ' ' || a.target_id FROM audit a
			JOIN webhooks w ON w.account_id = a.account_id AND w.id = $1
		WHERE a.denied = '' AND `+position+` > w.after_position ORDER BY a.seq`, h.id) {
		part := strings.Split(line, " ")
		if kind, _, _ := strings.Cut(part[1], "."); h.events == nil || slices.Contains(h.events, kind+".*") {
			wanted = append(wanted, event{part[0], part[1], part[2]})
		}
	}
	return wanted
}

// left are the events that are not known to be taken, each as a line.
func (h *hook) left(t *testing.T, tx *sql.Tx) []string {
	t.Helper()
	known := map[string]bool{}
	for _, id := range disk.Texts(t, tx, `SELECT event_id FROM webhook_deliveries WHERE webhook_id = $1 AND ended_on > 0`, h.id) {
		known[id] = true
	}
	var left []string
	for _, e := range h.wanted(t, tx) {
		if !known[e.id] {
			left = append(left, "event "+e.id+" for webhook "+h.id)
		}
	}
	return left
}

// balance holds what the receiver got to the audit log, and to what is kept of it:
// each event has one message, which was taken, and nothing else came.
func (h *hook) balance(t *testing.T, tx *sql.Tx, rows map[string]disk.Row) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := map[string]string{} // message by event
	for _, line := range disk.Texts(t, tx, `SELECT id || ' ' || event_id || ' ' || state || ' ' || attempts
			FROM webhook_deliveries WHERE webhook_id = $1`, h.id) {
		var id, eventID, state string
		var attempts int
		if _, err := fmt.Sscan(line, &id, &eventID, &state, &attempts); err != nil {
			t.Fatal(err)
		}
		if other := kept[eventID]; other != "" {
			t.Errorf("event %s: has two messages to webhook %s, %s and %s, want one", eventID, h.id, other, id)
		}
		kept[eventID] = id
		m := h.came[id]
		switch {
		case m == nil || m.taken == 0 || m.ID != eventID:
			t.Errorf("message %s of event %s: kept as %s, came as %+v, want it taken", id, eventID, state, m)
		case state != "delivered" || m.times > attempts:
			t.Errorf("message %s of event %s: came %d times, kept as %s after %d attempts", id, eventID, m.times, state, attempts)
		}
	}
	wanted := h.wanted(t, tx)
	for _, e := range wanted {
		m := h.came[kept[e.id]]
		if m == nil || m.Action.Type != e.action || m.Resource.ID != e.target {
			t.Errorf("event %+v: got %+v, want a message of it", e, m)
		}
	}
	if len(h.came) != len(wanted) || len(kept) != len(wanted) {
		t.Errorf("webhook %s: %d messages came and %d are kept, want one of each of %d events", h.id, len(h.came), len(kept), len(wanted))
	}
	h.balanceOrder(t, wanted, rows)
}

// balanceOrder puts what came of each membership in the order of its sequence,
// whichever way it came: that is the order in which it happened, without a gap, and
// the last one says where the membership stands.
func (h *hook) balanceOrder(t *testing.T, wanted []event, rows map[string]disk.Row) {
	t.Helper()
	happened := map[string][]string{}
	for _, e := range wanted {
		if kind, _, _ := strings.Cut(e.action, "."); kind == "invite" || kind == "member" {
			happened[e.target] = append(happened[e.target], e.id)
		}
	}
	came := map[string][]*notice{}
	for _, m := range h.came {
		if happened[m.Resource.ID] != nil {
			came[m.Resource.ID] = append(came[m.Resource.ID], m)
		}
	}
	whole := !slices.Equal(h.events, []string{"invite.*"})
	for target, ids := range happened {
		of := came[target]
		slices.SortFunc(of, func(a, b *notice) int { return cmp.Compare(a.Sequence, b.Sequence) })
		var got []string
		for i, m := range of {
			got = append(got, m.ID)
			if i > 0 && (m.Sequence == of[i-1].Sequence || whole && m.Sequence != of[i-1].Sequence+1) {
				t.Errorf("membership %s: sequence %d comes after %d", target, m.Sequence, of[i-1].Sequence)
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("membership %s: by their sequence its events are %q, want %q", target, got, ids)
			continue
		}
		var last struct{ Status string }
		if err := json.Unmarshal([]byte(of[len(of)-1].NewValue), &last); err != nil || whole && last.Status != rows[target].Status {
			t.Errorf("membership %s: its last event leaves it %q (%v), want %q", target, last.Status, err, rows[target].Status)
		}
	}
}
