package iam

import "time"

// Mailing is what an instance sends by itself. The zero value sends nothing, for
// who delivers invitations by other means.
type Mailing struct {
	Enabled bool
	// ReminderLead is how long before its end an invitation's reminder goes out,
	// once; 0 is never.
	ReminderLead time.Duration
	Budgets      Budgets
	// ResendPause is how long after a link another one can be sent; MaxResends how
	// many can be after the first. 0 is no limit.
	ResendPause time.Duration
	MaxResends  int
	// DeliveryRetention is for how long messages stay on record after they ended; 0 is
	// for good.
	DeliveryRetention time.Duration
}

// What holds unless set.
const (
	DefaultReminderLead = 48 * time.Hour
	DefaultResendPause  = 5 * time.Minute
	DefaultMaxResends   = 10
)

// wake is when the clock next has to do with a pending row: to remind of it,
// where that lies ahead, else to end it.
func (m Mailing) wake(row Membership, now time.Time) time.Time {
	remind := row.ExpiresOn.Add(-m.ReminderLead)
	if !m.Enabled || m.ReminderLead <= 0 || row.ExpiresOn.IsZero() || !remind.After(now) {
		return row.ExpiresOn
	}
	return remind
}

// queue adds messages to a transaction, where the instance sends any.
func (m Mailing) queue(tx Tx, deliveries ...Delivery) error {
	if !m.Enabled {
		return nil
	}
	for _, delivery := range deliveries {
		if err := tx.Queue(delivery); err != nil {
			return err
		}
	}
	return nil
}
