package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hither/internal/iam"
)

const (
	// maxEventWait is how long a client may wait for the next event, in seconds: less
	// than the server works on a request.
	maxEventWait = 15
	// eventTick is how often who waits looks: a row is found by it whichever process
	// wrote it. Nothing is held in between.
	eventTick = 500 * time.Millisecond
	// eventHeartbeat is how often a stream without events shows that it is there, and
	// learns whether its client is, and whether that may still read.
	eventHeartbeat = 15 * time.Second
	// eventPatience is how long a client may take for what it is sent.
	eventPatience = 10 * time.Second
	// maxEventWaiters bounds who waits in one process, maxOwnWaiters how many of these
	// are one principal's: nobody takes all the room.
	maxEventWaiters, maxOwnWaiters = 256, 16
	// streamChunk is how many events a stream sends at once.
	streamChunk = 100
)

// event is an audit row in the order of the stream.
type event struct {
	auditLog

	// Sequence orders what changed one membership.
	Sequence int64  `json:"sequence,omitempty"`
	Cursor   string `json:"cursor"` // where to go on behind it: its id
}

func eventOf(e iam.AuditEntry) event {
	return event{auditLogOf(e, e.AccountID), e.Sequence, e.OperationID}
}

// latest is the cursor of who wants only what is to come.
const latest = "latest"

// eventCursor reads a cursor, which may be latest.
func (q *query) eventCursor(name, text string) string {
	strange := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	}
	if len(text) > maxAuditFilter || strings.ContainsFunc(text, strange) {
		q.refuse(name, "is none that an answer gave; leave it out to begin with the oldest event")
	}
	return text
}

// eventReader is somebody who reads an account's events.
type eventReader struct {
	*exchange

	account iam.ID
	after   iam.EventPlace
	limit   int
}

// next reads what follows, and moves on. Before anything is told, who was let in is
// asked again, and reads as what it is by now: a credential may have ended since, and
// what its user may do may have changed.
func (r *eventReader) next(ctx context.Context) ([]event, error) {
	entries, err := r.Service.Events(ctx, r.actor, r.account, r.after.Position, r.limit)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if err := r.renew(); err != nil {
		return nil, err
	}
	if entries, err = r.Service.Events(ctx, r.actor, r.account, r.after.Position, r.limit); err != nil || len(entries) == 0 {
		return nil, err
	}
	last := entries[len(entries)-1]
	r.after = iam.EventPlace{ID: last.OperationID, Position: last.Seq}
	return each(entries, eventOf), nil
}

// place finds where a cursor says to begin.
func (r *eventReader) place(cursor string) (iam.EventPlace, error) {
	if cursor == latest {
		return r.Service.LastEvent(r.r.Context(), r.actor, r.account)
	}
	return r.Service.EventPlace(r.r.Context(), r.actor, r.account, cursor)
}

func listEvents(x *exchange) (answer, error) {
	params := x.query()
	stream := strings.Contains(x.r.Header.Get("Accept"), "text/event-stream")
	from, _ := params.one("after")
	if last := x.r.Header.Get("Last-Event-ID"); stream && last != "" {
		from = last // a browser that comes back
	}
	reader := &eventReader{exchange: x, account: x.id("account_id")}
	cursor := params.eventCursor("after", from)
	reader.limit = params.number("limit", defaultAuditPage, minAuditPage, iam.MaxAuditPage, false)
	wait := time.Duration(params.number("wait", 0, 0, maxEventWait, false)) * time.Second
	if params.err != nil {
		return answer{}, params.err
	}
	// Rights first, while a refusal is an answer like any other.
	var err error
	if reader.after, err = reader.place(cursor); err != nil {
		return answer{}, err
	}
	if stream {
		reader.limit = streamChunk
		return answer{later: func() (answer, error) { return answer{}, reader.stream() }}, nil
	}
	return answer{later: func() (answer, error) { return reader.poll(wait) }}, nil
}

