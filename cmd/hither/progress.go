package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"hither/internal/clock"
)

// progress draws a bar on a terminal, and nothing anywhere else.
type progress struct {
	w     io.Writer // nil: draw nothing
	noun  string    // what is counted
	drawn time.Time
}

func newProgress(w io.Writer, noun string) *progress {
	if file, ok := w.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	return &progress{w: w, noun: noun}
}

const (
	barWidth    = 40
	barInterval = 100 * time.Millisecond
)

// show draws how much is done, now and then. What it is about may start over:
// the import's transaction may run again.
func (p *progress) show(done, total int) {
	now := clock.Now()
	if p.w == nil || total == 0 || now.Sub(p.drawn) < barInterval {
		return
	}
	p.drawn = now
	full := barWidth * done / total
	_, _ = fmt.Fprintf(p.w, "\r[%s%s] %d of %d %s", strings.Repeat("#", full), strings.Repeat("-", barWidth-full), done, total, p.noun)
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.w != nil && !p.drawn.IsZero() {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
