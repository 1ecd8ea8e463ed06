// Package storetest is the conformance suite of iam.Store: what every engine
// must do, told by what iam.Store and iam.Tx promise and by the rules of an
// invitation, not by how the first engine happens to do it.
package storetest

import (
	"testing"
	"time"

	"hither/internal/iam"
)

// Open returns a fresh, empty store whose transactions take their time from
// now. It is closed with the test.
type Open func(t *testing.T, now func() time.Time) iam.Store

// Run holds a store against the suite. Every test has a store of its own.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, group := range []map[string]func(f *fixture){
		accountTests, auditTests, auditLogTests, budgetTests, bulkTests, credentialTests, deliveryTests, deliveryHistoryTests, eraseTests, factorTests, factsTests, funnelTests,
		idempotencyTests, identityTests, invitationTests, linkTests, memberTests, membershipTests, raceTests, retentionTests, roleTests, sessionTests, settleTests, termTests, transactionTests, userTests,
		wakingTests, webhookTests, webhookEndTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newFixture(t, open))
			})
		}
	}
}
