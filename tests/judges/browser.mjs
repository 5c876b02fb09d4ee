// A browser without scripts: cookies, redirects, one form at a time. Not for: judging anything.

export class Browser {
  #cookies = new Map()
  page = { status: 0, url: '', html: '' }

  async #fetch(url, init = {}) {
    const headers = { accept: 'text/html', 'accept-language': 'en', ...init.headers }
    if (this.#cookies.size) headers.cookie = [...this.#cookies].map((c) => c.join('=')).join('; ')
    const answer = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s)
      value ? this.#cookies.set(name, value) : this.#cookies.delete(name)
    }
    return answer
  }

  // Follows redirects until a Location that starts with `stopAt`, which is returned as a URL.
  async #follow(url, init, stopAt) {
    for (let i = 0; i < 10; i++) {
      const answer = await this.#fetch(url, init)
      if (answer.status >= 300 && answer.status < 400) {
        url = new URL(answer.headers.get('location'), url).href
        init = {}
        if (stopAt && url.startsWith(stopAt)) return new URL(url)
        continue
      }
      this.page = { status: answer.status, url, html: await answer.text() }
      return null
    }
    throw new Error('too many redirects')
  }

  get(url, stopAt) {
    return this.#follow(String(url), {}, stopAt)
  }

  // Fills in the page's first form that posts.
  submit(values, stopAt) {
    const { html, url } = this.page
    const form = /<form method="post" action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(html)
    if (!form) throw new Error(`no form on ${new URL(url).pathname}`)
    const body = new URLSearchParams()
    for (const [tag] of form[2].matchAll(/<input[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(tag)?.[1]
      if (name) body.set(name, /value="([^"]*)"/.exec(tag)?.[1] ?? '')
    }
    for (const [name, value] of Object.entries(values)) body.set(name, value)
    const action = new URL(form[1].replaceAll('&amp;', '&'), url).href
    return this.#follow(action, { method: 'POST', body }, stopAt)
  }
}

export const state = JSON.parse(process.env.BRIDGE_STATE)

// Goes to an authorization URL, signs the member in where asked, gives the URL with the code.
export async function signIn(browser, url, redirectUri) {
  const member = state.member
  return (
    (await browser.get(url, redirectUri)) ??
    (await browser.submit(
      { identifier: member.sign_in_name, password: member.password },
      redirectUri,
    ))
  )
}