// poll answers with what there is, or with the first that comes while it waits.
func (r *eventReader) poll(wait time.Duration) (answer, error) {
	deadline := time.Now().Add(wait)
	events, err := r.next(r.r.Context())
	if err == nil && len(events) == 0 && wait > 0 && r.waiters.enter(r.principal()) {
		defer r.waiters.leave(r.principal())
		for err == nil && len(events) == 0 && r.sleep(r.r.Context(), min(eventTick, time.Until(deadline))) && time.Now().Before(deadline) {
			events, err = r.next(r.r.Context())
		}
	}
	if err != nil {
		return answer{}, err
	}
	if events == nil {
		events = []event{}
	}
	cursor := r.after.ID
	return answer{result: events, page: &logPageInfo{Count: strconv.Itoa(len(events)), Cursor: cursor, Cursors: logCursors{cursor}}}, nil
}

// sleep waits; false means that it is over: the server stops, or what it serves
// ends, or nobody waits any more.
func (x *exchange) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.trace.Stopping:
	case <-x.Ended:
	case <-x.trace.Gone:
	case <-ctx.Done():
	}
	return false
}

// errTooManyStreams is for who comes when the process has enough of them.
func errTooManyStreams() error {
	return &iam.Error{Kind: iam.Unavailable, Message: "too many clients wait for events here; ask with after instead, or come back later"}
}

// stream sends events as they come, in the form of browsers, until the client goes,
// the server stops, or whoever asked may no longer read.
func (r *eventReader) stream() error {
	if !r.waiters.enter(r.principal()) {
		return errTooManyStreams()
	}
	defer r.waiters.leave(r.principal())
	// The time of a request is over long before a stream is; what bounds it is how
	// long the client takes for each event.
	ctx := context.WithoutCancel(r.r.Context())
	r.r = r.r.WithContext(ctx)
	control := http.NewResponseController(r.w)
	_ = control.SetReadDeadline(time.Time{}) // a test's writer has none
	header := r.headers("text/event-stream; charset=utf-8")
	header.Set("X-Accel-Buffering", "no")
	r.trace.Status = http.StatusOK
	r.w.WriteHeader(http.StatusOK)
	if r.r.Method == http.MethodHead {
		return nil
	}
	var buffer bytes.Buffer
	buffer.WriteString(": events follow\n\n")
	for silent := time.Now(); ; {
		if buffer.Len() > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(eventPatience))
			if _, err := r.w.Write(buffer.Bytes()); err != nil {
				return nil // the client went
			}
			_ = control.Flush()
			silent = time.Now()
			buffer.Reset()
		} else if !r.sleep(ctx, eventTick) {
			return nil
		}
		events, err := r.next(ctx)
		if err != nil {
			return r.endStream(err)
		}
		beat := time.Since(silent) >= eventHeartbeat
		if len(events) == 0 && !beat {
			continue
		}
		if len(events) == 0 {
			if err := r.renew(); err != nil {
				return r.endStream(err)
			}
			buffer.WriteString(": nothing yet\n\n")
		}
		for _, e := range events {
			_, _ = fmt.Fprintf(&buffer, "id: %s\nevent: %s\ndata: ", e.Cursor, e.Action.Type)
			if err := writeReflected(&buffer, e); err != nil {
				return r.endStream(err)
			}
			buffer.WriteString("\n\n")
		}
	}
}

// endStream notes why a stream ended; there is no other way to tell any more.
func (r *eventReader) endStream(err error) error {
	if refusal := iam.KindOf(err); refusal == iam.Internal || refusal == iam.Unavailable {
		r.trace.Cause = err
	}
	return nil
}

// waiters counts who waits for events.
type waiters struct {
	mu   sync.Mutex
	all  int
	each map[iam.ID]int // by principal; who has none waiting is not in it
}

func newWaiters() *waiters { return &waiters{each: map[iam.ID]int{}} }

// enter says whether there is room for one more; leave must follow then.
func (w *waiters) enter(principal iam.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= maxEventWaiters || w.each[principal] >= maxOwnWaiters {
		return false
	}
	w.all++
	w.each[principal]++
	return true
}

func (w *waiters) leave(principal iam.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.each[principal]--; w.each[principal] == 0 {
		delete(w.each, principal)
	}
}
