import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './style.css'
import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { hashKey, MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { setNonce } from 'get-nonce'
import { openWorkspace, Refusal, signIn, signedOut } from './client'
import { server } from './facts'
import { router } from './router'
import { theme } from './theme'

const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''
setNonce(nonce) // for what keeps the page behind a dialog from scrolling

const queries = new QueryClient({
  queryCache: new QueryCache({ onError: (error) => signedOut(error) && signIn() }), // an ended session leads to the sign-in page, and back
  mutationCache: new MutationCache({ onError: (error) => signedOut(error) && signIn() }),
  defaultOptions: {
    queries: {
      queryKeyHashFn: (key) => hashKey([openWorkspace(), ...key]),
      retry: (count, error) => !(error instanceof Refusal && error.status < 500) && count < 2,
      staleTime: 5_000,
      refetchOnWindowFocus: true,
    },
  },
})

async function start() {
  const facts = await queries.ensureQueryData(server)
  if (!facts.authenticated) {
    signIn()
    return
  }
  createRoot(document.getElementById('root')!).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <Notifications position="bottom-right" />
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} context={{ queries }} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  )
}

start().catch((error) => {
  document.getElementById('root')!.textContent = `These pages could not be loaded: ${error instanceof Error ? error.message : error}. Load the page again.`
})
