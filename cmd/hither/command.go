package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // the command was understood and failed
	exitUsage   = 2 // the command line or the environment is wrong
)

// execute finds the command that args ask for and runs it.
func execute(ctx context.Context, args, environ []string, s streams) int {
	var grammar cli
	env := newEnvironment(environ)
	parser, err := newParser(&grammar, &env, s)
	if err != nil {
		return complain(s.err, "hither", err, exitFailure)
	}
	if len(args) == 0 {
		return usage(parser, s.err)
	}
	parsed, err := parser.Parse(args)
	switch {
	case errors.Is(err, errHelped):
		return exitOK
	case err != nil:
		return complain(s.err, "hither", env.blame(err), exitUsage)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(&env)
	if err := parsed.Run(s); err != nil {
		return complain(s.err, parsed.Selected().FullPath(), err, exitFailure)
	}
	return exitOK
}

func newParser(grammar *cli, env *environment, s streams) (*kong.Kong, error) {
	parser, err := kong.New(grammar,
		kong.Name("hither"),
		kong.Description("Organisations, members, roles and invitations over the v4 wire."),
		kong.Writers(s.out, s.err),
		kong.NoDefaultHelp(),
		kong.ValueFormatter(describe),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Resolvers(env),
	)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	detachEnvironment(parser.Model.Node)
	return parser, nil
}

// complain writes why a command did not do what was asked, and how to get
// help where the way of asking was wrong.
func complain(w io.Writer, prefix string, err error, code int) int {
	if _, ok := errors.AsType[usageError](err); ok {
		code = exitUsage
	}
	_, _ = fmt.Fprintf(w, "%s: %s\n", prefix, strings.TrimSpace(err.Error()))
	if code == exitUsage {
		_, _ = fmt.Fprintf(w, "Try: hither COMMAND --help\n")
	}
	return code
}

// usageError is what a command returns where its flags don't fit together in
// a way that only running it can tell.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// usage answers a call without a command: the list of commands.
func usage(parser *kong.Kong, w io.Writer) int {
	parser.Stdout = w
	_, _ = parser.Parse([]string{"--help"})
	return exitUsage
}

// errHelped ends parsing once help was shown.
var errHelped = errors.New("help was shown")

// helpFlag is --help. Kong's own ends the process, which run must not.
type helpFlag bool

// BeforeReset shows the help of the command that was named so far.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return fmt.Errorf("show help: %w", err)
	}
	return errHelped
}

// IgnoreDefault tells kong that the flag has none, so that the hook runs only
// where the flag was given.
func (helpFlag) IgnoreDefault() {}
