"""The real server, except that it attributes every suggestion to a source.

The editor's tests check that users learn about the source; how it is found is tested elsewhere.
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


async def suggest_with_source(self, *arguments, **options):
    edits = await suggest(self, *arguments, **options)
    return [dataclasses.replace(edit, source=SOURCE) for edit in edits]


InlineCompletion.suggest = suggest_with_source

if __name__ == "__main__":
    sys.exit(main())
