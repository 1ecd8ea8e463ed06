package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/iam"
)

// pretended is a log whose pages are numbers.
type pretended struct {
	t            *testing.T
	checkpointer *checkpointer

	mu             sync.Mutex // the test holds it, but while time passes
	pages, missing int
	held           int // pages that a reader holds back
	err            error
	loaded         bool // more is written while pages are copied
	looks          int
	synced         int // pages that were missing when the rest was made durable
	modes          []string
}

func (p *pretended) size() (pages, missing int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looks++
	return p.pages, p.missing, p.err
}

func (p *pretended) checkpoint(mode string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.modes = append(p.modes, mode)
	alone := !p.checkpointer.turn.TryLock()
	if !alone {
		p.checkpointer.turn.Unlock()
	}
	if alone != (mode != "PASSIVE") {
		p.t.Errorf("%s: the writer stands still: %v", mode, alone)
	}
	if p.err != nil {
		return false, p.err
	}
	if mode == "RESTART" && p.synced != p.missing {
		p.t.Errorf("the writer stands still for %d pages and all that was not synced", p.missing)
	}
	meanwhile := 0
	if p.loaded && mode == "PASSIVE" {
		meanwhile = 1 + p.missing/10
	}
	p.missing = min(p.missing, p.held) + meanwhile
	p.pages += meanwhile
	if mode == "TRUNCATE" && p.held == 0 {
		p.pages = 0
	}
	return p.held == 0, nil
}

func (p *pretended) sync() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.checkpointer.turn.TryLock() {
		p.t.Error("the writer stands still while all is synced")
		return nil
	}
	p.checkpointer.turn.Unlock()
	p.synced = p.missing
	return p.err
}

// write adds pages as a transaction does: at the front where all was copied.
func (p *pretended) write(n int) {
	p.checkpointer.turn.Lock()
	if p.missing == 0 {
		p.pages = 0
	}
	p.pages, p.missing = p.pages+n, p.missing+n
	p.checkpointer.turn.Unlock()
	p.checkpointer.wrote()
}

// during runs fn in a bubble of its own time, with a log that somebody looks
// after.
func during(t *testing.T, fn func(p *pretended, said *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		var said bytes.Buffer
		p := &pretended{t: t}
		p.checkpointer = startCheckpointer(p, defaultPacing(), slog.New(slog.NewTextHandler(&said, nil)))
		// The goroutine looks at moments that no write falls on.
		time.Sleep(time.Millisecond)
		p.mu.Lock()
		fn(p, &said)
		p.mu.Unlock()
		p.checkpointer.close()
	})
}

// elapse lets time pass, and what falls due be done.
func (p *pretended) elapse(d time.Duration) {
	p.mu.Unlock()
	defer p.mu.Lock()
	time.Sleep(d)
	synctest.Wait()
}

func TestCheckpointsRestWhileNobodyWrites(t *testing.T) {
	t.Parallel()
	during(t, func(p *pretended, _ *bytes.Buffer) {
		p.elapse(time.Hour)
		if p.looks != 0 {
			t.Errorf("somebody looked %d times, want never", p.looks)
		}
		p.write(3)
		p.elapse(time.Hour)
		if got := fmt.Sprint(p.modes); got != "[TRUNCATE]" || p.pages != 0 {
			t.Errorf("after one write: got %v and %d pages, want one TRUNCATE and none", got, p.pages)
		}
		if most := int(defaultPacing().idle/defaultPacing().pace) + 2; p.looks > most {
			t.Errorf("somebody looked %d times for one write, want %d at most", p.looks, most)
		}
	})
}

func TestCheckpointsKeepPaceWithWrites(t *testing.T) {
	t.Parallel()
	during(t, func(p *pretended, _ *bytes.Buffer) {
		most := 0
		p.loaded = true
		for range 1000 {
			p.write(100)
			p.elapse(5 * time.Millisecond)
			most = max(most, p.pages)
		}
		// A pace's worth of pages may come before somebody looks.
		if limit := defaultPacing().begin + 11*100; most > limit {
			t.Errorf("the log had %d pages, want %d at most", most, limit)
		}
		if n := strings.Count(fmt.Sprint(p.modes), "RESTART"); n == 0 || n > 1000*100/defaultPacing().begin {
			t.Errorf("the writer was stopped %d times", n)
		}
		if strings.Contains(fmt.Sprint(p.modes), "TRUNCATE") {
			t.Error("the log was cut off under load")
		}
	})
}

func TestCheckpointsWaitForAReader(t *testing.T) {
	t.Parallel()
	during(t, func(p *pretended, said *bytes.Buffer) {
		p.held = 1 << 30
		for range 600 {
			p.write(100)
			p.elapse(100 * time.Millisecond)
		}
		// Some at first, then one for each patience.
		if limit := 20 + 2*int(time.Minute/defaultPacing().patience); len(p.modes) > limit {
			t.Errorf("%d attempts in a minute while a reader was in the way, want %d at most", len(p.modes), limit)
		}
		p.held = 0
		p.elapse(2 * defaultPacing().patience)
		if p.pages != 0 {
			t.Errorf("%d pages are left after the reader went away, want none", p.pages)
		}
		if said.Len() != 0 {
			t.Errorf("it was logged: %s", said)
		}
	})
}

