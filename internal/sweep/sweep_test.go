package sweep_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/iam"
	"hither/internal/sweep"
)

// sweeps runs a worker for so long over what sweeps lead to, one after the other
// and the last again and again, and returns when it swept.
func sweeps(t *testing.T, run time.Duration, leads ...func() (iam.Swept, error)) []time.Duration {
	t.Helper()
	var at []time.Duration
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), run)
	defer cancel()
	worker := sweep.Worker{
		Sweep: func(context.Context) (iam.Swept, error) {
			at = append(at, time.Since(start))
			lead := leads[min(len(at), len(leads))-1]
			return lead()
		},
		Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	worker.Run(ctx)
	if got := time.Since(start); got != run {
		t.Errorf("the worker ended after %s, want %s", got, run)
	}
	return at
}

func wakes(in time.Duration) func() (iam.Swept, error) {
	return func() (iam.Swept, error) { return iam.Swept{Next: time.Now().Add(in)}, nil }
}

func TestWhenAWorkerSweeps(t *testing.T) {
	t.Parallel()
	nothing := func() (iam.Swept, error) { return iam.Swept{}, nil }
	more := func() (iam.Swept, error) { return iam.Swept{Expired: 512, More: true}, nil }
	fails := func() (iam.Swept, error) { return iam.Swept{More: true}, errors.New("the database is away") }
	const second, tenth = time.Second, 100 * time.Millisecond
	for name, test := range map[string]struct {
		run   time.Duration
		leads []func() (iam.Swept, error)
		want  []time.Duration
	}{
		"at once, then every minute where nothing waits": {150 * second, []func() (iam.Swept, error){nothing}, []time.Duration{0, 60 * second, 120 * second}},
		"when the next row wakes":                        {50 * second, []func() (iam.Swept, error){wakes(42 * second), nothing}, []time.Duration{0, 42 * second}},
		"every minute until a far one wakes":             {130 * second, []func() (iam.Swept, error){wakes(90 * second), wakes(30 * second), nothing}, []time.Duration{0, 60 * second, 90 * second}},
		"soon again where there is more":                 {10 * second, []func() (iam.Swept, error){more, more, nothing}, []time.Duration{0, tenth, 2 * tenth}},
		"soon again where one woke meanwhile":            {10 * second, []func() (iam.Swept, error){wakes(-second), nothing}, []time.Duration{0, tenth}},
		"in a minute after a failure, whatever waits":    {100 * second, []func() (iam.Swept, error){fails, nothing}, []time.Duration{0, 60 * second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if got := sweeps(t, test.run, test.leads...); !slices.Equal(got, test.want) {
					t.Errorf("swept at %v, want %v", got, test.want)
				}
			})
		})
	}
}

// A stop is not held up by the sleep, nor told as a failure.
func TestAWorkerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log := &lines{}
		worker := sweep.Worker{
			Sweep: func(ctx context.Context) (iam.Swept, error) {
				cancel()
				return iam.Swept{}, ctx.Err()
			},
			Now: time.Now, Logger: slog.New(log),
		}
		start := time.Now()
		worker.Run(ctx)
		if got := time.Since(start); got != 0 {
			t.Errorf("the worker ended after %s, want at once", got)
		}
		if len(*log) > 0 {
			t.Errorf("logged %q, want nothing", *log)
		}
	})
}

// What was done is logged, and what failed; what did nothing is not.
func TestWhatAWorkerLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, calls := &lines{}, 0
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		worker := sweep.Worker{
			Sweep: func(context.Context) (iam.Swept, error) {
				calls++
				switch calls {
				case 1:
					return iam.Swept{}, nil
				case 2:
					return iam.Swept{Expired: 1, Reminded: 2, Skipped: 3, Purged: 4}, nil
				}
				return iam.Swept{}, errors.New("gone")
			},
			Now: time.Now, Logger: slog.New(log),
		}
		worker.Run(ctx)
		want := lines{"INFO old messages dropped messages=4", "INFO invitations swept expired=1 reminded=2 not_reminded=3", "WARN sweep error=gone"}
		if !slices.Equal(*log, want) {
			t.Errorf("logged %q, want %q", *log, want)
		}
	})
}

// lines are a log as its level, message and attributes.
type lines []string

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String() + " " + record.Message
	record.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	*l = append(*l, line)
	return nil
}

// A trimmer goes on soon while there is more, and looks again in an hour, whatever
// became of it.
func TestWhenATrimmerTrims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Minute)
		defer cancel()
		trimmer := sweep.Trimmer{
			Trim: func(context.Context) (iam.Trimmed, error) {
				at = append(at, time.Since(start))
				switch len(at) {
				case 1, 2:
					return iam.Trimmed{Audit: 500, More: true}, nil
				case 4:
					return iam.Trimmed{More: true}, errors.New("the database is away")
				}
				return iam.Trimmed{Ended: 1}, nil
			},
			Logger: slog.New(slog.DiscardHandler),
		}
		trimmer.Run(ctx)
		const pause = 200 * time.Millisecond
		want := []time.Duration{0, pause, 2 * pause, time.Hour + 2*pause, 2*time.Hour + 2*pause}
		if !slices.Equal(at, want) {
			t.Errorf("it trimmed at %v, want %v", at, want)
		}
	})
}
