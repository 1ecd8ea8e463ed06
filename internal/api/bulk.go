package api

import (
	"strconv"

	"hither/internal/iam"
)

// bulkPath is in every path of a bulk: see New.
const bulkPath = "/invites/bulk"

// bulkInfo is a list of people to invite that was taken on.
type bulkInfo struct {
	ID             iam.ID        `json:"id"`
	OrganizationID iam.ID        `json:"organization_id"`
	Status         iam.BulkState `json:"status"`
	Rows           int           `json:"rows"`
	Counts         bulkCounts    `json:"counts"`
	CreatedBy      string        `json:"created_by"`
	CreatedOn      moment        `json:"created_on"`
	EndedOn        *moment       `json:"ended_on"`
}

// bulkCounts are how many rows have which outcome.
type bulkCounts struct {
	Waiting        int `json:"waiting"`
	Invited        int `json:"invited"`
	AlreadyInvited int `json:"already_invited"`
	AlreadyMember  int `json:"already_member"`
	Refused        int `json:"refused"`
	Canceled       int `json:"canceled"`
}

func bulkOf(b iam.Bulk) bulkInfo {
	info := bulkInfo{
		ID: b.ID, OrganizationID: b.AccountID, Status: b.State, Rows: b.Rows, CreatedBy: b.By, CreatedOn: moment(b.CreatedOn),
		Counts: bulkCounts{
			Waiting: b.Counts[iam.BulkWaiting], Invited: b.Counts[iam.BulkInvited], AlreadyInvited: b.Counts[iam.BulkAlreadyInvited],
			AlreadyMember: b.Counts[iam.BulkAlreadyMember], Refused: b.Counts[iam.BulkRefused], Canceled: b.Counts[iam.BulkNotSent],
		},
	}
	if !b.EndedOn.IsZero() {
		ended := moment(b.EndedOn)
		info.EndedOn = &ended
	}
	return info
}

// bulkPreview is what a bulk would do.
type bulkPreview struct {
	DryRun  bool          `json:"dry_run"`
	Rows    int           `json:"rows"`
	Counts  previewCounts `json:"counts"`
	Results []bulkResult  `json:"results"`
}

type previewCounts struct {
	WouldInvite    int `json:"would_invite"`
	AlreadyInvited int `json:"already_invited"`
	AlreadyMember  int `json:"already_member"`
	Refused        int `json:"refused"`
}

// bulkResult is what became of a row, or would.
type bulkResult struct {
	Line     int             `json:"line"`
	Email    *string         `json:"email"` // null where the file has no address
	Outcome  iam.BulkOutcome `json:"outcome"`
	InviteID *iam.ID         `json:"invite_id"`
	Reason   *notice         `json:"reason"`
}

func bulkResultOf(r iam.BulkRow) bulkResult {
	result := bulkResult{Line: r.Line, Email: optional(r.Email), Outcome: r.Outcome}
	if r.InviteID != "" {
		result.InviteID = &r.InviteID
	}
	if r.Message != "" {
		_, code := statusAndCode(r.Reason)
		result.Reason = &notice{Code: code, Message: r.Message, Source: pointTo(r.Field)}
	}
	return result
}

func startBulk(x *exchange) (answer, error) {
	params := x.query()
	dryRun := params.choice("dry_run", "true", "false") == "true"
	if params.err != nil {
		return answer{}, params.err
	}
	upload, err := x.upload()
	if err != nil {
		return answer{}, err
	}
	key, err := x.onceOf(func() ([32]byte, error) { return upload.sum, nil })
	if err != nil {
		return answer{}, err
	}
	if dryRun { // which there is nothing to repeat of
		preview, err := x.Service.PreviewBulk(x.r.Context(), x.actor, x.id("organization_id"), upload.rows)
		if err != nil {
			return answer{}, err
		}
		return one(bulkPreview{
			DryRun: true, Rows: len(preview.Rows), Results: each(preview.Rows, bulkResultOf),
			Counts: previewCounts{
				WouldInvite: preview.Counts[iam.BulkWouldInvite], AlreadyInvited: preview.Counts[iam.BulkAlreadyInvited],
				AlreadyMember: preview.Counts[iam.BulkAlreadyMember], Refused: preview.Counts[iam.BulkRefused],
			},
		}), nil
	}
	made, err := x.Service.StartBulk(x.r.Context(), x.actor, x.id("organization_id"), upload.rows, key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: bulkOf(made.Result), replayed: made.Replayed}, nil
}

