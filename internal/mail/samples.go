package mail

import (
	"strings"
	"time"
)

// Samples are a letter of every kind with everything filled in, their links
// below base.
func Samples(base string) []Letter {
	base = strings.TrimSuffix(base, "/")
	now := time.Date(2026, time.March, 3, 14, 5, 0, 0, time.UTC)
	const minutes = 10 * time.Minute
	invitation := Invitation{
		Account: "Analytical Engines", Inviter: "Ada Lovelace", Roles: []string{"Editor", "Billing"}, Expires: now.AddDate(0, 0, 7),
		Note: "Hello Charles,\nthe drawings for the mill are in there. Please have a look before Tuesday.",
		Link: base + "/i/aWxsdXN0cmF0aW9uLW9ubHktb3BlbnMtbm90aGluZw", Unsubscribe: base + "/never/aWxsdXN0cmF0aW9u",
	}
	reminder := Reminder{Invitation: invitation, Left: 48 * time.Hour}
	reminder.Expires = now.Add(reminder.Left)
	members := base + "/members"
	const address = "charles@example.com"
	place := "198.51.100.7, Firefox (Linux)"
	letters := []Letter{
		invitation,
		reminder,
		Withdrawn{Account: invitation.Account, Inviter: invitation.Inviter, Unsubscribe: invitation.Unsubscribe},
		Expired{Account: invitation.Account, Address: address, Expired: now, Link: members},
		ExpiredMany{Account: invitation.Account, Addresses: []string{address, "lovelace@example.com"}, Count: 5, Link: members},
		Accepted{Account: invitation.Account, Address: address, Person: "Charles Babbage", Roles: invitation.Roles, Link: members},
		MembershipEnds{Account: invitation.Account, Roles: invitation.Roles, Ends: now.AddDate(0, 0, 7), Left: 7 * 24 * time.Hour},
		MemberEnds{Account: invitation.Account, Address: address, Roles: invitation.Roles, Ends: now.AddDate(0, 0, 7), Left: 7 * 24 * time.Hour},
		WebhookOff{
			Account: invitation.Account, Webhook: "Payroll", Host: "hooks.example.com", Reason: "failing", Failing: 5 * 24 * time.Hour, Off: now,
			Path: "/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/webhooks/0194203c4b2e7c5fa1d05c9e41a7f36b",
		},
		LinkAsked{Account: invitation.Account, Address: address, Roles: invitation.Roles, Asked: now, Link: members},
		SignIn{Link: base + "/s/aWxsdXN0cmF0aW9uLW9ubHk", Code: "7KQF-M3ZX", Lasts: minutes, Asked: now, Place: place},
		AddressChange{Link: base + "/a/aWxsdXN0cmF0aW9uLW9ubHk", Code: "4TWB-9HRC", Lasts: minutes, Asked: now, Place: place},
	}
	what := map[Event]string{FactorAdded: "Authenticator", FactorRemoved: "Authenticator", SignInLinked: "Example Login"}
	for _, event := range Events() {
		letters = append(letters, Notice{Event: event, What: what[event], Time: now, Place: place, Link: base + "/security"})
	}
	return append(letters, Test{Sent: now})
}

// bare are the letters that can lack something, without it.
func bare(base string) []Letter {
	now := time.Date(2026, time.March, 3, 14, 5, 0, 0, time.UTC)
	link := base + "/x"
	invitation := Invitation{Account: "A", Roles: []string{"R"}, Expires: now, Link: link}
	letters := []Letter{
		invitation,
		Reminder{Invitation: invitation},
		Reminder{Invitation: invitation, Left: 5 * time.Hour},
		Withdrawn{Account: "A"},
		Expired{Account: "A", Address: "a@example.com", Expired: now},
		ExpiredMany{Account: "A", Addresses: []string{"a@example.com"}, Count: 2},
		ExpiredMany{Account: "A", Addresses: []string{"a@example.com", "b@example.com"}, Count: 2},
		Accepted{Account: "A", Address: "a@example.com"},
		MembershipEnds{Account: "A", Roles: []string{"R"}, Ends: now},
		MemberEnds{Account: "A", Address: "a@example.com", Roles: []string{"R"}, Ends: now, Left: 5 * time.Hour},
	}
	for _, reason := range []string{"failing", "gone", "grantor_lost"} {
		letters = append(letters, WebhookOff{
			Account: "A", Host: "example.com", Reason: reason, Failing: 5 * 24 * time.Hour, Off: now, Path: "/x",
		})
	}
	for _, event := range Events() {
		letters = append(letters, Notice{Event: event, Time: now})
	}
	return letters
}

// letterNames are the names of all letters.
func letterNames() []string {
	samples := Samples("")
	names := make([]string, len(samples))
	for i, letter := range samples {
		names[i] = letter.name()
	}
	return names
}
