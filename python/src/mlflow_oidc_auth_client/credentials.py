"""The file of sign-ins, as `mlflow-oidc-auth login` writes it, and their renewal."""

import contextlib
import json
import os
import pathlib
import stat
import sys
import tempfile
import time
import urllib.parse

import requests

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

CLIENT_ID = "mlflow-oidc-auth"
LAYOUT = 1
EARLY = 5 * 60  # seconds before its end that a token is renewed, at most; of short lives a quarter
TIMEOUT = 30


class SignInError(Exception):
    """Says that nobody is signed in, and what to do about it."""


def default_path():
    """Gives where the file is, as Go's os.UserConfigDir finds it."""
    if named := os.environ.get("MLFLOW_OIDC_CREDENTIALS_FILE"):
        return named
    if sys.platform == "win32":
        folder = os.environ.get("AppData", "")
    elif sys.platform == "darwin":
        folder = os.path.expanduser("~/Library/Application Support")
    else:
        folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(folder, "mlflow-oidc-auth", "credentials.json")


def place(url):
    """Gives the origin of an address in one spelling, and its path; None for what has none."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
        return None
    default = {"http": 80, "https": 443}[parts.scheme]
    return parts.scheme, parts.hostname, port or default, parts.path


def within(url, server):
    """Tells whether an address is of a server: its very origin, and below its path."""
    asked, at = place(url), place(server)
    if not asked or not at or asked[:3] != at[:3]:
        return False
    base = at[3].rstrip("/")
    return asked[3] == base or asked[3].startswith(base + "/")


class Credentials:
    """The sign-ins of one profile. It may be used by several threads, and the file by several processes."""

    def __init__(self, path, profile="", now=time.time):
        self.path = pathlib.Path(path)
        self.profile = profile
        self._now = now
        self._last = None, {}  # what the file was like when it was read, and what it held

    def server(self, url):
        """Gives the server, of those with a sign-in, that an address is of; None for none. The longest path wins."""
        suffix = "#" + self.profile if self.profile else ""
        own = [key[:len(key) - len(suffix)] for key in self._read() if key.endswith(suffix)]
        found = [at for at in own if "#" not in at and within(url, at)]
        return max(found, key=len, default=None)

    def token(self, server, instead_of=None):
        """Gives a token that is good for a while, and renews it where that is due, or where one was refused."""
        known = self._read().get(self._key(server))
        if known and not self._due(known, instead_of):
            return known["access_token"]
        with self._locked():
            servers = self._read()
            known = servers.get(self._key(server))
            if not known:
                raise SignInError(f"You are not signed in at {server}. Run: mlflow-oidc-auth login {server}")
            if not self._due(known, instead_of):  # somebody has renewed it meanwhile
                return known["access_token"]
            return self._renew(server, servers, known, refused=instead_of is not None)

    def _key(self, server):
        return f"{server}#{self.profile}" if self.profile else server

    def _due(self, known, instead_of):
        if instead_of is not None and known["access_token"] == instead_of:
            return True
        life = known["expires_at"] - known["obtained_at"]
        return known["expires_at"] - self._now() < min(EARLY, life / 4)

    def _renew(self, server, servers, known, refused):
        try:
            # No redirect is followed, and nothing of ~/.netrc is sent: the token is for this server alone.
            with requests.Session() as session:
                session.auth = lambda request: request
                answer = session.post(known["token_endpoint"], timeout=TIMEOUT, allow_redirects=False, data={
                    "client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": known["refresh_token"]})
            said = answer.json()
        except (requests.RequestException, ValueError) as problem:
            return self._later(server, known, refused, problem)
        if not isinstance(said, dict):
            return self._later(server, known, refused, "the server's answer cannot be read")
        if answer.status_code == 400 and said.get("error") == "invalid_grant":
            del servers[self._key(server)]
            self._write(servers)
            raise SignInError(f"Your sign-in at {server} has ended: {said.get('error_description')}. "
                              f"Run: mlflow-oidc-auth login {server}")
        if answer.status_code != 200 or not said.get("access_token") or not said.get("refresh_token"):
            return self._later(server, known, refused, said.get("error_description") or answer.status_code)
        now = self._now()
        known = dict(known, access_token=said["access_token"], refresh_token=said["refresh_token"],
                     obtained_at=now, expires_at=now + float(said["expires_in"]))
        servers[self._key(server)] = known
        self._write(servers)
        return known["access_token"]

    def _later(self, server, known, refused, problem):
        """A server that is down ends nothing: the token is used as long as it is good."""
        if not refused and known["expires_at"] > self._now():
            return known["access_token"]
        raise SignInError(f"The sign-in at {server} could not be renewed: {problem}") from None

    def _read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                state = os.fstat(file.fileno())
                seen = state.st_ino, state.st_mtime_ns, state.st_size, state.st_mode
                if seen != self._last[0]:
                    if os.name == "posix" and stat.S_IMODE(state.st_mode) & 0o077:
                        raise SignInError(f"{self.path} must be yours alone: chmod 600 it, or delete it and sign in again")
                    content = json.load(file)
                    if content.get("version") != LAYOUT:
                        raise SignInError(f"{self.path} was written by another version; update this package or mlflow-oidc-auth")
                    self._last = seen, content.get("servers") or {}
        except FileNotFoundError:
            self._last = None, {}
        except (OSError, ValueError, AttributeError) as problem:
            raise SignInError(f"{self.path} cannot be read: {problem}") from None
        return dict(self._last[1])

    @contextlib.contextmanager
    def _locked(self):
        """Holds the lock that everybody holds who writes the file: other processes, and other threads of this one."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
            else:
                while True:
                    try:
                        msvcrt.locking(lock, msvcrt.LK_LOCK, 1)  # it gives up after ten seconds
                        break
                    except OSError:
                        time.sleep(0.1)
            yield
        finally:
            if fcntl:  # a child that was forked meanwhile has the file open too
                fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _write(self, servers):
        """Puts a new file in the place of the old one: a reader sees either."""
        handle, name = tempfile.mkstemp(prefix=".credentials-", dir=self.path.parent)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"version": LAYOUT, "servers": servers}, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
