package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// beside is how much of the greatest rate of single invitations is asked for
	// beside a bulk, in two accounts together: what people click, and not a load.
	beside = 0.1
	// longestBulk is how long a bulk may take.
	longestBulk = 10 * time.Minute
)

// bulks are what was measured of bulks of invitations, a round each.
type bulks struct {
	runs        []bulkRun // with nothing else to do
	same, other []besides // single invitations, in the bulk's account and in another
}

// bulkRun is one bulk, from when it was taken on to its end.
type bulkRun struct {
	rate float64       // rows a second
	each time.Duration // processor time that a row took the server
}

// besides are the same single invitations without a bulk and while one runs.
type besides struct{ without, during measured }

// later is how many times later the slowest hundredth is answered while a bulk runs.
func (b besides) later() float64 { return float64(b.during.p99) / float64(max(1, b.without.p99)) }

// bulkRound measures a bulk by itself, single invitations by themselves, and then
// the same invitations while another bulk of the same length runs.
func (b bench) bulkRound(ctx context.Context, s *server, w world, round int, rate float64, into *bulks) error {
	account, other := 2*round%w.accounts, (2*round+1)%w.accounts
	run, err := b.bulkAlone(ctx, s, w, account, fmt.Sprintf("alone%d", round))
	if err != nil {
		return err
	}
	pair := func(part string) [2]*single {
		return [2]*single{newSingle(w, account, fmt.Sprintf("same%s%d", part, round)), newSingle(w, other, fmt.Sprintf("other%s%d", part, round))}
	}
	without, err := b.singles(ctx, s, pair("without"), b.time, rate)
	if err != nil {
		return err
	}
	bulk, err := b.startBulk(ctx, s, w, account, fmt.Sprintf("beside%d", round))
	if err != nil {
		return err
	}
	asked := pair("during")
	var (
		ended   sync.WaitGroup
		failure error
	)
	ended.Go(func() {
		_, failure = bulk.await(ctx)
		for _, one := range asked {
			one.over.Store(true)
		}
	})
	during, err := b.singles(ctx, s, asked, longestBulk, rate)
	ended.Wait()
	if err := errors.Join(err, failure); err != nil {
		return err
	}
	into.runs = append(into.runs, run)
	into.same = append(into.same, besides{without[0], during[0]})
	into.other = append(into.other, besides{without[1], during[1]})
	return nil
}

func (b bench) bulkAlone(ctx context.Context, s *server, w world, account int, name string) (bulkRun, error) {
	before, err := s.cpu()
	if err != nil {
		return bulkRun{}, err
	}
	bulk, err := b.startBulk(ctx, s, w, account, name)
	if err != nil {
		return bulkRun{}, err
	}
	took, err := bulk.await(ctx)
	if err != nil {
		return bulkRun{}, err
	}
	after, err := s.cpu()
	return bulkRun{rate: float64(b.bulk) / took.Seconds(), each: (after - before) / time.Duration(b.bulk)}, err
}

// singles asks for single invitations in two accounts at once, each at half of the
// rate.
func (b bench) singles(ctx context.Context, s *server, asked [2]*single, most time.Duration, rate float64) ([2]measured, error) {
	var (
		group    sync.WaitGroup
		seen     [2]measured
		failures [2]error
	)
	for i, one := range asked {
		group.Go(func() {
			seen[i], failures[i] = load{addr: s.addr, conns: max(1, b.conns/2), time: most, rate: rate / 2, request: one.request}.run(ctx)
		})
	}
	group.Wait()
	return seen, errors.Join(failures[:]...)
}

// single makes invitations of one account, each of somebody new, until it is over;
// one at least.
type single struct {
	world

	account int
	name    string
	role    string
	drawn   atomic.Int64
	over    atomic.Bool
}

func newSingle(w world, account int, name string) *single {
	_, roles := builtinRoles()
	return &single{world: w, account: account, name: name, role: string(roles[0].ID)}
}

func (o *single) request(_ int, buf []byte) []byte {
	n := o.drawn.Add(1)
	if n > 1 && o.over.Load() {
		return buf
	}
	buf = append(buf, "POST /client/v4/accounts/"...)
	buf = appendID(buf, accountKind, o.account)
	buf = append(buf, "/members"...)
	return o.asUser(buf, o.admin(o.account), fmt.Sprintf(`{"email":"%s-%d@example.org","roles":[%q]}`, o.name, n, o.role))
}

// bulk is one that the server has taken on.
type bulk struct {
	world

	url     string
	account int
	rows    int
}

// bulkInfo is a bulk as the wire tells of it.
type bulkInfo struct {
	ID        string         `json:"id"`
	Status    string         `json:"status"`
	Counts    map[string]int `json:"counts"`
	CreatedOn time.Time      `json:"created_on"`
	EndedOn   time.Time      `json:"ended_on"`
}

// startBulk sends a list of people whom nobody knows yet.
func (b bench) startBulk(ctx context.Context, s *server, w world, account int, name string) (bulk, error) {
	_, roles := builtinRoles()
	var rows bytes.Buffer
	rows.WriteString("email,roles\n")
	for n := range b.bulk {
		fmt.Fprintf(&rows, "%s-%d@example.org,%s\n", name, n, roles[n%len(roles)].ID)
	}
	taken := bulk{
		world: w, account: account, rows: b.bulk,
		url: "http://" + s.addr + "/client/v4/organizations/" + string(rowID(accountKind, account)) + "/invites/bulk",
	}
	info, err := taken.ask(ctx, http.MethodPost, rows.Bytes())
	taken.url += "/" + info.ID
	return taken, err
}

// await waits for the end, and says how long it took by the server's own clock.
// Whoever is not invited would make it faster.
func (b bulk) await(ctx context.Context) (time.Duration, error) {
	for begin := time.Now(); ; {
		info, err := b.ask(ctx, http.MethodGet, nil)
		switch {
		case err != nil:
			return 0, err
		case info.Status != "running" && info.Counts["invited"] != b.rows:
			return 0, fmt.Errorf("a bulk of %d rows is %s with %v", b.rows, info.Status, info.Counts)
		case info.Status != "running":
			return info.EndedOn.Sub(info.CreatedOn), nil
		case time.Since(begin) > longestBulk:
			return 0, fmt.Errorf("a bulk runs for more than %s: %v", longestBulk, info.Counts)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (b bulk) ask(ctx context.Context, method string, body []byte) (info bulkInfo, err error) {
	request, err := http.NewRequestWithContext(ctx, method, b.url, bytes.NewReader(body))
	if err != nil {
		return bulkInfo{}, err
	}
	admin := b.admin(b.account)
	request.Header.Set("X-Auth-Email", string(appendEmail(nil, admin)))
	request.Header.Set("X-Auth-Key", b.keys[admin])
	if body != nil {
		request.Header.Set("Content-Type", "text/csv")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return bulkInfo{}, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	var envelope struct {
		Result bulkInfo        `json:"result"`
		Errors json.RawMessage `json:"errors"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return bulkInfo{}, err
	}
	if answer.StatusCode != http.StatusOK {
		return bulkInfo{}, fmt.Errorf("%s %s: got %d %s", method, b.url, answer.StatusCode, envelope.Errors)
	}
	return envelope.Result, nil
}
