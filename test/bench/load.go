package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is a closed loop: each connection asks again as soon as it has its
// answer, until the time is over. With a rate it is an open one: requests fall
// due at that rate, whether or not there was an answer to those before, and each
// is as late as its answer is after it was due; so a server that stands still
// is charged with all that it kept waiting. It speaks HTTP by hand, since it
// runs on the same cores as what it measures.
type load struct {
	addr  string
	conns int
	time  time.Duration
	rate  float64 // requests a second; 0: a closed loop
	// request appends a connection's next request to buf; empty: there is none.
	request func(conn int, buf []byte) []byte
	// answered takes the body of each answer where it is not nil.
	answered func(conn int, body []byte) error
}

// measured is what a load saw.
type measured struct {
	answers  int
	bytes    int // of their bodies
	elapsed  time.Duration
	cpu      time.Duration // of the server
	p50, p99 time.Duration
}

// rate is answers a second.
func (m measured) rate() float64 { return float64(m.answers) / m.elapsed.Seconds() }

// each is the processor time that one answer took the server.
func (m measured) each() time.Duration { return m.cpu / time.Duration(max(1, m.answers)) }

// measure runs the load against a server.
func (l load) measure(ctx context.Context, s *server) (measured, error) {
	l.addr = s.addr
	before, err := s.cpu()
	if err != nil {
		return measured{}, err
	}
	m, err := l.run(ctx)
	if err != nil {
		return measured{}, err
	}
	after, err := s.cpu()
	m.cpu = after - before
	return m, err
}

func (l load) run(ctx context.Context) (measured, error) {
	var (
		group    sync.WaitGroup
		seen     = make([]seen, l.conns)
		failures = make([]error, l.conns)
		begin    = time.Now()
		clock    = schedule{begin: begin, end: begin.Add(l.time), rate: l.rate}
	)
	for conn := range l.conns {
		group.Go(func() { seen[conn], failures[conn] = l.loop(ctx, conn, &clock) })
	}
	group.Wait()
	elapsed := time.Since(begin)
	if err := errors.Join(append(failures, ctx.Err())...); err != nil {
		return measured{}, err
	}
	var m measured
	var all []time.Duration
	for _, s := range seen {
		all, m.bytes = append(all, s.latencies...), m.bytes+s.bytes
	}
	if len(all) == 0 {
		return measured{}, errors.New("there was no answer at all")
	}
	slices.Sort(all)
	m.answers, m.elapsed, m.p50, m.p99 = len(all), elapsed, all[len(all)/2], all[len(all)*99/100]
	return m, nil
}

// seen is what one connection saw.
type seen struct {
	latencies []time.Duration
	bytes     int
}

// schedule says when requests are due; all connections share it.
type schedule struct {
	begin, end time.Time
	rate       float64
	drawn      atomic.Int64
}

// next waits until a request is due and returns when that was. It reports false
// at the end.
func (s *schedule) next() (time.Time, bool) {
	if s.rate == 0 {
		now := time.Now()
		return now, now.Before(s.end)
	}
	due := s.begin.Add(time.Duration(float64(s.drawn.Add(1)-1) / s.rate * float64(time.Second)))
	if !due.Before(s.end) {
		return due, false
	}
	time.Sleep(time.Until(due))
	return due, true
}

func (l load) loop(ctx context.Context, conn int, clock *schedule) (s seen, err error) {
	limit := clock.end.Add(30 * time.Second)
	dialer := net.Dialer{Timeout: 10 * time.Second, Deadline: limit}
	wire, err := dialer.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return seen{}, err
	}
	defer func() { _ = wire.Close() }()
	if err := wire.SetDeadline(limit); err != nil {
		return seen{}, err
	}
	var (
		request = make([]byte, 0, 1<<10)
		reader  = answerReader{lines: bufio.NewReaderSize(wire, 1<<14)}
	)
	for ctx.Err() == nil {
		begin, more := clock.next()
		if !more {
			break
		}
		if request = l.request(conn, request[:0]); len(request) == 0 {
			break
		}
		if _, err := wire.Write(request); err != nil {
			return seen{}, err
		}
		status, body, err := reader.next()
		if err != nil {
			return seen{}, fmt.Errorf("read answer: %w", err)
		}
		s.latencies = append(s.latencies, time.Since(begin))
		s.bytes += len(body)
		if status != 200 {
			return seen{}, fmt.Errorf("got %d %s for\n%s", status, body, request)
		}
		if l.answered != nil {
			if err := l.answered(conn, body); err != nil {
				return seen{}, err
			}
		}
	}
	return s, nil
}

// answerReader reads answers from a connection that stays open.
type answerReader struct {
	lines *bufio.Reader
	body  []byte
}

// next is the status and body of the next answer; the body holds until the one
// after it.
func (r *answerReader) next() (int, []byte, error) {
	line, err := r.line()
	if err != nil {
		return 0, nil, err
	}
	const version = len("HTTP/1.1 ")
	if len(line) < version+3 {
		return 0, nil, fmt.Errorf("the answer begins with %q", line)
	}
	status, err := strconv.Atoi(string(line[version : version+3]))
	if err != nil {
		return 0, nil, err
	}
	length := -1
	for {
		if line, err = r.line(); err != nil {
			return 0, nil, err
		}
		if len(line) == 0 {
			break
		}
		const name = "content-length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return 0, nil, err
			}
		}
	}
	r.body = r.body[:0]
	if length >= 0 {
		err = r.take(length)
	} else {
		err = r.chunks()
	}
	return status, r.body, err
}

func (r *answerReader) line() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// take appends that many bytes to the body.
func (r *answerReader) take(n int) error {
	from := len(r.body)
	r.body = slices.Grow(r.body, n)[:from+n]
	_, err := io.ReadFull(r.lines, r.body[from:])
	return err
}

// chunks reads a body whose length was not told.
func (r *answerReader) chunks() error {
	for {
		line, err := r.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil {
			return err
		}
		if err := r.take(int(size)); err != nil {
			return err
		}
		if _, err := r.line(); err != nil || size == 0 {
			return err
		}
	}
}
