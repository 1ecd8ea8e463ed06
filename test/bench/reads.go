package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// reads are what was measured of an engine without changing anything.
type reads struct {
	cases  []readCase
	idle   int // bytes of anonymous memory after the start
	loaded int // the most that was seen under load
}

type readCase struct {
	name   string
	aim    string // the cpuX that we want, "" for none
	rounds []measured
	steady []measured // at share of the rate of the round
}

// share of a server's greatest rate is what it is asked for where latency is
// measured: at its limit every server has a queue.
const share = 0.7

// reads measures the floor and hither on each engine in turn.
func (b bench) reads(ctx context.Context, p programs, w world, engines []engine, into *report) (err error) {
	floor, err := startServer(ctx, b.log, p.floor, func(addr string) []string { return []string{addr} })
	if err != nil {
		return err
	}
	defer stopping(&err, floor)
	into.floor.name = "the floor"
	hithers := make([]*server, len(engines))
	for i, e := range engines {
		hither, err := e.serve(ctx, p.hither)
		if err != nil {
			return err
		}
		defer stopping(&err, hither)
		hithers[i] = hither
		r := &into.engines[i].reads
		r.cases = []readCase{
			{name: "GET /user/invites/{id}: any of them, with its user's key", aim: e.inviteAim()},
			{name: "GET …/members, first page of 20", aim: "≤ 7"},
			{name: "GET …/members, any page of 20"},
		}
		if r.idle, err = hither.memory(); err != nil {
			return err
		}
	}
	requests := newReadRequests(w, b.conns)
	for round := range b.rounds {
		b.sayf("reads: round %d of %d", round+1, b.rounds)
		// The floor gets the very requests of the first case.
		if err := b.readRound(ctx, floor, requests.invite, round == 0, &into.floor); err != nil {
			return err
		}
		for i, hither := range hithers {
			if err := b.readTurn(ctx, hither, requests, round == 0, &into.engines[i].reads); err != nil {
				return fmt.Errorf("%s: %w", engines[i].name(), err)
			}
		}
	}
	return nil
}

// readTurn is one engine's in a round.
func (b bench) readTurn(ctx context.Context, s *server, requests *readRequests, first bool, into *reads) error {
	for i, request := range []func(int, []byte) []byte{requests.invite, requests.firstPage, requests.anyPage} {
		if err := b.readRound(ctx, s, request, first, &into.cases[i]); err != nil {
			return err
		}
		now, err := s.memory()
		if err != nil {
			return err
		}
		into.loaded = max(into.loaded, now)
	}
	return nil
}

// readRound measures a case at its limit and then below it.
func (b bench) readRound(ctx context.Context, s *server, request func(int, []byte) []byte, first bool, into *readCase) error {
	m, err := b.warmLoad(ctx, s, request, first)
	if err != nil {
		return err
	}
	steady, err := load{conns: b.conns, time: b.time, request: request, rate: share * m.rate()}.measure(ctx, s)
	if err != nil {
		return err
	}
	into.rounds, into.steady = append(into.rounds, m), append(into.steady, steady)
	return nil
}

// warmLoad measures once, the first time after a run that does not count.
func (b bench) warmLoad(ctx context.Context, s *server, request func(int, []byte) []byte, first bool) (measured, error) {
	l := load{conns: b.conns, time: b.time, request: request}
	if first {
		warm := l
		warm.time = min(b.time, 2*time.Second)
		if _, err := warm.measure(ctx, s); err != nil {
			return measured{}, err
		}
	}
	return l.measure(ctx, s)
}

// stopping stops a server and keeps its error unless there is one already.
func stopping(err *error, s *server) {
	if failure := s.stop(); failure != nil && *err == nil {
		*err = failure
	}
}

// readRequests writes requests that change nothing, each connection by its own
// numbers.
type readRequests struct {
	world

	randoms []random
}

func newReadRequests(w world, conns int) *readRequests {
	r := &readRequests{world: w, randoms: make([]random, conns)}
	for i := range r.randoms {
		r.randoms[i].state = mix(uint64(i))
	}
	return r
}

func (r *readRequests) invite(conn int, buf []byte) []byte {
	membership, user := r.world.invite(&r.randoms[conn])
	buf = append(buf, "GET /client/v4/user/invites/"...)
	buf = appendID(buf, memberKind, membership)
	return r.asUser(buf, user, "")
}

func (r *readRequests) firstPage(conn int, buf []byte) []byte { return r.page(conn, buf, 1) }

func (r *readRequests) anyPage(conn int, buf []byte) []byte {
	const size = 20
	return r.page(conn, buf, 1+r.randoms[conn].below(r.big/size*8/10)) // less what was rejected
}

func (r *readRequests) page(conn int, buf []byte, number int) []byte {
	buf = append(buf, "GET /client/v4/accounts/"...)
	buf = appendID(buf, accountKind, r.bigAccount())
	buf = append(buf, "/members?per_page=20&page="...)
	buf = strconv.AppendInt(buf, int64(number), 10)
	return r.asUser(buf, r.randoms[conn].below(bigAdmins), "")
}

// asUser ends a request with the user's credentials and a body, "" for none.
func (w world) asUser(buf []byte, user int, body string) []byte {
	buf = append(buf, " HTTP/1.1\r\nHost: localhost\r\nX-Auth-Email: "...)
	buf = appendEmail(buf, user)
	buf = append(buf, "\r\nX-Auth-Key: "...)
	buf = append(buf, w.keys[user]...)
	if body != "" {
		buf = append(buf, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(body)), 10)
	}
	buf = append(buf, "\r\n\r\n"...)
	return append(buf, body...)
}
