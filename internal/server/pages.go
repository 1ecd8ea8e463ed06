package server

import (
	"context"

	"hither/internal/api"
	"hither/internal/console"
)

// requestID is the id of a request that came through a Server.
func requestID(ctx context.Context) string { return api.TraceOf(ctx).RequestID }

// observePage notes for the log and the metrics what a request to a page turned
// out to be.
func observePage(ctx context.Context, seen console.Seen) {
	trace := api.TraceOf(ctx)
	trace.Route, trace.Status, trace.Cause = seen.Route, seen.Status, seen.Cause
	trace.Actor, trace.UserID, trace.CredentialID = seen.Actor.Kind, seen.Actor.User.ID, seen.Actor.CredentialID
}
