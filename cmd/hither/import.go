package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/store"
)

// importCommand is `hither import`.
type importCommand struct {
	database
	File string `arg:"" help:"YAML or JSON; - is standard input. docs/import.md describes the format."`
	JSON bool   `help:"Print JSON, for scripts." name:"json"`
}

// Run imports a file, all of it or nothing.
func (c *importCommand) Run(ctx context.Context, s streams) error {
	// Before the database is made: a file that cannot be read should not leave
	// an empty one.
	rows, err := c.read(s.in)
	if err != nil {
		return c.explain(err)
	}
	return withDatabase(ctx, c.where(), store.Options{}, c.JSON, s, func(s session) error {
		bar := newProgress(s.err, "rows")
		err := s.service.Import(ctx, s.actor, rows, bar.show)
		bar.clear()
		if err != nil {
			return c.explain(err)
		}
		return c.report(s, rows)
	})
}

func (c *importCommand) read(stdin io.Reader) (iam.Dataset, error) {
	if c.File == "-" {
		return dataset.Parse(stdin)
	}
	file, err := os.Open(c.File)
	if err != nil {
		return iam.Dataset{}, err //nolint:wrapcheck // it names the operation and the file
	}
	defer func() { _ = file.Close() }() // it was only read
	return dataset.Parse(file)
}

// report says what was imported.
func (c *importCommand) report(s session, rows iam.Dataset) error {
	counts := []struct {
		noun string
		n    int
	}{
		{"users", len(rows.Users)},
		{"accounts", len(rows.Accounts)},
		{"roles", len(rows.Roles)},
		{"memberships", len(rows.Memberships)},
		{"tokens", len(rows.Tokens)},
	}
	var (
		r    record
		said []string
	)
	for _, count := range counts {
		r = append(r, attribute{count.noun, count.n})
		noun := count.noun
		if count.n == 1 {
			noun = strings.TrimSuffix(noun, "s")
		}
		if count.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", count.n, noun))
		}
	}
	if s.json {
		return writeJSON(s.out, r)
	}
	if len(said) == 0 {
		said = []string{"nothing: the file holds no rows"}
	}
	return s.say("imported %s", strings.Join(said, ", "))
}

// shownProblems is how many problems of a file are printed.
const shownProblems = 20

// explain names the file, and lists what is wrong with it.
func (c *importCommand) explain(err error) error {
	var problems iam.Problems
	if !errors.As(err, &problems) {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	name := c.File
	if name == "-" {
		name = "standard input"
	}
	var text strings.Builder
	noun := "problems"
	if len(problems) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&text, "nothing was imported; %s has %d %s:", name, len(problems), noun)
	for i, problem := range problems {
		if i == shownProblems {
			fmt.Fprintf(&text, "\n  and %d more", len(problems)-i)
			break
		}
		text.WriteString("\n  ")
		if problem.Line > 0 {
			fmt.Fprintf(&text, "line %d: ", problem.Line)
		}
		text.WriteString(problem.Message)
	}
	return explained{text.String(), err}
}
