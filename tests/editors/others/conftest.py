"""The tests of other editors need what run.sh fetches; an ordinary test run leaves them out."""

import os

if not os.environ.get("ONDOL_EDITOR_TESTS"):
    collect_ignore_glob = ["test_*.py"]
