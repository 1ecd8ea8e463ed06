// Makes the tables by better-auth's own migrations, fills them from one file,
// and says in another what was made: node seed.mjs DATABASE POPULATION SEEDED
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { getMigrations } from 'better-auth/db/migration';
import { open, secret } from './auth.mjs';

const [path, from, to] = process.argv.slice(2);
const population = JSON.parse(readFileSync(from, 'utf8'));
const { options, database } = open(path, { baseURL: 'http://127.0.0.1' });
await (await getMigrations(options)).runMigrations();

const id = () => randomBytes(24).toString('base64url').replace(/[-_]/g, 'x');
const now = new Date().toISOString();
const later = new Date(Date.now() + 7 * 24 * 3600 * 1000).toISOString(); // what a sign-in gives
const insert = (table, columns) =>
  database.prepare(`INSERT INTO "${table}" (${columns.map((c) => `"${c}"`)}) VALUES (${columns.map(() => '?')})`);

const user = insert('user', ['id', 'name', 'email', 'emailVerified', 'createdAt', 'updatedAt']);
const session = insert('session', ['id', 'token', 'userId', 'expiresAt', 'createdAt', 'updatedAt']);
const organization = insert('organization', ['id', 'name', 'slug', 'createdAt']);
const member = insert('member', ['id', 'organizationId', 'userId', 'role', 'createdAt']);
const invitation = insert('invitation', ['id', 'organizationId', 'email', 'role', 'status', 'expiresAt', 'createdAt', 'inviterId']);

const seeded = { users: [], credentials: [], accounts: [], invites: [], members: [] };
database.transaction(() => {
  for (const email of population.users) {
    const [key, token] = [id(), id()];
    user.run(key, 'Member of the bench', email, 1, now, now);
    session.run(id(), token, key, later, now, now);
    const signature = createHmac('sha256', secret).update(token).digest('base64');
    seeded.users.push(key);
    seeded.credentials.push(encodeURIComponent(`${token}.${signature}`));
  }
  population.accounts.forEach((name, n) => {
    const key = id();
    organization.run(key, name, `account-${n}`, now);
    seeded.accounts.push(key);
  });
  for (const row of population.rows) {
    const account = seeded.accounts[row.account];
    let [invited, joined] = ['', ''];
    if (row.by >= 0) {
      invited = id();
      invitation.run(invited, account, population.users[row.user], row.role, row.status, later, now, seeded.users[row.by]);
    }
    if (row.status === 'accepted') {
      joined = id();
      member.run(joined, account, seeded.users[row.user], row.role, now);
    }
    seeded.invites.push(invited);
    seeded.members.push(joined);
  }
})();

const version = (name) => createRequire(import.meta.url)(`./node_modules/${name}/package.json`).version;
seeded.version = `${version('better-auth')} (Node ${process.versions.node}, better-sqlite3 ${version('better-sqlite3')})`;
const synchronous = ['OFF', 'NORMAL', 'FULL', 'EXTRA'][database.pragma('synchronous', { simple: true })];
seeded.durability = `journal_mode=${database.pragma('journal_mode', { simple: true })}, synchronous=${synchronous}`;
database.close();
writeFileSync(to, JSON.stringify(seeded), { mode: 0o600 });