func listBulks(x *exchange) (answer, error) {
	params := x.query()
	request := params.page(maxPerPage)
	if params.err != nil {
		return answer{}, params.err
	}
	page, err := x.Service.Bulks(x.r.Context(), x.actor, x.id("organization_id"), request)
	if err != nil {
		return answer{}, err
	}
	return list(page, request, bulkOf), nil
}

func readBulk(x *exchange) (answer, error) {
	found, err := x.Service.Bulk(x.r.Context(), x.actor, x.id("organization_id"), x.id("bulk_id"))
	if err != nil {
		return answer{}, err
	}
	return one(bulkOf(found)), nil
}

func cancelBulk(x *exchange) (answer, error) {
	canceled, err := x.Service.CancelBulk(x.r.Context(), x.actor, x.id("organization_id"), x.id("bulk_id"))
	if err != nil {
		return answer{}, err
	}
	return one(bulkOf(canceled)), nil
}

// listBulkRows answers with the rows of a bulk: some of them by cursor, or all as a
// file.
func listBulkRows(x *exchange) (answer, error) {
	params := x.query()
	limit := params.number("limit", defaultAuditPage, 1, iam.MaxAuditPage, false)
	query := iam.BulkQuery{
		After: params.rowCursor("cursor"),
		Outcome: iam.BulkOutcome(params.choice("outcome", string(iam.BulkWaiting), string(iam.BulkInvited), string(iam.BulkAlreadyInvited),
			string(iam.BulkAlreadyMember), string(iam.BulkRefused), string(iam.BulkNotSent))),
		Limit: limit + 1, // the one more says whether there are more
	}
	format := params.format()
	if params.err != nil {
		return answer{}, params.err
	}
	if format != "" {
		return x.bulkFile(format, query)
	}
	rows, err := x.Service.BulkRows(x.r.Context(), x.actor, x.id("organization_id"), x.id("bulk_id"), query)
	if err != nil {
		return answer{}, err
	}
	info := &logPageInfo{}
	if len(rows) > limit {
		rows = rows[:limit]
		info.Cursor = strconv.Itoa(rows[limit-1].Number)
		info.Cursors.After = info.Cursor
	}
	info.Count = strconv.Itoa(len(rows))
	return answer{result: each(rows, bulkResultOf), page: info}, nil
}

// rowCursor is the number of the row behind which to go on, 0 for the first.
func (q *query) rowCursor(name string) int {
	text, given := q.one(name)
	if !given || text == "" {
		return 0
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > iam.MaxBulkRows {
		q.refuse(name, "is none that an answer gave; leave it out to begin with the first row")
		return 0
	}
	return number
}

func (x *exchange) bulkFile(format string, query iam.BulkQuery) (answer, error) {
	query.Limit = exportChunk
	read := func() ([]iam.BulkRow, error) {
		return x.Service.BulkRows(x.r.Context(), x.actor, x.id("organization_id"), x.id("bulk_id"), query)
	}
	rows, err := read()
	if err != nil {
		return answer{}, err
	}
	return answer{file: &fileOf[iam.BulkRow]{
		name: "bulk_results", format: format, rows: rows,
		after: func(last iam.BulkRow) ([]iam.BulkRow, error) {
			query.After = last.Number
			return read()
		},
		columns: []string{"line", "email", "outcome", "invite_id", "code", "field", "message"},
		cells:   bulkCells,
		object:  func(row iam.BulkRow) any { return bulkResultOf(row) },
	}}, nil
}

func bulkCells(row iam.BulkRow) []string {
	cells := []string{strconv.Itoa(row.Line), row.Email, string(row.Outcome), string(row.InviteID), "", row.Field, row.Message}
	if row.Message != "" {
		_, code := statusAndCode(row.Reason)
		cells[4] = strconv.Itoa(code)
	}
	return cells
}
