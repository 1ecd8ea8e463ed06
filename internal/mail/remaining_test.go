package mail

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestARemindersTimeIsTheRealOne: it says what is left when it is sent.
func TestARemindersTimeIsTheRealOne(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	for left, want := range map[time.Duration][2]string{
		80 * 24 * time.Hour:              {"in 80 days", "in 80 Tagen"},
		60 * time.Hour:                   {"in 3 days", "in 3 Tagen"},
		48*time.Hour - time.Minute:       {"in 2 days", "in 2 Tagen"},
		36 * time.Hour:                   {"in 2 days", "in 2 Tagen"},
		36*time.Hour - time.Second:       {"in 36 hours", "in 36 Stunden"},
		5*time.Hour + 20*time.Minute:     {"in 5 hours", "in 5 Stunden"},
		time.Hour + time.Second:          {"in 2 hours", "in 2 Stunden"},
		time.Hour:                        {"within the hour", "binnen einer Stunde"},
		time.Microsecond:                 {"within the hour", "binnen einer Stunde"},
		0:                                {"within the hour", "binnen einer Stunde"},
		-time.Hour /* a slow attempt */ : {"within the hour", "binnen einer Stunde"},
	} {
		letter := Reminder{Invitation: Invitation{Account: "A", Roles: []string{"R"}, Link: testBase + "/x"}, Left: left}
		for i, locale := range []string{"en", "de"} {
			content, err := c.Compose(locale, letter)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(content.Subject, want[i]) || !strings.Contains(content.Text, want[i]) {
				t.Errorf("%s, %s left: got %q, want %q in it and in the text", locale, left, content.Subject, want[i])
			}
		}
	}
}

// TestADigestNamesTheFirst, and says how many more there are.
func TestADigestNamesTheFirst(t *testing.T) {
	t.Parallel()
	c := newComposer(t)
	var addresses []string
	for i := range 25 {
		addresses = append(addresses, fmt.Sprintf("guest%d@example.com", i))
	}
	for count, test := range map[int]struct {
		addresses []string
		more      string
	}{2: {addresses[:2], ""}, 20: {addresses[:20], ""}, 57: {addresses[:20], "37 more are"}, 25: {addresses, "5 more are"}} {
		content, err := c.Compose("en", ExpiredMany{Account: "A", Addresses: test.addresses, Count: count})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(content.Subject, fmt.Sprint(count)) || strings.Count(content.Text, "guest") != min(len(test.addresses), 20) {
			t.Errorf("%d: got %q\n%s", count, content.Subject, content.Text)
		}
		if test.more == "" && strings.Contains(content.Text, "more are") || !strings.Contains(content.Text, test.more) {
			t.Errorf("%d: got %s, want %q in it", count, content.Text, test.more)
		}
	}
}
