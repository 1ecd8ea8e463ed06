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
	drawn time.Time
}

func newProgress(w io.Writer) *progress {
	if file, ok := w.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	return &progress{w: w}
}

const (
	barWidth    = 40
	barInterval = 100 * time.Millisecond
)

// show draws how many rows are done, now and then. It is called from within
// the import's transaction, which may run again from the start.
func (p *progress) show(done, total int) {
	now := clock.Now()
	if p.w == nil || total == 0 || now.Sub(p.drawn) < barInterval {
		return
	}
	p.drawn = now
	full := barWidth * done / total
	_, _ = fmt.Fprintf(p.w, "\r[%s%s] %d of %d rows", strings.Repeat("#", full), strings.Repeat("-", barWidth-full), done, total)
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.w != nil && !p.drawn.IsZero() {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
