import { Button, Code, CopyButton, Stack, Tabs, Text } from '@mantine/core'
import { prefix } from '../client'
import { useMe } from '../facts'
import { PageLink } from '../parts/link'
import { PageTitle } from '../parts/title'

/** How programs are set up for this server. */
export function Setup() {
  const me = useMe()
  const address = location.origin + prefix
  const recipes: [string, string, string][] = [
    ['mlflow client', 'In the environment of the program:', `export MLFLOW_TRACKING_URI=${quoted(address)}\nexport MLFLOW_TRACKING_USERNAME=${quoted(me.username)}\nexport MLFLOW_TRACKING_PASSWORD=<a token>`],
    ['Notebook', 'In the first cell; the token is asked for, and is not in the notebook:', `import getpass, os\nimport mlflow\n\nos.environ["MLFLOW_TRACKING_USERNAME"] = ${JSON.stringify(me.username)}\nos.environ["MLFLOW_TRACKING_PASSWORD"] = getpass.getpass("Token: ")\nmlflow.set_tracking_uri(${JSON.stringify(address)})`],
    ['Terminal', 'Sign in by your browser, without a token to copy; programs use it by MLFLOW_TRACKING_AUTH=oidc:', `mlflow-oidc-auth login ${quoted(address)}\nexport MLFLOW_TRACKING_URI=${quoted(address)}\nexport MLFLOW_TRACKING_AUTH=oidc`],
    ['curl', 'The REST API, with a token:', `curl --user ${quoted(me.username)}:<a token> \\\n  ${quoted(`${address}/api/2.0/mlflow/experiments/search?max_results=5`)}`],
  ]
  return (
    <Stack>
      <PageTitle>Set up a client</PageTitle>
      <Text>Programs sign in with your name and one of <PageLink to="/tokens" underline="always">your tokens</PageLink>.</Text>
      <Tabs defaultValue="0" keepMounted={false}>
        <Tabs.List>{recipes.map(([name], i) => <Tabs.Tab key={name} value={String(i)}>{name}</Tabs.Tab>)}</Tabs.List>
        {recipes.map(([name, why, code], i) => (
          <Tabs.Panel key={name} value={String(i)} pt="md">
            <Text mb="xs">{why}</Text>
            <Code block tabIndex={0}>{code}</Code>
            <CopyButton value={code}>{({ copied, copy }) => <Button mt="xs" size="compact-sm" variant="default" onClick={copy}>{copied ? 'Copied' : 'Copy'}</Button>}</CopyButton>
          </Tabs.Panel>
        ))}
      </Tabs>
    </Stack>
  )
}

/** Quotes a word for a POSIX shell where it needs it. */
function quoted(word: string) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
