package main

import (
	"os"
	"time"

	"hither/internal/store"
)

// people looks whether somebody can act.
func (d *doctor) people(facts store.Inspection) {
	if facts.Users == 0 {
		d.failf("users", "hither init makes the first one and its account", "there is none, so nobody can use the API")
		return
	}
	d.okf("users", "%d", facts.Users)
	for _, account := range facts.Ungoverned {
		d.failf("accounts", "hither account add-member "+string(account.ID)+" ADDRESS --role 'Super Administrator - All Privileges'",
			"%q (%s) has no active Super Administrator", account.Name, account.ID)
	}
	switch more := facts.UngovernedTotal - len(facts.Ungoverned); {
	case more > 0:
		d.failf("accounts", "hither account list --json shows all", "%d more have no active Super Administrator", more)
	case facts.UngovernedTotal == 0:
		d.okf("accounts", "none is flagged as without a Super Administrator")
	}
}

// clockTolerance is what two machines' clocks may differ by, if a copy was
// made on another one.
const clockTolerance = 5 * time.Second

// times holds the clock to what was written with it. No time server is asked:
// a machine that runs late all along looks well.
func (d *doctor) times(newest time.Time) {
	const check, todo = "clock", "set the clock (timedatectl): how long invitations and tokens are good is told by it"
	latest := d.now.Add(clockTolerance)
	wrong := false
	if newest.After(latest) {
		wrong = true
		d.failf(check, todo, "it says %s, but the database has a change of %s: it was set back, or was wrong then", show(d.now), show(newest))
	}
	var files []string
	if d.settings.Database == "" {
		files = []string{d.settings.Data, d.settings.Data + "-wal"}
	}
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(latest) {
			wrong = true
			d.failf(check, todo, "it says %s, but %s was written at %s", show(d.now), name, show(info.ModTime()))
		}
	}
	if !wrong {
		d.okf(check, "%s, and nothing was written later; whether it is right, ask timedatectl", show(d.now))
	}
}
