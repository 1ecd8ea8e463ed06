package sdk_test

import (
	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/memberships"
	"github.com/cloudflare/cloudflare-go/v7/packages/pagination"
	"github.com/cloudflare/cloudflare-go/v7/shared"
	"github.com/cloudflare/cloudflare-go/v7/user"
)

// The SDK's lists, by short names.
type (
	invitePage       = *pagination.SinglePage[user.Invite]
	organizationPage = *pagination.V4PagePaginationArray[user.Organization]
	accountPage      = *pagination.V4PagePaginationArray[accounts.Account]
	memberPage       = *pagination.V4PagePaginationArray[shared.Member]
	membershipPage   = *pagination.V4PagePaginationArray[memberships.Membership]
)
