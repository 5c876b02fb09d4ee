// openid-client 6 (a certified relying party) against the whole line, as a site would use it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { Browser, signIn, state } from './browser.mjs'

const SITES = {
  portal: { uri: 'http://127.0.0.1:8765/callback', auth: () => client.None() },
  'site (basic)': { uri: 'http://127.0.0.1:8765/site/callback', auth: client.ClientSecretBasic },
  'site (post)': { uri: 'http://127.0.0.1:8765/site/callback', auth: client.ClientSecretPost },
}
const SCOPE = 'openid profile member:read member:write consents:read'

const configure = (name, auth) => {
  const { client_id, client_secret } = state.clients[name.split(' ')[0]]
  const execute = [client.allowInsecureRequests]
  return client.discovery(
    new URL(state.issuer), client_id, { client_secret }, auth(client_secret), { execute },
  )
}

async function authorize(config, redirect_uri, browser = new Browser(), more = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: SCOPE,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })
  return { back: await signIn(browser, url, redirect_uri), checks, browser }
}

async function tokensOf(config, redirect_uri, browser, more, expected) {
  const { back, checks } = await authorize(config, redirect_uri, browser, more)
  return client.authorizationCodeGrant(config, back, { ...checks, ...expected })
}

const refused = (promise, error) =>
  assert.rejects(promise, (e) => {
    assert.equal(e.error, error)
    assert.equal(e.status, 400)
    return true
  })

