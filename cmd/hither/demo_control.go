package main

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/server"
)

// The routes that only a demo has, for tests of what talks to it. They answer in
// the envelope of the wire.
const (
	resetPath = "/__demo/reset"
	clockPath = "/__demo/clock"
	mailPath  = "/__demo/mail"
)

// steering answers a request on one of them with a result, or says why not.
type steering func(r *http.Request) (any, error)

func (d *demoStage) routes() map[string]map[string]steering {
	return map[string]map[string]steering{
		resetPath: {http.MethodPost: d.postReset},
		clockPath: {http.MethodGet: d.readClock, http.MethodPost: d.setClock},
		mailPath:  {http.MethodGet: d.readMail},
	}
}

// steer answers on one of the demo's own routes.
func (d *demoStage) steer(w http.ResponseWriter, r *http.Request, methods map[string]steering) {
	handle, ok := methods[r.Method]
	if !ok {
		allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		w.Header().Set("Allow", allow)
		d.refuse(w, r, steerError{http.StatusMethodNotAllowed, 7001, "this path answers " + allow, ""})
		return
	}
	result, err := any(nil), d.maySteer(r)
	if err == nil {
		result, err = handle(r)
	}
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	server.Observe(r.Context(), r.URL.Path, 0, nil)
	d.write(w, r, http.StatusOK, envelope{Result: result, Success: true, Errors: []demoNotice{}, Messages: []demoNotice{}})
}

// maySteer keeps out other machines, which don't know the key, and pages of other
// places in a browser on this one.
func (d *demoStage) maySteer(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return steerError{http.StatusForbidden, 9109, "a page of another place cannot steer this demo", ""}
	}
	shown, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if d.key != "" && subtle.ConstantTimeCompare([]byte(shown), []byte(d.key)) != 1 {
		return steerError{
			http.StatusForbidden, 9109,
			"other machines can reach this demo, so this takes the key that it printed for its mailbox: Authorization: Bearer KEY", "",
		}
	}
	return nil
}

// postReset begins anew with what the demo began with, or with the import file that is
// the body.
func (d *demoStage) postReset(r *http.Request) (any, error) {
	rows, err := d.bodyRows(r)
	if err != nil {
		return nil, err
	}
	world, err := d.reset(rows)
	if refused, ok := errors.AsType[seedError](err); ok {
		return nil, steerError{http.StatusBadRequest, 1001, refused.Error(), ""}
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"now": world.clock.Now(), "users": len(rows.Users), "accounts": len(rows.Accounts), "memberships": len(rows.Memberships),
		"roles": len(rows.Roles), "tokens": len(rows.Tokens),
	}, nil
}

func (d *demoStage) bodyRows(r *http.Request) (iam.Dataset, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxReset))
	if err != nil {
		return iam.Dataset{}, steerError{http.StatusBadRequest, 1002, "the body cannot be read, or is larger than 4 MiB: " + err.Error(), ""}
	}
	if len(text) == 0 {
		return d.rows, nil
	}
	rows, err := dataset.Parse(strings.NewReader(string(text)))
	if err != nil {
		return rows, steerError{http.StatusBadRequest, 1001, err.Error(), ""}
	}
	if d.key == "" {
		return rows, nil
	}
	drawn, err := withdraw(&rows)
	if err == nil && len(drawn) > 0 {
		err = steerError{
			http.StatusBadRequest, 1001, fmt.Sprintf("other machines can reach this demo: give %s a %s of your own in place of the public one",
				drawn[0].owner, drawn[0].kind), "",
		}
	}
	return rows, err
}

// maxReset bounds the body of a reset.
const maxReset = 4 << 20

func (d *demoStage) readClock(*http.Request) (any, error) {
	world, leave, err := d.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return map[string]any{"now": world.clock.Now()}, nil
}

// setClock lets time pass.
func (d *demoStage) setClock(r *http.Request) (any, error) {
	move, err := readMove(r)
	if err != nil {
		return nil, err
	}
	d.changing.Lock() // two at once would each restart the sweeper of the other
	defer d.changing.Unlock()
	world, leave, err := d.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	to, err := move.from(world.clock.Now())
	if err != nil {
		return nil, err
	}
	done, err := world.forward(r.Context(), to)
	if err != nil {
		return nil, fmt.Errorf("the clock was on its way to %s: %w", to.Format(time.RFC3339Nano), err)
	}
	return map[string]any{"now": world.clock.Now(), "expired": done.expired, "reminded": done.reminded}, nil
}

// readMail lists what was sent, the newest first, when all that is due was.
func (d *demoStage) readMail(r *http.Request) (any, error) {
	world, leave, err := d.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if _, err := world.settle(r.Context()); err != nil {
		return nil, err
	}
	ours := regexp.MustCompile(regexp.QuoteMeta(d.base) + `/[A-Za-z0-9/_-]+`)
	letters := []demoLetter{}
	to := r.URL.Query().Get("to")
	for _, l := range world.post.Letters() {
		if to != "" && !strings.EqualFold(to, l.To) {
			continue
		}
		links := ours.FindAllString(l.Text, -1)
		letters = append(letters, demoLetter{l.ID, l.To, l.Subject, l.Text, append([]string{}, links...), l.Sent})
	}
	return letters, nil
}

// demoLetter is one message as a test reads it.
type demoLetter struct {
	ID      string    `json:"id"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Links   []string  `json:"links"`
	SentOn  time.Time `json:"sent_on"`
}
