"""A real Kodi on a screen of its own, with a home of its own."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from kodi.json_rpc import JsonRpc, RpcError
from stage.program import LOGS, free_port
from stage.waiting import until

ROOT = pathlib.Path(__file__).parents[2]
MODULE = "script.module.greenroom"
PLUGIN = "plugin.video.greenroom.example"
SCREEN = "1280x720x24"
# Kodi ends a script 5 s after it was told to quit.
ENDS_WITHIN_S = 30
HOME_IS_SHOWN = "Window.IsActive(home)"
# The programs of Debian's package; the wrapper beside it would not be the process that runs.
BINARIES = (
    "/usr/lib/x86_64-linux-gnu/kodi/kodi.bin",
    "/usr/lib/aarch64-linux-gnu/kodi/kodi.bin",
    "/usr/lib/kodi/kodi.bin",
)

GUI_SETTINGS = """<settings version="2">
    <setting id="general.addonupdates">2</setting>
    <setting id="addons.unknownsources">true</setting>
    <setting id="services.webserver">false</setting>
    <setting id="services.zeroconf">false</setting>
    <setting id="services.upnp">false</setting>
    <setting id="services.wsdiscovery">false</setting>
    <setting id="services.esenabled">true</setting>
    <setting id="services.esallinterfaces">false</setting>
    <setting id="services.esport">{event_port}</setting>
    <setting id="debug.screenshotpath">{screenshots}</setting>
    <setting id="general.settinglevel">3</setting>
</settings>
"""
ADVANCED_SETTINGS = """<advancedsettings version="1.0">
    <loglevel>0</loglevel>
    <jsonrpc><tcpport>{port}</tcpport></jsonrpc>
