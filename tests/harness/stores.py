"""Private Redis and PostgreSQL servers on loopback, their data in a folder of the test."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness.server import free_port
from harness.wait import until


class Redis:
    """Keeps its data in `folder`, so that it can be stopped and started again."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.databases = 0
        self.process = None

    def database(self):
        """The URL of a database that nobody uses yet."""
        self.databases += 1
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{self.databases - 1}"

    def start(self):
        # The password goes by standard input: arguments can be read by every user of the machine.
        settings = f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}\nappendonly yes\nappendfsync always\ndatabases 200\nrequirepass {self.password}\n"
        self.process = subprocess.Popen(
            ["redis-server", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder
        )
        self.process.stdin.write(settings.encode())
        self.process.stdin.close()
        until(lambda: "PONG" in self.command("PING"), 20, "Redis answers")
        return self

    def command(self, *words):
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *words], env={**os.environ, "REDISCLI_AUTH": self.password}, capture_output=True, text=True
        )
        return done.stdout

    def freeze(self):
        """It keeps its connections and answers nobody, as a machine that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.terminate()
            self.process.wait(10)


class Postgres:
    """A cluster of its own; `database()` makes an empty database in it and returns the URL."""

    def __init__(self):
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))
        assert self.bin, "PostgreSQL is not installed"
        self.port = free_port()
        self.password = secrets.token_hex(16)
        # PostgreSQL refuses to run as root: then Debian's user for it owns the folder.
        self.owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="linkspan-postgres-"))
        if self.owner:
            os.chown(self.folder, self.owner.pw_uid, self.owner.pw_gid)
        self.databases = 0

    def run(self, *arguments, **options):
        user = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []} if self.owner else {}
        done = subprocess.run([self.bin / arguments[0], *arguments[1:]], cwd=self.folder, text=True, **user, **options)
        assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}: {done.stderr or ''}"

    def start(self):
        password = self.folder / "password"
        password.write_text(self.password)
        if self.owner:
            os.chown(password, self.owner.pw_uid, self.owner.pw_gid)
        self.run(
            "initdb", f"--pgdata={self.folder / 'data'}", "--username=linkspan", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8",
            "--no-locale", "--no-sync", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        self.resume()
        return self

    def control(self, *arguments):
        # No pipes: the server inherits them and they would never close.
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.run("pg_ctl", f"--pgdata={self.folder / 'data'}", "--silent", "--wait", *arguments, **quiet)

    def pause(self):
        self.control("--mode=immediate", "stop")

    def resume(self):
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        self.control(f"--log={self.folder / 'log'}", f"--options={options}", "start")

    def database(self):
        self.databases += 1
        name = f"test{self.databases}"
        self.run(
            "createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=linkspan", name, env={**os.environ, "PGPASSWORD": self.password}
        )
        return f"postgres://linkspan:{self.password}@127.0.0.1:{self.port}/{name}"

    def stop(self):
        self.pause()
        shutil.rmtree(self.folder, ignore_errors=True)
