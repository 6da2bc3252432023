import { Badge, createTheme, Modal, TableScrollContainer } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: 8, // white text on it has the contrast that WCAG 2.2 asks for
  defaultRadius: 'md',
  cursorType: 'pointer',
  autoContrast: true,
  components: {
    Badge: Badge.extend({ styles: { label: { textTransform: 'none' } } }), // levels and names are shown as they are written
    // the keyboard scrolls a table that has nothing else to reach in it (WCAG 2.1.1)
    TableScrollContainer: TableScrollContainer.extend({ defaultProps: { scrollAreaProps: { viewportProps: { tabIndex: 0 } } } }),
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
  },
})
