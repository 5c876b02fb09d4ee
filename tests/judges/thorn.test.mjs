// SugarCRM's own client for testing its REST API, against the sandbox's. Not for: the bridge.
// It logs in without a platform, refreshes without one, and sends bulks whose data are objects.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
let sandbox, crm, ca, thorn

before(async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const command = ['-m', 'sandbox', 'sugarcrm', '--with-parent']
  sandbox = spawn(process.env.BRIDGE_PYTHON ?? 'python3', command, {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: sandbox.stdout })
  const { value } = await lines[Symbol.asyncIterator]().next()
  crm = JSON.parse(value).sugarcrm
  ca = readFileSync(crm.ca_file)
  process.env.THORN_SERVER_URL = crm.url
  process.env.THORN_ADMIN_USERNAME = crm.username
  process.env.THORN_ADMIN_PASSWORD = crm.password
  globalThis.afterEach = () => {} // Mocha's, for whom chakram is made
  require('chakram').setRequestDefaults({ ca })
  thorn = require('@sugarcrm/thorn')
})

after(() => sandbox.stdin.end())

/** One change through the sandbox's control plane. */
function control(name, document) {
  return new Promise((done, failed) => {
    const options = { method: 'POST', ca, headers: { 'Content-Type': 'application/json' } }
    https
      .request(`${crm.url}/_sandbox/${name}`, options, (answer) => done(answer.resume().statusCode))
      .on('error', failed)
      .end(JSON.stringify(document))
  })
}

const person = { module: 'Contacts', attributes: { first_name: 'Na' } }
const meeting = { module: 'Meetings', attributes: { name: 'tea' } }

test('fixtures are made in one bulk, their required fields by the metadata', async () => {
  const made = await thorn.Fixtures.create([person, meeting])
  assert.equal(made.Contacts[0].first_name, 'Na')
  assert.match(made.Contacts[0].last_name, /^\w+$/)
  assert.equal(thorn.Fixtures.lookup('Meetings', { name: 'tea' }).id, made.Meetings[0].id)
})

test('records are linked, read, changed and found', async () => {
  const contact = thorn.Fixtures.lookup('Contacts', { first_name: 'Na' })
  const other = thorn.Fixtures.lookup('Meetings', { name: 'tea' })
  const linked = await thorn.Fixtures.link(contact, 'meetings', other)
  assert.equal(linked.related_records[0].id, other.id)
  const admin = thorn.Agent.as(thorn.Agent.ADMIN)
  await admin.put(`Contacts/${contact.id}`, { title: 'x' })
  const { response } = await admin.on('v11').get(`Contacts/${contact.id}`)
  assert.equal(response.body.title, 'x')
  const found = await admin.post('Contacts/filter', { filter: [{ title: 'x' }] })
  assert.equal(found.response.body.records[0].id, contact.id)
})

test('an expired token is refreshed, and the fixtures are removed', async () => {
  assert.equal(await control('tokens', { expire: true }), 200)
  const admin = thorn.Agent.as(thorn.Agent.ADMIN)
  assert.equal((await admin.get('me')).response.statusCode, 200)
  const removed = await thorn.Fixtures.cleanup()
  assert.deepEqual(removed.response.body.map((item) => item.status), [200, 200])
  const left = await thorn.Agent.as(thorn.Agent.ADMIN).get('Contacts')
  assert.deepEqual(left.response.body.records, [])
})