</advancedsettings>
"""
# Without it Kodi looks for sound cards for seconds.
NO_SOUND = "pcm.!default { type null }\nctl.!default { type null }\n"


def binary():
    """The program, or a failure that says what to install."""
    for path in BINARIES:
        if os.access(path, os.X_OK):
            return path
    raise AssertionError("missing: Kodi; run: make prepare-e2e")


class Screen:
    """An X server without a monitor, on a display that it chooses itself."""

    def __init__(self):
        reads, writes = os.pipe()
        self.child = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writes), "-screen", "0", SCREEN, "-nolisten", "tcp"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writes],
        )
        os.close(writes)
        with os.fdopen(reads) as told:
            self.display = f":{told.readline().strip()}"

    def stop(self):
        """Ends it."""
        self.child.terminate()
        self.child.wait(timeout=ENDS_WITHIN_S)


class Kodi:
    """A home in which Kodi can be started, stopped and killed."""

    def __init__(self, home, screen, name):
        self.home, self.screen, self.name = pathlib.Path(home), screen, name
        self.child = None
        self.rpc = None

    @property
    def userdata(self):
        """Kodi's folder of settings, databases and the add-ons' data."""
        return self.home / ".kodi" / "userdata"

    @property
    def addon_data(self):
        """The example add-on's own folder."""
        return self.userdata / "addon_data" / PLUGIN

    @property
    def screenshots(self):
        """Where Kodi puts pictures of its screen."""
        return self.home / "screenshots"

    def prepare(self):
        """Makes the home, with both add-ons in it."""
        addons = self.home / ".kodi" / "addons"
        addons.mkdir(parents=True)
        self.userdata.mkdir(parents=True)
        (self.home / "runtime").mkdir(mode=0o700)
        (self.home / ".asoundrc").write_text(NO_SOUND)
        out = self.home / "built"
        subprocess.run([sys.executable, ROOT / "clients" / "kodi" / "build.py", out], check=True, capture_output=True)
        for name in (MODULE, PLUGIN):
            shutil.move(out / name, addons / name)

    def copied_to(self, home):
        """Another home like this one, which must not run."""
        shutil.copytree(self.home, home, symlinks=True)
        return Kodi(home, self.screen, self.name)

    def configure(self, **settings):
        """Sets settings of the example add-on; it must not run."""
        self.addon_data.mkdir(parents=True, exist_ok=True)
        rows = "".join(f'    <setting id="{name}">{value}</setting>\n' for name, value in settings.items())
        (self.addon_data / "settings.xml").write_text(f'<settings version="2">\n{rows}</settings>\n')

    def start(self):
        """Starts it and waits until it answers."""
        port = free_port()
        self.screenshots.mkdir(exist_ok=True)
        gui = GUI_SETTINGS.format(event_port=free_port(), screenshots=f"{self.screenshots}/")
        settings = self.userdata / "guisettings.xml"
        told = settings.read_text() if settings.exists() else gui
        # The home may be a copy of another one.
        told = re.sub(r'(<setting id="debug.screenshotpath"[^>]*>)[^<]*', rf"\g<1>{self.screenshots}/", told)
        settings.write_text(told)
        (self.userdata / "advancedsettings.xml").write_text(ADVANCED_SETTINGS.format(port=port))
        environment = {
            "HOME": str(self.home),
            "DISPLAY": self.screen.display,
            "XDG_RUNTIME_DIR": str(self.home / "runtime"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "LP_NUM_THREADS": "1",
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            # Python's modules of Debian are no part of Kodi elsewhere.
            "PYTHONNOUSERSITE": "1",
        }
        self.child = subprocess.Popen(
            [binary(), "--standalone", "--windowing=x11"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.rpc = JsonRpc(port)
        until(self.answers, f"{self.name} answers")
        return self

    def answers(self):
        """Whether it answers and shows its first window; fails if it is gone."""
        assert self.child.poll() is None, f"{self.name} ended with {self.child.returncode}:\n{self.log()[-4000:]}"
        try:
            # It answers before it has started, and a menu asked for so early can crash it.
            told = self.rpc.call("XBMC.GetInfoBooleans", within_s=5, booleans=[HOME_IS_SHOWN])
            return told[HOME_IS_SHOWN] in (True, "true")
        except (OSError, RpcError):
            return False

    def list(self, **arguments):
        """The rows of a menu of the example add-on, as Kodi shows them."""
        query = "&".join(f"{name}={value}" for name, value in arguments.items())
        properties = ["title", "plot", "season", "episode", "playcount", "resume", "art"]
        answer = self.rpc.call(
            "Files.GetDirectory", directory=f"plugin://{PLUGIN}/?{query}", media="video", properties=properties
        )
        return answer["files"]

    def log(self):
        """Kodi's log of this run."""
        try:
            return (self.home / ".kodi" / "temp" / "kodi.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def lines(self, name):
        """What the example add-on has logged as [PERF] lines of `name` in this run: a dict of facts each."""
        found = re.findall(rf"\[PERF\] {name}: [0-9.]+ms \(([^)]*)\)", self.log())
        return [dict(fact.split("=", 1) for fact in line.split(", ")) for line in found]

    def warnings(self):
        """What went wrong in Python."""
        return re.findall(r".*(?:EXCEPTION Thrown|Traceback|Error Type).*", self.log())

    def quit(self):
        """Tells it to quit, as a user does, and waits for its end."""
        self.rpc.call("Application.Quit")
        self.child.wait(timeout=ENDS_WITHIN_S)

    def kill(self):
        """Ends it at once, as a power cut would."""
        self.child.kill()
        self.child.wait(timeout=ENDS_WITHIN_S)

    def stop(self):
        """Ends it if it runs."""
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(timeout=ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def keep_log(self, name):
        """Copies its log to where the logs of all tests are."""
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"{name}.log").write_text(self.log())


def enabled_kodi(home, screen):
    """A home in which both add-ons are enabled: Kodi asks the user for each, unless it was told before."""
    kodi = Kodi(home, screen, "kodi")
    kodi.prepare()
    kodi.start()
    try:
        for name in (MODULE, PLUGIN):
            kodi.rpc.call("Addons.SetAddonEnabled", addonid=name, enabled=True)
        until(
            lambda: all(
                kodi.rpc.call("Addons.GetAddonDetails", addonid=name, properties=["enabled"])["addon"]["enabled"]
                for name in (MODULE, PLUGIN)
            ),
            "both add-ons are enabled",
        )
        kodi.quit()
    finally:
        kodi.stop()
    return kodi
