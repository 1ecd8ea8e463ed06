package iam

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// funnelRow is one that was invited by ada@a.example at sentOn and is pending.
func funnelRow(edits ...func(*FunnelRow)) FunnelRow {
	row := FunnelRow{Email: "u@example.com", InvitedBy: "ada@a.example", Status: Pending, InvitedOn: sentOn}
	for _, edit := range edits {
		edit(&row)
	}
	return row
}

func answered(status Status, after time.Duration) func(*FunnelRow) {
	return func(r *FunnelRow) { r.Status, r.AnsweredOn = status, sentOn.Add(after) }
}

func TestHowFarInvitationsCame(t *testing.T) {
	t.Parallel()
	delivered := func(r *FunnelRow) { r.DeliveredOn = sentOn }
	opened := func(r *FunnelRow) { r.OpenedOn = sentOn }
	as := func(status Status) func(*FunnelRow) { return func(r *FunnelRow) { r.Status = status } }
	tally := NewFunnelTally("")
	if got := tally.Funnel(); got.Created != 0 || got.MedianAnswer >= 0 {
		t.Errorf("of none: got %+v", got)
	}
	for _, row := range []FunnelRow{
		funnelRow(),
		funnelRow(delivered),
		funnelRow(delivered, opened, answered(Accepted, time.Hour)),
		funnelRow(delivered, answered(Rejected, 3*time.Hour)),
		funnelRow(opened, answered(Left, 2*time.Hour)),
		funnelRow(answered(Removed, 9*time.Hour)),
		funnelRow(answered(Accepted, -time.Hour)), // an import may say so
		funnelRow(as(Expired)),
		funnelRow(as(Canceled)),
	} {
		tally.Add(row)
	}
	want := FunnelCounts{
		Created: 9, Delivered: 3, Opened: 2, Pending: 2, Accepted: 4, Declined: 1, Expired: 1, Withdrawn: 1, MedianAnswer: 2 * time.Hour,
	}
	if got := tally.Funnel(); got.FunnelCounts != want || len(got.Groups) != 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestInvitationsAreToldApart(t *testing.T) {
	t.Parallel()
	for by, want := range map[FunnelBy][]string{ByInviter: {"ada@a.example 2", "bob@b.example 1"}, ByDomain: {"x.example 2", "y.example 1"}} {
		tally := NewFunnelTally(by)
		tally.Add(funnelRow(func(r *FunnelRow) { r.Email = "1@x.example" }))
		tally.Add(funnelRow(func(r *FunnelRow) { r.Email, r.InvitedBy = "2@x.example", "bob@b.example" }))
		tally.Add(funnelRow(func(r *FunnelRow) { r.Email = "1@y.example" }))
		var got []string
		for _, group := range tally.Funnel().Groups {
			got = append(got, fmt.Sprint(group.Name, " ", group.Created))
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s: got %q, want %q", by, got, want)
		}
	}
	tally := NewFunnelTally(ByDomain)
	for i := range MaxFunnelGroups + 3 {
		tally.Add(funnelRow(func(r *FunnelRow) { r.Email = fmt.Sprintf("u@%03d.example", i) }))
	}
	if got := tally.Funnel(); len(got.Groups) != MaxFunnelGroups || got.Others != 3 || got.Groups[0].Name != "000.example" {
		t.Errorf("of many domains: got %d and %d others, want the first %d", len(got.Groups), got.Others, MaxFunnelGroups)
	}
}

// Who was only ever refused is a group too, behind those that made something.
func TestRefusalsAreToldApart(t *testing.T) {
	t.Parallel()
	tally := NewFunnelTally(ByDomain)
	tally.Add(funnelRow())
	refused := func(about, email, reason string, count int) {
		tally.AddRefusal(FunnelRefusal{Refusal: Refusal{InviteCreate, reason, count}, About: about, Email: email})
	}
	refused(refusalSnapshot("a.example", ""), "", "role_ceiling", 1)
	refused(refusalSnapshot("b.example", "1"), "", "domain_refused", 1)
	refused(refusalSnapshot("b.example", "2"), "", "domain_refused", 1)
	refused("", "u@example.com", "grantor_lost", 1)
	refused(refusalSnapshot("", "3"), "", "forbidden", 1)
	var got []string
	funnel := tally.Funnel()
	for _, group := range funnel.Groups {
		got = append(got, fmt.Sprint(group.Name, " ", group.Created, " ", group.Refusals))
	}
	want := []string{
		"example.com 1 [{invite.create grantor_lost 1}]", "b.example 0 [{invite.create domain_refused 2}]", "a.example 0 [{invite.create role_ceiling 1}]",
	}
	if !slices.Equal(got, want) || len(funnel.Refusals) != 4 {
		t.Errorf("got %q and of all %+v, want %q", got, funnel.Refusals, want)
	}
}
