"""Kodi runs this for each menu and action of the add-on."""

import sys

from resources.lib.kodi_host import KodiHost
from resources.lib.plugin import run

run(KodiHost(sys.argv))
