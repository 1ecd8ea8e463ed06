package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// update writes docs/configuration.md anew: go test ./cmd/hither -update.
var update = flag.Bool("update", false, "write docs/configuration.md")

const configurationFile = "../../docs/configuration.md"

const configurationHead = `# Commands and their settings

<!-- Made from the structs in cmd/hither by: go test ./cmd/hither -run TestConfigurationIsDocumented -update -->

A setting is a flag, ` + "`--listen HOST:PORT`" + ` or ` + "`--listen=HOST:PORT`" + `. Where a variable stands beside it, the environment
sets it too; the flag wins over the variable, the variable over the default, and an empty variable is none. Times are
written like ` + "`500ms`, `20s` or `1m30s`" + `. There is no configuration file.

` + "`HITHER_KEY`" + ` alone has no flag, since others can see command lines: it holds the instance keys themselves, the text of a
keyring file, its lines or these separated by ` + "`;`" + `. Where it is set, no keyring file is read or made.

The operator's commands work on the database that ` + "`--data FILE` (`HITHER_DATA`, `./hither.db`)" + ` names, or
the one of ` + "`--database URL` (`HITHER_DATABASE`)" + `, beside a running server or without one, and print JSON with ` + "`--json`" + `.
What they change is in force at the server's next request.

A command ends with 0, with 1 if it failed, and with 2 if the command line or the environment was wrong.
`

// TestConfigurationIsDocumented holds docs/configuration.md equal to what the
// program takes.
func TestConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	var grammar cli
	parser, err := newParser(&grammar, &environment{}, streams{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(configurationHead)
	document(&text, parser.Model.Node)
	if *update {
		if err := os.WriteFile(configurationFile, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(configurationFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != text.String() {
		t.Errorf("docs/configuration.md is not what the program takes; write it anew: go test ./cmd/hither -run TestConfigurationIsDocumented -update")
	}
}

// document writes a section for each command that can be run.
func document(text *strings.Builder, node *kong.Node) {
	if node.Leaf() && !node.Hidden {
		fmt.Fprintf(text, "\n## hither %s\n\n%s\n", commandPath(node), node.Help)
		if node.Detail != "" {
			fmt.Fprintf(text, "\n%s\n", strings.TrimSpace(node.Detail))
		}
		arguments(text, node)
		settings(text, node)
	}
	for _, child := range node.Children {
		document(text, child)
	}
}

func commandPath(node *kong.Node) string {
	if node.Parent == nil || node.Parent.Type == kong.ApplicationNode {
		return node.Name
	}
	return commandPath(node.Parent) + " " + node.Name
}

func arguments(text *strings.Builder, node *kong.Node) {
	if len(node.Positional) == 0 {
		return
	}
	text.WriteString("\n| argument | meaning |\n|---|---|\n")
	for _, argument := range node.Positional {
		fmt.Fprintf(text, "| `%s` | %s |\n", argument.Summary(), cell(argument.Help))
	}
}

func settings(text *strings.Builder, node *kong.Node) {
	head := "\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
	for _, flag := range node.Flags {
		if flag.Hidden || flag.Name == "help" || shared(node, flag) {
			continue
		}
		text.WriteString(head)
		head = ""
		variable, fallback := "", ""
		if len(flag.Envs) > 0 {
			variable = "`" + strings.Join(flag.Envs, "`, `") + "`"
		}
		switch {
		case flag.HasDefault && flag.Default != "":
			fallback = "`" + flag.Default + "`"
		case flag.Required && len(flag.Xor) > 0:
			fallback = "one is needed"
		case flag.Required:
			fallback = "needed"
		}
		fmt.Fprintf(text, "| %s | %s | %s | %s |\n", cell(flagName(flag)), variable, fallback, cell(flag.Help))
	}
}

// shared reports whether the head of the document has a flag already.
func shared(node *kong.Node, flag *kong.Flag) bool {
	return node.Name != "serve" && (flag.Name == "data" || flag.Name == "database" || flag.Name == "json")
}

func flagName(flag *kong.Flag) string {
	switch {
	case !flag.IsBool():
		return "`--" + flag.Name + " " + flag.FormatPlaceHolder() + "`"
	case flag.Tag.Negatable == "":
		return "`--" + flag.Name + "`"
	case flag.Tag.Negatable == "_":
		return "`--[no-]" + flag.Name + "`"
	default:
		return "`--" + flag.Name + "`, `--" + flag.Tag.Negatable + "`"
	}
}

// cell is a text within a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
