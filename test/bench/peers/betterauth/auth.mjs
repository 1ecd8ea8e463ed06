// better-auth with its organization plugin, set up as its documentation shows:
// SQLite by better-sqlite3, invitations to people who have an account already.
import { betterAuth } from 'better-auth';
import { APIError } from 'better-auth/api';
import { organization } from 'better-auth/plugins';
import Database from 'better-sqlite3';

// Signs the session cookies of this bench, and of nothing else.
export const secret = 'a secret that only the bench of hither uses';

// open takes a limit for members and for open invitations, 0 for better-auth's
// own (100), and whether to use the documented means against what the defaults
// let through.
export function open(path, { baseURL, limit = 0, strict = false }) {
  const database = new Database(path);
  database.pragma('journal_mode = WAL'); // as better-sqlite3's README advises; the rest is as it comes
  const options = {
    baseURL,
    secret,
    database,
    telemetry: { enabled: false },
    logger: { disabled: true },
    // On by default in production: it would measure itself. Every request here comes from one address.
    rateLimit: { enabled: false },
    plugins: [
      organization({
        ...(limit ? { membershipLimit: limit, invitationLimit: limit } : {}),
        ...(strict ? { cancelPendingInvitationsOnReInvite: true, organizationHooks: inviterStillManages(database) } : {}),
        sendInvitationEmail: async () => {}, // no peer sends mail here
      }),
    ],
  };
  return { auth: betterAuth(options), options, database };
}

// inviterStillManages refuses an invitation whose inviter may not invite any more.
function inviterStillManages(database) {
  const role = database.prepare('SELECT role FROM member WHERE organizationId = ? AND userId = ?').pluck();
  return {
    beforeAcceptInvitation: async ({ invitation, organization }) => {
      const roles = (role.get(organization.id, invitation.inviterId) ?? '').split(',');
      if (!roles.includes('owner') && !roles.includes('admin')) {
        throw new APIError('FORBIDDEN', { message: 'Who invited you may not invite any more.' });
      }
    },
  };
}
