import { Alert, Anchor, Button, Code, Group, Text } from '@mantine/core'
import { needsFreshSignIn, Refusal, signIn } from '../client'

/** Says what went wrong, and what can be done. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  const refusal = error instanceof Refusal ? error : undefined
  return (
    <Alert color="red" variant="light" title={refusal ? title(refusal) : unreached(error)} role="alert">
      <Text className="name">{error instanceof Error ? error.message : String(error)}</Text>
      <Group mt="sm">
        {needsFreshSignIn(error) && <Button size="xs" onClick={() => signIn(true)}>Sign in again</Button>}
        {retry && <Button size="xs" variant="default" onClick={retry}>Try again</Button>}
        {refusal?.requestID && <Text size="sm">Request <Code>{refusal.requestID}</Code></Text>}
      </Group>
    </Alert>
  )
}

/** What fetch throws, as the standard has it, is a TypeError; all else is a fault of these pages. */
const unreached = (error: unknown) => (error instanceof TypeError ? 'The server could not be reached' : 'Something failed in this page')

function title(refusal: Refusal) {
  switch (refusal.status) {
    case 401:
      return 'This needs a fresh sign-in'
    case 403:
      return 'This is not yours to do'
    case 404:
      return 'This does not exist'
    case 409:
      return 'This is there already'
    default:
      return refusal.status < 500 ? 'This cannot be done so' : 'Something failed'
  }
}

/** The page of an address that leads nowhere. */
export function Nowhere() {
  return (
    <Alert color="gray" title="There is no such page">
      <Anchor href={document.baseURI}>Go to the first page</Anchor>
    </Alert>
  )
}
