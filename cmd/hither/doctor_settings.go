package main

import (
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/server"
	"hither/internal/store"
)

// known are the variables of every flag of every command.
func known(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		names = append(names, flag.Envs...)
	}
	for _, child := range node.Children {
		names = append(names, known(child)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// variables looks for settings that nobody reads. A flag that is unknown ends
// the command; a variable that is misspelt would be passed over.
func (d *doctor) variables(set, known []string) {
	stray := 0
	for _, name := range set {
		upper := strings.ToUpper(name)
		if !strings.HasPrefix(upper, "HITHER") || slices.Contains(known, name) {
			continue
		}
		stray++
		todo := "unset it, or use one of " + strings.Join(known, ", ")
		nearest := slices.MinFunc(known, func(a, b string) int { return distance(upper, a) - distance(upper, b) })
		if distance(upper, nearest) <= 3 {
			todo = "did you mean " + nearest + "?"
		}
		d.failf("environment", todo, "%s is no setting of hither and has no effect", name)
	}
	if stray == 0 {
		d.okf("environment", "no variable is misspelt")
	}
}

// distance is how many letters must be put in, left out or changed to make one
// word the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// roleFile looks whether `hither serve` would start with the role file: it
// drops no role that somebody holds.
func (d *doctor) roleFile(facts store.Inspection, readable bool) {
	const check = "role file"
	path := d.settings.Roles
	if path == "" {
		if len(facts.FileRoles) > 0 {
			d.okf(check, "--roles is not given; the %d role(s) of the last file stay", len(facts.FileRoles))
		}
		return
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		d.failf(check, "name a file that is there with --roles (HITHER_ROLES), and let the server read it", "%v", err)
		return
	}
	defer func() { _ = file.Close() }()
	roles, err := dataset.ParseRoles(file)
	if err != nil {
		oneLine := strings.ReplaceAll(inFile("--roles", path, err).Error(), "\n  ", " ")
		d.failf(check, "correct the file; docs/operations.md shows one", "%s", oneLine)
		return
	}
	if !readable {
		d.okf(check, "%s defines %d role(s)", path, len(roles))
		return
	}
	lacking := 0
	for _, held := range facts.FileRoles {
		kept := slices.ContainsFunc(roles, func(r iam.Role) bool { return r.ID == held.ID })
		if !kept && held.Holders > 0 {
			lacking++
			d.failf(check, "put it back into the file, or give them another role: the server refuses to start like this",
				"%s lacks %q (%s), which %d member(s) or invitation(s) hold", path, held.Name, held.ID, held.Holders)
		}
	}
	if lacking == 0 {
		d.okf(check, "%s defines %d role(s) and drops none that is held", path, len(roles))
	}
}

// certificateWarning is how long before its end a certificate is spoken of.
const certificateWarning = 14 * 24 * time.Hour

// certificate reads the pair as the server would, and looks at its days.
func (d *doctor) certificate() {
	const check, renew = "certificate", "renew it and start the server anew: it reads the files at start"
	if d.settings.TLSCert == "" {
		return
	}
	config, err := server.TLS(d.settings.TLSCert, d.settings.TLSKey)
	if err != nil {
		d.failf(check, "give a PEM certificate with --tls-cert and its own key with --tls-key, both readable by the server", "%v", err)
		return
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		d.failf(check, renew, "%s: %v", d.settings.TLSCert, err)
		return
	}
	switch left := leaf.NotAfter.Sub(d.now); {
	case left <= 0:
		d.failf(check, renew, "%s expired on %s", d.settings.TLSCert, show(leaf.NotAfter))
	case d.now.Before(leaf.NotBefore):
		d.failf(check, "wait, or look at the clock", "%s is not valid before %s", d.settings.TLSCert, show(leaf.NotBefore))
	case left <= certificateWarning:
		d.warnf(check, renew, "%s expires on %s", d.settings.TLSCert, show(leaf.NotAfter))
	default:
		d.okf(check, "%s goes with its key and is valid until %s", d.settings.TLSCert, show(leaf.NotAfter))
	}
}
