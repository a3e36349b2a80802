"""For all tests: nothing of this machine's user gets in, and nothing leaves this machine."""

import os

# The clients speak to the loopback address only, also where a proxy is configured.
os.environ["NO_PROXY"] = "*"
