package iam

// mayBeMailed says who can sign in by mail. An unproven address is proven by it,
// see proveUser; not that of a user with the operator's rights, which reach past
// every account: that it is theirs is for the operator to say.
func mayBeMailed(u User) bool { return !u.Suspended && (u.Verified || !u.Operator) }

// proveUser makes the address of a user a proven one, when its mailbox just was.
//
// Whoever made the user, or was given a credential of it, before that need not be
// who reads the mailbox: left in place, a key would from then on see and answer
// what the mailbox's owner is invited to, and act as it. So all that opened the
// user until now ends in the same transaction, and from then on the mailbox alone
// opens it. What accounts gave to the address stays: it was given to the address.
//
// An invitation by itself proves nothing to a user that exists, however it came:
// its link leads to this sign-in.
func (s *Service) proveUser(tx Tx, user User, entry AuditEntry) (User, error) {
	if user.Verified {
		return user, nil
	}
	proven := user
	proven.Verified = true
	entry.by(user, MeansLink)
	proof, credentials, sessions := entry, entry, entry
	proof.OperationID += "-proof"
	proof.Action, proof.TargetID = UserProve, user.ID
	proof.Before, proof.After = userSnapshot(user), userSnapshot(proven)
	if err := tx.UpdateUser(proven, proof); err != nil {
		return User{}, err
	}
	credentials.OperationID += "-credentials"
	credentials.Action, credentials.TargetID = CredentialsEnd, user.ID
	if err := tx.EndCredentials(user.ID, credentials); err != nil {
		return User{}, err
	}
	if user.OwnFactor { // somebody else may hold it, and the owner could not come in
		factors := entry
		factors.OperationID += "-factors"
		factors.Action, factors.TargetID = CredentialsEnd, user.ID
		if err := tx.DropFactors(user.ID, factors); err != nil {
			return User{}, err
		}
		proven.OwnFactor = false
	}
	sessions.OperationID += "-sessions"
	sessions.Action, sessions.TargetID = SessionEnd, user.ID
	return proven, tx.EndSessions(user.ID, "", sessions)
}
