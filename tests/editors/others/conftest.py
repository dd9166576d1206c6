"""Skip the tests of other editors in an ordinary test run. run.sh installs the editors and runs them."""

import os

if not os.environ.get("ONDOL_EDITOR_TESTS"):
    collect_ignore_glob = ["test_*.py"]
