package server

import (
	"context"

	"hither/internal/api"
	"hither/internal/console"
	"hither/internal/iam"
)

// links makes links to the pages; nil where there are none.
func (o Options) links() func(iam.InvitationLink) string {
	if o.Pages == nil {
		return nil
	}
	return o.Pages.InvitationLink
}

// RequestID is the id of a request that came through a Server.
func RequestID(ctx context.Context) string { return api.TraceOf(ctx).RequestID }

// Observe notes for the log and the metrics what a request turned out to be that
// neither the API nor a page answers: its route, the code of a refusal, and what
// that doesn't tell.
func Observe(ctx context.Context, route string, code int, cause error) {
	trace := api.TraceOf(ctx)
	trace.Route, trace.Code, trace.Cause = route, code, cause
}

// observePage notes for the log and the metrics what a request to a page turned
// out to be.
func observePage(ctx context.Context, seen console.Seen) {
	trace := api.TraceOf(ctx)
	trace.Route, trace.Status, trace.Cause = seen.Route, seen.Status, seen.Cause
	trace.Actor, trace.UserID, trace.CredentialID = seen.Actor.Kind, seen.Actor.User.ID, seen.Actor.CredentialID
}