// A 401 has a challenge, which openid-client shows instead of the body.
const unknown = (promise) =>
  assert.rejects(promise, (e) => {
    assert.equal(e.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE')
    assert.equal(e.cause[0].scheme, 'basic')
    return true
  })

for (const [name, { uri, auth }] of Object.entries(SITES)) {
  test(`${name}: code + PKCE, id_token, userinfo, refresh, revocation`, async () => {
    const config = await configure(name, auth)
    client.enableNonRepudiationChecks(config)
    const tokens = await tokensOf(config, uri)
    const claims = tokens.claims()
    const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
    assert.ok(info.given_name)
    const me = new URL('/v1/me', state.issuer)
    const read = (token) => client.fetchProtectedResource(config, token, me, 'GET')
    assert.equal((await read(tokens.access_token)).status, 200)

    const next = await client.refreshTokenGrant(config, tokens.refresh_token)
    assert.notEqual(next.refresh_token, tokens.refresh_token)
    assert.equal(next.claims().sub, claims.sub)
    assert.equal(next.claims().auth_time, claims.auth_time)
    const less = await client.refreshTokenGrant(config, next.refresh_token, { scope: 'member:read' })
    assert.equal(less.scope, 'member:read')
    await refused(
      client.refreshTokenGrant(config, less.refresh_token, { scope: `${SCOPE} member:erase` }),
      'invalid_scope',
    )

    await client.tokenRevocation(config, less.refresh_token)
    await refused(client.refreshTokenGrant(config, less.refresh_token), 'invalid_grant')
    await assert.rejects(read(less.access_token), client.WWWAuthenticateChallengeError)
    await client.tokenRevocation(config, 'no-such-token', { token_type_hint: 'nonsense' })
  })
}

test('one member has one `sub` at the sites of one sector, signed in once', async () => {
  const browser = new Browser()
  const portal = await configure('portal', SITES.portal.auth)
  const site = await configure('site', client.ClientSecretBasic)
  const first = await tokensOf(portal, SITES.portal.uri, browser)
  const second = await tokensOf(site, SITES['site (post)'].uri, browser)
  assert.equal(first.claims().sub, second.claims().sub)
  assert.equal(first.claims().auth_time, second.claims().auth_time)
})

test('max_age and prompt=login are kept, and prompt=none asks nobody', async () => {
  const config = await configure('portal', SITES.portal.auth)
  const { uri } = SITES.portal
  const browser = new Browser()
  const nobody = await authorize(config, uri, new Browser(), { prompt: 'none' })
  await assert.rejects(
    client.authorizationCodeGrant(config, nobody.back, nobody.checks),
    (e) => e.error === 'login_required',
  )
  const before = await tokensOf(config, uri, browser, { max_age: '300' }, { maxAge: 300 })
  await new Promise((done) => setTimeout(done, 1100))
  const silent = await tokensOf(config, uri, browser, { prompt: 'none' })
  assert.equal(silent.claims().auth_time, before.claims().auth_time)
  const anew = await tokensOf(config, uri, browser, { prompt: 'login' })
  assert.ok(anew.claims().auth_time > before.claims().auth_time)
  const fresh = await tokensOf(config, uri, browser, { max_age: '0' }, { maxAge: 5 })
  assert.ok(fresh.claims().auth_time >= anew.claims().auth_time)
})

test('a code is good once, and its second use ends what came of it', async () => {
  const config = await configure('portal', SITES.portal.auth)
  const { back, checks } = await authorize(config, SITES.portal.uri)
  const tokens = await client.authorizationCodeGrant(config, back, checks)
  await refused(client.authorizationCodeGrant(config, back, checks), 'invalid_grant')
  await refused(client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant')
})

test('a code is worth nothing with another verifier, and nothing to another client', async () => {
  const config = await configure('portal', SITES.portal.auth)
  const site = await configure('site', client.ClientSecretBasic)
  const { back, checks } = await authorize(config, SITES.portal.uri)
  const other = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }
  await refused(client.authorizationCodeGrant(config, back, other), 'invalid_grant')
  await refused(client.authorizationCodeGrant(site, back, checks), 'invalid_grant')
  assert.ok((await client.authorizationCodeGrant(config, back, checks)).access_token)
})

test('introspection tells the named resource server, and nobody else', async () => {
  const portal = await configure('portal', SITES.portal.auth)
  const site = await configure('site', client.ClientSecretBasic)
  const mine = await tokensOf(portal, SITES.portal.uri)
  const others = await tokensOf(site, SITES['site (basic)'].uri)
  for (const auth of [client.ClientSecretBasic, client.ClientSecretPost]) {
    const cms = await configure('cms', auth)
    const seen = await client.tokenIntrospection(cms, mine.access_token)
    assert.equal(seen.active, true)
    assert.equal(seen.client_id, 'portal')
    assert.notEqual(seen.sub, mine.claims().sub)
    assert.deepEqual(await client.tokenIntrospection(cms, others.access_token), { active: false })
    assert.deepEqual(await client.tokenIntrospection(cms, mine.refresh_token), { active: false })
    assert.deepEqual(await client.tokenIntrospection(cms, 'nonsense'), { active: false })
  }
  assert.deepEqual(await client.tokenIntrospection(site, mine.access_token), { active: false })
  await unknown(client.tokenIntrospection(portal, mine.access_token))
})

test('client credentials by basic and by post, for the client\'s own scopes', async () => {
  for (const auth of [client.ClientSecretBasic, client.ClientSecretPost]) {
    const config = await configure('store-backend', auth)
    const tokens = await client.clientCredentialsGrant(config, { scope: 'qr:write' })
    assert.equal(tokens.scope, 'qr:write')
    assert.equal(tokens.refresh_token, undefined)
    await refused(client.clientCredentialsGrant(config, { scope: 'member:read' }), 'invalid_scope')
  }
  const site = await configure('site', client.ClientSecretBasic)
  await refused(client.clientCredentialsGrant(site), 'unauthorized_client')
  for (const auth of [client.ClientSecretBasic, client.ClientSecretPost]) {
    await unknown(client.clientCredentialsGrant(await configure('cms', () => auth('wrong'))))
    const stranger = await client.discovery(
      new URL(state.issuer), 'nobody', {}, auth('wrong'), { execute: [client.allowInsecureRequests] },
    )
    await unknown(client.clientCredentialsGrant(stranger))
  }
})

test('RP-initiated logout: back to the registered page, and the session is over', async () => {
  const config = await configure('portal', SITES.portal.auth)
  const browser = new Browser()
  const tokens = await tokensOf(config, SITES.portal.uri, browser)
  const home = 'http://127.0.0.1:8765/'
  const url = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token, post_logout_redirect_uri: home, state: 'bye',
  })
  assert.equal((await browser.get(url, home)).href, `${home}?state=bye`)
  await refused(client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant')
  const after = await authorize(config, SITES.portal.uri, browser, { prompt: 'none' })
  assert.equal(after.back.searchParams.get('error'), 'login_required')
})

test('errors of the authorize endpoint come back with `state` and `iss`', async () => {
  const config = await configure('portal', SITES.portal.auth)
  for (const [more, error] of [
    [{ scope: 'openid everything' }, 'invalid_scope'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ code_challenge: '' }, 'invalid_request'],
    [{ response_mode: 'fragment' }, 'invalid_request'],
    [{ request_uri: 'https://attacker.invalid/r' }, 'request_uri_not_supported'],
  ]) {
    const { back, checks } = await authorize(config, SITES.portal.uri, new Browser(), more)
    await assert.rejects(
      client.authorizationCodeGrant(config, back, checks),
      (e) => e instanceof client.AuthorizationResponseError && e.error === error,
      JSON.stringify(more),
    )
  }
})
