// Command hither keeps who belongs to which organisation: accounts, members,
// roles and invitations, over the v4 wire. One binary holds the server, the
// demo and the operator's commands.
//
// It assembles the rooms below internal and decides nothing that they could.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// cli is every command, in the order in which help lists them. A command is a
// struct with a Run method, which may ask for a context.Context and for
// streams; its fields are its flags and arguments, and an env tag makes a flag
// a setting of the environment too. docs/configuration.md comes from here.
type cli struct {
	Help helpFlag `help:"Show what a command does and takes." short:"h"`

	Serve   serveCommand    `cmd:"" help:"Serve the API and the pages."`
	Demo    demoCommand     `cmd:"" help:"Serve a throw-away database that holds the examples of the public reference."`
	Init    initCommand     `cmd:"" help:"Make the first user, its account and an operator token in a fresh database."`
	User    userCommands    `cmd:"" help:"Users: list, add, show, set, disable, enable."`
	Account accountCommands `cmd:"" help:"Accounts and their members: list, add, show, set, brand, delete, members, add-member, remove-member."`
	Key     keyCommands     `cmd:"" help:"API keys of users: list, add, rotate, disable."`
	Token   tokenCommands   `cmd:"" help:"Bearer tokens of users and of the operator: list, add, rotate, revoke."`
	Role    roleCommands    `cmd:"" help:"Roles beside the built-in ones: list, add, drop."`
	Keyring keyringCommands `cmd:"" help:"Instance keys, of which links are made: show, make, rotate, drop."`
	Mail    mailCommands    `cmd:"" help:"Mail: preview every message, test the way that it takes."`
	Outbox  outboxCommands  `cmd:"" help:"Messages and who gets them: list, show, retry, drop, silent, lift."`
	Stats   statsCommand    `cmd:"" help:"Count how far invitations came: delivered, opened, answered, and how fast."`
	Import  importCommand   `cmd:"" help:"Import users, accounts, roles, memberships and tokens from a file, all or nothing."`
	Invite  inviteCommand   `cmd:"" help:"Invite the people of a file to an account, over the API of a server."`
	Backup  backupCommand   `cmd:"" help:"Copy the database to a new file, consistently, while a server works on it."`
	Doctor  doctorCommand   `cmd:"" help:"Check the settings, the database, the machine and the clock, say what to do, and change nothing."`
	Version versionCommand  `cmd:"" help:"Print the version of the program and of the wire that it speaks."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops gracefully; from then on the next one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for what makes it a process: it takes its
// arguments, environment, streams and, as ctx, its signals, and returns its
// exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return execute(ctx, args, environ, streams{in: stdin, out: stdout, err: stderr})
}

// streams are what a command reads and writes. What a command is for goes to
// out; messages, progress and the log go to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}
