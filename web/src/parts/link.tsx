import { Anchor, type AnchorProps, Button, type ButtonProps } from '@mantine/core'
import { createLink } from '@tanstack/react-router'
import type { AnchorHTMLAttributes, Ref } from 'react'

type Native = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'color'> & { ref?: Ref<HTMLAnchorElement> }

/** A link to a page of these, in the look of the others. */
export const PageLink = createLink((props: AnchorProps & Native) => <Anchor className="name" {...props} />)

/** A link that looks like a button. */
export const PageButton = createLink((props: ButtonProps & Native) => <Button component="a" {...props} />)
