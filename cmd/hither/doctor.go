package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/alecthomas/kong"

	"hither/internal/clock"
)

// doctorCommand is `hither doctor`. It takes what `hither serve` takes, and how
// mail leaves, so that it looks at what that would be started with.
type doctorCommand struct {
	serveCommand
	Deep bool `help:"Hold every index to its table too, however long it takes."`
	JSON bool `help:"Print JSON, for scripts." name:"json"`

	DKIMSelector string `help:"Look for the key by which the mail server signs, under this selector of the sender's domain." name:"dkim-selector" placeholder:"NAME"`
	DNS          string `help:"Ask this DNS server about the sender's domain, instead of the machine's." name:"dns" placeholder:"HOST:PORT"`
}

// Help says what the exit codes mean here.
func (c *doctorCommand) Help() string {
	return "It takes the settings of `hither serve`: give it the same flags and variables. It ends with 0 where nothing must be done, " +
		"even if there are warnings, and with 1 where something must. It never changes, makes or migrates anything."
}

// How a check came out.
const (
	checkOK   = "ok"
	checkWarn = "warn" // it works, but should be looked after
	checkFail = "fail" // something must be done
)

// finding is what one check found, and what to do about it.
type finding struct {
	state, check, found, todo string
}

// doctor collects findings.
type doctor struct {
	settings *doctorCommand
	now      time.Time
	findings []finding
}

func (d *doctor) okf(check, format string, args ...any) {
	d.findings = append(d.findings, finding{checkOK, check, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warnf(check, todo, format string, args ...any) {
	d.findings = append(d.findings, finding{checkWarn, check, fmt.Sprintf(format, args...), todo})
}

func (d *doctor) failf(check, todo, format string, args ...any) {
	d.findings = append(d.findings, finding{checkFail, check, fmt.Sprintf(format, args...), todo})
}

// Run makes every check, also after one that failed.
func (c *doctorCommand) Run(ctx context.Context, s streams, env *environment, parser *kong.Kong) error {
	if err := c.where().check(); err != nil {
		return err
	}
	d := &doctor{settings: c, now: clock.Now()}
	d.variables(env.names, append(known(parser.Model.Node), keyVariable))
	facts, readable := d.database(ctx)
	if readable {
		d.people(facts)
		d.times(facts.Newest)
	}
	d.keyring(env, facts)
	d.roleFile(facts, readable)
	d.issuers(env)
	d.certificate()
	d.addresses(ctx)
	d.mail(ctx)
	d.sender(ctx, resolverAt(c.DNS))
	d.webhooks(ctx, facts, net.DefaultResolver)
	if err := d.print(s); err != nil {
		return err
	}
	return d.verdict()
}

func (d *doctor) verdict() error {
	failed := 0
	for _, f := range d.findings {
		if f.state == checkFail {
			failed++
		}
	}
	switch failed {
	case 0:
		return nil
	case 1:
		return errors.New("one thing must be done")
	default:
		return fmt.Errorf("%d things must be done", failed)
	}
}

func (d *doctor) print(s streams) error {
	if d.settings.JSON {
		records := make([]record, len(d.findings))
		for i, f := range d.findings {
			records[i] = record{{"state", f.state}, {"check", f.check}, {"found", f.found}, {"todo", f.todo}}
		}
		return writeJSON(s.out, records)
	}
	for _, f := range d.findings {
		if _, err := fmt.Fprintf(s.out, "%-4s  %-14s  %s\n", f.state, f.check, f.found); err != nil {
			return wrote(err)
		}
		if f.todo == "" {
			continue
		}
		if _, err := fmt.Fprintf(s.out, "      %-14s  → %s\n", "", f.todo); err != nil {
			return wrote(err)
		}
	}
	return nil
}