func TestCheckpointsThatFailAreTriedAgain(t *testing.T) {
	t.Parallel()
	during(t, func(p *pretended, said *bytes.Buffer) {
		p.err = errors.New("disk I/O error")
		for range 600 {
			p.write(100)
			p.elapse(100 * time.Millisecond)
		}
		if limit := 20 + int(time.Minute/defaultPacing().patience); p.looks > limit {
			t.Errorf("%d attempts in a minute of failures, want %d at most", p.looks, limit)
		}
		if n := strings.Count(said.String(), "disk I/O error"); n != 1 {
			t.Errorf("the failure was logged %d times, want once:\n%s", n, said)
		}
		p.err = nil
		p.elapse(2 * defaultPacing().patience)
		if p.pages != 0 || strings.Count(said.String(), "again") != 2 {
			t.Errorf("after the disk came back: %d pages are left, and the log says\n%s", p.pages, said)
		}
	})
}

// unattended is a store whose log nobody looks after but the test.
func unattended(t *testing.T, p pacing) (*Store, string) {
	t.Helper()
	p.pace, p.patience, p.idle, p.hold = time.Hour, time.Hour, time.Hour, time.Millisecond
	path := folder(t, file(t))
	return open(t, path, Options{pacing: p}), path
}

// fill makes transactions that touch a few pages each.
func fill(t *testing.T, s *Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		id := iam.ID(fmt.Sprintf("%032x", n))
		err := s.Update(context.Background(), func(tx iam.Tx) error {
			return tx.InsertUser(iam.User{ID: id, Email: fmt.Sprintf("%d@example.com", n)},
				iam.AuditEntry{OperationID: string(id), Action: iam.UserCreate})
		})
		if err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
	}
}

func logSize(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}

const frame = 4096 + 24 // bytes of a page in the log

func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	const begin = 100
	s, path := unattended(t, pacing{begin: begin, ceiling: 1 << 20})
	for i := range 40 {
		fill(t, s, i*10, (i+1)*10)
		if got := s.writer.(*writer).log.look(false); got != fine {
			t.Fatalf("look: got %v, want %v", got, fine)
		}
	}
	// What ten writes add comes on top.
	if got, limit := logSize(t, path), (begin+200)*frame; got > limit {
		t.Errorf("the log has %d bytes after 400 writes, want %d at most", got, limit)
	}
}

func TestLogShrinksWhenAReaderEnds(t *testing.T) {
	t.Parallel()
	const begin = 100
	s, path := unattended(t, pacing{begin: begin, ceiling: 1 << 20})
	fill(t, s, 0, 1)
	reader := raw(t, path)
	mustExec(t, reader, `BEGIN`)
	var users int
	if err := reader.QueryRowContext(t.Context(), `SELECT count(*) FROM users`).Scan(&users); err != nil || users != 1 {
		t.Fatalf("got %d users, %v, want 1", users, err)
	}
	fill(t, s, 1, 200)
	for _, idle := range []bool{false, true} {
		if got := s.writer.(*writer).log.look(idle); got != hindered {
			t.Errorf("look (idle: %v) while somebody reads: got %v, want %v", idle, got, hindered)
		}
	}
	if got := logSize(t, path); got < begin*frame {
		t.Errorf("the log has %d bytes; was it begun anew under a reader?", got)
	}
	if err := reader.QueryRowContext(t.Context(), `SELECT count(*) FROM users`).Scan(&users); err != nil || users != 1 {
		t.Errorf("the reader sees %d users, %v, want 1 as before", users, err)
	}
	mustExec(t, reader, `COMMIT`)
	if got := s.writer.(*writer).log.look(true); got != empty {
		t.Errorf("look after the reader went away: got %v, want %v", got, empty)
	}
	if got := logSize(t, path); got != 0 {
		t.Errorf("the log has %d bytes after the reader went away, want none", got)
	}
}

// TestLogHasACeiling leaves the goroutine without time: commits copy by
// themselves.
func TestLogHasACeiling(t *testing.T) {
	t.Parallel()
	const ceiling = 200
	s, path := unattended(t, pacing{begin: 1 << 20, ceiling: ceiling})
	fill(t, s, 0, 400)
	if got, limit := logSize(t, path), (ceiling+50)*frame; got > limit {
		t.Errorf("the log has %d bytes after 400 writes, want %d at most", got, limit)
	}
}

// broken is a log that cannot be copied.
type broken struct{}

func (broken) sync() error { return nil }

func (broken) size() (pages, missing int, err error) { return 1 << 20, 1 << 20, nil }
func (broken) checkpoint(mode string) (done bool, err error) {
	return false, errors.New(mode + ": disk I/O error")
}

func TestWritesGoOnWithoutCheckpoints(t *testing.T) {
	t.Parallel()
	p := defaultPacing()
	p.pace = time.Millisecond
	s := open(t, folder(t, file(t)), Options{pacing: p})
	s.writer.(*writer).log.wal = broken{} // before anything is written, which wakes the goroutine
	fill(t, s, 0, 50)
	if _, err := s.User(t.Context(), iam.ID(fmt.Sprintf("%032x", 49))); err != nil {
		t.Errorf("read what was written: %v", err)
	}
}

func TestCloseLeavesNoLog(t *testing.T) {
	t.Parallel()
	s, path := unattended(t, pacing{begin: 1 << 20, ceiling: 1 << 20})
	fill(t, s, 0, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left after Close: %v", name, err)
		}
	}
	var users int
	if err := raw(t, path).QueryRowContext(t.Context(), `SELECT count(*) FROM users`).Scan(&users); err != nil || users != 50 {
		t.Errorf("got %d users, %v, want 50", users, err)
	}
}
