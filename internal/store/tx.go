package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"hither/internal/iam"
)

// tx is one closure's transaction. Its methods stand in the files of their
// nouns.
type tx struct {
	*view
	watch *watched
	now   time.Time
	locks *locks // nil where nobody writes at the same time
	// operation is one that the transaction recorded: whether it is found says
	// whether the transaction took place.
	operation string
	queued    bool // messages wait for the commit
}

var _ iam.Tx = (*tx)(nil)

func newTx(s session, roles *roleCache, now time.Time) *tx {
	watch := &watched{session: s}
	return &tx{view: &view{session: watch, cache: roles, uncommitted: true}, watch: watch, now: now}
}

// Now implements iam.Tx.
func (t *tx) Now() time.Time { return t.now }

// besideOthers ends a SELECT of rows to work on, so that each takes what the
// others leave, where there are others.
func (t *tx) besideOthers() string {
	if t.locks == nil {
		return ""
	}
	return skipTaken
}

// run calls fn once. A panic becomes an error: others share the transaction
// that fn runs in, and the writer outlives it.
func (t *tx) run(fn func(tx iam.Tx) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", value, debug.Stack())
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	// On PostgreSQL a statement that failed has ended the transaction already;
	// here it may have left half of a write. On neither can fn go on as if it
	// had not happened.
	return t.watch.failed
}

// watched is a session that remembers the first statement that failed.
type watched struct {
	session
	failed error
	wrote  bool // a statement changed a row
}

func (w *watched) note(err error) {
	if w.failed == nil && err != nil {
		w.failed = err
	}
}

func (w *watched) query(text string, args []any, each func(row) error) error {
	err := w.session.query(text, args, each)
	w.note(err)
	return err
}

func (w *watched) exec(text string, args ...any) (int64, error) {
	n, err := w.session.exec(text, args...)
	w.note(err)
	w.wrote = w.wrote || n > 0
	return n, err
}

func (w *watched) later(text string, args []any, each func(row) error) error {
	err := w.session.later(text, args, each)
	w.note(err)
	return err
}

func (w *watched) together(first statement, others ...statement) (int64, error) {
	n, err := w.session.together(first, others...)
	w.note(err)
	w.wrote = w.wrote || n > 0
	return n, err
}

// guarded runs a write whose guard is in the statement, and what goes with it.
// Where it touches no row the transaction ends with refusal: the rest may have run.
func (t *tx) guarded(refusal error, first statement, others ...statement) error {
	n, err := t.together(first, others...)
	if err == nil && n == 0 {
		err = refusal
		t.watch.note(err)
	}
	return err
}

// broken says that the engine failed rather than refused: what else the
// transaction holds cannot be relied on.
func (w *watched) broken() bool {
	var e *iam.Error
	return errors.As(w.failed, &e) && e.Kind == iam.Unavailable
}
