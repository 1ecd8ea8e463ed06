package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"hither/internal/iam"
)

// writes are what was measured of durable changes.
type writes struct {
	creates, accepts writeCase
	bulks            bulks
	loaded           int // anonymous memory of the server, the most that was seen
}

// writeCase is one kind of change: by hither, and by the bare loop with one
// change a commit and, where the bare loop is a single writer, with as many as
// there are clients. A round each.
type writeCase struct {
	hither       []measured
	steady       []measured // at share of the rate of the round
	alone, group []float64  // changes a second
}

// writes lets hither and a bare loop make the same changes in turn, each to a
// copy of the database.
func (b bench) writes(ctx context.Context, p programs, w world, e engine, work string) (r writes, err error) {
	hither, loop, err := e.serveCopy(ctx, p.hither, work)
	if err != nil {
		return writes{}, err
	}
	defer func() { err = errors.Join(err, loop.close()) }()
	defer stopping(&err, hither)
	inviting := newInviting(w, b.conns)
	for round := range b.rounds {
		b.sayf("writes, %s: round %d of %d", e.name(), round+1, b.rounds)
		creating := load{conns: b.conns, time: b.time, request: inviting.request, answered: inviting.answered}
		created, err := b.writeRound(ctx, hither, creating, creating, &r.creates)
		if err != nil {
			return writes{}, fmt.Errorf("create: %w", err)
		}
		rows, err := loop.created(ctx)
		if err != nil {
			return writes{}, err
		}
		// What the first load accepts leaves as many for the second as that needs.
		first, second := inviting.accepting()
		accepting := load{conns: b.conns, time: b.time, request: first.request}
		accepted, err := b.writeRound(ctx, hither, accepting, load{conns: b.conns, time: b.time, request: second.request}, &r.accepts)
		if err != nil {
			return writes{}, fmt.Errorf("accept: %w", err)
		}
		answers, err := loop.accepted(ctx)
		if err != nil {
			return writes{}, err
		}
		if len(rows) != created || len(answers) != accepted {
			return writes{}, fmt.Errorf("hither acknowledged %d and %d changes and wrote %d and %d",
				created, accepted, len(rows), len(answers))
		}
		if err := b.bareRound(ctx, loop, rows, answers, &r); err != nil {
			return writes{}, fmt.Errorf("bare loop: %w", err)
		}
		if err := b.bulkRound(ctx, hither, w, round, beside*r.creates.hither[round].rate(), &r.bulks); err != nil {
			return writes{}, fmt.Errorf("bulk: %w", err)
		}
		if err := loop.pass(ctx); err != nil {
			return writes{}, err
		}
		now, err := hither.memory()
		if err != nil {
			return writes{}, err
		}
		r.loaded = max(r.loaded, now)
	}
	return r, nil
}

// writeRound measures a case at its limit and then below it, and says how many
// changes that were.
func (b bench) writeRound(ctx context.Context, s *server, full, steady load, into *writeCase) (int, error) {
	atLimit, err := full.measure(ctx, s)
	if err != nil {
		return 0, err
	}
	steady.rate = share * atLimit.rate()
	below, err := steady.measure(ctx, s)
	if err != nil {
		return 0, err
	}
	into.hither, into.steady = append(into.hither, atLimit), append(into.steady, below)
	return atLimit.answers + below.answers, nil
}

// bareRound makes the changes of a round once more, one to a commit. A single
// writer makes half of them in groups.
func (b bench) bareRound(ctx context.Context, loop *bare, rows, answers []change, r *writes) error {
	for _, part := range []struct {
		changes []change
		into    *writeCase
	}{{rows, &r.creates}, {answers, &r.accepts}} {
		cut := len(part.changes)
		if len(loop.writers) == 1 {
			cut /= 2
		}
		alone, err := loop.apply(ctx, part.changes[:cut], 1)
		if err != nil {
			return err
		}
		part.into.alone = append(part.into.alone, alone)
		if cut == len(part.changes) {
			continue
		}
		group, err := loop.apply(ctx, part.changes[cut:], b.conns)
		if err != nil {
			return err
		}
		part.into.group = append(part.into.group, group)
	}
	return nil
}

// inviting makes invitations: each asks a user who is not in the account, by
// the account's administrator.
type inviting struct {
	world

	roles []iam.Role
	drawn atomic.Int64
	users []int // whom each connection has just asked
	made  [][]invited
}

type invited struct {
	id   string
	user int
}

func newInviting(w world, conns int) *inviting {
	_, roles := builtinRoles()
	return &inviting{world: w, roles: roles, users: make([]int, conns), made: make([][]invited, conns)}
}

func (i *inviting) request(conn int, buf []byte) []byte {
	n := int(i.drawn.Add(1)) - 1
	account, k := n%i.accounts, n/i.accounts
	if k >= perAccount {
		return buf // everybody was asked
	}
	i.users[conn] = i.stranger(account, k)
	buf = append(buf, "POST /client/v4/accounts/"...)
	buf = appendID(buf, accountKind, account)
	buf = append(buf, "/members"...)
	body := fmt.Sprintf(`{"email":%q,"roles":[%q]}`, appendEmail(nil, i.users[conn]), i.roles[n%len(i.roles)].ID)
	return i.asUser(buf, i.admin(account), body)
}

func (i *inviting) answered(conn int, body []byte) error {
	var answer struct {
		Result struct {
			ID string `json:"id"`
		} `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	i.made[conn] = append(i.made[conn], invited{answer.Result.ID, i.users[conn]})
	return nil
}

// accepting takes what was invited since the last time, in that order, in two
// parts: one for a load at the limit, and one below it.
func (i *inviting) accepting() (atLimit, below *accepting) {
	open := slices.Concat(i.made...)
	slices.SortFunc(open, func(x, y invited) int { return cmp.Compare(x.id, y.id) })
	clear(i.made)
	cut := int(float64(len(open)) / (1 + share))
	return &accepting{world: i.world, open: open[:cut]}, &accepting{world: i.world, open: open[cut:]}
}

// accepting accepts invitations, each by its user.
type accepting struct {
	world

	open []invited
	next atomic.Int64
}

func (a *accepting) request(_ int, buf []byte) []byte {
	n := int(a.next.Add(1)) - 1
	if n >= len(a.open) {
		return buf
	}
	buf = append(buf, "PATCH /client/v4/user/invites/"...)
	buf = append(buf, a.open[n].id...)
	return a.asUser(buf, a.open[n].user, `{"status":"accepted"}`)
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.Sync() // what is still to be written would slow down the first round
}

// medianOf is the middle of some numbers.
func medianOf(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// median is the middle of what each round says.
func median[T any](rounds []T, says func(T) float64) float64 {
	numbers := make([]float64, len(rounds))
	for i, round := range rounds {
		numbers[i] = says(round)
	}
	return medianOf(numbers)
}
