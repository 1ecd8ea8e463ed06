// The life of an invitation, by the published npm SDK, with nothing changed but its host. Run by node --test, on a
// fresh demo, with HITHER_URL for where that is and SIGN_IN for how the user signs in: key or token.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Cloudflare from 'cloudflare'

const invitation = '4f5f0c14a2a41d5063dd301b2f829f04'
const account_id = '5a7805061c76ada191ed06f989cc3dac' // "Example, Inc.", which has invited user@example.com
const role = '3536bcfad5faccb999b47003c79917fb'
const email = 'user@example.com'

function client(credentials) {
  return new Cloudflare({
    baseURL: `${process.env.HITHER_URL}/client/v4`,
    maxRetries: 0, // so that a test sees what happened
    apiToken: null, apiKey: null, apiEmail: null, userServiceKey: null,
    ...credentials,
  })
}

const me = client(process.env.SIGN_IN === 'token'
  ? { apiToken: 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY' }
  : { apiEmail: email, apiKey: '144c9defac04969c7bfad8efaa8ea194' })
const admin = client({ apiEmail: 'admin@example.com', apiKey: '5f0c6e1d2b3a49788695a4b3c2d1e0f9ad312' })

// all is a list, page by page.
async function all(pages) {
  const rows = []
  for await (const row of pages) rows.push(row)
  return rows
}

// refused holds that a call ends in the SDK's own error, with our status and code.
async function refused(call, status, code) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof Cloudflare.APIError, String(error))
    assert.equal(error.status, status)
    assert.equal(error.errors[0].code, code)
    return true
  })
}

const invite = () => admin.accounts.members.create({ account_id, email, roles: [role] })

test('the life of an invitation', async () => {
  const [waiting] = await all(me.user.invites.list())
  assert.equal(waiting.id, invitation)
  assert.equal(waiting.status, 'pending')
  assert.equal(waiting.organization_name, 'Example, Inc.')
  assert.deepEqual(await me.user.invites.get(invitation), waiting)

  const accepted = await me.user.invites.edit(invitation, { status: 'accepted' })
  assert.equal(accepted.status, 'accepted')
  await refused(() => me.user.invites.edit(invitation, { status: 'rejected' }), 400, 1201)

  const user = await me.user.get()
  const members = await all(admin.accounts.members.list({ account_id }))
  const member = members.find((row) => row.id === invitation)
  assert.equal(member.status, 'accepted')
  assert.equal(member.user.id, user.id)

  const changed = await admin.accounts.members.update(invitation, { account_id, roles: [{ id: role }] })
  assert.deepEqual(changed.roles.map((r) => r.id), [role])
  const membership = await me.memberships.get(invitation)
  assert.equal(membership.account.id, account_id)

  const removed = await admin.accounts.members.delete(invitation, { account_id })
  assert.equal(removed.id, invitation)
  await refused(() => admin.accounts.members.get(invitation, { account_id }), 404, 1003)

  const second = await invite()
  assert.equal(second.status, 'pending')
  assert.equal((await me.memberships.update(second.id, { status: 'rejected' })).status, 'rejected')

  const third = await invite()
  assert.equal((await me.memberships.update(third.id, { status: 'accepted' })).status, 'accepted')
  assert.equal((await me.memberships.delete(third.id)).id, third.id)
  const left = await all(me.memberships.list())
  assert.ok(!left.some((row) => row.id === third.id && row.status === 'accepted'))
})

test('lists go on to their end, and names are found', async () => {
  const accounts = await all(me.accounts.list({ per_page: 5 }))
  assert.ok(accounts.some((row) => row.name === 'Demo Account'))
  const roles = await all(admin.accounts.roles.list({ account_id, per_page: 5 }))
  assert.ok(roles.length > 20, `${roles.length} roles`)
  assert.equal(new Set(roles.map((r) => r.id)).size, roles.length)
  assert.equal((await admin.accounts.roles.get(role, { account_id })).name, 'Member Manager')
})
