package iam

import (
	"context"
	"errors"
	"maps"
	"testing"
)

// reruns is a store that runs each closure twice, as it may, and then says err.
type reruns struct {
	Store

	tx  Tx
	err error
}

func (r *reruns) Update(_ context.Context, fn func(tx Tx) error) error {
	_ = fn(r.tx) // undone
	return errors.Join(fn(r.tx), r.err)
}

// agreeing is a transaction in which everything works.
type agreeing struct {
	Tx

	news bool
}

func (agreeing) InsertMembership(Membership, Link, AuditEntry) error       { return nil }
func (agreeing) UpdateMembership(Membership, Membership, AuditEntry) error { return nil }
func (agreeing) Settle(ID, string) ([]Member, error)                       { return make([]Member, 2), nil }
func (a agreeing) MarkOpened(ID, int) (bool, error)                        { return a.news, nil }
func (agreeing) Record(AuditEntry) error                                   { return nil }

// What a process did to invitations is counted once it is done, once.
func TestInvitationsAreCounted(t *testing.T) {
	t.Parallel()
	to := func(status Status) func(tx Tx) error {
		return func(tx Tx) error {
			return tx.UpdateMembership(Membership{Status: Pending}, Membership{Status: status}, AuditEntry{})
		}
	}
	insert := func(row Membership, action Action) func(tx Tx) error {
		return func(tx Tx) error { return tx.InsertMembership(row, Link{}, AuditEntry{Action: action}) }
	}
	record := func(action Action, denied string) func(tx Tx) error {
		return func(tx Tx) error { return tx.Record(AuditEntry{Action: action, Denied: denied}) }
	}
	opens := func(tx Tx) error { _, err := tx.MarkOpened("m", 1); return err }
	pending := Membership{Invited: true, Status: Pending}
	for name, test := range map[string]struct {
		do   func(tx Tx) error
		news bool
		err  error
		want map[InvitationEvent]int64
	}{
		"made":             {do: insert(pending, InviteCreate), want: map[InvitationEvent]int64{InvitationCreated: 1}},
		"made anew":        {do: insert(pending, InviteRenew), want: map[InvitationEvent]int64{InvitationCreated: 1}},
		"imported":         {do: insert(pending, Import)},
		"added directly":   {do: insert(Membership{Status: Accepted}, MemberAdd)},
		"accepted":         {do: to(Accepted), want: map[InvitationEvent]int64{InvitationAccepted: 1}},
		"declined":         {do: to(Rejected), want: map[InvitationEvent]int64{InvitationDeclined: 1}},
		"withdrawn":        {do: to(Canceled), want: map[InvitationEvent]int64{InvitationWithdrawn: 1}},
		"edited":           {do: to(Pending)},
		"two ran out":      {do: func(tx Tx) error { _, err := tx.Settle("a", ""); return err }, want: map[InvitationEvent]int64{InvitationExpired: 2}},
		"opened":           {do: opens, news: true, want: map[InvitationEvent]int64{InvitationOpened: 1}},
		"opened once more": {do: opens},
		"refused":          {do: record(InviteAccept, "grantor_lost"), want: map[InvitationEvent]int64{InvitationRefused: 1}},
		"refused else":     {do: record(MemberRemove, "forbidden")},
		"noted":            {do: record(InviteRemind, "")},
		"made, and undone": {do: insert(pending, InviteCreate), err: ErrStale},
	} {
		counters := NewInvitationCounters()
		err := Counted(&reruns{tx: agreeing{news: test.news}, err: test.err}, counters).Update(t.Context(), test.do)
		got := map[InvitationEvent]int64{}
		for _, event := range InvitationEvents() {
			if n := counters.Count(event); n > 0 {
				got[event] = n
			}
		}
		if !maps.Equal(got, test.want) || !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, test.want)
		}
	}
}
