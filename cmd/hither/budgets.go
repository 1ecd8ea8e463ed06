package main

import (
	"fmt"

	"hither/internal/iam"
)

// budgetSettings bound how many invitations are mailed. A day is one of UTC, a
// week begins on Monday.
type budgetSettings struct {
	BudgetInviter       int `default:"500" env:"HITHER_BUDGET_INVITER" help:"How many people one user may invite a day, over all accounts; 0 is any number, here and in all budgets. Beyond it inviting is refused with 1212." placeholder:"N"`
	BudgetAccount       int `default:"2000" env:"HITHER_BUDGET_ACCOUNT" help:"How many people may be invited to one account a day. Beyond it inviting is refused with 1212." placeholder:"N"`
	BudgetOpen          int `default:"2000" env:"HITHER_BUDGET_OPEN" help:"How many more invitations an account may have open than it has members. Beyond it inviting is refused with 1212." placeholder:"N"`
	BudgetRecipient     int `default:"5" env:"HITHER_BUDGET_RECIPIENT" help:"How many invitations one mailbox gets a day, over all accounts. What is beyond it waits for the next day, as with the budgets that follow." placeholder:"N"`
	BudgetRecipientWeek int `default:"20" env:"HITHER_BUDGET_RECIPIENT_WEEK" help:"How many invitations one mailbox gets a week, over all accounts." placeholder:"N"`
	BudgetDomain        int `default:"5000" env:"HITHER_BUDGET_DOMAIN" help:"How many invitations the mailboxes of one domain get a day." placeholder:"N"`
	BudgetInstance      int `default:"50000" env:"HITHER_BUDGET_INSTANCE" help:"How many invitations are mailed a day at all." placeholder:"N"`
}

func (b *budgetSettings) check() error {
	for _, one := range []struct {
		flag, variable string
		n              int
	}{
		{"--budget-inviter", "HITHER_BUDGET_INVITER", b.BudgetInviter},
		{"--budget-account", "HITHER_BUDGET_ACCOUNT", b.BudgetAccount},
		{"--budget-open", "HITHER_BUDGET_OPEN", b.BudgetOpen},
		{"--budget-recipient", "HITHER_BUDGET_RECIPIENT", b.BudgetRecipient},
		{"--budget-recipient-week", "HITHER_BUDGET_RECIPIENT_WEEK", b.BudgetRecipientWeek},
		{"--budget-domain", "HITHER_BUDGET_DOMAIN", b.BudgetDomain},
		{"--budget-instance", "HITHER_BUDGET_INSTANCE", b.BudgetInstance},
	} {
		if one.n < 0 {
			return usageError{fmt.Sprintf("%s must not be negative (%s); 0 is no limit", one.flag, one.variable)}
		}
	}
	return nil
}

func (b *budgetSettings) budgets() iam.Budgets {
	return iam.Budgets{
		InviterDay: b.BudgetInviter, AccountDay: b.BudgetAccount, Open: b.BudgetOpen, RecipientDay: b.BudgetRecipient,
		RecipientWeek: b.BudgetRecipientWeek, DomainDay: b.BudgetDomain, InstanceDay: b.BudgetInstance,
	}
}
