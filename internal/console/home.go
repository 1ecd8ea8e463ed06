package console

import (
	"net/http"
	"time"

	"hither/internal/iam"
)

// homeView is what is the user's own.
type homeView struct {
	Waiting, Past, Members []row
}

// row is one invitation or membership in a list.
type row struct {
	Account string
	Roles   []string
	Until   time.Time
	To      string
	Status  string
}

// shown bounds a list of the home page; the API has the rest.
const shown = 50

func (x *exchange) showHome() error {
	invitations, err := x.Service.Invitations(x.r.Context(), x.actor, []iam.Status{iam.Pending, iam.Rejected, iam.Expired})
	if err != nil {
		return err
	}
	members, err := x.Service.Memberships(x.r.Context(), x.actor, iam.MembershipQuery{
		PageRequest: iam.PageRequest{Number: 1, Size: shown}, Statuses: []iam.Status{iam.Accepted}, Order: iam.ByAccountName,
	})
	if err != nil {
		return err
	}
	var home homeView
	for _, invitation := range invitations[:min(len(invitations), shown)] {
		status := invitation.StatusAt(x.Now())
		listed := x.rowOf(invitation)
		listed.Status = x.say("status." + string(status))
		if status == iam.Pending {
			home.Waiting = append(home.Waiting, listed)
		} else {
			home.Past = append(home.Past, listed)
		}
	}
	for _, membership := range members.Items {
		home.Members = append(home.Members, x.rowOf(membership))
	}
	x.show(http.StatusOK, homePage, view{Title: x.say("home.heading"), Menu: "home", Wide: true, Data: home})
	return nil
}

func (x *exchange) rowOf(i iam.Invitation) row {
	return row{Account: i.Account.Name, Roles: roleNames(i.Roles), Until: i.ExpiresOn, To: "/invites/" + string(i.ID)}
}
