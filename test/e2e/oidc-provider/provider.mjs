// An OpenID provider for the tests, made of oidc-provider, with people in memory. The tests say who they are, and who has
// changed, by PUT /people/NAME. Called with the port to listen on and a file of clients.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { randomBytes } from 'node:crypto'
import { Provider, interactionPolicy } from 'oidc-provider'

const [port, clients] = process.argv.slice(2)
const issuer = `http://localhost:${port}`
const people = new Map() // by their subject, which is their name here

// account gives somebody who is there and not disabled; whoever is not has no account, also in a session or for a token of before.
const account = (_, subject) => {
  const person = people.get(subject)
  if (!person?.enabled) return undefined
  return {
    accountId: subject,
    claims: () => ({
      sub: subject, email: person.email, email_verified: true, preferred_username: subject, name: person.name,
      account: { groups: person.groups },
    }),
  }
}

const page = (title, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`

const signInPage = (alert) => page('Sign in to the provider', `${alert ? '<p role="alert">Wrong name or password, or a disabled account</p>' : ''}
<form method="post"><label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>`)

// A session of somebody who is disabled by now is none.
const policy = interactionPolicy.base()
policy.get('login').checks.add(new interactionPolicy.Check('no_account', 'the account is disabled', ({ oidc }) => Boolean(oidc.session.accountId) && !oidc.account))

const provider = new Provider(issuer, {
  clients: JSON.parse(readFileSync(clients, 'utf8')),
  findAccount: account,
  // The claims of a scope are at the user-info endpoint alone (OpenID Connect Core §5.4), which is the default.
  conformIdTokenClaims: true,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'], groups: ['account'] },
  scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  pkce: { required: () => true },
  // Without this it would take prompt=consent for the scope offline_access, which it drops otherwise.
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  interactions: { policy },
  // It sends no back-channel logout to this machine but without its own dispatcher, which keeps it from private addresses.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = page('Sign out of the provider?', `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`)
      },
      postLogoutSuccessSource: (ctx) => { ctx.body = page('You are signed out', '') },
    },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({ scope: 'mlflow', audience: resource.replace('urn:', ''), accessTokenFormat: 'jwt' }),
    },
  },
  ttl: {
    AccessToken: (_, token, client) => (client.clientId === 'mlflow' ? 4 : 300),
    ClientCredentials: 300, Grant: 3600, IdToken: 300, Interaction: 300, RefreshToken: 3600, Session: 3600,
  },
  // Nobody is asked for consent: the clients are the organisation's own.
  loadExistingGrant: async (ctx) => {
    const { client, session, params, resourceServers } = ctx.oidc
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
    grant.addOIDCScope(params.scope)
    for (const resource of Object.keys(resourceServers ?? {})) grant.addResourceScope(resource, 'mlflow')
    await grant.save()
    return grant
  },
})

const read = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

// interact asks for name and password.
const interact = async (request, response) => {
  const { prompt } = await provider.interactionDetails(request, response)
  if (prompt.name !== 'login') throw new Error(`unexpected: ${prompt.name}, ${prompt.reasons}`)
  let wrong = false
  if (request.method === 'POST') {
    const form = new URLSearchParams(await read(request))
    const person = people.get(form.get('name'))
    if (person?.enabled && person.password === form.get('password')) {
      return provider.interactionFinished(request, response, { login: { accountId: form.get('name') } })
    }
    wrong = true
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(signInPage(wrong))
}

provider.on('backchannel.error', (_, error, client) => console.error('back-channel logout of', client.clientId, error))
const callback = provider.callback()

createServer(async (request, response) => {
  try {
    const [, first, name] = request.url.split('/')
    if (first === 'people' && request.method === 'PUT') {
      people.set(decodeURIComponent(name), JSON.parse(await read(request)))
      response.writeHead(204).end()
    } else if (first === 'interaction') await interact(request, response)
    else callback(request, response)
  } catch (error) {
    console.error(error)
    response.writeHead(500).end(String(error))
  }
}).listen(Number(port), '127.0.0.1', () => console.log('serving', issuer))
