"""Reads the parts of a Markdown page that tests compare with the code: code, prose, emphasis."""

FENCE = "```"


def code_blocks(page, language):
    """Returns the fenced code blocks in a language."""
    blocks, block = [], None
    for line in page.splitlines(keepends=True):
        if block is None and line.strip() == FENCE + language:
            block = []
        elif block is not None and line.strip() == FENCE:
            blocks.append("".join(block))
            block = None
        elif block is not None:
            block.append(line)
    return blocks


def without_code_blocks(page):
    """Returns the page without its fenced code blocks."""
    lines, is_code = [], False
    for line in page.splitlines():
        if line.strip().startswith(FENCE):
            is_code = not is_code
        elif not is_code:
            lines.append(line)
    return "\n".join(lines)


def code_spans(page):
    """Returns the inline code of a page."""
    return without_code_blocks(page).split("`")[1::2]


def prose(page):
    """Returns the page without code."""
    return " ".join(without_code_blocks(page).split("`")[::2])


def bold_texts(page):
    """Returns the texts in bold type."""
    return prose(page).split("**")[1::2]


def table_rows(page):
    """Returns the cells of each table row, of all tables."""
    return [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in without_code_blocks(page).splitlines()
        if line.startswith("| ")
    ]
