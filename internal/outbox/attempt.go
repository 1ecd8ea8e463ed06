package outbox

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"hither/internal/iam"
)

// attempt hands a message to whoever carries its kind. A panic there is one
// message's misfortune: it is tried again like any other.
func (w *Worker) attempt(working context.Context, message iam.DueDelivery) (verdict iam.Verdict) {
	deliver, known := w.Kinds[message.Kind]
	if !known {
		// A newer version of the program queued it, and may deliver it.
		return iam.Verdict{State: iam.Deferred, Words: fmt.Sprintf("this version of hither delivers nothing of the kind %q", message.Kind)}
	}
	ctx, cancel := context.WithTimeout(working, attemptTimeout)
	defer cancel()
	defer func() {
		if value := recover(); value != nil {
			w.Logger.Error("panic", "delivery", message.ID, "panic", describe(value), "stack", string(debug.Stack()))
			verdict = iam.Verdict{State: iam.Deferred, Words: "an error of hither's own; its log has more"}
		}
	}()
	return deliver(ctx, message)
}

// describe says what panicked, but for what the message may have put into it: a
// log must not hold a link.
func describe(value any) string {
	if failure, ok := value.(runtime.Error); ok {
		return failure.Error()
	}
	return fmt.Sprintf("a %T", value)
}
