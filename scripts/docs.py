"""A hook of MkDocs: pages are written for the reader of the repository, which MkDocs reads otherwise in three ways."""

import posixpath
import re

LINK = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)([^)]*\))")
LIST = re.compile(r"^(?:- |\d+\. )")


def on_page_markdown(text, page, config, **_):
    here = posixpath.dirname(page.file.src_uri)

    def led(match):
        """A link to another file of the repository leads to the repository."""
        path = posixpath.normpath(posixpath.join("docs", here, match[2]))
        if path == "docs" or path.startswith("docs/"):
            return match[0]
        return f"{match[1]}{config.repo_url.rstrip('/')}/blob/main/{path}{match[3]}"
    return "\n".join(separated(LINK.sub(led, text).split("\n")))


def separated(lines):
    """A list begins without an empty line before it."""
    fenced, before = False, ""
    for line in lines:
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if not fenced and LIST.match(line) and before and not LIST.match(before) and before[0] not in " |":
            yield ""
        yield line
        before = line


def on_page_content(html, **_):
    """A bar in a cell of a table has a backslash before it, in code too."""
    return re.sub(r"<code>[^<]*</code>", lambda match: match[0].replace("\\|", "|"), html)
