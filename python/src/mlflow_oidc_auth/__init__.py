"""The gateway mlflow-oidc-auth: one program of Go, which this package installs as a command. Here is where it is found."""

import os
import pathlib
import sysconfig

__all__ = ["NotInstalledError", "command", "program"]


class NotInstalledError(Exception):
    """Says that a command is not where this environment's commands are."""


def program():
    """Gives the path of the gateway's program."""
    return command("mlflow-oidc-auth")


def command(name):
    """Gives the path of a command of this very environment, whatever PATH has."""
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
               pathlib.Path(__file__).resolve().parents[1] / "bin"]  # pip install --target
    for folder in folders:
        path = os.path.join(folder, name + (".exe" if os.name == "nt" else ""))
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise NotInstalledError(f"the command {name} is not in {' nor in '.join(str(folder) for folder in folders)}")
