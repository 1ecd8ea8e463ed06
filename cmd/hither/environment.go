package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// environment gives flags the values of their variables. Kong would ask the
// process itself; the program gets its environment handed in.
type environment struct {
	getenv func(string) string
	names  []string   // of every variable that is set
	last   *kong.Flag // the flag that was set last, and by what
	name   string
}

// newEnvironment reads what a process is given, NAME=VALUE each. Of a name that
// is there twice the first counts, as it does for os.Getenv.
func newEnvironment(environ []string) environment {
	values := make(map[string]string, len(environ))
	var names []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, twice := values[name]; !twice {
			values[name] = value
			names = append(names, name)
		}
	}
	return environment{getenv: func(name string) string { return values[name] }, names: names}
}

// detachEnvironment keeps kong from reading the process's own environment. The
// names of the variables stay in Flag.Envs.
func detachEnvironment(node *kong.Node) {
	for _, flag := range node.Flags {
		flag.Tag.Envs = nil
	}
	for _, child := range node.Children {
		detachEnvironment(child)
	}
}

// Validate belongs to kong.Resolver: there is nothing to check.
func (e *environment) Validate(*kong.Application) error { return nil }

// Resolve is the value of a flag's variable. An empty one counts as unset, as
// most who write unit files and compose files expect.
func (e *environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if value := e.getenv(name); value != "" {
			e.last, e.name = flag, name
			return value, nil
		}
	}
	return nil, nil //nolint:nilnil // kong's way to say that the resolver knows nothing
}

// blame adds the variable's name to an error about a flag that it set: who
// never wrote the flag would look for it in vain.
func (e *environment) blame(err error) error {
	if e.last != nil && strings.HasPrefix(err.Error(), "--"+e.last.Name) {
		return fmt.Errorf("%w (set by the environment variable %s)", err, e.name)
	}
	return err
}

// describe is the help text of a flag, with its default and its variable.
func describe(value *kong.Value) string {
	if value.Flag == nil {
		return value.Help
	}
	var also []string
	if value.HasDefault && value.Default != "" && !value.IsBool() {
		also = append(also, "default "+value.Default)
	}
	for _, name := range value.Flag.Envs {
		also = append(also, "$"+name)
	}
	if len(also) == 0 {
		return value.Help
	}
	return value.Help + " (" + strings.Join(also, ", ") + ")"
}
