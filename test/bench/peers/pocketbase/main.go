// Command pocketbase is what make peers compares hither with: invitations as an
// application on PocketBase would build them, from collections, API rules and
// hooks as its documentation describes these.
//
// It is the pocketbase command with one command more, seed, and one flag,
// --strict: without it, what is to be refused is refused by rules and by checks
// in hooks; with it, also by what the same documentation has for that, a unique
// index, a transaction and one rule more.
package main

import (
	"fmt"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/spf13/cobra"
)

func main() {
	app := pocketbase.New()
	strict := app.RootCmd.PersistentFlags().Bool("strict", false, "also use an index, a transaction and one rule more")
	app.RootCmd.AddCommand(&cobra.Command{
		Use:   "seed POPULATION SEEDED",
		Short: "Make the collections, fill them from one file, and say in another what was made",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return seed(app, *strict, args[0], args[1])
		},
	})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.InstallerFunc = nil // nobody is there to set up a superuser in a browser
		return e.Next()
	})
	bindHooks(app, strict)
	if err := app.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "pocketbase:", err)
		os.Exit(1)
	}
}
