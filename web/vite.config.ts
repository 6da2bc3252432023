import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The built files become part of the Go program. Their names have a sum of their content, and nothing of the build depends on when
// or where it is made: the tests build again and compare.
export default defineConfig({
  base: './',
  plugins: [react()],
  html: { cspNonce: '{{.Nonce}}' }, // the server puts each answer's own in its place
  build: {
    outDir: '../internal/ui/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the pages lets no file be inside another
    modulePreload: { polyfill: false },
    target: 'es2022',
    license: { fileName: 'licenses.md' }, // of what is in the files, which ask to go along; packages have them
    reportCompressedSize: false,
    rolldownOptions: { input: { index: 'index.html', mlflow: 'src/mlflow/main.ts' } },
    chunkSizeWarningLimit: 1000, // what the first page weighs is tested, compressed
  },
})
