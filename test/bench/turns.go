package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// turns are what was measured of the peers, one after the other in each round.
type turns struct {
	floor []measured
	peers []peerTurns
}

type peerTurns struct {
	tenant                  *tenant
	loaded                  int // anonymous memory, the most that was seen
	reads, invites, accepts []measured
}

// turns lets each peer, as its setup comes first, answer the same requests over
// the same population.
func (b bench) turns(ctx context.Context, floorProgram string, peers []peer, w world, work string) (r turns, err error) {
	floor, err := startServer(ctx, b.log, floorProgram, func(addr string) []string { return []string{addr} })
	if err != nil {
		return turns{}, err
	}
	defer stopping(&err, floor)
	population := peerPopulation(w)
	askings := make([]*asking, len(peers))
	for i, p := range peers {
		b.sayf("speed: seeding %s", p.name())
		t, err := b.tenantOf(ctx, p, p.setups()[0], population, work)
		if err != nil {
			return turns{}, err
		}
		defer t.stopping(&err)
		r.peers = append(r.peers, peerTurns{tenant: t})
		askings[i] = newAsking(w, t, b.conns)
	}
	floorRequests := newReadRequests(w, b.conns)
	for round := range b.rounds {
		b.sayf("speed: round %d of %d", round+1, b.rounds)
		m, err := b.warmLoad(ctx, floor, floorRequests.invite, round == 0)
		if err != nil {
			return turns{}, err
		}
		r.floor = append(r.floor, m)
		for i, a := range askings {
			if err := b.turn(ctx, a, &r.peers[i], round == 0); err != nil {
				return turns{}, fmt.Errorf("%s: %w", a.name(), err)
			}
		}
	}
	return r, nil
}

// turn is one peer's in a round.
func (b bench) turn(ctx context.Context, a *asking, into *peerTurns, first bool) error {
	read, err := b.warmLoad(ctx, a.server, a.readRequest, first)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	invite, err := load{conns: b.conns, time: b.time, request: a.inviteRequest, answered: a.inviteAnswered}.measure(ctx, a.server)
	if err != nil {
		return fmt.Errorf("invite: %w (are all invited already? then give more -rows, or less -time)", err)
	}
	a.collect()
	accept, err := load{conns: b.conns, time: b.time, request: a.acceptRequest}.measure(ctx, a.server)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	memory, err := a.memory()
	if err != nil {
		return err
	}
	into.loaded = max(into.loaded, memory)
	into.reads, into.invites, into.accepts = append(into.reads, read), append(into.invites, invite), append(into.accepts, accept)
	return nil
}

// asking writes the requests of the load for one peer.
type asking struct {
	world
	*tenant

	randoms []random
	open    []int // rows that are pending
	drawn   atomic.Int64
	users   []int // whom each connection has just asked
	made    [][]invited
	toTake  []invited
	taken   atomic.Int64
}

func newAsking(w world, t *tenant, conns int) *asking {
	a := &asking{world: w, tenant: t, randoms: make([]random, conns), users: make([]int, conns), made: make([][]invited, conns)}
	for i := range a.randoms {
		a.randoms[i].state = mix(uint64(i))
	}
	for n, r := range t.population.Rows {
		if r.Status == statusPending {
			a.open = append(a.open, n)
		}
	}
	return a
}

func (a *asking) as(buf []byte, request ask, user int) []byte {
	return request.append(buf, a.addr, a.credential(a.seeded, user, a.addr))
}

func (a *asking) readRequest(conn int, buf []byte) []byte {
	n := a.open[a.randoms[conn].below(len(a.open))]
	return a.as(buf, a.read(a.seeded.Invites[n]), a.population.Rows[n].User)
}

func (a *asking) inviteRequest(conn int, buf []byte) []byte {
	n := int(a.drawn.Add(1)) - 1
	account, k := n%a.accounts, n/a.accounts
	if k >= perAccount {
		return buf // everybody was asked
	}
	a.users[conn] = a.stranger(account, k)
	admin := a.admin(account)
	return a.as(buf, a.tenant.invite(a.seeded, account, a.population.Users[a.users[conn]], roleMember, admin), admin)
}

func (a *asking) inviteAnswered(conn int, body []byte) error {
	id, err := a.invited(body)
	if err == nil && id == "" {
		err = errors.New("the answer to an invitation names none")
	}
	a.made[conn] = append(a.made[conn], invited{id, a.users[conn]})
	return err
}

// collect makes what was invited in this round the next to be accepted.
func (a *asking) collect() {
	a.toTake = slices.Concat(a.made...)
	slices.SortFunc(a.toTake, func(x, y invited) int { return cmp.Compare(x.id, y.id) })
	clear(a.made)
	a.taken.Store(0)
}

func (a *asking) acceptRequest(_ int, buf []byte) []byte {
	n := int(a.taken.Add(1)) - 1
	if n >= len(a.toTake) {
		return buf
	}
	return a.as(buf, a.accept(a.toTake[n].id), a.toTake[n].user)
}
