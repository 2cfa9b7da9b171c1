"""Starts the real binary in a folder of its own and speaks to it as an operator does."""

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import requests

from harness.wait import until


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def binary():
    """The binary under test: LINKSPAN_BINARY, which scripts/test sets, or the debug build."""
    found = Path(os.environ.get("LINKSPAN_BINARY") or Path(__file__).parents[2] / "target/debug/linkspan")
    assert found.is_file(), f"{found} is not there: cargo build, or set LINKSPAN_BINARY"
    return str(found.resolve())


class CommandFailed(AssertionError):
    """A command that should have worked did not."""


class Linkspan:
    """One node. `settings` are TOML lines below the generated ones, grouped by section name."""

    def __init__(self, folder, settings=None, public_url=None, arguments=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.ops_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.base = public_url or self.url
        self.ops = f"http://127.0.0.1:{self.ops_port}"
        self.arguments = arguments
        self.process = None
        self.api_keys = 0
        self.configure(settings or {})
        # Nothing of the tester's own environment may steer the server.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LINKSPAN_")}

    def configure(self, settings):
        sections = {"listen": f'web = "127.0.0.1:{self.port}"\nops = "127.0.0.1:{self.ops_port}"'}
        for section, lines in settings.items():
            sections[section] = f"{sections[section]}\n{lines}" if section in sections else lines
        text = f'public_url = "{self.base}"\n' + "".join(f"[{name}]\n{lines}\n" for name, lines in sections.items())
        (self.folder / "linkspan.toml").write_text(text)

    @property
    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def launch(self):
        """Starts the process without waiting for it."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [binary(), "serve", *self.arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start(self):
        self.launch()
        until(lambda: self.process.poll() is not None or self.answers(), 30, f"{self.url} answers")
        assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.log[-2000:]}"
        return self

    def answers(self):
        try:
            return requests.get(f"{self.url}/saml/metadata", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def stop(self):
        """Asks it to end and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def run(self, *arguments, given=None):
        """One command of the CLI in the server's folder, whatever comes of it."""
        return subprocess.run(
            [binary(), *map(str, arguments)], cwd=self.folder, env=self.environment, input=given, capture_output=True, text=True, timeout=60
        )

    def cli(self, *arguments, given=None):
        """One command that must work; what it printed, read as JSON where it asked for that."""
        done = self.run(*arguments, given=given)
        if done.returncode:
            raise CommandFailed(f"linkspan {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr or done.stdout}")
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def add_user(self, name, password, *options):
        self.cli("user", "add", name, "--password-stdin", *options, given=password + "\n")

    def add_app(self, metadata, *options):
        """Adds an app from metadata text and returns what `app add -o json` told."""
        return self.cli("app", "add", "-", *options, "-o", "json", given=metadata)

    def set_app(self, app, *settings):
        self.cli("app", "set", app["id"], *settings)

    def api_key(self, *scopes):
        options = [word for scope in scopes for word in ("--scope", scope)]
        self.api_keys += 1
        return self.cli("apikey", "new", "--name", f"test {self.api_keys}", *options, "-o", "json")["key"]

    def copy_secrets_to(self, other):
        """Brings what nodes of one database share to another node, as an operator copies it."""
        target = other.folder / "linkspan-data"
        target.mkdir(mode=0o700, exist_ok=True)
        shutil.copy2(self.folder / "linkspan-data/seal.key", target / "seal.key")
        shutil.copytree(self.folder / "linkspan-data/keys", target / "keys", dirs_exist_ok=True)
