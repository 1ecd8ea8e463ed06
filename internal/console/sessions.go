package console

import (
	"net/http"
	"strings"
	"time"

	"hither/internal/iam"
)

// sessionView is one browser that the user is signed in with.
type sessionView struct {
	Browser string
	Address string
	Seen    time.Time
	This    bool
	To      string
}

func (x *exchange) showSessions() error {
	sessions, err := x.Service.Sessions(x.r.Context(), x.actor)
	if err != nil {
		return err
	}
	views := make([]sessionView, len(sessions))
	for i, s := range sessions {
		views[i] = sessionView{
			Browser: x.browser(s.Agent), Address: s.RemoteAddr, Seen: s.SeenOn,
			This: s.ID == x.actor.CredentialID, To: "/sessions/" + string(s.ID),
		}
	}
	x.show(http.StatusOK, sessionsPage, view{
		Title: x.say("sessions.heading"), Menu: "sessions", Wide: true, Data: struct{ Sessions []sessionView }{views},
	})
	return nil
}

func (x *exchange) endSession() error {
	id, ok := iam.ParseID(x.r.PathValue("session_id"))
	if !ok {
		x.gone()
		return nil
	}
	if err := x.Service.EndSession(x.r.Context(), x.actor, id); err != nil {
		return err
	}
	x.to("/sessions")
	return nil
}

func (x *exchange) endOtherSessions() error {
	if err := x.Service.EndOtherSessions(x.r.Context(), x.actor); err != nil {
		return err
	}
	x.to("/sessions")
	return nil
}

// browser is what a browser calls itself, as people call it. All of them claim
// to be others too, so the order counts.
func (x *exchange) browser(agent string) string {
	name := firstIn(agent, [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chromium/", "Chromium"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	})
	system := firstIn(agent, [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Mac OS X", "macOS"},
		{"Linux", "Linux"},
	})
	if name == "" || system == "" {
		return x.say("sessions.unknown")
	}
	return x.say("sessions.browser", name, system)
}

func firstIn(text string, names [][2]string) string {
	for _, name := range names {
		if strings.Contains(text, name[0]) {
			return name[1]
		}
	}
	return ""
}
