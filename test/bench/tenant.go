package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// tenant is a running peer and what its database holds.
type tenant struct {
	peer
	*server // the first of all

	all        []*server
	seeded     seeded
	population population
	client     *http.Client
}

// tenantOf fills a fresh database of a peer and starts it.
func (b bench) tenantOf(ctx context.Context, p peer, s setup, of population, work string) (*tenant, error) {
	dir, err := os.MkdirTemp(work, "peer-*")
	if err != nil {
		return nil, err
	}
	t := &tenant{peer: p, population: of, client: &http.Client{
		Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	if t.seeded, err = p.seed(ctx, dir, of, s); err != nil {
		return nil, fmt.Errorf("seed %s: %w", p.name(), err)
	}
	if len(t.seeded.Members) != len(of.Rows) || len(t.seeded.Credentials) != len(of.Users) {
		return nil, fmt.Errorf("%s made %d rows and %d users, want %d and %d",
			p.name(), len(t.seeded.Members), len(t.seeded.Credentials), len(of.Rows), len(of.Users))
	}
	log := b.log
	if log != os.DevNull {
		log = filepath.Join(dir, "log")
	}
	for range max(1, s.processes) {
		started, err := p.start(ctx, log, dir, of, s)
		if err != nil {
			t.stopping(&err)
			return nil, fmt.Errorf("start %s: %w", p.name(), err)
		}
		t.all = append(t.all, started)
	}
	t.server = t.all[0]
	return t, nil
}

// stopping stops all processes and keeps an error unless there is one already.
func (t *tenant) stopping(err *error) {
	for _, s := range t.all {
		stopping(err, s)
	}
}

// reply is what came back.
type reply struct {
	status int
	body   []byte
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

// do makes one request as a user.
func (t *tenant) do(ctx context.Context, a ask, as int) (reply, error) {
	return t.doAt(ctx, t.addr, a, as)
}

func (t *tenant) doAt(ctx context.Context, addr string, a ask, as int) (_ reply, err error) {
	request, err := http.NewRequestWithContext(ctx, a.method, "http://"+addr+a.path, bytes.NewBufferString(a.body))
	if err != nil {
		return reply{}, err
	}
	if a.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	headers := t.credential(t.seeded, as, addr)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := t.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	body, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, body}, err
}

// must is do for what has to succeed.
func (t *tenant) must(ctx context.Context, a ask, as int) ([]byte, error) {
	r, err := t.do(ctx, a, as)
	if err == nil && !r.ok() {
		err = fmt.Errorf("%s %s: got %d %s", a.method, a.path, r.status, r.body)
	}
	return r.body, err
}

// asked is a request with who makes it.
type asked struct {
	ask

	as int
}

// volley makes requests at the same moment, to all processes in turn, each on a
// connection that is open already: opening has been paid for by a read.
func (t *tenant) volley(ctx context.Context, all []asked, warm ask) ([]reply, error) {
	var (
		ready, done sync.WaitGroup
		fire        = make(chan struct{})
		replies     = make([]reply, len(all))
		failures    = make([]error, len(all))
	)
	ready.Add(len(all))
	for i, a := range all {
		addr := t.all[i%len(t.all)].addr
		done.Go(func() {
			_, failures[i] = t.doAt(ctx, addr, warm, a.as)
			ready.Done()
			<-fire
			if failures[i] == nil {
				replies[i], failures[i] = t.doAt(ctx, addr, a.ask, a.as)
			}
		})
	}
	ready.Wait()
	close(fire)
	done.Wait()
	return replies, errors.Join(failures...)
}

func (t *tenant) pendingOf(ctx context.Context, account, as int) (int, error) {
	body, err := t.must(ctx, t.pending(t.seeded, account), as)
	if err != nil {
		return 0, err
	}
	return t.pendingIn(body)
}

func (t *tenant) rolesOf(ctx context.Context, account, as int) ([]string, error) {
	body, err := t.must(ctx, t.roster(t.seeded, account), as)
	if err != nil {
		return nil, err
	}
	return t.rolesIn(body)
}
