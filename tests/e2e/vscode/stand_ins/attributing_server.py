"""The real server, for which every suggestion repeats somebody's text.

How that is found out is tested elsewhere; here it is to reach the user.
"""

import dataclasses
import sys

from server.__main__ import main
from server.lsp.inline_completion import InlineCompletion
from training.artifact.code_reference import CodeReference

SOURCE = CodeReference(
    package="lender", path="lender/lines.py", licence="BSD-3-Clause", n_tokens=60
)

suggest = InlineCompletion.suggest


async def borrowed(self, *arguments, **options):
    edits = await suggest(self, *arguments, **options)
    return [dataclasses.replace(edit, source=SOURCE) for edit in edits]


InlineCompletion.suggest = borrowed

if __name__ == "__main__":
    sys.exit(main())
