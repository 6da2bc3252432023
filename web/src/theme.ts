import { Badge, createTheme, Modal } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: 8, // white text on it has the contrast that WCAG 2.2 asks for
  defaultRadius: 'md',
  cursorType: 'pointer',
  autoContrast: true,
  components: {
    Badge: Badge.extend({ styles: { label: { textTransform: 'none' } } }), // levels and names are shown as they are written
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
  },
})
