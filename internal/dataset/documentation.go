package dataset

import (
	"bytes"
	_ "embed" // for documentation.yaml
	"fmt"

	"hither/internal/iam"
)

//go:embed documentation.yaml
var documentationYAML []byte

// What the documentation dataset holds under names that others use: the demo's
// start text and the tests.
const (
	DocumentationUser    = "user@example.com"
	DocumentationKey     = "144c9defac04969c7bfad8efaa8ea194"
	DocumentationLongKey = "144c9defac04969c7bfad8efaa8ea19494abc"    // of the same user
	DocumentationToken   = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY" // likewise
	DocumentationTokenID = iam.ID("ed17574386854bf78a67040be0a770b0")

	DocumentationAdmin    = "admin@example.com" // who invites DocumentationUser
	DocumentationAdminKey = "5f0c6e1d2b3a49788695a4b3c2d1e0f9ad312"

	DocumentationAccount      = iam.ID("023e105f4ecef8ad9ca31a8372d0c353")
	DocumentationAccount2     = iam.ID("a67e14daa5f8dceeb91fe5449ba496ef")
	DocumentationInviter      = iam.ID("5a7805061c76ada191ed06f989cc3dac") // the account that the invitation is from
	DocumentationRole         = iam.ID("3536bcfad5faccb999b47003c79917fb")
	DocumentationMembership   = iam.ID("4536bcfad5faccb111b47003c79917fa")
	DocumentationInvite       = iam.ID("4f5f0c14a2a41d5063dd301b2f829f04")
	DocumentationInviterTitle = "Example, Inc."
)

// Documentation is the dataset behind the examples of the public reference. The
// demo serves it.
func Documentation() (iam.Dataset, error) {
	dataset, err := Parse(bytes.NewReader(documentationYAML))
	if err != nil {
		return iam.Dataset{}, fmt.Errorf("documentation.yaml: %w", err)
	}
	return dataset, nil
}
