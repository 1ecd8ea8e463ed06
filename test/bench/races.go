package main

import (
	"context"
	"errors"
	"fmt"
)

// race is something that must not go wrong, tried many times in as many
// accounts.
type race struct {
	name  string
	limit int // of seats
	want  int // more than that is wrong
	// applies says whether a peer has what is raced for.
	applies func(limits) bool
	// rows are what account n has beside its owner.
	rows func(n int) []row
	// run tries it in account n and counts.
	run func(ctx context.Context, t *tenant, n int) (int, error)
}

// The users of every race. Each account has the same owner.
const (
	theOwner = iota
	theAdmin
	firstGuest
)

const (
	guests = 10
	seats  = 5
	twins  = 32
)

func races() []race {
	always := func(limits) bool { return true }
	return []race{
		{
			name: "32 identical invitations at once: how many are open after it", want: 1, applies: always,
			rows: func(int) []row { return nil }, run: raceTwins,
		},
		{
			name: "10 people invited at once with 5 seats: how many of these are taken", limit: seats, want: seats,
			applies: func(l limits) bool { return l.inviting },
			rows:    func(int) []row { return nil }, run: raceInvites,
		},
		{
			name: "10 invitations accepted at once with 5 seats: how many members there are", limit: seats, want: seats,
			applies: func(l limits) bool { return l.accepting }, rows: openInvitations, run: raceAccepts,
		},
		{
			name: "an admin invites an admin and is removed, then it is accepted: how many admins there are", want: 0, applies: always,
			rows: func(n int) []row {
				return []row{{Account: n, User: theAdmin, Role: roleAdmin, Status: statusAccepted, By: theOwner}}
			},
			run: func(ctx context.Context, t *tenant, n int) (int, error) { return raceRemoved(ctx, t, n, true) },
		},
	}
}

// population of a race: an account for each time, and one to try things in.
func (r race) population(times int) population {
	p := population{Limit: r.limit, Users: []string{"owner@example.com", "admin@example.com"}}
	for n := range guests {
		p.Users = append(p.Users, fmt.Sprintf("guest-%d@example.com", n))
	}
	for n := range times + 1 {
		p.Accounts = append(p.Accounts, fmt.Sprintf("Account %d", n))
		p.Rows = append(p.Rows, row{Account: n, User: theOwner, Role: roleOwner, Status: statusAccepted, By: nobody})
		p.Rows = append(p.Rows, r.rows(n)...)
	}
	return p
}

func openInvitations(n int) []row {
	rows := make([]row, guests)
	for i := range rows {
		rows[i] = row{Account: n, User: firstGuest + i, Role: roleMember, Status: statusPending, By: theOwner}
	}
	return rows
}

// of finds somebody's row in an account.
func (p population) of(account, user int) int {
	for n, r := range p.Rows {
		if r.Account == account && r.User == user {
			return n
		}
	}
	return -1
}

// raced is what became of a race.
type raced struct {
	race   string
	peer   string
	setup  string
	times  int
	wrong  int
	worst  int // what was counted where it went most wrong
	want   int
	absent bool // the peer has nothing like it
}

// races lets every peer be tried in every way.
func (b bench) races(ctx context.Context, peers []peer, times int, work string) (all []raced, err error) {
	for _, r := range races() {
		for _, p := range peers {
			for _, s := range p.setups() {
				b.sayf("races: %s, %s: %s", p.name(), s.name, r.name)
				result := raced{race: r.name, peer: p.name(), setup: s.name, times: times, want: r.want}
				if result.absent = !r.applies(p.limits()); !result.absent {
					if err := b.try(ctx, r, p, s, &result, work); err != nil {
						return nil, fmt.Errorf("%s: %s, %s: %w", r.name, p.name(), s.name, err)
					}
				}
				all = append(all, result)
			}
		}
	}
	return all, nil
}

func (b bench) try(ctx context.Context, r race, p peer, s setup, result *raced, work string) (err error) {
	t, err := b.tenantOf(ctx, p, s, r.population(result.times), work)
	if err != nil {
		return err
	}
	defer t.stopping(&err)
	if r.limit == 0 && len(r.rows(0)) > 0 {
		// Where the admin stays, the invitation has to work; else nothing was shown.
		if n, err := raceRemoved(ctx, t, result.times, false); err != nil || n != 2 {
			return fmt.Errorf("an admin who was not removed invited an admin: there are %d, want 2: %w", n, err)
		}
	}
	for n := range result.times {
		counted, err := r.run(ctx, t, n)
		if err != nil {
			return err
		}
		result.worst = max(result.worst, counted)
		if counted > r.want {
			result.wrong++
		}
	}
	return nil
}

// needOne fails a race in which nobody got through: it shows nothing.
func needOne(replies []reply) error {
	for _, r := range replies {
		if r.ok() {
			return nil
		}
	}
	return fmt.Errorf("of %d requests none got through; one got %d %s", len(replies), replies[0].status, replies[0].body)
}

func raceTwins(ctx context.Context, t *tenant, n int) (int, error) {
	all := make([]asked, twins)
	for i := range all {
		all[i] = asked{t.invite(t.seeded, n, t.population.Users[firstGuest], roleMember, theOwner), theOwner}
	}
	replies, err := t.volley(ctx, all, t.roster(t.seeded, n))
	if err = errors.Join(err, needOne(replies)); err != nil {
		return 0, err
	}
	return t.pendingOf(ctx, n, theOwner)
}

func raceInvites(ctx context.Context, t *tenant, n int) (int, error) {
	all := make([]asked, guests)
	for i := range all {
		all[i] = asked{t.invite(t.seeded, n, t.population.Users[firstGuest+i], roleMember, theOwner), theOwner}
	}
	replies, err := t.volley(ctx, all, t.roster(t.seeded, n))
	if err = errors.Join(err, needOne(replies)); err != nil {
		return 0, err
	}
	taken, err := t.pendingOf(ctx, n, theOwner)
	if err == nil && t.limits().members {
		var roles []string
		roles, err = t.rolesOf(ctx, n, theOwner)
		taken += len(roles)
	}
	return taken, err
}

func raceAccepts(ctx context.Context, t *tenant, n int) (int, error) {
	all := make([]asked, guests)
	for i := range all {
		invite := t.seeded.Invites[t.population.of(n, firstGuest+i)]
		all[i] = asked{t.accept(invite), firstGuest + i}
	}
	replies, err := t.volley(ctx, all, t.roster(t.seeded, n))
	if err = errors.Join(err, needOne(replies)); err != nil {
		return 0, err
	}
	roles, err := t.rolesOf(ctx, n, theOwner)
	return len(roles), err
}

// raceRemoved is no race: one thing after the other. It counts admins.
func raceRemoved(ctx context.Context, t *tenant, n int, remove bool) (int, error) {
	body, err := t.must(ctx, t.invite(t.seeded, n, t.population.Users[firstGuest], roleAdmin, theAdmin), theAdmin)
	if err != nil {
		return 0, err
	}
	invite, err := t.invited(body)
	if err != nil {
		return 0, err
	}
	if remove {
		member := t.seeded.Members[t.population.of(n, theAdmin)]
		if _, err := t.must(ctx, t.remove(t.seeded, n, member), theOwner); err != nil {
			return 0, err
		}
	}
	if _, err := t.do(ctx, t.accept(invite), firstGuest); err != nil {
		return 0, err
	}
	roles, err := t.rolesOf(ctx, n, theOwner)
	admins := 0
	for _, role := range roles {
		if role == roleAdmin {
			admins++
		}
	}
	return admins, err
}
