package api

import (
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// exportFormat is what the log is asked for as, "" for a page.
func (q *query) exportFormat() string {
	format := q.format()
	if q.choice("export", "true", "false") == "true" && format == "" {
		return formatCSV
	}
	return format
}

// export is a log as a file.
func (x *exchange) export(
	format string, query iam.AuditQuery, owner iam.ID, read func(iam.AuditQuery) ([]iam.AuditEntry, error),
) (answer, error) {
	query.Skip, query.Limit = 0, exportChunk
	rows, err := read(query)
	if err != nil {
		return answer{}, err
	}
	return answer{file: &fileOf[iam.AuditEntry]{
		name: "audit_logs", format: format, rows: rows,
		after: func(last iam.AuditEntry) ([]iam.AuditEntry, error) {
			query.After = last.Place()
			return read(query)
		},
		columns: []string{
			"id", "when", "action", "result", "refused", "actor_type", "actor_id", "actor_email", "actor_ip", "interface",
			"owner_id", "resource_type", "resource_id", "user_id", "old_value", "new_value", "request_id", "credential_id",
		},
		cells:  func(row iam.AuditEntry) []string { return auditCells(auditLogOf(row, owner)) },
		object: func(row iam.AuditEntry) any { return auditLogOf(row, owner) },
	}}, nil
}

func auditCells(e auditLog) []string {
	return []string{
		e.ID, time.Time(e.When).Format(time.RFC3339Nano), e.Action.Type, strconv.FormatBool(e.Action.Result), e.Metadata.Refused,
		e.Actor.Type, e.Actor.ID, e.Actor.Email, e.Actor.IP, e.Interface, string(e.Owner.ID), e.Resource.Type, string(e.Resource.ID),
		string(e.Metadata.UserID), undivided(e.OldValue), undivided(e.NewValue), e.Metadata.RequestID, string(e.Metadata.CredentialID),
	}
}

// undivided is JSON without a semicolon: where a spreadsheet takes that for the end of
// a cell, as many do by their language, what follows would be the beginning of another.
// JSON has it in strings alone, and there it may be written so.
func undivided(json string) string { return strings.ReplaceAll(json, ";", `\u003b`) }
