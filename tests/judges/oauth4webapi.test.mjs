// oauth4webapi, the strict layer below: each answer is checked by the letter of its RFC.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { Browser, signIn, state } from './browser.mjs'

const INSECURE = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(state.issuer)
const REDIRECT = state.clients.portal.redirect_uris[0]
const portal = { client_id: 'portal' }

const discover = async (algorithm) => {
  const answer = await oauth.discoveryRequest(issuer, { algorithm, ...INSECURE })
  return oauth.processDiscoveryResponse(issuer, answer)
}

async function codeFor(as, extra = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const asked = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: 'portal',
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: 'openid member:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: asked,
    ...extra,
  })
  const back = await signIn(new Browser(), url, REDIRECT)
  return { parameters: oauth.validateAuthResponse(as, portal, back, asked), verifier }
}

for (const algorithm of ['oidc', 'oauth2']) {
  test(`${algorithm}: metadata, code, token, userinfo, refresh`, async () => {
    const as = await discover(algorithm)
    assert.equal(as.authorization_response_iss_parameter_supported, true)
    const nonce = oauth.generateRandomNonce()
    const { parameters, verifier } = await codeFor(as, { nonce })
    const answer = await oauth.authorizationCodeGrantRequest(
      as, portal, oauth.None(), parameters, REDIRECT, verifier, INSECURE,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(as, portal, answer, {
      expectedNonce: nonce, requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(as, answer, INSECURE)
    const { sub } = oauth.getValidatedIdTokenClaims(tokens)
    const info = await oauth.userInfoRequest(as, portal, tokens.access_token, INSECURE)
    assert.deepEqual(await oauth.processUserInfoResponse(as, portal, sub, info), { sub })
    const again = await oauth.refreshTokenGrantRequest(
      as, portal, oauth.None(), tokens.refresh_token, INSECURE,
    )
    assert.ok((await oauth.processRefreshTokenResponse(as, portal, again)).refresh_token)
  })
}

test('a revoked token: the challenge of RFC 6750, at userinfo and at the API', async () => {
  const as = await discover('oidc')
  const { parameters, verifier } = await codeFor(as)
  const tokens = await oauth.processAuthorizationCodeResponse(
    as, portal,
    await oauth.authorizationCodeGrantRequest(
      as, portal, oauth.None(), parameters, REDIRECT, verifier, INSECURE,
    ),
  )
  const gone = await oauth.revocationRequest(
    as, portal, oauth.None(), tokens.access_token, INSECURE,
  )
  await oauth.processRevocationResponse(gone)
  const info = await oauth.userInfoRequest(as, portal, tokens.access_token, INSECURE)
  const challenged = (e) => e.cause[0].parameters.error === 'invalid_token'
  await assert.rejects(
    oauth.processUserInfoResponse(as, portal, oauth.skipSubjectCheck, info), challenged,
  )
  const me = new URL('/v1/me', issuer)
  await assert.rejects(
    oauth.protectedResourceRequest(
      tokens.access_token, 'GET', me, undefined, undefined, INSECURE,
    ), challenged,
  )
})

test('a code of this client, with a redirect URI that differs, is refused', async () => {
  const as = await discover('oidc')
  const { parameters, verifier } = await codeFor(as)
  const answer = await oauth.authorizationCodeGrantRequest(
    as, portal, oauth.None(), parameters, `${REDIRECT}/x`, verifier, INSECURE,
  )
  await assert.rejects(
    oauth.processAuthorizationCodeResponse(as, portal, answer),
    (e) => e.error === 'invalid_grant',
  )
})

test('24 redemptions of one code at once: one is answered with tokens', async () => {
  const as = await discover('oidc')
  const { parameters, verifier } = await codeFor(as)
  const answers = await Promise.all(
    Array.from({ length: 24 }, () =>
      oauth.authorizationCodeGrantRequest(
        as, portal, oauth.None(), parameters, REDIRECT, verifier, INSECURE,
      ),
    ),
  )
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1)
})

test('grants, endpoints and methods that aren\'t served say so in OAuth\'s words', async () => {
  const as = await discover('oidc')
  for (const [grant, error] of [
    ['password', 'unsupported_grant_type'],
    ['urn:ietf:params:oauth:grant-type:device_code', 'unauthorized_client'],
    ['urn:ietf:params:oauth:grant-type:token-exchange', 'unsupported_grant_type'],
    ['implicit', 'unsupported_grant_type'],
  ]) {
    const answer = await oauth.genericTokenEndpointRequest(
      as, portal, oauth.None(), grant, { username: 'a', password: 'b' }, INSECURE,
    )
    await assert.rejects(
      oauth.processGenericTokenEndpointResponse(as, portal, answer),
      (e) => e.error === error,
    )
  }
})

test('a desktop is signed in by a phone, by the device grant', async () => {
  const as = await discover('oauth2')
  const desk = { client_id: 'desk' }
  const asked = await oauth.processDeviceAuthorizationResponse(
    as, desk,
    await oauth.deviceAuthorizationRequest(
      as, desk, oauth.None(), { scope: 'openid member:read' }, INSECURE,
    ),
  )
  const poll = async () =>
    oauth.processDeviceCodeResponse(
      as, desk,
      await oauth.deviceCodeGrantRequest(as, desk, oauth.None(), asked.device_code, INSECURE),
    )
  await assert.rejects(poll(), (e) => e.error === 'authorization_pending')
  const phone = new Browser()
  await signIn(phone, asked.verification_uri_complete)
  assert.match(phone.page.html, new RegExp(asked.user_code))
  await phone.submit({ answer: 'yes' })
  const tokens = await poll()
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).aud, 'desk')
  await assert.rejects(poll(), (e) => e.error === 'invalid_grant')
})
